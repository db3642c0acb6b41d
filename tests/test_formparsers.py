"""Forms as they come: in one piece or byte by byte, within their bounds or beyond them. What is expected is
Starlette 1.10's.
"""

from __future__ import annotations

import asyncio
import encodings
import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from fastweb.datastructures import FormData, Headers, UploadFile
from fastweb.formparsers import FormParser, MultiPartException, MultiPartParser, media_type_of

URLENCODED = "application/x-www-form-urlencoded"


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
    yield b""


def urlencoded(data: bytes, size: int = 1 << 20, **bounds: Any) -> FormData:
    headers = Headers({"content-type": URLENCODED})
    return asyncio.run(FormParser(headers, pieces(data, size), **bounds).parse())


def part(name: str, value: bytes, *more: str, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    lines = [f"Content-Disposition: {disposition}", *more, "", ""]
    return b"--B\r\n" + "\r\n".join(lines).encode() + value + b"\r\n"


def multipart(
    data: bytes, size: int = 1 << 20, content_type: str = "multipart/form-data; boundary=B", **bounds: Any
) -> list[tuple[str, Any]]:
    """Names and values, a file as (file name, size, content, whether it was in memory)."""

    async def run() -> list[tuple[str, Any]]:
        parser = MultiPartParser(Headers({"content-type": content_type}), pieces(data, size), **bounds)
        form = await parser.parse()
        found: list[tuple[str, Any]] = []
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                value_of: Any = (value.filename, value.size, await value.read(), value._in_memory)
            else:
                value_of = value
            found.append((name, value_of))
        await form.close()
        return found

    return asyncio.run(run())


def error_of(call: Callable[[], Any]) -> str:
    with pytest.raises(MultiPartException) as raised:
        call()
    return raised.value.message


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        (b"&&a=1&&", [("a", "1")]),
        (b"a", [("a", "")]),
        (b"a=&=b&=", [("a", ""), ("", "b"), ("", "")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a;b=1", [("a;b", "1")]),
        (b"a+b=c%20d%26&%C3%A9=%e9", [("a b", "c d&"), ("é", "�")]),
        ("é=1".encode(), [("Ã©", "1")]),
        (b"a=%", [("a", "%")]),
    ],
)
def test_urlencoded(data: bytes, expected: list[tuple[str, str]], size: int) -> None:
    assert urlencoded(data, size).multi_items() == expected


def test_urlencoded_bounds() -> None:
    assert len(urlencoded(b"a=1&" * 3, max_fields=3).multi_items()) == 3
    for size in (1, 1000):
        wrong = error_of(lambda size=size: urlencoded(b"a=1&" * 4, size, max_fields=3))  # type: ignore[misc]
        assert wrong == "Too many fields. Maximum number of fields is 3."
        # Name and value together.
        assert urlencoded(b"ab=" + b"c" * 1022, size, max_part_size=1024)
        for data in (b"ab=" + b"c" * 1023, b"c" * 1025, b"a=1&" + b"%41" * 400 + b"&b"):
            wrong = error_of(lambda data=data, size=size: urlencoded(data, size, max_part_size=1024))  # type: ignore[misc]
            assert wrong == "Field exceeded maximum size of 1KB."


NAMELESS = 'The Content-Disposition header field "name" must be provided.'

FORM = (
    part("text", b"one\r\n--two")
    + part("text", "é".encode())
    + part("file", b"hello\r\n", "Content-Type: text/plain", filename="a.txt")
    + part("none", b"", filename="")
    + b"--B--\r\n"
)
EXPECTED = [
    ("text", "one\r\n--two"),
    ("text", "é"),
    ("file", ("a.txt", 7, b"hello\r\n", True)),
    ("none", ("", 0, b"", True)),
]


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_multipart(size: int) -> None:
    assert multipart(FORM, size) == EXPECTED
    # RFC 2046, section 5.1.1: what stands behind the end is ignored.
    assert multipart(FORM + b"--B\r\nepilogue" * 10, size) == EXPECTED
    assert multipart(b"\r\n" * 10 + FORM, size) == EXPECTED
    assert multipart(b"--B--\r\n", size) == []


@pytest.mark.parametrize("size", [1000, 100_000])
def test_large_files_go_to_a_disk(size: int) -> None:
    content = bytes(range(256)) * 4096 * 3
    data = part("a", content, filename="a") + part("b", content[:1000], filename="b") + b"--B--\r\n"
    assert multipart(data, size) == [
        ("a", ("a", len(content), content, False)),
        ("b", ("b", 1000, content[:1000], True)),
    ]


@pytest.mark.parametrize(
    ("charset", "value", "expected"),
    [
        ("latin-1", b"\xe9", "é"),
        ("utf-8", b"\xe9", "é"),  # not UTF-8 at all: Latin-1 then
        ("no-such-charset", b"\xe9", "é"),
        ("base64", b"\xe9", "é"),
        # Codecs for other ends: the first raises whatever it is given, the second takes quadratic time.
        ("undefined", b"\xe9", "é"),
        ("punycode", b"Mnchen-3ya", "Mnchen-3ya"),
        ("utf-16", "é".encode("utf-16"), "é"),
    ],
)
def test_charsets(charset: str, value: bytes, expected: str) -> None:
    content_type = f"multipart/form-data; charset={charset}; boundary=B"
    if charset != "utf-16":
        assert multipart(part("a", value) + b"--B--\r\n", content_type=content_type) == [("a", expected)]
    else:
        assert multipart(part("a", value) + b"--B--\r\n", content_type=content_type)[0][1] == expected


def test_names_of_charsets_are_not_kept() -> None:
    """Python remembers every name that it looked up: a client could fill the memory with them."""
    for number in range(3):
        content_type = f"multipart/form-data; charset=r4-{number}; boundary=B"
        assert multipart(part("a", b"x") + b"--B--\r\n", content_type=content_type) == [("a", "x")]
    kept = getattr(encodings, "_cache")  # noqa: B009 - it is private
    assert not [name for name in kept if name.startswith(("r4-", "r4_"))]


def test_a_form_in_one_piece_is_split_bit_by_bit() -> None:
    """A list of its ampersands would take 8 bytes for each."""
    data = b"a=1" + b"&" * 4_000_000 + b"b=" + b"2" * 100_000
    tracemalloc.start()
    try:
        assert urlencoded(data, len(data)).multi_items() == [("a", "1"), ("b", "2" * 100_000)]
        assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    finally:
        tracemalloc.stop()


def test_the_name_of_a_file_is_what_the_client_says() -> None:
    data = part("f", b"x", filename="../../etc/passwd") + b"--B--\r\n"
    assert multipart(data)[0][1][0] == "../../etc/passwd"


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    ("data", "bounds", "words"),
    [
        (FORM, {"max_fields": 1}, "Too many fields. Maximum number of fields is 1."),
        (FORM, {"max_files": 1}, "Too many files. Maximum number of files is 1."),
        (part("a", b"x" * 2049), {"max_part_size": 2048}, "Part exceeded maximum size of 2KB."),
        (b"--B\r\nContent-Type: a\r\n\r\n", {}, NAMELESS),
        (b"--B\r\nContent-Disposition: form-data\r\n\r\n", {}, NAMELESS),
        (part("a", b"", *("X: y",) * 16), {}, "Invalid multipart data."),
        (part("a", b"", *("X: y",) * 3), {"max_header_count": 3}, "Invalid multipart data."),
        (part("a", b"", "X: " + "y" * 9000), {}, "Invalid multipart data."),
        (part("a" * 300, b""), {"max_header_size": 200}, "Invalid multipart data."),
        (b"--C\r\n", {}, "Invalid multipart data."),
        (b"--B\r\n: a\r\n\r\n", {}, "Invalid multipart data."),
        (b"x" * 100, {}, "Invalid multipart data."),
    ],
)
def test_what_is_refused(data: bytes, bounds: dict[str, Any], words: str, size: int) -> None:
    assert error_of(lambda: multipart(data, size, **bounds)) == words


