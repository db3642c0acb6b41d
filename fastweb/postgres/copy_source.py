"""Where COPY's data come from and where they go, whatever their kind: as one stream of bytes, or one of rows.

    in                                          out
    bytes, bytearray, memoryview                a path, as pathlib has it
    a path, as pathlib has it                   an open file, binary or text (its write may block)
    an open file (its read may block)           an object with an awaitable write
    an object with an awaitable read            a function, or a coroutine function, that gets the pieces
    iterables and async iterables of bytes
    iterables and async iterables of rows

A str is neither: it could be a file's name, or its text. What blocks runs in a thread, a piece at a time.
"""

from __future__ import annotations

import asyncio
import codecs
import inspect
import io
import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any, cast

from fastweb.postgres.errors import InterfaceError

__all__ = ["PIECE", "Source", "Target", "open_source", "open_target"]

#: Bytes that are read from a file at once.
PIECE = 1 << 17

_END: Any = object()


def _is_bytes(item: object) -> bool:
    return isinstance(item, (bytes, bytearray, memoryview, str))


def as_bytes(item: object) -> bytes | memoryview:
    """A piece of a stream, of which text is UTF-8.

    Raises:
        TypeError: it is neither bytes nor text.
    """
    if type(item) is bytes:
        return item
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, (bytes, bytearray, memoryview)):
        # A copy of what may change while it waits to be written.
        return bytes(item)
    raise TypeError(f"COPY: expected bytes, got {type(item).__name__}, after pieces that were bytes")


class Source:
    """A source that has been opened: of rows, or of bytes; iterated over in one of two ways.

    `rows`/`pieces` are iterators, `async_rows`/`async_pieces` asynchronous ones; exactly one is there.
    """

    __slots__ = ("_close", "async_pieces", "async_rows", "first", "pieces", "rows")

    def __init__(self) -> None:
        self.rows: Iterator[Any] | None = None
        self.pieces: Iterator[bytes | memoryview] | None = None
        self.async_rows: AsyncIterator[Any] | None = None
        self.async_pieces: AsyncIterator[bytes | memoryview] | None = None
        #: The first row, which is one of `rows` too.
        self.first: Any = None
        self._close: Callable[[], object] | None = None

    @property
    def has_rows(self) -> bool:
        return self.rows is not None or self.async_rows is not None

    async def aclose(self) -> None:
        """Close what was opened here, and generators that were not read to their ends."""
        for iterator in (self.async_rows, self.async_pieces):
            if iterator is None:
                continue
            if isinstance(iterator, _Again):
                await iterator.aclose()
            elif (aclose := getattr(iterator, "aclose", None)) is not None:
                await aclose()
        if self._close is not None:
            await asyncio.to_thread(self._close)
            self._close = None


class _Again:
    """An async iterator, with what was taken from it to see what it has."""

    def __init__(self, first: Any, rest: AsyncIterator[Any]) -> None:
        self.first = first
        self.rest = rest

    def __aiter__(self) -> _Again:
        return self

    async def __anext__(self) -> Any:
        if self.first is not _END:
            first, self.first = self.first, _END
            return first
        return await self.rest.__anext__()

    async def aclose(self) -> None:
        aclose = getattr(self.rest, "aclose", None)
        if aclose is not None:
            await aclose()


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _slices(data: memoryview) -> Iterator[memoryview]:
    for at in range(0, len(data), PIECE):
        yield data[at : at + PIECE]


async def _read_pieces(read: Callable[[int], Any], in_thread: bool) -> AsyncIterator[bytes | memoryview]:
    while True:
        piece = await asyncio.to_thread(read, PIECE) if in_thread else read(PIECE)
        if inspect.isawaitable(piece):
            piece = await piece
        if not piece:
            return
        yield as_bytes(piece)


def _blocks(file: Any) -> bool:
    """Whether a file's reading and writing may block, and are not coroutines."""
    if isinstance(file, (io.BytesIO, io.StringIO)):
        return False
    return not any(inspect.iscoroutinefunction(getattr(file, name, None)) for name in ("read", "write"))


