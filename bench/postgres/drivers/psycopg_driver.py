"""psycopg 3 with its pool. Autocommit and prepared from the first use: else a select is three round trips."""

from datetime import datetime

import driver
import msgspec
import orjson
import psycopg
from psycopg.rows import args_row, dict_row
from psycopg_pool import AsyncConnectionPool

SELECT = driver.SELECT.replace("$1", "%s")
INSERT = "insert into bench_rows (id, name, age, score) values (%s, %s, %s, %s)"


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
        options = {"autocommit": True, "prepare_threshold": 0}
        self.pool = AsyncConnectionPool(driver.DSN, min_size=10, max_size=10, kwargs=options, open=False)
        await self.pool.open(wait=True)
        self.connection = await psycopg.AsyncConnection.connect(driver.DSN, **options)

    async def close(self):
        await self.connection.close()
        await self.pool.close()

    async def worker(self, until):
        pool, count = self.pool, 0
        while driver.now() < until:
            count += 1
            async with pool.connection() as connection:
                cursor = await connection.execute(SELECT, (1 + count % driver.USERS,), binary=True)
                row = await cursor.fetchone()
            assert row[0] == 1 + count % driver.USERS
        return count

    async def pool8(self, seconds):
        return await driver.run_tasks(self.worker, 8, seconds)

    async def pool64(self, seconds):
        return await driver.run_tasks(self.worker, 64, seconds)

    async def sequential(self, seconds):
        connection, count, until = self.connection, 0, driver.now() + seconds
        while driver.now() < until:
            count += 1
            cursor = await connection.execute(SELECT, (1 + count % driver.USERS,), binary=True)
            row = await cursor.fetchone()
            assert row[0] == 1 + count % driver.USERS
        return count

    async def fetch(self, seconds, make, after=lambda rows: rows, sql=driver.ROWS):
        async def fetch():
            async with self.connection.cursor(binary=True, row_factory=make) as cursor:
                assert after(await (await cursor.execute(sql)).fetchall())

        return await driver.repeat(seconds, fetch, driver.USERS)

    async def records(self, seconds):
        return await self.fetch(seconds, dict_row)

    async def numbers(self, seconds):
        return await self.fetch(seconds, dict_row, sql=driver.NUMBERS)

    async def structs(self, seconds):
        return await self.fetch(seconds, args_row(Note))

    async def json(self, seconds):
        return await self.fetch(seconds, dict_row, orjson.dumps)

    async def numbers_structs(self, seconds):
        return await self.fetch(seconds, args_row(User), sql=driver.NUMBERS)

    async def numbers_json(self, seconds):
        return await self.fetch(seconds, dict_row, orjson.dumps, sql=driver.NUMBERS)

    async def tidy(self):
        await self.connection.execute(driver.TRUNCATE)

    async def copy(self, seconds):
        async def copy():
            async with (
                self.connection.cursor() as cursor,
                cursor.copy("copy bench_rows (id, name, age, score) from stdin (format binary)") as copy,
            ):
                copy.set_types(["int4", "text", "int4", "float8"])
                for row in driver.COPIED:
                    await copy.write_row(row)

        return await driver.repeat(seconds, (copy, self.tidy), len(driver.COPIED))

    async def many(self, seconds):
        async def insert():
            async with self.connection.cursor() as cursor:
                await cursor.executemany(INSERT, driver.MANY)

        return await driver.repeat(seconds, (insert, self.tidy), len(driver.MANY))

    async def acquire(self, seconds):
        pool, count, until = self.pool, 0, driver.now() + seconds
        while driver.now() < until:
            count += 1
            async with pool.connection():
                pass
        return count


if __name__ == "__main__":
    driver.main(Driver())
