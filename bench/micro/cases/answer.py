"""fastweb/_speedups/answer.py: from a stream to its answer, with no server around it."""

from __future__ import annotations

from typing import Any

from bench.micro.case import Work, case
from fastweb import Depends, FastWeb
from fastweb._speedups.answer import DONE


class Stream:
    """A request that is all there."""

    method = "GET"
    query_string = b"limit=10"
    headers = ((b"host", b"example.com"),)
    body_complete = True

    def __init__(self, path: str) -> None:
        self.path = path
        self.answered: Any = None

    def respond(self, head: Any, body: bytes) -> None:
        self.answered = body


def _answering(path: str, expected: bytes) -> Work:
    app = FastWeb()

    @app.get("/json")
    async def json() -> Any:
        return {"message": "Hello World"}

    @app.get("/users/{user_id}")
    async def user(user_id: int, limit: int = 20) -> Any:
        return {"user_id": user_id, "limit": limit}

    async def one(limit: int) -> int:
        return limit

    async def two(limit: int = Depends(one)) -> int:
        return limit + 1

    @app.get("/depends")
    async def depends(number: int = Depends(two), limit: int = Depends(one)) -> Any:
        return [number, limit]

    stream = Stream(path)

    def answer() -> None:
        answering: Any = app.open_stream(stream)
        assert answering.begin() is DONE

    answer()
    assert stream.answered == expected, stream.answered
    return answer, 1


@case("Answer, JSON", "answer.Answer", "answer.Dispatcher", "answer.DONE")
def json() -> Work:
    return _answering("/json", b'{"message":"Hello World"}')


@case("Answer, path + query", "answer.Operation", "answer.Step")
def parameters() -> Work:
    return _answering("/users/42", b'{"user_id":42,"limit":10}')


@case("Answer, nested Depends", "answer.Operation", "answer.Step")
def depends() -> Work:
    return _answering("/depends", b"[11,10]")