async def _async_pieces(items: AsyncIterator[Any]) -> AsyncIterator[bytes | memoryview]:
    async for item in items:
        yield as_bytes(item)


async def open_source(source: Any) -> Source:
    """Find out what a source is; the first item of an iterable says what it consists of.

    Raises:
        InterfaceError: it is a str.
        TypeError: nothing that COPY could read.
        OSError: a file cannot be opened.
        what the iterable raises.
    """
    opened = Source()
    if isinstance(source, (list, tuple)) and source and not _is_bytes(source[0]):
        opened.first = source[0]
        # A list's own iterator is the fastest there is.
        opened.rows = iter(source)
        return opened
    if isinstance(source, str):
        raise InterfaceError(
            "source: a str may be a file's name or its text; give pathlib.Path(…) or its .encode()"
        )
    if isinstance(source, (bytes, bytearray, memoryview)):
        opened.pieces = _slices(memoryview(source).cast("B"))
    elif isinstance(source, os.PathLike):
        file = await asyncio.to_thread(open, source, "rb", 0)
        opened._close = file.close
        opened.async_pieces = _read_pieces(file.read, True)
    elif hasattr(source, "read"):
        opened.async_pieces = _read_pieces(source.read, _blocks(source))
    elif isinstance(source, AsyncIterable):
        items = aiter(source)
        first = await anext(items, _END)
        if first is _END:
            opened.pieces = iter(())
        elif _is_bytes(first):
            opened.async_pieces = _async_pieces(cast("AsyncIterator[Any]", _Again(first, items)))
        else:
            opened.first = first
            opened.async_rows = _Again(first, items)
    elif isinstance(source, Iterable):
        again = iter(source)
        first = next(again, _END)
        if first is _END:
            opened.pieces = iter(())
        elif _is_bytes(first):
            opened.pieces = map(as_bytes, _again(first, again))
        else:
            opened.first = first
            opened.rows = _again(first, again)
    else:
        raise TypeError(f"source: expected bytes, a path, a file or an iterable, got {type(source).__name__}")
    return opened


class Target:
    """Where pieces go: `await write(data)`, in their order, and `await aclose()` at the end."""

    __slots__ = ("_close", "_decoder", "_in_thread", "_write")

    def __init__(
        self,
        write: Callable[[Any], object],
        *,
        in_thread: bool = False,
        text: bool = False,
        close: Callable[[], object] | None = None,
    ) -> None:
        self._write = write
        self._in_thread = in_thread
        # A piece may end in the middle of a character.
        self._decoder = codecs.getincrementaldecoder("utf-8")() if text else None
        self._close = close

    async def write(self, data: bytes) -> None:
        """All of a piece."""
        rest: Any = memoryview(data) if self._decoder is None else self._decoder.decode(data)
        while len(rest):
            given = rest if self._decoder is not None or len(rest) < len(data) else data
            written: Any = (
                await asyncio.to_thread(self._write, given) if self._in_thread else self._write(given)
            )
            if inspect.isawaitable(written):
                written = await cast("Awaitable[object]", written)
            if type(written) is not int or self._decoder is not None or not 0 < written < len(rest):
                return
            # A raw file may take less than all.
            rest = rest[written:]

    async def aclose(self) -> None:
        if self._close is not None:
            close, self._close = self._close, None
            await asyncio.to_thread(close)


async def open_target(target: Any) -> Target:
    """Find out what a target is.

    Raises:
        InterfaceError: it is a str.
        TypeError: nothing that could be written to.
        OSError: a file cannot be opened.
    """
    if isinstance(target, str):
        raise InterfaceError("target: a file's name is given as pathlib.Path(…)")
    if isinstance(target, os.PathLike):
        file = await asyncio.to_thread(open, target, "wb", 0)
        return Target(file.write, in_thread=True, close=file.close)
    if hasattr(target, "write"):
        return Target(target.write, in_thread=_blocks(target), text=isinstance(target, io.TextIOBase))
    if callable(target):
        return Target(target)
    raise TypeError(f"target: expected a path, a file or a function, got {type(target).__name__}")
