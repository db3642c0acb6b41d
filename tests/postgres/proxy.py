"""A TCP proxy between a client and a real server, which does what networks do: it stops, cuts, delays."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.postgres.servers import Postgres

__all__ = ["Proxy", "proxy"]


class Proxy:
    """Between clients and a server.

    Attributes:
    dsn: where clients connect to.
    links: the connections there are.
    cut_after: how many bytes of the server's answers each connection lets through; then it is cut.
    cut: "close" (FIN), "reset" (RST), or "stop" (silence).
    delay: seconds that each piece of an answer waits.
    received, answered: what clients and server have said, of all connections, where `record`.
    """

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.port = 0
        self.links: set[Link] = set()
        self.cut_after: int | None = None
        self.cut = "close"
        self.delay = 0.0
        self.accepts = True
        self.record = False
        self.received: list[bytes] = []
        self.answered: list[bytes] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self.serving: set[asyncio.Task[None]] = set()

    @property
    def dsn(self) -> str:
        return self.server.conninfo(host="127.0.0.1", port=self.port, sslmode="disable")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, reader, writer)
        self.links.add(link)
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        try:
            if self.accepts:
                await link.run()
        finally:
            self.links.discard(link)
            self.serving.discard(task)
            writer.close()

    def break_all(self, cut: str = "reset") -> None:
        """All connections, now."""
        for link in list(self.links):
            link.end(cut)

    def stop(self) -> None:
        """Nothing goes through any more, in either direction, and nobody is told."""
        for link in self.links:
            link.flows.clear()

    def go_on(self) -> None:
        for link in self.links:
            link.flows.set()


class Link:
    """One connection."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy = proxy
        self.reader, self.writer = reader, writer
        self.flows = asyncio.Event()
        self.flows.set()
        self.let_through = 0

    async def run(self) -> None:
        server = self.proxy.server
        back, to = await asyncio.open_connection(server.host, server.port)
        try:
            forth = asyncio.create_task(self.pump(self.reader, to, self.proxy.received))
            answers = asyncio.create_task(self.pump(back, self.writer, self.proxy.answered, count=True))
            self.proxy.tasks |= {forth, answers}
            try:
                await asyncio.wait({forth, answers}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (forth, answers):
                    task.cancel()
                await asyncio.gather(forth, answers, return_exceptions=True)
                self.proxy.tasks -= {forth, answers}
        finally:
            to.close()

    async def pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        kept: list[bytes],
        count: bool = False,
    ) -> None:
        proxy = self.proxy
        try:
            while data := await source.read(65536):
                if proxy.record:
                    kept.append(data)
                if count:
                    if proxy.delay:
                        await asyncio.sleep(proxy.delay)
                    if proxy.cut_after is not None:
                        room = proxy.cut_after - self.let_through
                        self.let_through += len(data)
                        if len(data) >= room:
                            target.write(data[: max(room, 0)])
                            await target.drain()
                            await self.end(proxy.cut)
                            return
                await self.flows.wait()
                target.write(data)
                await target.drain()
        except OSError:
            pass

    def end(self, cut: str) -> asyncio.Future[None]:
        """Break it; what is returned is done at once, or never where it only stops."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if cut == "stop":
            self.flows.clear()
            return done
        sock = self.writer.get_extra_info("socket")
        if cut == "reset" and sock is not None:
            # A close that lingers for no second is RST.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if cut == "reset":
            self.writer.transport.abort()
        else:
            self.writer.close()
        done.set_result(None)
        return done


@asynccontextmanager
async def proxy(server: Postgres) -> AsyncIterator[Proxy]:
    """A proxy in front of the server, on the running loop."""
    found = Proxy(server)
    listening = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = listening.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        listening.close()
        for task in list(found.tasks):
            task.cancel()
        if found.serving:
            await asyncio.wait(found.serving)
