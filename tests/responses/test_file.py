"""Files as what they send; the bytes are those of Starlette 1.10. More requests are in tests/doors.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from fastweb.responses import FileResponse
from tests.responses.sending import SCOPE, SCOPE_24, messages_of, sent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "digits.txt"
    found.write_bytes(b"0123456789")
    os.utime(found, (1577836800, 1577836800))
    return found


def ranges(response: FileResponse, spec: str, **scope: Any) -> Any:
    return sent(response, headers=[(b"range", spec.encode())], **scope)


def test_headers(path: Path) -> None:
    status, headers, pieces = sent(FileResponse(path, 201, {"x": "y"}))
    assert (status, pieces) == (201, [b"0123456789"])
    assert headers == [
        ("x", "y"),
        ("content-type", "text/plain; charset=utf-8"),
        ("accept-ranges", "bytes"),
        ("content-length", "10"),
        ("last-modified", "Wed, 01 Jan 2020 00:00:00 GMT"),
        ("etag", '"78c9b08c5c19cc71a6d13bf9b89708d5"'),
    ]


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"filename": "a b.png"}, "content-disposition", "attachment; filename*=utf-8''a%20b.png"),
        ({"filename": 'a"\r\n'}, "content-disposition", "attachment; filename*=utf-8''a%22%0D%0A"),
        ({"filename": "a.png"}, "content-disposition", 'attachment; filename="a.png"'),
        (
            {"filename": "a.png", "content_disposition_type": "inline"},
            "content-disposition",
            'inline; filename="a.png"',
        ),
        ({"filename": "a.png"}, "content-type", "image/png"),
        ({"filename": "a.no-such-type"}, "content-type", "application/octet-stream"),
        ({"filename": "a.png", "media_type": "a/b"}, "content-type", "a/b"),
        ({"headers": {"etag": "mine"}}, "etag", "mine"),
    ],
)
def test_names(path: Path, options: dict[str, Any], name: str, value: str) -> None:
    assert FileResponse(path, stat_result=path.stat(), **options).headers[name] == value


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("bytes=0-", [(0, 10)]),
        ("bytes=2-4", [(2, 5)]),
        ("bytes=2-4,", [(2, 5)]),
        ("BYTES = 2 - 4", [(2, 5)]),
        ("bytes=8-99", [(8, 10)]),
        ("bytes=-3", [(7, 10)]),
        ("bytes=-99", [(0, 10)]),
        ("bytes=5-6,0-1", [(0, 2), (5, 7)]),
        ("bytes=0-3,2-5,6-7", [(0, 8)]),
        ("bytes=a-b,-,4,1-2", [(1, 3)]),
        ("bytes=" + ",".join(["1-2"] * 100), [(1, 3)]),
        ("bytes=" + ",".join(["1-2"] * 101), []),
        ("bytes=10-", 416),
        ("bytes=0-1,10-", 416),
        ("bytes=-0", 416),
        ("bytes=4-2", 400),
        ("bytes=", 400),
        ("bytes", 400),
        ("bytes 1-2", 400),
        ("items=1-2", 400),
        ("bytes=" + "9" * 5000 + "-", 400),
    ],
)
def test_ranges(path: Path, spec: str, found: Any) -> None:
    status, headers, pieces = ranges(FileResponse(path), spec)
    fields = dict(headers)
    if isinstance(found, int):
        assert status == found
        assert fields.get("content-range") == ("bytes */10" if found == 416 else None)
        return
    assert fields["content-length"] == str(len(b"".join(pieces)))
    if not found:
        assert (status, pieces) == (200, [b"0123456789"])
    elif len(found) == 1:
        start, end = found[0]
        assert (status, b"".join(pieces)) == (206, b"0123456789"[start:end])
        assert fields["content-range"] == f"bytes {start}-{end - 1}/10"
    else:
        boundary = fields["content-type"].partition("boundary=")[2]
        parts = [
            f"--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Range: bytes {start}-{end - 1}/10\r\n\r\n{'0123456789'[start:end]}\r\n"
            for start, end in found
        ]
        assert (status, b"".join(pieces).decode()) == (206, "".join(parts) + f"--{boundary}--")


def test_thousands_of_ranges(path: Path) -> None:
    assert ranges(FileResponse(path), "bytes=" + ",".join(["0-"] * 100_000))[0] == 200


@pytest.mark.parametrize(
    ("if_range", "status"),
    [
        ("Wed, 01 Jan 2020 00:00:00 GMT", 206),
        ("Wed, 01 Jan 2020 00:00:01 GMT", 200),
        ('"mine"', 206),
        ('W/"mine"', 200),
        ('"other"', 200),
    ],
)
def test_if_range(path: Path, if_range: str, status: int) -> None:
    headers = [(b"range", b"bytes=1-2"), (b"if-range", if_range.encode())]
    assert sent(FileResponse(path, headers={"etag": '"mine"'}), headers=headers)[0] == status


def test_what_has_no_ranges(path: Path) -> None:
    assert ranges(FileResponse(path, 404), "bytes=1-2")[0] == 404
    assert ranges(FileResponse(path), "bytes=1-2", method="POST")[0] == 200
    assert ranges(FileResponse(path), "bytes=1-2", method="HEAD")[::2] == (206, [])


class Small(FileResponse):
    chunk_size = 4


@pytest.mark.parametrize(
    ("spec", "pieces"),
    [
        (None, [b"0123", b"4567", b"89"]),
        ("bytes=1-8", [b"1234", b"5678"]),
        ("bytes=1-4", [b"1234"]),
    ],
)
def test_pieces(path: Path, spec: str | None, pieces: list[bytes]) -> None:
    assert (sent(Small(path)) if spec is None else ranges(Small(path), spec))[2] == pieces


def test_a_file_that_became_shorter(path: Path) -> None:
    known = path.stat()
    path.write_bytes(b"012345")
    assert sent(Small(path, stat_result=known))[2] == [b"0123", b"45"]
    with pytest.raises(RuntimeError, match="shorter than expected"):
        ranges(Small(path, stat_result=known), "bytes=0-1,4-8")


def test_a_file_that_became_longer(path: Path) -> None:
    known = path.stat()
    path.write_bytes(b"0123456789more")
    for response in (FileResponse(path, stat_result=known), Small(path, stat_result=known)):
        assert b"".join(sent(response)[2]) == b"0123456789"


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="does not exist"):
        sent(FileResponse(tmp_path / "none"))
    with pytest.raises(RuntimeError, match="is not a file"):
        sent(FileResponse(tmp_path))


def test_pathsend(path: Path) -> None:
    extensions: Any = {"http.response.pathsend": {}}
    start, rest = messages_of(FileResponse(path), extensions=extensions)
    assert (start["status"], rest) == (200, {"type": "http.response.pathsend", "path": str(path)})
    headers = [(b"range", b"bytes=1-2")]
    assert messages_of(FileResponse(path), extensions=extensions, headers=headers)[1]["body"] == b"12"


@pytest.mark.parametrize("spec", [None, b"bytes=1-8", b"bytes=0-5,7-9"])
def test_it_ends_when_the_client_is_gone(path: Path, spec: bytes | None) -> None:
    async def main(scope: Any) -> None:
        gone = anyio.Event()
        bodies = 0
        later: list[str] = []

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            nonlocal bodies
            if message["type"] == "http.response.body":
                bodies += 1
                if "asgi" in scope:
                    raise OSError("gone")
                gone.set()
                await anyio.sleep_forever()

        async def background() -> None:
            later.append("background")

        response = Small(path, background=background)
        if "asgi" in scope:
            with pytest.raises(OSError, match="gone"):
                await response(scope, receive, send)
        else:
            await response(scope, receive, send)
            assert later == ["background"]
        assert bodies == 1

    headers = [] if spec is None else [(b"range", spec)]
    for backend in ("asyncio", "trio"):
        for scope in (SCOPE, SCOPE_24):
            anyio.run(main, {**scope, "headers": headers}, backend=backend)
