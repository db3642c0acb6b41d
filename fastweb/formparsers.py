"""Forms: the two encodings in which a browser posts them, read as they come.

    application/x-www-form-urlencoded   https://url.spec.whatwg.org/#urlencoded-parsing
    multipart/form-data                 RFC 7578; parsed by python-multipart

Each parser is handed its bounds and fails at the first byte beyond one of them, so that memory stays bounded
however the body is cut into pieces.
"""

from __future__ import annotations

import codecs
import enum
import warnings
from collections.abc import AsyncIterable, AsyncIterator
from encodings import normalize_encoding
from encodings.aliases import aliases
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast
from urllib.parse import unquote_plus

from fastweb.datastructures import FormData, Headers, UploadFile
from fastweb.limits import Limits
from fastweb.status import FastWebDeprecationWarning

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

__all__ = [
    "FormMessage",
    "FormParser",
    "MultiPartException",
    "MultiPartParser",
    "media_type_of",
    "parse_options_header",
]

_LIMITS: Final = Limits()

#: Bytes of a file that wait for each other before they are written to a disk: every write there is a call
#: of the thread pool, and a client may send its body byte by byte.
_WRITE_SIZE: Final = 256 * 1024

#: Bytes of a urlencoded form that are split at once.
_SPLIT_SIZE: Final = 64 * 1024

#: The encodings that a form may have. Only these are looked up: Python keeps every name that it was asked
#: for, for ever. Not among them are its codecs for other ends, such as punycode, whose decoding is quadratic.
_CHARSETS: Final = frozenset({*aliases, *aliases.values(), "utf_8_sig"})


class _Deprecated(enum.EnumMeta):
    """Warns of a member being looked up."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        words = "`FormMessage` is deprecated: no parser makes use of it"
        warnings.warn(words, FastWebDeprecationWarning, stacklevel=2)
        return super().__call__(*args, **kwargs)


class FormMessage(enum.Enum, metaclass=_Deprecated):
    """What parsers of forms once told each other."""

    FIELD_START = 1
    FIELD_NAME = 2
    FIELD_DATA = 3
    FIELD_END = 4
    END = 5


class MultiPartException(Exception):  # noqa: N818 - Starlette's name for it
    """A form that cannot be read, or goes beyond a bound: the client's fault.

    Arguments:
        message: what is wrong.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def parse_options_header(value: str | bytes | None) -> tuple[bytes, dict[bytes, bytes]]:
    """A field such as Content-Type: what is before its first semicolon, in lower case, and its options."""
    from python_multipart.multipart import parse_options_header

    return parse_options_header(value)


def media_type_of(content_type: str | None) -> bytes:
    """The media type of a Content-Type field, without its options, in lower case."""
    return (content_type or "").partition(";")[0].strip(" \t").lower().encode("latin-1", "replace")


class FormParser:
    """Reads a form that is application/x-www-form-urlencoded.

    Arguments:
        headers: of the request.
        stream: its body, in pieces.
        max_fields: fields of the form.
        max_part_size: bytes of one field, name and value.
    """

    def __init__(
        self,
        headers: Headers,
        stream: AsyncIterable[bytes],
        *,
        max_fields: int | float = _LIMITS.form_fields,
        max_part_size: int = _LIMITS.form_part_size,
    ) -> None:
        self.headers = headers
        self.stream = stream
        self.max_fields = max_fields
        self.max_part_size = max_part_size
        self._items: list[tuple[str, str | UploadFile]] = []

    async def parse(self) -> FormData:
        """The form.

        Raises:
            MultiPartException: a field is too large, or there are too many.
        """
        # The field that has begun and did not end yet.
        rest = bytearray()
        async for data in self._pieces():
            first, *fields = data.split(b"&")
            rest += first
            if fields:
                self._add(rest)
                # Those that are empty are skipped: millions of them may be sent.
                for field in filter(None, fields[:-1]):
                    self._add(field)
                rest = bytearray(fields[-1])
            self._check(rest)
        self._add(rest)
        return FormData(self._items)

    async def _pieces(self) -> AsyncIterator[bytes]:
        """The body in pieces that are no larger than what a millisecond is enough for: whoever has read it
        whole before gives it whole, and nothing but ampersands would take a gigabyte when it is split.
        """
        async for data in self.stream:
            if len(data) <= _SPLIT_SIZE:
                yield data
                continue
            from anyio.lowlevel import checkpoint

            for start in range(0, len(data), _SPLIT_SIZE):
                yield data[start : start + _SPLIT_SIZE]
                await checkpoint()

    def _check(self, field: bytes | bytearray) -> None:
        # The equals sign does not count.
        if len(field) > self.max_part_size and len(field) - (b"=" in field) > self.max_part_size:
            raise MultiPartException(f"Field exceeded maximum size of {int(self.max_part_size / 1024)}KB.")

    def _add(self, field: bytes | bytearray) -> None:
        if not field:
            return
        self._check(field)
        if len(self._items) >= self.max_fields:
            raise MultiPartException(f"Too many fields. Maximum number of fields is {self.max_fields}.")
        name, _, value = field.decode("latin-1").partition("=")
        self._items.append((unquote_plus(name), unquote_plus(value)))


