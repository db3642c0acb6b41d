"""permessage-deflate: the compression of WebSocket messages (RFC 7692).

    client  Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, permessage-deflate
    server  Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=12

A client offers one or more sets of parameters, the first that can be met is answered (section 7.1):

    server_no_context_takeover    what we send: each message is compressed by itself
    client_no_context_takeover    what we receive: likewise
    server_max_window_bits=8..15  what we send looks back no further than 2 to the power of it
    client_max_window_bits[=…]    the client can be told that of what it sends

A message is a raw DEFLATE stream that ends with an empty block, of which the last four bytes are left out
(section 7.2.1).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

__all__ = ["Agreement", "Deflate", "Inflate", "agree", "parse_extensions"]

_TAIL: Final = b"\x00\x00\xff\xff"
#: What is looked back at 2^12 bytes and with this much of tables costs 64 KiB a connection and not 256, and
#: compresses chat and JSON as well.
_WINDOW_BITS: Final = 12
_MEMORY_LEVEL: Final = 5
#: zlib cannot compress with a window of 2^8.
_LEAST_WINDOW_BITS: Final = 9
#: Shorter messages are sent as they are: they would hardly be shorter, and it takes its time.
_THRESHOLD: Final = 128
#: Final blocks that a message may have. There is use for one (section 7.2.3.4); each costs a new stream.
_MOST_FINALS: Final = 8
#: How far DEFLATE can look back.
_WINDOW: Final = 32 * 1024

# RFC 9110 section 5.6: token, quoted-string. Each alternative begins with another letter, so it is linear.
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = re.compile(
    rf"[ \t]*;[ \t]*(?P<name>{_TOKEN})"
    rf'(?:[ \t]*=[ \t]*(?:(?P<token>{_TOKEN})|"(?P<quoted>(?:[^"\\]|\\.)*)"))?'
)
_NAME: Final = re.compile(rf"[ \t,]*(?P<name>{_TOKEN})")
_END: Final = re.compile(r"[ \t]*(?:,|$)")


class Agreement(NamedTuple):
    """What both sides do."""

    server_takeover: bool
    client_takeover: bool
    server_bits: int
    client_bits: int
    #: The answer's Sec-WebSocket-Extensions.
    header: bytes


def parse_extensions(value: str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    """The offers of a Sec-WebSocket-Extensions field, each a name and its parameters (RFC 6455 section 9.1).

    Raises:
        ValueError: it is none.
    """
    offers: list[tuple[str, list[tuple[str, str | None]]]] = []
    at = 0
    end = len(value.rstrip(" \t,"))
    while at < end:
        name = _NAME.match(value, at)
        if name is None:
            raise ValueError("Sec-WebSocket-Extensions cannot be read")
        at = name.end()
        parameters: list[tuple[str, str | None]] = []
        while found := _PARAMETER.match(value, at):
            at = found.end()
            given = found["token"]
            if given is None and found["quoted"] is not None:
                given = re.sub(r"\\(.)", r"\1", found["quoted"])
            parameters.append((found["name"].lower(), given))
        following = _END.match(value, at)
        if following is None:
            raise ValueError("Sec-WebSocket-Extensions cannot be read")
        at = following.end()
        offers.append((name["name"].lower(), parameters))
    return offers


def agree(values: Iterable[str]) -> Agreement | None:
    """Answer what a client offers.

    Arguments:
        values: of the Sec-WebSocket-Extensions fields.

    Returns:
        None where there is no offer that can be met: nothing is compressed.

    Raises:
        ValueError: one cannot be read.
    """
    for value in values:
        for name, parameters in parse_extensions(value):
            if name == "permessage-deflate" and (found := _meet(parameters)) is not None:
                return found
    return None


def _meet(parameters: list[tuple[str, str | None]]) -> Agreement | None:
    given = dict(parameters)
    if len(given) != len(parameters):
        return None  # one is there twice: section 7.1, the offer is declined
    answer = [b"permessage-deflate"]
    server_bits, client_bits = _WINDOW_BITS, 15
    for name, value in parameters:
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            if value is not None:
                return None
            answer.append(name.encode())
        elif name == "server_max_window_bits":
            bits = _bits(value)
            if bits is None or bits < _LEAST_WINDOW_BITS:
                return None
            server_bits = min(bits, _WINDOW_BITS)
            answer.append(b"server_max_window_bits=%d" % server_bits)
        elif name == "client_max_window_bits":
            bits = 15 if value is None else _bits(value)
            if bits is None:
                return None
            client_bits = min(bits, _WINDOW_BITS)
            answer.append(b"client_max_window_bits=%d" % client_bits)
        else:
            return None
    return Agreement(
        "server_no_context_takeover" not in given,
        "client_no_context_takeover" not in given,
        server_bits,
        client_bits,
        b"; ".join(answer),
    )


def _bits(value: str | None) -> int | None:
    if value is not None and re.fullmatch("[89]|1[0-5]", value):
        return int(value)
    return None


class Deflate:
    """Compresses messages.

    Arguments:
        agreement: how.
    """

    def __init__(self, agreement: Agreement) -> None:
        self._bits = agreement.server_bits
        self._takeover = agreement.server_takeover
        self._stream: Any = None

    def compress(self, data: str | bytes) -> bytes | None:
        """A message's payload, compressed; None where it is to be sent as it is."""
        if len(data) < _THRESHOLD:
            return None
        payload = data.encode() if isinstance(data, str) else data
        stream = self._stream
        if stream is None:
            stream = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -self._bits, _MEMORY_LEVEL)
            if self._takeover:
                self._stream = stream
        compressed: bytes = stream.compress(payload) + stream.flush(zlib.Z_SYNC_FLUSH)
        return compressed[:-4]


class Inflate:
    """Decompresses messages, piece by piece and never more than it is asked for.

    Arguments:
        agreement: how.
    """

    def __init__(self, agreement: Agreement) -> None:
        self._bits = agreement.client_bits
        self._takeover = agreement.client_takeover
        self._stream: Any = None
        self._finals = 0

    def feed(self, piece: bytes, most: int) -> bytes:
        """What a piece of a message inflates to, at most so many bytes of it.

        Raises:
            ValueError: it is no DEFLATE stream.
        """
        try:
            if self._stream is None:
                self._stream = zlib.decompressobj(-self._bits)
            out: bytes = self._stream.decompress(piece, most)
            while self._stream.eof and self._stream.unused_data and len(out) < most:
                out = self._go_on(out, most)
        except zlib.error as error:
            raise ValueError(f"a compressed message cannot be inflated: {error}") from None
        return out

    def _go_on(self, out: bytes, most: int) -> bytes:
        """A block said to be the final one, and was not: go on with what it left, which may look back."""
        self._finals += 1
        if self._finals > _MOST_FINALS:
            raise ValueError("a compressed message has too many final blocks")
        rest = self._stream.unused_data
        self._stream = zlib.decompressobj(-self._bits, zdict=out[-_WINDOW:])
        more: bytes = self._stream.decompress(rest, most - len(out))
        return out + more

    def end(self, most: int) -> bytes:
        """The rest of a message that has ended.

        Raises:
            ValueError: as `feed` has it.
        """
        self._finals = 0
        if self._stream is not None and self._stream.eof:
            self._stream = None  # its last block was a final one, with nothing behind it
            return b""
        out = self.feed(_TAIL, most)
        if not self._takeover:
            self._stream = None
        return out