def test_the_end_may_be_missing() -> None:
    """Every form that is cut off is refused or read as far as it goes: it ends, at least."""
    for end in range(len(FORM)):
        try:
            found = multipart(FORM[:end], 5)
        except MultiPartException:
            continue
        assert found == EXPECTED[: len(found)]


def test_no_boundary() -> None:
    wrong = error_of(lambda: multipart(FORM, content_type="multipart/form-data"))
    assert wrong == "Missing boundary in multipart."
    long = "multipart/form-data; boundary=" + "B" * 300
    assert error_of(lambda: multipart(FORM, content_type=long)) == "Invalid multipart data."


def test_files_are_closed_where_reading_fails() -> None:
    opened: list[UploadFile] = []

    class Watched(MultiPartParser):
        def _on_headers_finished(self) -> None:
            super()._on_headers_finished()
            if self._part.file is not None:
                opened.append(self._part.file)

    data = (
        part("a", b"x", filename="a") + part("b", b"y" * 10, filename="b")[:-5] + b"\r\n--B\r\nbad header\r\n"
    )
    parser = Watched(Headers({"content-type": "multipart/form-data; boundary=B"}), pieces(data, 50))
    with pytest.raises(MultiPartException):
        asyncio.run(parser.parse())
    assert [file.file.closed for file in opened] == [True, True]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, b""),
        ("Multipart/Form-Data; boundary=B", b"multipart/form-data"),
        (" text/plain\t;a", b"text/plain"),
    ],
)
def test_media_types(given: str | None, expected: bytes) -> None:
    assert media_type_of(given) == expected


def test_millions_of_nothing() -> None:
    """What is no field costs next to nothing, before the first boundary, behind the last or between two."""
    assert urlencoded(b"&" * 3_000_000 + b"a=1", 65536).multi_items() == [("a", "1")]
    assert multipart(b"\r\n" * 1_000_000 + FORM + b"\r\n--B" * 1_000_000, 65536) == EXPECTED
    options = 'multipart/form-data; a="' + '\\";' * 20_000 + '"; boundary=B'
    assert multipart(FORM, content_type=options) == EXPECTED
