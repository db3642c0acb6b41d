"""The limit: uvloop and httptools read the request as a server must, and the bytes of fastweb's answer are
written back.

No routes, no application, no limits on what a client may send: what is left is what any Python server on
this loop and parser pays.
"""

from __future__ import annotations

import asyncio
import sys
import time
from email.utils import formatdate
from typing import Any

import httptools
import uvloop
from fixed import ANSWERS


class Answers:
    """Whole answers by method and path, with a Date field that is right."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.whole: dict[tuple[bytes, bytes], bytes] = {}
        self.renew()

    def renew(self) -> None:
        date = formatdate(time.time(), usegmt=True)
        for (method, path), (media_type, body) in ANSWERS.items():
            head = (
                f"HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ndate: {date}\r\nserver: fastweb\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            )
            self.whole[method.encode(), path.encode()] = head.encode() + body
        self.loop.call_later(1.0, self.renew)


class Connection(asyncio.Protocol):
    def __init__(self, answers: Answers) -> None:
        self.answers = answers.whole

    def connection_made(self, transport: Any) -> None:
        self.write = transport.write
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.write(self.answers[self.parser.get_method(), self.url.partition(b"?")[0]])


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    answers = Answers(loop)
    server = await loop.create_server(lambda: Connection(answers), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
