"""`TestClient`: an HTTP client that calls an ASGI app directly, with no socket between them."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import warnings
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, cast
from urllib.parse import unquote, urljoin

import anyio
import anyio.lowlevel
from anyio.abc import TaskStatus
from anyio.from_thread import BlockingPortal, start_blocking_portal

from fastweb.concurrency import threads_at_work
from fastweb.resources import resources
from fastweb.status import FastWebDeprecationWarning
from fastweb.types import ASGIApp, Message, Receive, Scope, Send
from fastweb.websockets import WebSocketDisconnect

if TYPE_CHECKING:
    import httpx2 as httpx
else:
    try:
        import httpx2 as httpx
    except ModuleNotFoundError:
        try:
            import httpx
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                "fastweb.testclient needs an HTTP client, httpx2: pip install 'fastweb[testclient]'",
                name="httpx2",
            ) from None

__all__ = [
    "ASGI2App",
    "ASGI3App",
    "ASGIInstance",
    "TestClient",
    "WebSocketDenialResponse",
    "WebSocketTestSession",
]

ASGIInstance: TypeAlias = Callable[[Receive, Send], Awaitable[None]]
ASGI2App: TypeAlias = Callable[[Scope], ASGIInstance]
ASGI3App: TypeAlias = ASGIApp

# In 2.4 an app may rely on send() raising OSError where the client is gone. Here it is cancelled before.
_ASGI = {"version": "3.0", "spec_version": "2.4"}

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

#: How long an app that was told of a WebSocket's end may go on, in waits of 10 ms: by the clock, a machine
#: that stands still for a second would leave it no time.
_TIDY_UP_WAITS = 100

#: Where a response holds the session that it opens.
_SESSION = "fastweb.websocket"

_PortalFactory = Callable[[], contextlib.AbstractContextManager[BlockingPortal]]


class WebSocketDenialResponse(httpx.Response, WebSocketDisconnect):  # type: ignore[misc]
    """The app refused a WebSocket with this response."""

    code = 1006
    reason = ""


class WebSocketTestSession:
    """The client's side of a WebSocket, made by `TestClient.websocket_connect`.

    It is a context manager: on entry the app accepts the WebSocket, on exit it is closed. An app that does
    not receive the disconnect then, or goes on after it for a second, is cancelled; while functions of its
    run in threads, it has a second to receive it.

    Arguments:
        app: any ASGI 3 app.
        scope: the WebSocket's scope.
        portal_factory: gives the event loop to run the app in.

    Attributes:
        accepted_subprotocol: the subprotocol that the app has chosen.
        extra_headers: the header fields that it has added.

    Raises:
        WebSocketDisconnect: on entry: the app refused the WebSocket.
        WebSocketDenialResponse: on entry: it did so with a response.
        Exception: on entry or exit: what the app raised.
    """

    def __init__(self, app: ASGI3App, scope: Scope, portal_factory: _PortalFactory) -> None:
        self.app = app
        self.scope = scope
        self.portal_factory = portal_factory
        self.accepted_subprotocol: str | None = None
        self.extra_headers: list[tuple[bytes, bytes]] | None = None
        # From the app to the client; None when the app has ended.
        self._sent: SimpleQueue[Message | None] = SimpleQueue()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.portal = stack.enter_context(self.portal_factory())
            self._end, scope = self.portal.start_task(self._run)
            stack.callback(self._end.result)
            stack.callback(self.portal.call, self._leave, scope)
            self.send({"type": "websocket.connect"})
            message = self.receive()
            self._raise_on_close(message)
            self.accepted_subprotocol = message.get("subprotocol")
            self.extra_headers = message.get("headers")
            stack.callback(self.close)
            self.exit_stack = stack.pop_all()
        return self

    def __exit__(self, *args: Any) -> bool | None:
        return self.exit_stack.__exit__(*args)

    # In the loop

    async def _run(self, *, task_status: TaskStatus[anyio.CancelScope]) -> None:
        self._to_app, messages = anyio.create_memory_object_stream[Message](math.inf)
        self._disconnected, self._ended = anyio.Event(), anyio.Event()

        async def receive() -> Message:
            message = await messages.receive()
            if message["type"] == "websocket.disconnect":
                self._disconnected.set()
            return message

        async def send(message: Message) -> None:
            # Before, so that the app goes on at once; see receive.
            await anyio.lowlevel.checkpoint()
            self._sent.put(message)

        try:
            with self._to_app, messages, anyio.CancelScope() as scope:
                task_status.started(scope)
                await self.app(self.scope, receive, send)
        finally:
            self._disconnected.set()
            self._ended.set()
            self._sent.put(None)

    async def _leave(self, scope: anyio.CancelScope) -> None:
        # Who hears of the disconnect may tidy up; who does not ask waits for something else, for good. A
        # thread is not as quick as the loop, which tells nothing about what it will ask for next; and what it
        # has given takes turns of the loop to reach the app.
        idle = waits = 0
        while idle < 2 and waits <= _TIDY_UP_WAITS and not self._disconnected.is_set():
            at_work = threads_at_work()
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
            idle = 0 if at_work or threads_at_work() else idle + 1
            if not idle:
                waits += 1
                with anyio.move_on_after(0.01):
                    await self._disconnected.wait()
        if self._disconnected.is_set():
            for _ in range(_TIDY_UP_WAITS):
                with anyio.move_on_after(0.01):
                    await self._ended.wait()
                if self._ended.is_set():
                    break
        scope.cancel()

    def _deliver(self, message: Message) -> None:
        # An app that has ended takes no more.
        with contextlib.suppress(anyio.ClosedResourceError):
            self._to_app.send_nowait(message)

    # In the client's thread

    def _raise_on_close(self, message: Message) -> None:
        if message["type"] == "websocket.close":
            raise WebSocketDisconnect(message.get("code", 1000), message.get("reason", ""))
        if message["type"] == "websocket.http.response.start":
            status, headers = message["status"], message.get("headers", [])
            body = b""
            more = True
            while more:
                message = self.receive()
                body += message.get("body", b"")
                more = message.get("more_body", False)
            raise WebSocketDenialResponse(status, headers=headers, content=body)

    def send(self, message: Message) -> None:
        """Send the app an ASGI message."""
        self.portal.call(self._deliver, message)

    def send_text(self, data: str) -> None:
        """Send the app a text message."""
        self.send({"type": "websocket.receive", "text": data})

    def send_bytes(self, data: bytes) -> None:
        """Send the app a binary message."""
        self.send({"type": "websocket.receive", "bytes": data})

    def send_json(self, data: Any, mode: Literal["text", "binary"] = "text") -> None:
        """Send the app a value as JSON, in a text or a binary message."""
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
        if mode == "text":
            self.send_text(text)
        else:
            self.send_bytes(text.encode())

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Close the WebSocket: the app is sent a disconnect."""
        self.send({"type": "websocket.disconnect", "code": code, "reason": reason})

    def receive(self) -> Message:
        """Wait for an ASGI message from the app.

        Raises:
            Exception: what the app raised meanwhile.
            WebSocketDisconnect: it has ended without a close.
        """
        message = self._sent.get()
        if message is None:
            self._sent.put(None)
            self._end.result()
            raise WebSocketDisconnect(1006, "the app has ended without closing the WebSocket")
        # Once around the loop: what the app does right after sending, such as noting whom it accepted, it has
        # done when the client goes on.
        self.portal.call(bool)
        return message

    def receive_text(self) -> str:
        """Wait for a text message from the app.

        Raises:
            WebSocketDisconnect: it has closed the WebSocket.
            Exception: what the app raised meanwhile.
        """
        message = self.receive()
        self._raise_on_close(message)
        return cast(str, message["text"])

    def receive_bytes(self) -> bytes:
        """Wait for a binary message from the app; errors as `receive_text` has them."""
        message = self.receive()
        self._raise_on_close(message)
        return cast(bytes, message["bytes"])

    def receive_json(self, mode: Literal["text", "binary"] = "text") -> Any:
        """Wait for a text or binary message from the app, and read it as JSON; errors as `receive_text` has
        them.
        """
        return json.loads(self.receive_text() if mode == "text" else self.receive_bytes())


