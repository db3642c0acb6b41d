"""WSGI apps (PEP 3333) as ASGI apps.

The app runs in a thread, and both bodies go through it piece by piece: it reads what has come so far, and
what it writes waits until it was taken. So neither a large upload nor a large answer is ever held whole.
"""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from fastweb.concurrency import collapsing_task_group, run_in_threadpool
from fastweb.types import Message, Receive, Scope, Send

__all__ = ["WSGIMiddleware", "WSGIResponder", "build_environ"]

WSGIApp: TypeAlias = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, Any] | tuple[None, None, None] | None


def build_environ(scope: Scope, body: bytes | io.BufferedIOBase) -> dict[str, Any]:
    """The WSGI environ of an ASGI scope (PEP 3333, "environ Variables").

    Arguments:
        scope: an HTTP connection scope.
        body: the request's body, or where it is read from.
    """
    # A path is Unicode in ASGI; in WSGI it is its bytes, each as a character.
    root = scope.get("root_path", "").encode().decode("latin-1")
    path = scope["path"].encode().decode("latin-1")
    if path == root or path.startswith(root.rstrip("/") + "/"):
        path = path[len(root) :]
    host, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root,
        "PATH_INFO": path,
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body) if isinstance(body, bytes) else body,
        "wsgi.errors": sys.stdout,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"] = scope["client"][0]
    for raw_name, raw_value in scope.get("headers", ()):
        # A name with an underscore would pass for another one, which a proxy may have vouched for; "Proxy"
        # would pass for an environment variable (CVE-2016-5385).
        if b"_" in raw_name or raw_name == b"proxy":
            continue
        key = raw_name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_LENGTH", "CONTENT_TYPE"):
            key = f"HTTP_{key}"
        value = raw_value.decode("latin-1")
        environ[key] = f"{environ[key]},{value}" if key in environ else value
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
        #: The head, until the first piece of the body or the end makes it go out.
        self._start: Message | None = None
        self._started = False
        self._error: BaseException | None = None

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
        body = io.BufferedReader(_Input(functools.partial(from_thread, receive)))
        async with collapsing_task_group() as group:
            group.start_soon(cancel_with_us)
            await run_in_threadpool(self._run, body, functools.partial(from_thread, send_all))
            group.cancel_scope.cancel()
        if self._error is not None:
            raise self._error

    def _run(self, body: io.BufferedReader[Any], send: Callable[[Iterable[Message]], None]) -> None:
        def write(data: bytes) -> None:
            if data:
                send(self._messages(data, more_body=True))

        def start_response(
            status: str, response_headers: list[tuple[str, str]], exc_info: _ExcInfo = None
        ) -> Callable[[bytes], None]:
            self._set_start(status, response_headers, exc_info)
            return write

        environ = build_environ(self.scope, body)
        # A string in PEP 3333; and a body without Content-Length (chunked) ends all the same.
        environ["SERVER_PORT"] = str(environ["SERVER_PORT"])
        environ["wsgi.input_terminated"] = True
        pieces = self.app(environ, start_response)
        try:
            last = b""
            if isinstance(pieces, list | tuple):
                last = b"".join(pieces)  # all of it is here: one way into the loop, not one for each piece
            else:
                for piece in pieces:
                    write(piece)
            send(self._messages(last, more_body=False))
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _set_start(self, status: str, headers: list[tuple[str, str]], exc_info: _ExcInfo) -> None:
        """PEP 3333, "The start_response() Callable"."""
        if exc_info is not None and exc_info[1] is not None:
            if self._started:
                raise exc_info[1].with_traceback(exc_info[2])
            self._error = exc_info[1]
        elif self._start is not None:
            raise RuntimeError("start_response was called a second time, without exc_info")
        self._start = {
            "type": "http.response.start",
            "status": int(status.partition(" ")[0]),
            "headers": [
                (name.strip().lower().encode("latin-1"), value.strip().encode("latin-1"))
                for name, value in headers
            ],
        }

    def _messages(self, data: bytes, *, more_body: bool) -> list[Message]:
        """A piece of the body, behind the head if that is still to go out."""
        messages: list[Message] = [{"type": "http.response.body", "body": data, "more_body": more_body}]
        if not self._started:
            if self._start is None:
                raise RuntimeError("the WSGI app answered without having called start_response")
            self._started = True
            messages.insert(0, self._start)
        return messages


class _Input(io.RawIOBase):
    """The request's body as a file: `wsgi.input`. One message is held at a time."""

    def __init__(self, receive: Callable[[], Message]) -> None:
        self._receive = receive
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and not self._ended:
            message = self._receive()
            if message["type"] == "http.disconnect":
                self._ended = True
                raise ConnectionResetError("the client went away before the end of its request's body")
            self._rest = message.get("body", b"")
            self._ended = not message.get("more_body", False)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
