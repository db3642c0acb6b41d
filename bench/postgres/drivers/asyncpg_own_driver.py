"""asyncpg with no pool: each task has a connection to itself."""

import asyncio

import asyncpg
import driver


class Driver:
    async def open(self):
        self.connections = [await asyncpg.connect(driver.DSN) for _ in range(64)]

    async def close(self):
        await asyncio.gather(*(each.close() for each in self.connections))

    async def work(self, tasks, seconds):
        until = driver.now() + seconds

        async def worker(connection):
            count = 0
            while driver.now() < until:
                count += 1
                row = await connection.fetchrow(driver.SELECT, 1 + count % driver.USERS)
                assert row["id"] == 1 + count % driver.USERS
            return count

        return sum(await asyncio.gather(*map(worker, self.connections[:tasks])))

    async def pool8(self, seconds):
        return await self.work(8, seconds)

    async def pool64(self, seconds):
        return await self.work(64, seconds)


if __name__ == "__main__":
    driver.main(Driver())
