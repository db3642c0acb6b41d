"""The limit: a connection, a protocol, and futures. Nothing is decoded, nothing can fail, one write a turn of
the loop for all tasks."""

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


PREPARED = [bind(number) for number in range(1 + driver.USERS)]


class Protocol(asyncio.Protocol):
    def __init__(self):
        self.loop = asyncio.get_running_loop()
        self.ready = self.loop.create_future()
        self.waiting = deque([self.ready])
        self.left = b""
        self.out = []

    def connection_made(self, transport):
        self.transport = transport
        where = urllib.parse.urlsplit(driver.DSN)
        body = struct.pack("!i", 196608)
        body += f"user\0{where.username}\0database\0{where.path[1:]}\0\0".encode()
        transport.write(struct.pack("!i", len(body) + 4) + body)

    def data_received(self, data):
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
        await self.protocol.send(
            message(b"P", b"s\0" + driver.SELECT.encode() + b"\0\0\0") + message(b"S", b"")
        )

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


if __name__ == "__main__":
    driver.main(Driver())