class _Part:
    """One part of a multipart form, while it is read."""

    __slots__ = ("data", "file", "header_name", "header_value", "headers", "name", "size")

    def __init__(self) -> None:
        self.headers: list[tuple[bytes, bytes]] = []
        self.header_name = bytearray()
        self.header_value = bytearray()
        self.name = ""
        self.file: UploadFile | None = None
        #: The text so far; of a file, what was not written yet.
        self.data: list[bytes] = []
        self.size = 0

    def take(self) -> bytes:
        """The data so far, which begins anew."""
        data = self.data[0] if len(self.data) == 1 else b"".join(self.data)
        self.data.clear()
        self.size = 0
        return data


class MultiPartParser:
    """Reads a form that is multipart/form-data.

    Arguments:
        headers: of the request.
        stream: its body, in pieces.
        max_files: parts that are files.
        max_fields: parts that are text.
        max_part_size: bytes of a part that is text.
        max_header_count, max_header_size: header fields of a part, and bytes of each.

    Attributes:
        spool_max_size: bytes of a file that are kept in memory.
    """

    spool_max_size = _LIMITS.form_spool_size

    def __init__(
        self,
        headers: Headers,
        stream: AsyncIterable[bytes],
        *,
        max_files: int | float = _LIMITS.form_files,
        max_fields: int | float = _LIMITS.form_fields,
        max_part_size: int = _LIMITS.form_part_size,
        max_header_count: int = _LIMITS.part_header_count,
        max_header_size: int = _LIMITS.part_header_size,
    ) -> None:
        self.headers = headers
        self.stream = stream
        self.max_files = max_files
        self.max_fields = max_fields
        self.max_part_size = max_part_size
        self.max_header_count = max_header_count
        self.max_header_size = max_header_size
        self.items: list[tuple[str, str | UploadFile]] = []
        self._files = 0
        self._fields = 0
        self._charset = ""
        self._part = _Part()
        #: Files that got data since the last piece of the body, and whether they have ended.
        self._touched: dict[_Part, bool] = {}

    async def parse(self) -> FormData:
        """The form.

        Raises:
            MultiPartException: it is not multipart, or goes beyond a bound; every file is closed.
        """
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser

        _, options = parse_options_header(self.headers.get("content-type"))
        self._charset = _charset(options.get(b"charset", b"utf-8"))
        if b"boundary" not in options:
            raise MultiPartException("Missing boundary in multipart.")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
        }
        try:
            parser = MultipartParser(
                options[b"boundary"],
                callbacks,
                max_header_count=self.max_header_count,
                max_header_size=self.max_header_size,
            )
            async for data in self.stream:
                parser.write(data)
                if self._touched:
                    await self._write()
            parser.finalize()
            self._close_unfinished()
        except BaseException as error:
            # No thread now: the request may have been cancelled.
            for _, value in self.items:
                if isinstance(value, UploadFile):
                    value.file.close()
            self._close_unfinished()
            if isinstance(error, FormParserError):
                raise MultiPartException("Invalid multipart data.") from error
            raise
        return FormData(self.items)

    def _close_unfinished(self) -> None:
        """Close the file whose end did not come: it is no part of the form."""
        if self._part.file is not None:
            self._part.file.file.close()

    async def _write(self) -> None:
        """Write to the files what has come. The callbacks cannot: a disk must not hold up the loop."""
        touched, self._touched = self._touched, {}
        for part, ended in touched.items():
            assert part.file is not None
            if part.data and (ended or part.size >= _WRITE_SIZE or part.file._stays_in_memory(part.size)):
                await part.file.write(part.take())
            if ended:
                await part.file.seek(0)

    # What the parser calls

    def _on_part_begin(self) -> None:
        self._part = _Part()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]

    def _on_header_end(self) -> None:
        part = self._part
        part.headers.append((bytes(part.header_name.lower()), bytes(part.header_value)))
        part.header_name.clear()
        part.header_value.clear()

    def _on_headers_finished(self) -> None:
        part = self._part
        disposition = next(
            (value for name, value in reversed(part.headers) if name == b"content-disposition"), None
        )
        _, options = parse_options_header(disposition)
        if b"name" not in options:
            raise MultiPartException('The Content-Disposition header field "name" must be provided.')
        part.name = _text(options[b"name"], self._charset)
        if b"filename" in options:
            self._files += 1
            if self._files > self.max_files:
                raise MultiPartException(f"Too many files. Maximum number of files is {self.max_files}.")
            part.file = UploadFile(
                cast(BinaryIO, SpooledTemporaryFile(max_size=self.spool_max_size)),  # noqa: SIM115 - closed later
                size=0,
                filename=_text(options[b"filename"], self._charset),
                headers=Headers(raw=part.headers),
            )
        else:
            self._fields += 1
            if self._fields > self.max_fields:
                raise MultiPartException(f"Too many fields. Maximum number of fields is {self.max_fields}.")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        part.size += end - start
        if part.file is not None:
            self._touched[part] = False
        elif part.size > self.max_part_size:
            raise MultiPartException(f"Part exceeded maximum size of {int(self.max_part_size / 1024)}KB.")
        part.data.append(data[start:end])

    def _on_part_end(self) -> None:
        part = self._part
        if part.file is None:
            self.items.append((part.name, _text(part.take(), self._charset)))
        else:
            self._touched[part] = True
            self.items.append((part.name, part.file))
        self._part = _Part()


def _charset(name: bytes) -> str:
    """The encoding of a form's text; what is none, or none to be trusted with it, is Latin-1."""
    charset = normalize_encoding(name.decode("latin-1")).lower()
    try:
        return codecs.lookup(charset).name if charset in _CHARSETS else "latin-1"
    except LookupError:  # one of another operating system
        return "latin-1"


def _text(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset)
    except (UnicodeError, LookupError):
        return data.decode("latin-1")
