"""What an app is made to say: no answer is split, no file beside those that are meant, no worker killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastweb import FastWeb, Request, Response
from fastweb.models import BaseModel
from fastweb.responses import FileResponse, RedirectResponse, StreamingResponse
from fastweb.sse import format_sse_event
from fastweb.staticfiles import StaticFiles

Door = Callable[..., Any]

#: Each byte that ends a line, ends a string, or drives a terminal.
EVIL = (
    "\r\nSet-Cookie: evil=1",
    "\nSet-Cookie: evil=1",
    "\rSet-Cookie: evil=1",
    "\0",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "\u2028",
)


class Item(BaseModel):
    name: str


def make_app(folder: Path | None = None) -> FastWeb:
    app = FastWeb()

    @app.post("/header")
    async def header(request: Request) -> Response:
        return Response(b"ok", headers={"x-value": (await request.body()).decode()})

    @app.post("/name")
    async def name(request: Request) -> Response:
        return Response(b"ok", headers={(await request.body()).decode(): "x"})

    @app.post("/bytes")
    async def raw(request: Request) -> Response:
        response = Response(b"ok")
        response.raw_headers.append((b"x-value", await request.body()))
        return response

    @app.post("/cookie")
    async def cookie(request: Request) -> Response:
        response = Response(b"ok")
        response.set_cookie("c", (await request.body()).decode())
        return response

    @app.post("/cookie/path")
    async def cookie_path(request: Request) -> Response:
        response = Response(b"ok")
        response.set_cookie("c", "v", path="/" + (await request.body()).decode())
        return response

    @app.post("/redirect")
    async def redirect(request: Request) -> Response:
        return RedirectResponse("/next" + (await request.body()).decode())

    @app.post("/media")
    async def media(request: Request) -> Response:
        return Response(b"ok", media_type="text/" + (await request.body()).decode())

    @app.post("/attachment")
    async def attachment(request: Request) -> Response:
        return FileResponse(__file__, filename="f" + (await request.body()).decode() + ".txt")

    @app.post("/streamed")
    async def streamed(request: Request) -> Response:
        async def pieces() -> Any:
            yield b"ok"

        return StreamingResponse(pieces(), headers={"x-value": (await request.body()).decode()})

    @app.post("/item")
    async def item(item: Item) -> Item:
        return item

    @app.get("/fine")
    async def fine() -> str:
        return "fine"

    if folder is not None:
        app.mount("/static", StaticFiles(directory=folder))
    return app


@pytest.mark.parametrize(
    "path",
    ["header", "name", "bytes", "cookie", "cookie/path", "redirect", "media", "attachment", "streamed"],
)
def test_no_answer_is_split(door: Door, path: str) -> None:
    ask = door(make_app())
    for evil in EVIL:
        answer = ask("POST", b"/" + path.encode(), [], ("a" + evil + "b").encode())
        assert answer.status in (200, 307, 500), (evil, answer)
        for name, value in answer.headers:
            assert not (set(name + value) & set(b"\r\n\0\x1b")), (evil, answer)
            assert not (name.lower() == b"set-cookie" and value.startswith(b"evil")), (evil, answer)
    assert ask("GET", b"/fine").body == b'"fine"'


def test_every_byte_in_a_header_of_the_app_s_and_the_worker_lives(own_server: Door) -> None:
    server = own_server(make_app())
    for byte in range(256):
        for body in (bytes([byte]), b"a" + bytes([byte]), bytes([byte, byte]) + b"a"):
            answer = server.ask("POST", b"/bytes", [], body)
            allowed = byte == 9 or (byte >= 32 and byte != 127)
            assert answer.status == (200 if allowed else 500), body
    assert server.ask("GET", b"/fine").status == 200


@pytest.mark.parametrize("evil", ["\r\ndata: x", "\ndata: x", "\rdata: x"])
@pytest.mark.parametrize("field", ["event", "id"])
def test_no_field_of_an_event_becomes_another(field: str, evil: str) -> None:
    with pytest.raises(ValueError, match=field):
        format_sse_event(data_str="x", **{field: "a" + evil})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "target",
    [
        b"/static/../secret.txt",
        b"/static/%2e%2e/secret.txt",
        b"/static/..%2fsecret.txt",
        b"/static/..%5csecret.txt",
        b"/static/%252e%252e%252fsecret.txt",
        b"/static/..%252fsecret.txt",
        b"/static/%c0%ae%c0%ae/secret.txt",
        b"/static/file.txt%00",
        b"/static/%00",
        b"/static/../public2/secret.txt",
        b"/static2/secret.txt",
        b"/static//etc/passwd",
        b"/static/%2fetc/passwd",
        b"/static/%5c%5chost%5cshare",
        b"/static//host/share",
        b"/static/C:%5csecret.txt",
        b"/static/link.txt",
        b"/static/./../secret.txt",
        b"/static/a/..%2f..%2fsecret.txt",
    ],
)
def test_no_file_outside_the_folder_is_served(door: Door, tmp_path: Path, target: bytes) -> None:
    for name in ("public", "public2"):
        (tmp_path / name).mkdir()
    (tmp_path / "public" / "file.txt").write_text("public")
    for name in ("secret.txt", "public2/secret.txt"):
        (tmp_path / name).write_text("secret")
    (tmp_path / "public" / "link.txt").symlink_to(tmp_path / "secret.txt")
    ask = door(make_app(tmp_path / "public"))
    answer = ask("GET", target)
    assert answer.status in (400, 404), answer
    assert b"secret" not in answer.body
    assert ask("GET", b"/static/file.txt").body == b"public"


def test_thousands_of_ranges(door: Door, tmp_path: Path, growth: Any) -> None:
    (tmp_path / "file.txt").write_bytes(b"x" * 10_000)
    ask = door(make_app(tmp_path))

    def work(count: int) -> None:
        ranges = b"bytes=" + b",".join(b"%d-%d" % (2 * n, 2 * n) for n in range(count))
        assert ask("GET", b"/static/file.txt", [(b"range", ranges)]).status in (200, 206, 416, 400)

    assert growth(work, 1_500) < 9


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        b"text/plain",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=B",
        b"",
        b"text/json",
    ],
)
def test_json_in_a_form_s_media_type_is_no_json(door: Door, media_type: bytes | None) -> None:
    """A page of another site can send these without asking first (CORS): they are no body for a model."""
    ask = door(make_app())
    headers = [] if media_type is None else [(b"content-type", media_type)]
    assert ask("POST", b"/item", headers, b'{"name": "a"}').status == 422
    sent = [(b"content-type", b"application/json")]
    assert json.loads(ask("POST", b"/item", sent, b'{"name": "a"}').body) == {"name": "a"}
