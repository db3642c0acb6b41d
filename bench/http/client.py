"""The load client for machines without a C compiler: does what load.c does, and prints the same line of
JSON, on plain asyncio.

It is slower than the servers that it measures: where it is the bottleneck, `client_cpu` says so.

    python client.py PORT CONNECTIONS SECONDS RATE SPIN < request
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import resource
import sys
from time import perf_counter
from typing import Any

_FRAMING = re.compile(rb"\r\n(?:content-length: *(\d+)|(transfer-encoding:))", re.IGNORECASE)


class Load:
    """What the connections share."""

    def __init__(self, request: bytes, count: int, rate: float) -> None:
        self.request = request
        self.count = count
        self.rate = rate
        self.begin = self.end = 0.0
        self.times: list[float] = []
        self.errors = 0
        self.first_error = ""
        self.late = 0

    def error(self, what: str) -> None:
        self.errors += 1
        self.first_error = self.first_error or what


class Connection(asyncio.Protocol):
    def __init__(self, load: Load, number: int) -> None:
        self.load = load
        self.next = number
        self.busy = False
        self.due = 0.0
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if perf_counter() < self.load.end:
            self.load.error("the server closed the connection")

    def send(self, due: float) -> None:
        self.due = due
        self.busy = True
        self.transport.write(self.load.request)

    def start(self) -> None:
        """Send what is due, or wait until something is."""
        load = self.load
        if not load.rate:
            self.send(perf_counter())
            return
        due = load.begin + self.next / load.rate
        wait = due - perf_counter()
        if due >= load.end:
            return
        if wait > 0:
            asyncio.get_running_loop().call_later(wait, self.start)
            return
        load.late += wait < -0.001
        self.next += load.count
        self.send(due)

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        size = self.whole()
        if size == 0:
            return
        t = perf_counter()
        if size != len(self.buffer):
            self.load.error("an answer other than 200, without length, or more than was asked for")
            self.transport.close()
            return
        self.buffer = b""
        self.busy = False
        if t <= self.load.end:
            self.load.times.append(t - self.due)
            self.start()

    def whole(self) -> int:
        """The size of a whole answer; 0 where it is not whole, -1 where it is wrong."""
        data = self.buffer
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return 0
        framing = _FRAMING.search(data, 0, head)
        if not data.startswith(b"HTTP/1.1 200") or framing is None:
            return -1
        at = head + 4
        if framing[1] is not None:
            at += int(framing[1])
            return at if len(data) >= at else 0
        while (line := data.find(b"\r\n", at)) >= 0:
            size = int(data[at:line].split(b";")[0], 16)
            at = line + 4 + size
            if at > len(data):
                return 0
            if size == 0:
                return at
        return 0


async def run(port: int, count: int, seconds: float, rate: float, request: bytes) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    load = Load(request, count, rate)
    made = [
        await loop.create_connection(functools.partial(Connection, load, number), "127.0.0.1", port)
        for number in range(count)
    ]
    connections = [connection for _, connection in made]
    load.begin = perf_counter()
    load.end = load.begin + seconds
    for connection in connections:
        connection.start()
    await asyncio.sleep(seconds)
    now = perf_counter()
    for connection in connections:
        if rate:  # what is still awaited, or was due and never went out, has taken at least until now
            if connection.busy:
                load.times.append(now - connection.due)
            while (due := load.begin + connection.next / rate) < load.end:
                connection.next += count
                if now - due > 0.001:
                    load.times.append(now - due)
        connection.transport.abort()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    times = sorted(load.times) or [0.0]
    return {
        "requests": len(load.times),
        "seconds": seconds,
        "errors": load.errors,
        "first_error": load.first_error,
        "late": load.late,
        "mean": sum(times) / len(times),
        **{
            name: times[min(int(part * len(times)), len(times) - 1)]
            for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0))
        },
        "client_cpu": usage.ru_utime + usage.ru_stime,
    }


if __name__ == "__main__":
    words = sys.argv[1:]
    made = run(int(words[0]), int(words[1]), float(words[2]), float(words[3]), sys.stdin.buffer.read())
    sys.stdout.write(json.dumps(asyncio.run(made)) + "\n")
