from __future__ import annotations

import threading
from typing import Any

import pytest

from fastweb import BackgroundTasks, FastWeb, Request, Response
from fastweb.middleware.response import ResponseMiddleware
from fastweb.responses import PlainTextResponse, StreamingResponse
from fastweb.testclient import TestClient
from fastweb.types import Receive, Scope, Send


def app_of(function: Any) -> TestClient:
    app = FastWeb()

    @app.get("/")
    async def home() -> str:
        return "home"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse([b"a", b"b"])

    return TestClient(ResponseMiddleware(app, function))


def test_a_plain_function_of_request_and_response() -> None:
    threads = []

    def mark(req: Request, res: Response) -> None:
        threads.append(threading.current_thread())
        res.headers["X-Path"] = req.url.path
        res.status_code += 1

    client = app_of(mark)
    for path, text in (("/", '"home"'), ("/stream", "ab")):
        answer = client.get(path)
        assert (answer.status_code, answer.text, answer.headers["x-path"]) == (201, text, path)
    assert client.get("/nowhere").status_code == 405
    assert threading.main_thread() not in threads


def test_an_async_one_may_change_the_body() -> None:
    async def double(request: Request, response: Response) -> None:
        response.body = bytes(response.body) * 2

    answer = app_of(double).get("/")
    assert (answer.text, answer.headers["content-length"]) == ('"home""home"', "12")


@pytest.mark.parametrize("path", ["/", "/stream", "/nowhere"])
def test_another_response_takes_the_place(path: str) -> None:
    def replace(req: Request, res: Response) -> Response:
        return PlainTextResponse(f"instead of {res.status_code}", status_code=203)

    answer = app_of(replace).get(path)
    status = 404 if path == "/nowhere" else 200
    assert (answer.status_code, answer.text) == (203, f"instead of {status}")


def test_the_same_response_may_be_returned() -> None:
    def same(req: Request, res: Response) -> Response:
        res.headers["X-A"] = "1"
        return res

    assert app_of(same).get("/").headers["x-a"] == "1"


def test_its_error_is_the_app_s() -> None:
    def wrong(req: Request, res: Response) -> None:
        raise LookupError("wrong")

    with pytest.raises(LookupError):
        app_of(wrong).get("/")


def test_websockets_and_lifespans_pass_by() -> None:
    def never(req: Request, res: Response) -> None:
        raise AssertionError

    with TestClient(ResponseMiddleware(FastWeb(), never)):
        pass


def replace(req: Request, res: Response) -> Response:
    return PlainTextResponse("mine")


def test_an_app_that_streams_for_nobody_is_ended() -> None:
    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        while True:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    assert TestClient(ResponseMiddleware(endless, replace)).get("/").text == "mine"


def test_background_tasks_of_what_was_replaced_run() -> None:
    done: list[int] = []
    app = FastWeb()

    @app.get("/")
    async def endpoint(tasks: BackgroundTasks) -> StreamingResponse:
        tasks.add_task(done.append, 1)
        return StreamingResponse([b"a", b"b", b"c"])

    assert TestClient(ResponseMiddleware(app, replace)).get("/").text == "mine"
    assert done == [1]


def test_an_answer_without_headers_can_be_given_some() -> None:
    async def bare(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"bare"})

    def mark(req: Request, res: Response) -> None:
        res.headers["x-a"] = "1"

    answer = TestClient(ResponseMiddleware(bare, mark)).get("/")
    assert (answer.text, answer.headers["x-a"]) == ("bare", "1")


def test_what_an_app_sends_before_its_head_goes_through() -> None:
    sent = []

    async def hinting(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.early_hint", "links": []})
        await PlainTextResponse("ok")(scope, receive, send)

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Any) -> None:
            sent.append(message["type"])
            if message["type"] != "http.response.early_hint":
                await send(message)

        await ResponseMiddleware(hinting, lambda req, res: None)(scope, receive, note)

    TestClient(noting).get("/")
    assert sent == ["http.response.early_hint", "http.response.start", "http.response.body"]
