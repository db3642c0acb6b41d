from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from fastweb import Request, Response
from fastweb.middleware.errors import ServerErrorMiddleware
from fastweb.responses import JSONResponse, PlainTextResponse
from fastweb.testclient import TestClient
from fastweb.types import Receive, Scope, Send

HTML = {"Accept": "text/html,application/xhtml+xml"}


class Tags(HTMLParser):
    """What a browser would make elements of, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


OWN_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2"),
    *("details", "summary", "b", "pre", "span", "p"),
}


def client_of(error: BaseException, **options: Any) -> TestClient:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error  # <script>alert("source")</script>

    return TestClient(ServerErrorMiddleware(app, **options), raise_server_exceptions=False)


def test_the_client_sees_nothing_of_an_error() -> None:
    answer = client_of(ValueError("a secret")).get("/", headers=HTML)
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def test_the_error_goes_on_to_the_server() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise ValueError("logged")

    with pytest.raises(ValueError, match="logged"):
        TestClient(ServerErrorMiddleware(app)).get("/")


@pytest.mark.parametrize("is_async", [True, False])
def test_a_handler_makes_the_answer(is_async: bool) -> None:
    def plain(request: Request, error: Exception) -> Response:
        return JSONResponse({"path": request.url.path, "error": str(error)}, status_code=503)

    async def asynchronous(request: Request, error: Exception) -> Response:
        return plain(request, error)

    answer = client_of(ValueError("e"), handler=asynchronous if is_async else plain).get("/a")
    assert (answer.status_code, answer.json()) == (503, {"path": "/a", "error": "e"})


def test_a_debug_page() -> None:
    answer = client_of(ValueError("what was wrong"), debug=True).get("/", headers=HTML)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    page = Tags(answer.text)
    assert page.tags == OWN_TAGS
    assert "ValueError: what was wrong" in page.text
    assert re.search(r'raise error  # <script>alert\("source"\)</script>', page.text)
    assert "test_errors.py, line" in page.text


def test_a_debug_page_shows_what_an_error_came_of() -> None:
    error = ValueError("the second")
    error.__cause__ = KeyError("the first")
    text = Tags(client_of(error, debug=True).get("/", headers=HTML).text).text
    assert "KeyError: 'the first'" in text
    assert "direct cause" in text


def test_others_get_text() -> None:
    answer = client_of(ValueError("<b>"), debug=True).get("/", headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/plain; charset=utf-8")
    assert answer.text.startswith("Traceback (most recent call last):")
    assert answer.text.endswith("ValueError: <b>\n")


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


HOSTILE = [
    Exception("<script>alert(1)</script>"),
    Exception("</h2></body></html><img src=x onerror=alert(1)>"),
    Exception("&lt;script&gt;"),
    Exception("\ud800 lone surrogate"),
    Exception("{title} {frames} %s"),
    Exception("\0\x1b[31m"),
    Exception(b"\xff"),
    Exception(),
    type("<script>", (Exception,), {})("named"),
    SyntaxError("bad", ("<img src=x>", 1, 1, "<script>", 1, 2)),
    ExceptionGroup("<script>", [ValueError("<img src=x>")]),
    Unspeakable(),
]


@pytest.mark.parametrize("error", HOSTILE, ids=range(len(HOSTILE)))
def test_nothing_in_an_error_becomes_markup(error: Exception) -> None:
    client = client_of(error, debug=True)
    assert Tags(client.get("/", headers=HTML).text).tags == OWN_TAGS
    assert client.get("/").status_code == 500


def test_file_and_function_names_do_not_become_markup() -> None:
    namespace: dict[str, Any] = {}
    exec(compile("def f():\n    raise ValueError('x')", "<img src=x onerror=alert(1)>", "exec"), namespace)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        namespace["f"]()

    client = TestClient(ServerErrorMiddleware(app, debug=True), raise_server_exceptions=False)
    assert Tags(client.get("/", headers=HTML).text).tags == OWN_TAGS


def test_a_deep_recursion_has_a_page_too() -> None:
    def deeper() -> None:
        deeper()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        deeper()

    client = TestClient(ServerErrorMiddleware(app, debug=True), raise_server_exceptions=False)
    page = client.get("/", headers=HTML).text
    assert "RecursionError" in page
    assert len(page) < 500_000


def test_what_was_begun_is_not_answered_anew() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("done")(scope, receive, send)
        raise ValueError("after")

    for debug in (True, False):
        client = TestClient(ServerErrorMiddleware(app, debug=debug), raise_server_exceptions=False)
        assert client.get("/").text == "done"
