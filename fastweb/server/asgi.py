"""An ASGI 3 app, whatever framework it is made with, served as our own are: `fastweb.types.StreamApp`.

The messages are those that `fastweb.asgi` makes of a stream; here is what a server adds to them: the lifespan
protocol, the state that each scope gets a copy of, the extensions, and what becomes of an app that goes on
when its client has left.

A client that is gone makes `receive` return "http.disconnect" at once, and `send` do nothing: the scope says
version 2.3 of the specification, as uvicorn's does, since what is written for 2.4 no longer listens for a
disconnect while it has nothing to send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from types import CoroutineType
from typing import Any, Final

from fastweb._speedups.response import Head
from fastweb.asgi import GONE, HEAD, Exchange, scope_of
from fastweb.asgi_websocket import WebSocketExchange, websocket_scope_of
from fastweb.exceptions import HTTPException
from fastweb.server.config import STARTUP_FAILED, StartupError
from fastweb.types import ASGIApp, Message, Receive, Scope, Send, Stream

__all__ = ["ASGIHost", "LifespanProtocol"]

_logger = logging.getLogger("fastweb.server")

_VERSION: Final = "3.0"
#: What an answer may do here beside the plain messages.
_EXTENSIONS: Final = (
    "http.response.pathsend",
    "http.response.early_hint",
    "http.response.trailers",
    "http.response.zerocopysend",
)
_TEXT: Final = ((b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close"))
#: Seconds that an app may still run when it has said that its shut-down is complete.
_END_TIMEOUT: Final = 1.0


class ASGIHost:
    """Serves an ASGI app.

    Arguments:
        app: called with scope, receive and send.
        lifespan: "on": the app must take part in the lifespan protocol; "off": it is not asked; "auto": it is
            asked, and may raise an exception, which means that it knows no such protocol.
        root_path: where the app is mounted, for a proxy that takes this prefix away: it is the scope's
            root_path, and stands before its path.
    """

    #: What the server says that it serves.
    interface = "asgi"

    def __init__(self, app: ASGIApp, *, lifespan: str = "auto", root_path: str = "") -> None:
        self.app = app
        self.root_path = root_path
        self._raw_root_path = root_path.encode()
        self._lifespan = lifespan
        self._state: dict[str, Any] = {}
        #: Those whose head waits for the first piece of their body.
        self._kept: list[HostedExchange] = []

    # fastweb.types.StreamApp

    def open_stream(self, stream: Any) -> Coroutine[Any, Any, None]:
        """Call the app for a request."""
        scope = scope_of(stream)
        for name in _EXTENSIONS:
            scope["extensions"][name] = {}
        exchange = HostedExchange(stream, self)
        return self._call(scope, exchange.receive, exchange.send)

    def wants_head(self, stream: Any) -> bool:
        """Always: the app reads the body in pieces, as it comes."""
        return True

    def open_websocket(self, stream: Any) -> Coroutine[Any, Any, None]:
        """Call the app for a WebSocket."""
        exchange = WebSocketExchange(stream)
        return self._call(websocket_scope_of(stream), exchange.receive, exchange.send)

    def _call(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        scope["state"] = self._state.copy()
        if self.root_path:
            scope["root_path"] = self.root_path
            scope["path"] = self.root_path + scope["path"]
            scope["raw_path"] = self._raw_root_path + scope["raw_path"]
        coroutine = self.app(scope, receive, send)
        if type(coroutine) is CoroutineType:
            return coroutine
        return _awaited(coroutine)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[dict[str, Any]]:
        """The lifespan protocol: start-up on entry, shut-down on exit.

        Raises:
            StartupError: the app says that either has failed.
            Exception: what it raised, where it must take part.
        """
        if self._lifespan == "off":
            yield self._state
            return
        protocol = LifespanProtocol(self.app, required=self._lifespan == "on")
        await protocol.startup()
        self._state = protocol.state
        try:
            yield self._state
        finally:
            await protocol.shutdown()

    # Heads that wait

    def keep(self, exchange: HostedExchange) -> None:
        """Send the head of an answer in the loop's next turn, if no body has come by then: a client is to see
        that a stream has begun, though its first event is a minute away."""
        if not self._kept:
            asyncio.get_running_loop().call_soon(self._send_heads)
        self._kept.append(exchange)

    def _send_heads(self) -> None:
        kept, self._kept = self._kept, []
        for exchange in kept:
            # The app may have failed, and been answered with 500.
            if exchange.stage == HEAD and not exchange.stream.started:
                exchange.start()


async def _awaited(result: Awaitable[None]) -> None:
    if not isinstance(result, Awaitable):
        raise TypeError(f"an ASGI app returns an awaitable when it is called; this one returned {result!r}")
    await result


class HostedExchange(Exchange):
    """A request to an app that is not ours, which is not to hear of our exceptions.

    Arguments:
        stream: the request.
        host: its host.
    """

    __slots__ = ("_host",)

    def __init__(self, stream: Stream, host: ASGIHost) -> None:
        super().__init__(stream)
        self._host = host

    def head_kept(self) -> None:
        self._host.keep(self)

    async def body_failed(self, error: HTTPException) -> Message:
        """The rest of the body is not to be had: the client is told so, and for the app it is gone."""
        self.stage = GONE
        if not self.stream.started:
            self.stream.respond(Head(error.status_code, _TEXT), str(error.detail).encode())
        return {"type": "http.disconnect"}

    async def client_left(self) -> None:
        # Such an app may go on sending for ever, without waiting for anything.
        await asyncio.sleep(0)


class LifespanProtocol:
    """The app's side of its start-up and shut-down (ASGI, Lifespan Protocol, version 2.0).

    Arguments:
        app: called once with a scope of the type "lifespan".
        required: an exception at start-up is a failed start-up; else it means that the app knows no lifespan.

    Attributes:
        state: what the app has put there for its requests.
    """

    def __init__(self, app: ASGIApp, *, required: bool = False) -> None:
        self.state: dict[str, Any] = {}
        self._app = app
        self._required = required
        self._task: asyncio.Task[None] | None = None
        self._asked = 0
        self._started = asyncio.Event()
        self._stop = asyncio.Event()
        self._stopped = asyncio.Event()
        self._failure: StartupError | None = None

    async def _run(self) -> None:
        scope: Scope = {
            "type": "lifespan",
            "asgi": {"version": _VERSION, "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        await self._stop.wait()
        if self._asked > 2:
            await asyncio.Event().wait()  # there is no third message
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        phase, _, outcome = kind.removeprefix("lifespan.").partition(".")
        if phase not in ("startup", "shutdown") or outcome not in ("complete", "failed"):
            raise RuntimeError(f"the lifespan has no ASGI message {kind!r}")
        done = self._started if phase == "startup" else self._stopped
        if done.is_set() or (phase == "shutdown" and not self._stop.is_set()):
            raise RuntimeError(f"the ASGI message {kind!r} was sent out of turn")
        if outcome == "failed":
            self._failure = _failure(
                "start-up" if phase == "startup" else "shut-down", message.get("message", "")
            )
        done.set()

    async def startup(self) -> None:
        """Return when the app is ready, or has shown that it knows no lifespan."""
        self._task = asyncio.create_task(self._run(), name="ASGI lifespan")
        await self._wait(self._started)
        if self._failure is not None:
            await self._end()
            raise self._failure
        if not self._started.is_set() and (error := self._error()) is not None:
            if self._required:
                raise error
            _logger.info("The app has no lifespan (%s: %s)", type(error).__name__, error)

    async def shutdown(self) -> None:
        """Return when the app has shut down."""
        task = self._task
        if task is None or not self._started.is_set():
            return
        self._stop.set()
        await self._wait(self._stopped)
        error = self._error()
        await self._end()
        if self._failure is not None:
            raise self._failure
        if error is not None:
            raise error

    async def _wait(self, event: asyncio.Event) -> None:
        """Wait for an event or the app's end; a cancellation is passed on."""
        task = self._task
        assert task is not None
        waiter = asyncio.create_task(event.wait())
        try:
            await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            waiter.cancel()

    def _error(self) -> Exception | None:
        task = self._task
        if task is None or not task.done():
            return None
        if task.cancelled():
            return RuntimeError("its lifespan was cancelled")
        error = task.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        return error

    async def _end(self) -> None:
        """Let the app return: it has said its last word."""
        task, self._task = self._task, None
        assert task is not None
        if not task.done():
            await asyncio.wait([task], timeout=_END_TIMEOUT)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # Starlette raises what it has just told of.


def _failure(what: str, message: str) -> StartupError:
    """What the app says of its failure: often a whole traceback."""
    text = message.strip()
    if "\n" in text:
        return StartupError(f"the app's {what} failed", exit_code=STARTUP_FAILED, details=text + "\n")
    return StartupError(f"the app's {what} failed" + (f": {text}" if text else ""), exit_code=STARTUP_FAILED)
