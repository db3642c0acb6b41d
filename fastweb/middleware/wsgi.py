"""WSGI apps (PEP 3333) as ASGI apps.

The app runs in a thread, and both bodies go through it piece by piece: it reads what has come so far, and
what it writes waits until it was taken. So neither a large upload nor a large answer is ever held whole.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable, Iterable
from typing import Any

from fastweb.concurrency import collapsing_task_group, run_in_threadpool
from fastweb.types import Message, Receive, Scope, Send
from fastweb.wsgi import BodyInput, StartResponse, WSGIApp, make_environ

__all__ = ["WSGIMiddleware", "WSGIResponder", "build_environ"]


def build_environ(scope: Scope, body: bytes | io.BufferedIOBase) -> dict[str, Any]:
    """The WSGI environ of an ASGI scope (PEP 3333, "environ Variables").

    Arguments:
        scope: an HTTP connection scope.
        body: the request's body, or where it is read from.
    """
    environ = make_environ(
        method=scope["method"],
        path=scope["path"],
        root_path=scope.get("root_path", ""),
        query_string=scope["query_string"],
        http_version=scope["http_version"],
        scheme=scope.get("scheme", "http"),
        headers=scope.get("headers", ()),
        client=scope.get("client"),
        server=scope.get("server"),
        body=io.BytesIO(body) if isinstance(body, bytes) else body,
    )
    environ["wsgi.errors"] = sys.stdout
    environ["wsgi.multithread"] = environ["wsgi.multiprocess"] = True
    return environ


class WSGIMiddleware:
    """Runs a WSGI app.

    Arguments:
        app: the WSGI app.
    """

    def __init__(self, app: WSGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app; a WebSocket, for which WSGI has no way, is refused."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return
        if scope["type"] != "http":
            raise RuntimeError(f"a WSGI app has no connections of the type {scope['type']!r}")
        await WSGIResponder(self.app, scope)(receive, send)


class WSGIResponder:
    """One request to a WSGI app.

    Arguments:
        app: the WSGI app.
        scope: the request's ASGI scope.
    """

    def __init__(self, app: WSGIApp, scope: Scope) -> None:
        self.app = app
        self.scope = scope

    async def __call__(self, receive: Receive, send: Send) -> None:
        """Run the app.

        Raises:
            BaseException: what it raised, or gave to start_response as its exc_info.
        """
        # Imported before the thread starts: it leads back into the loop.
        import anyio.from_thread

        waiting: set[anyio.CancelScope] = set()

        async def call(function: Callable[..., Any], *args: Any) -> Any:
            with anyio.CancelScope() as scope:
                waiting.add(scope)
                try:
                    return await function(*args)
                finally:
                    waiting.discard(scope)
            raise ConnectionResetError("the request was cancelled")

        async def cancel_with_us() -> None:
            # The thread cannot be cancelled, and the request waits for its end; what it waits for can.
            try:
                await anyio.sleep_forever()
            finally:
                for scope in waiting:
                    scope.cancel()

        async def send_all(messages: Iterable[Message]) -> None:
            for message in messages:
                await send(message)

        run: Callable[..., Any] = anyio.from_thread.run
        from_thread = functools.partial(run, call)
        ended = False

        def next_piece() -> bytes:
            nonlocal ended
            while not ended:
                message = from_thread(receive)
                if message["type"] == "http.disconnect":
                    ended = True
                    raise ConnectionResetError("the client went away before the end of its request's body")
                ended = not message.get("more_body", False)
                if data := message.get("body", b""):
                    return bytes(data)
            return b""

        def write(data: bytes) -> None:
            if data:
                from_thread(send_all, self._messages(start, data, more_body=True))

        start = StartResponse(write)
        async with collapsing_task_group() as group:
            group.start_soon(cancel_with_us)
            await run_in_threadpool(
                self._run,
                io.BufferedReader(BodyInput(next_piece)),
                start,
                functools.partial(from_thread, send_all),
            )
            group.cancel_scope.cancel()
        if start.error is not None:
            raise start.error

    def _run(
        self,
        body: io.BufferedReader[Any],
        start: StartResponse,
        send: Callable[[Iterable[Message]], None],
    ) -> None:
        environ = build_environ(self.scope, body)
        # A string in PEP 3333; and a body without Content-Length (chunked) ends all the same.
        environ["SERVER_PORT"] = str(environ["SERVER_PORT"])
        environ["wsgi.input_terminated"] = True
        pieces = self.app(environ, start)
        try:
            last = b""
            if isinstance(pieces, list | tuple):
                last = b"".join(pieces)  # all of it is here: one way into the loop, not one for each piece
            else:
                for piece in pieces:
                    start.write(piece)
            send(self._messages(start, last, more_body=False))
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _messages(self, start: StartResponse, data: bytes, *, more_body: bool) -> list[Message]:
        """A piece of the body, behind the head if that is still to go out."""
        messages: list[Message] = [{"type": "http.response.body", "body": data, "more_body": more_body}]
        if not start.sent:
            start.check()
            start.sent = True
            messages.insert(
                0, {"type": "http.response.start", "status": start.status, "headers": start.headers}
            )
        return messages
