"""fastweb's client, as its documentation has it."""

from datetime import datetime

import driver
import msgspec

from fastweb.postgres import PgPool, connect


class Note(msgspec.Struct):
    id: int
    title: str
    written: datetime
    done: bool


class User(msgspec.Struct):
    id: int
    name: str
    age: int
    score: float


class Driver:
    async def open(self):
        self.pool = PgPool(driver.DSN, 1, 10)
        await self.pool.open()
        self.connection = await connect(driver.DSN)

    async def close(self):
        await self.connection.close()
        await self.pool.close()

    async def worker(self, until):
        pool, count = self.pool, 0
        while driver.now() < until:
            count += 1
            row = await pool.fetch_one(driver.SELECT, 1 + count % driver.USERS)
            assert row["id"] == 1 + count % driver.USERS
        return count

    async def pool8(self, seconds):
        return await driver.run_tasks(self.worker, 8, seconds)

    async def pool64(self, seconds):
        return await driver.run_tasks(self.worker, 64, seconds)

    async def sequential(self, seconds):
        connection, count, until = self.connection, 0, driver.now() + seconds
        while driver.now() < until:
            count += 1
            row = await connection.fetch_one(driver.SELECT, 1 + count % driver.USERS)
            assert row["id"] == 1 + count % driver.USERS
        return count

    async def records(self, seconds):
        async def fetch():
            rows = await self.connection.fetch(driver.ROWS)
            assert len(rows) == driver.USERS

        return await driver.repeat(seconds, fetch, driver.USERS)

    async def numbers(self, seconds):
        async def fetch():
            rows = await self.connection.fetch(driver.NUMBERS)
            assert len(rows) == driver.USERS

        return await driver.repeat(seconds, fetch, driver.USERS)

    async def structs(self, seconds):
        async def fetch():
            rows = await self.connection.fetch(Note, driver.ROWS)
            assert len(rows) == driver.USERS

        return await driver.repeat(seconds, fetch, driver.USERS)

    async def json(self, seconds):
        async def fetch():
            assert await self.connection.fetch_json(driver.ROWS)

        return await driver.repeat(seconds, fetch, driver.USERS)

    async def numbers_structs(self, seconds):
        async def fetch():
            rows = await self.connection.fetch(User, driver.NUMBERS)
            assert len(rows) == driver.USERS

        return await driver.repeat(seconds, fetch, driver.USERS)

    async def numbers_json(self, seconds):
        async def fetch():
            assert await self.connection.fetch_json(driver.NUMBERS)

        return await driver.repeat(seconds, fetch, driver.USERS)

    async def tidy(self):
        await self.connection.execute(driver.TRUNCATE)

    async def copy(self, seconds):
        async def copy():
            await self.connection.copy_in("bench_rows", driver.COPIED, columns=driver.COLUMNS)

        return await driver.repeat(seconds, (copy, self.tidy), len(driver.COPIED))

    async def many(self, seconds):
        async def insert():
            await self.connection.execute_many(driver.INSERT, driver.MANY)

        return await driver.repeat(seconds, (insert, self.tidy), len(driver.MANY))

    async def acquire(self, seconds):
        pool, count, until = self.pool, 0, driver.now() + seconds
        while driver.now() < until:
            count += 1
            async with pool.acquire():
                pass
        return count


if __name__ == "__main__":
    driver.main(Driver())
