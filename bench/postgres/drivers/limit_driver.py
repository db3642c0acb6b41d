"""The limit: a connection, a protocol, and futures. Nothing is decoded, nothing can fail, one write a turn of
the loop for all tasks; of rows and of inserts, what is written is ready beforehand."""

import asyncio
import struct
import urllib.parse
from collections import deque

import driver


def message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


def bind(number):
    """Bind, Execute, Sync."""
    value = struct.pack("!hhhii", 1, 1, 1, 4, number) + struct.pack("!hh", 1, 1)
    return message(b"B", b"\0s\0" + value) + message(b"E", b"\0\0\0\0\0") + message(b"S", b"")


def insert(row):
    """Bind, Execute."""
    number, name, age, score = row
    name = name.encode()
    values = struct.pack("!hiii", 4, 4, number, len(name)) + name + struct.pack("!iiid", 4, age, 8, score)
    return message(b"B", b"\0i\0" + struct.pack("!hh", 1, 1) + values + b"\0\0") + message(
        b"E", b"\0\0\0\0\0"
    )


def fetch(name):
    """Bind, Execute, Sync."""
    bound = b"\0" + name + b"\0" + struct.pack("!hhhh", 0, 0, 1, 1)
    return message(b"B", bound) + message(b"E", b"\0\0\0\0\0") + message(b"S", b"")


INSERTS = b"".join(map(insert, driver.MANY)) + message(b"S", b"")
PREPARED = [bind(number) for number in range(1 + driver.USERS)]


class Protocol(asyncio.Protocol):
    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.ready = self.loop.create_future()
        self.waiting = deque([self.ready])
        self.left = b""
        self.out = []
        #: Bytes that have come; bytes of an answer that is known to the byte, still to come.
        self.received = self.wanted = 0

    def connection_made(self, transport):
        self.transport = transport
        where = urllib.parse.urlsplit(driver.DSN)
        body = struct.pack("!i", 196608)
        body += f"user\0{where.username}\0database\0{where.path[1:]}\0\0".encode()
        transport.write(struct.pack("!i", len(body) + 4) + body)

    def data_received(self, data):
        self.received += len(data)
        if self.wanted:
            self.wanted -= len(data)
            if self.wanted <= 0:
                self.waiting.popleft().set_result(None)
            return
        data = self.left + data if self.left else data
        at, end = 0, len(data)
        while end - at >= 5:
            size = 1 + int.from_bytes(data[at + 1 : at + 5])
            if end - at < size:
                break
            kind = data[at]
            if kind == 90:  # ReadyForQuery
                self.waiting.popleft().set_result(None)
            elif kind == 69:  # ErrorResponse
                raise RuntimeError(data[at : at + size])
            at += size
        self.left = data[at:]

    def send_again(self, data, size):
        """Send what was sent before, alone: its answer has so many bytes, and nobody looks at it."""
        self.wanted = size
        return self.send(data)

    def send(self, data):
        if not self.out:
            self.loop.call_soon(self.flush)
        self.out.append(data)
        future = self.loop.create_future()
        self.waiting.append(future)
        return future

    def flush(self):
        self.transport.write(b"".join(self.out))
        self.out.clear()


class Driver:
    async def open(self):
        where = urllib.parse.urlsplit(driver.DSN)
        loop = asyncio.get_running_loop()
        _, self.protocol = await loop.create_connection(Protocol, where.hostname, where.port)
        await self.protocol.ready
        for name, sql in (
            (b"s", driver.SELECT),
            (b"r", driver.ROWS),
            (b"n", driver.NUMBERS),
            (b"i", driver.INSERT),
        ):
            parse = name + b"\0" + sql.encode() + b"\0\0\0"
            await self.protocol.send(message(b"P", parse) + message(b"S", b""))

    async def close(self):
        self.protocol.transport.close()

    async def worker(self, until):
        send, count = self.protocol.send, 0
        while driver.now() < until:
            count += 1
            await send(PREPARED[1 + count % driver.USERS])
        return count

    async def pool8(self, seconds):
        return await driver.run_tasks(self.worker, 8, seconds)

    async def pool64(self, seconds):
        return await driver.run_tasks(self.worker, 64, seconds)

    async def sequential(self, seconds):
        return await driver.run_tasks(self.worker, 1, seconds)

    async def again(self, seconds, data, tidy=None):
        async def ask():
            await protocol.send_again(data, size)

        protocol = self.protocol
        before = protocol.received
        await protocol.send(data)
        size = protocol.received - before
        return await driver.repeat(seconds, (ask, tidy), driver.USERS)

    async def records(self, seconds):
        return await self.again(seconds, fetch(b"r"))

    structs = json = records

    async def numbers(self, seconds):
        return await self.again(seconds, fetch(b"n"))

    numbers_structs = numbers_json = numbers

    async def tidy(self):
        await self.protocol.send(message(b"Q", driver.TRUNCATE.encode() + b"\0"))

    async def many(self, seconds):
        return await self.again(seconds, INSERTS, self.tidy)


if __name__ == "__main__":
    driver.main(Driver())
