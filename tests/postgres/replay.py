"""A server that says again what a real one has said to the same questions, spoilt a little."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from tests.postgres import backend as b
from tests.postgres.proxy import proxy
from tests.postgres.servers import Postgres

__all__ = ["mutated", "record", "replay"]


async def record(server: Postgres, talk: Callable[[str], Coroutine[Any, Any, object]]) -> list[bytes]:
    """What the server says while `talk(dsn)` goes on: up to its first ReadyForQuery, to the next …"""
    async with proxy(server) as between:
        between.record = True
        await talk(between.dsn)
        said = b"".join(between.answered)
    parts, part = [], b""
    for message in b.split(said):
        part += message
        if message[:1] == b"Z":
            parts.append(part)
            part = b""
    return parts


def mutated(chance: random.Random, parts: list[bytes]) -> list[bytes]:
    """The same with a few bytes changed, taken away, doubled; or with messages exchanged."""
    parts = list(parts)
    for _ in range(chance.choice((1, 1, 2, 5))):
        which = chance.randrange(len(parts))
        data = bytearray(parts[which])
        at = chance.randrange(len(data))
        kind = chance.randrange(7)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del data[at : at + chance.choice((1, 2, 4, 30))]
        elif kind == 3:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 4, 9))))
        elif kind == 4:
            data[at : at + 4] = struct.pack("!i", chance.choice((-1, -(1 << 31), (1 << 31) - 1, 0, 1 << 20)))
        else:
            messages = b.split(bytes(data))
            one, other = chance.randrange(len(messages)), chance.randrange(len(messages))
            if kind == 5:
                messages[one], messages[other] = messages[other], messages[one]
            else:
                messages.insert(one, messages[other])
            data = bytearray(b"".join(messages))
        parts[which] = bytes(data)
    return parts


@asynccontextmanager
async def replay(parts: list[bytes]) -> AsyncIterator[str]:
    """A server that answers the StartupMessage with the first part, and each Sync and Query with the next;
    then it closes. Its dsn."""
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        left = list(parts)
        try:
            size = struct.unpack("!I", await reader.readexactly(4))[0]
            if struct.unpack("!I", (await reader.readexactly(size - 4))[:4])[0] == 80877102:
                return
            writer.write(left.pop(0))
            while left:
                kind, size = struct.unpack("!cI", await reader.readexactly(5))
                await reader.readexactly(size - 4)
                if kind in (b"S", b"Q"):
                    writer.write(left.pop(0))
                    await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            serving.discard(task)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        port = listening.sockets[0].getsockname()[1]
        yield f"host=127.0.0.1 port={port} user=postgres dbname=x sslmode=disable"
    finally:
        listening.close()
        for task in list(serving):
            task.cancel()
        if serving:
            await asyncio.wait(serving)
