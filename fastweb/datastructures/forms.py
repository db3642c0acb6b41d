"""What a form holds."""

from __future__ import annotations

from typing import Any, BinaryIO, cast

from fastweb.concurrency import run_in_threadpool
from fastweb.datastructures.headers import Headers
from fastweb.datastructures.multidicts import ImmutableMultiDict

__all__ = ["FormData", "UploadFile"]


class UploadFile:
    """A file that came in a form.

    Its methods may be awaited: what may wait for a disk is done in the thread pool. A plain function uses
    `file` itself.

    Arguments:
        file: a binary file, usually a `tempfile.SpooledTemporaryFile`: in memory until it is large.
        size: its size in bytes, where it is known.
        filename: as the client calls it. It is no path: never open it.
        headers: the header fields of its part of the form.
    """

    file: BinaryIO
    filename: str | None
    size: int | None
    headers: Headers

    def __init__(
        self,
        file: BinaryIO,
        *,
        size: int | None = None,
        filename: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        self.file = file
        self.size = size
        self.filename = filename
        self.headers = Headers() if headers is None else headers

    @property
    def content_type(self) -> str | None:
        """The media type, as the client says."""
        return cast(str | None, self.headers.get("content-type"))

    @property
    def _in_memory(self) -> bool:
        # What is no SpooledTemporaryFile may be on a disk from its beginning.
        return not getattr(self.file, "_rolled", True)

    def _stays_in_memory(self, more: int) -> bool:
        """Whether it is still in memory when so many bytes were written: else the write may wait."""
        size = getattr(self.file, "_max_size", 0)
        return self._in_memory and (not size or self.file.tell() + more <= size)

    async def write(self, data: bytes) -> None:
        """Write at the current position."""
        if self.size is not None:
            self.size += len(data)
        if self._stays_in_memory(len(data)):
            self.file.write(data)
        else:
            await run_in_threadpool(self.file.write, data)

    async def read(self, size: int = -1) -> bytes:
        """Read so many bytes from the current position, by default to the end."""
        if self._in_memory:
            return self.file.read(size)
        return await run_in_threadpool(self.file.read, size)

    async def seek(self, offset: int) -> None:
        """Go to a position, in bytes from the beginning."""
        if self._in_memory:
            self.file.seek(offset)
        else:
            await run_in_threadpool(self.file.seek, offset)

    async def close(self) -> None:
        """Close the file, and with that remove it. Forms close theirs when the request has ended."""
        if self._in_memory:
            self.file.close()
        else:
            await run_in_threadpool(self.file.close)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(filename={self.filename!r}, size={self.size!r}, headers={self.headers!r})"
        )

    # As a type: of a parameter, or of a model's field

    @classmethod
    def _fastweb_validate(cls, value: Any) -> UploadFile:
        """The rule of `fastweb.validation`."""
        if not isinstance(value, UploadFile):
            raise ValueError(f"Expected UploadFile, received: {type(value)}")
        return value

    @classmethod
    def _fastweb_json_schema(cls) -> dict[str, Any]:
        """How `fastweb.validation` describes it."""
        return {"type": "string", "contentMediaType": "application/octet-stream"}

    @classmethod
    def _validate(cls, value: Any, info: Any) -> UploadFile:
        """The rule, as pydantic calls it."""
        return cls._fastweb_validate(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        return cls._fastweb_json_schema()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # who asks has it

        return core_schema.with_info_plain_validator_function(cls._validate)


class FormData(ImmutableMultiDict[str, UploadFile | str]):
    """What a form holds: text and files; a name may come several times.

    Arguments:
        value: another one, a mapping, or pairs.
        kwargs: more items.
    """

    async def close(self) -> None:
        """Close every file."""
        for _, value in self._list:
            if isinstance(value, UploadFile):
                await value.close()