class _Exchange(httpx.SyncByteStream):
    """One request and its answer. The app runs in the portal's loop; the client reads from its own thread.

    To httpx it is the answer's body.
    """

    def __init__(self, transport: _Transport, scope: Scope, body: bytes) -> None:
        self._transport = transport
        self._scope = scope
        self._body: bytes | None = body
        self._head: tuple[int, list[tuple[bytes, bytes]]] | None = None
        #: Of the response: what extensions of ASGI have sent.
        self.extensions: dict[str, Any] = {}
        self._trailers: list[tuple[bytes, bytes]] | None = None
        self._body_complete = False
        self._complete = False
        # From the loop to the client: pieces of the body, each with what to set when it was taken, and None
        # when the app has ended.
        self._pieces: SimpleQueue[tuple[bytes, anyio.Event] | None] = SimpleQueue()
        self._closed = False
        self._stack = contextlib.ExitStack()
        self._portal = self._stack.enter_context(transport.portal_factory())
        self._end: Future[None]
        self._end, self._cancel_scope = self._portal.start_task(self._run)

    # In the loop

    async def _run(self, *, task_status: TaskStatus[anyio.CancelScope]) -> None:
        self._begun, self._answered = anyio.Event(), anyio.Event()
        try:
            with anyio.CancelScope() as scope:
                task_status.started(scope)
                await self._transport.app(self._scope, self._receive, self._send)
        finally:
            self._begun.set()
            self._pieces.put(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        # Without a checkpoint where there is nothing to wait for: it may be called in a cancelled scope.
        if not self._answered.is_set():
            await self._answered.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.debug":
            self.extensions[kind] = message["info"]
            return
        if kind not in ("http.response.start", "http.response.body", "http.response.trailers"):
            if kind in self._scope["extensions"]:
                return
            raise AssertionError(f'the app sent "{kind}", which is no part of an answer to an HTTP request')
        if self._complete:
            # After the body or after the trailers: the same, where there are none.
            part = "body" if self._trailers is None else "response"
            raise AssertionError(f'Received "{kind}" after {part} completed.')
        if kind == "http.response.start":
            if self._head is not None:
                raise AssertionError('Received multiple "http.response.start" messages.')
            headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            self._head = message["status"], headers
            if message.get("trailers", False):
                self.extensions["http.response.trailers"] = self._trailers = []
            self._begun.set()
        elif self._head is None and kind == "http.response.body":
            raise AssertionError(f'Received "{kind}" without "http.response.start".')
        elif kind == "http.response.body":
            if self._body_complete:
                raise AssertionError(f'Received "{kind}" after body completed.')
            self._body_complete = not message.get("more_body", False)
            taken = anyio.Event()
            self._pieces.put((bytes(message.get("body", b"")), taken))
            if not self._body_complete:
                # An endless answer goes no faster than it is read.
                await taken.wait()
            elif self._trailers is None:
                self._finish()
        else:
            if self._trailers is None:
                raise AssertionError(f'Received "{kind}" without declaring trailers.')
            if not self._body_complete:
                raise AssertionError(f'Received "{kind}" before body completed.')
            self._trailers += [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            if not message.get("more_trailers", False):
                self._finish()

    def _finish(self) -> None:
        self._complete = True
        self._answered.set()

    async def _wait_begun(self) -> None:
        await self._begun.wait()

    # In the client's thread

    def head(self) -> tuple[int, list[tuple[bytes, bytes]]] | None:
        """Wait for status and header fields; None where the app ended without them.

        Raises:
            Exception: what the app raised instead of answering.
        """
        try:
            self._portal.call(self._wait_begun)
        except BaseException:  # interrupted
            self.close()
            raise
        if self._head is None:
            self.close()
        return self._head

    def __iter__(self) -> Iterator[bytes]:
        while not self._closed and (item := self._pieces.get()) is not None:
            piece, taken = item
            self._portal.start_task_soon(taken.set)
            if piece and self._scope["method"] != "HEAD":
                yield piece
        self.close()

    def close(self) -> None:
        """Wait for the app's end. It is cancelled first where its answer is not complete: the client is gone.

        Raises:
            Exception: what the app raised.
        """
        self._leave(cancel=not self._complete)

    def abort(self) -> None:
        """Cancel the app, its background tasks too, and wait for its end.

        Raises:
            Exception: what the app raised.
        """
        self._leave(cancel=True)

    def _leave(self, *, cancel: bool) -> None:
        if self._closed:
            return
        self._closed = True
        with self._stack:
            if cancel and not self._end.done():
                self._portal.call(self._cancel_scope.cancel)
            error = self._end.exception()
        self._transport.exchanges.discard(self)
        if error is not None and self._transport.raise_server_exceptions:
            raise error


class _Transport(httpx.BaseTransport):
    """Turns a request into an ASGI scope, and what the app sends into a response."""

    def __init__(
        self,
        app: ASGIApp,
        portal_factory: _PortalFactory,
        raise_server_exceptions: bool,
        root_path: str,
        client: tuple[str, int],
        app_state: dict[str, Any],
    ) -> None:
        self.app = app
        self.portal_factory = portal_factory
        self.raise_server_exceptions = raise_server_exceptions
        self.root_path = root_path
        self.client = client
        self.app_state = app_state
        self.exchanges: set[_Exchange] = set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        scope = self._scope(request)
        if scope["type"] == "websocket":
            session = WebSocketTestSession(self.app, scope, self.portal_factory)
            return httpx.Response(101, request=request, extensions={_SESSION: session})
        exchange = _Exchange(self, scope, request.read())
        self.exchanges.add(exchange)
        head = exchange.head()
        if head is None:
            if self.raise_server_exceptions:
                raise AssertionError("TestClient did not receive any response.")
            return httpx.Response(500, request=request)
        status, headers = head
        response = httpx.Response(
            status, headers=headers, stream=exchange, request=request, extensions=exchange.extensions
        )
        debug = exchange.extensions.get("http.response.debug", {})
        for name in ("template", "context"):
            if name in debug:
                setattr(response, name, debug[name])
        return response

    def _scope(self, request: httpx.Request) -> Scope:
        url = request.url
        if url.scheme not in _DEFAULT_PORTS:
            raise ValueError(f"TestClient requests http, https, ws and wss URLs, not {str(url)!r}")
        raw_path = url.raw_path.partition(b"?")[0]
        port = _DEFAULT_PORTS[url.scheme] if url.port is None else url.port
        scope: Scope = {
            "type": "http",
            "asgi": dict(_ASGI),
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(raw_path.decode("ascii")),
            "raw_path": raw_path,
            "query_string": url.query,
            "root_path": self.root_path,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": self.client,
            "server": [url.raw_host.decode("ascii"), port],
            "extensions": {"http.response.debug": {}, "http.response.trailers": {}},
            "state": self.app_state.copy(),
        }
        if url.scheme in ("ws", "wss"):
            offered = request.headers.get("sec-websocket-protocol")
            del scope["method"]
            scope["type"] = "websocket"
            scope["subprotocols"] = [] if offered is None else [name.strip() for name in offered.split(",")]
            scope["extensions"] = {"websocket.http.response": {}}
        return scope

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            for exchange in list(self.exchanges):
                stack.callback(exchange.abort)


@contextlib.contextmanager
def _portal(options: dict[str, Any]) -> Iterator[BlockingPortal]:
    """An event loop in a thread. What was opened on it at first use, such as pools, is closed with it."""
    with start_blocking_portal(**options) as portal:
        try:
            yield portal
        finally:
            portal.call(resources.close_all)


class _Lifespan:
    """The app's start-up and shut-down, in one task of the portal's loop.

    Source: the ASGI specification, "Lifespan Protocol".
    """

    def __init__(self, app: ASGIApp, portal: BlockingPortal, state: dict[str, Any]) -> None:
        self._app = app
        self._portal = portal
        self._scope: Scope = {"type": "lifespan", "asgi": dict(_ASGI), "state": state}
        self._sent: SimpleQueue[Message | None] = SimpleQueue()
        self._asked = False
        self.task: Future[None] = portal.start_task_soon(self._run)

    async def _run(self) -> None:
        self._leaving = anyio.Event()
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self._sent.put(None)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._leaving.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        self._sent.put(message)

    def wait(self, phase: Literal["startup", "shutdown"]) -> None:
        """Wait until the app has started up, or shut down.

        Raises:
            Exception: what the app raised meanwhile.
            RuntimeError: it failed without an exception.
        """
        message = self._sent.get()
        if message is not None and message["type"] == f"lifespan.{phase}.complete":
            return
        if message is not None:
            # An app says that it failed, and then raises what made it fail.
            self._portal.call(self._leaving.set)
        self.task.result()
        if message is None:
            raise RuntimeError(f'the app ended before it sent "lifespan.{phase}.complete"')
        if message["type"] == f"lifespan.{phase}.failed":
            raise RuntimeError(f"the app's {phase} failed: {message.get('message') or 'no message'}")
        raise RuntimeError(f'the app sent "{message["type"]}" instead of "lifespan.{phase}.complete"')

    def leave(self) -> None:
        """Have the app shut down."""
        self._portal.call(self._leaving.set)
        self.wait("shutdown")


def _as_asgi3(app: Any) -> ASGI3App:
    """An app of ASGI 2, which takes the scope alone and returns what takes the rest, as one of ASGI 3."""
    try:
        signature = inspect.signature(app)
    except ValueError:
        return cast(ASGI3App, app)
    try:
        signature.bind(None, None, None)
    except TypeError:
        pass
    else:
        return cast(ASGI3App, app)

    async def asgi3(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope)(receive, send)

    return asgi3


class TestClient(httpx.Client):
    """A client of an ASGI app, with all that an `httpx.Client` has: `client.get("/users").json()`.

    As a context manager it starts the app up and shuts it down, and runs all requests in one event loop;
    without it, each request has a loop of its own.

    Arguments:
        app: any ASGI app, of ASGI 2 too.
        base_url: what the URLs of requests are relative to.
        raise_server_exceptions: raise what the app raises; else answer 500, as a server would.
        root_path: the app's `root_path`, where a proxy would have taken it off the path.
        backend: the event loop's library, "asyncio" or "trio".
        backend_options: anyio's options for it, such as `{"use_uvloop": True}`.
        cookies, headers: sent with every request.
        follow_redirects: request what the app redirects to.
        client: the client's address, as the app sees it.

    Raises:
        TypeError: the app is not an ASGI app.
    """

    __test__ = False  # its name looks like a test's to pytest

    #: The loop of the context manager: `client.portal.call(async_function)` runs something there.
    portal: BlockingPortal | None = None

    def __init__(
        self,
        app: ASGI3App | ASGI2App,
        base_url: str = "http://testserver",
        raise_server_exceptions: bool = True,
        root_path: str = "",
        backend: Literal["asyncio", "trio"] = "asyncio",
        backend_options: dict[str, Any] | None = None,
        cookies: Any = None,
        headers: Mapping[str, str] | None = None,
        follow_redirects: bool = True,
        client: tuple[str, int] = ("testclient", 50000),
    ) -> None:
        if not callable(app):
            raise TypeError(f"TestClient takes an ASGI app, not {app!r}")
        self.app = _as_asgi3(app)
        self.app_state: dict[str, Any] = {}
        self.async_backend: dict[str, Any] = {"backend": backend, "backend_options": backend_options or {}}
        self.exit_stack = contextlib.ExitStack()
        super().__init__(
            base_url=base_url,
            headers={
                "user-agent": "testclient",
                **{name.lower(): value for name, value in (headers or {}).items()},
            },
            cookies=cookies,
            follow_redirects=follow_redirects,
            transport=_Transport(
                self.app, self._portal_factory, raise_server_exceptions, root_path, client, self.app_state
            ),
        )

    def _portal_factory(self) -> contextlib.AbstractContextManager[BlockingPortal]:
        if self.portal is not None:
            return contextlib.nullcontext(self.portal)
        return _portal(self.async_backend)

    def request(
        self,
        method: str,
        url: httpx.URL | str,
        *,
        timeout: Any = httpx.USE_CLIENT_DEFAULT,
        **options: Any,
    ) -> httpx.Response:
        """Send a request; the options are those of `httpx.Client.request`, but for `timeout`, which has no
        effect.
        """
        if timeout is not httpx.USE_CLIENT_DEFAULT:
            warnings.warn(
                "You should not use the 'timeout' argument with the TestClient. Nothing here is timed.",
                FastWebDeprecationWarning,
                stacklevel=3,
            )
        return super().request(method, url, **options)

    def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **kwargs: Any
    ) -> WebSocketTestSession:
        """Open a WebSocket: `with client.websocket_connect("/ws") as websocket:`.

        Arguments:
            url: where to; relative to ws://testserver, whatever the base URL.
            subprotocols: those to offer.
            kwargs: further options of the request, such as params, headers and cookies.
        """
        headers = httpx.Headers(kwargs.pop("headers", None))
        headers.setdefault("connection", "upgrade")
        headers.setdefault("sec-websocket-key", "testserver==")
        headers.setdefault("sec-websocket-version", "13")
        if subprotocols is not None:
            headers.setdefault("sec-websocket-protocol", ", ".join(subprotocols))
        response = self.request("GET", urljoin("ws://testserver", url), headers=headers, **kwargs)
        if _SESSION not in response.extensions:
            raise ValueError(f"no WebSocket is at {url!r}: a WebSocket's URL begins with ws:// or wss://")
        return cast(WebSocketTestSession, response.extensions[_SESSION])

    def __enter__(self) -> Self:
        # Not httpx's, after whose exit a client is of no more use: this one may be entered again.
        with contextlib.ExitStack() as stack:
            portal = stack.enter_context(_portal(self.async_backend))
            self.portal = portal
            stack.callback(setattr, self, "portal", None)
            lifespan = _Lifespan(self.app, portal, self.app_state)
            self.task = lifespan.task
            lifespan.wait("startup")
            stack.callback(lifespan.leave)
            stack.callback(self._transport.close)
            self.exit_stack = stack.pop_all()
        return self

    def __exit__(self, *args: object) -> None:
        self.exit_stack.close()
