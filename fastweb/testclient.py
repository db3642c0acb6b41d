"""`TestClient`: an HTTP client that calls an ASGI app directly, with no socket between them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import unquote

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from fastweb.types import ASGIApp, Message, Scope

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

__all__ = ["TestClient"]

# In 2.4 an app may rely on send() raising OSError where the client is gone. Here it is cancelled before.
_ASGI = {"version": "3.0", "spec_version": "2.4"}

_DEFAULT_PORTS = {"http": 80, "https": 443}

_PortalFactory = Callable[[], contextlib.AbstractContextManager[BlockingPortal]]


class _Exchange(httpx.SyncByteStream):
    """One request and its answer. The app runs in the portal's loop; the client reads from its own thread.

    To httpx it is the answer's body.
    """

    def __init__(self, transport: _Transport, scope: Scope, body: bytes) -> None:
        self._transport = transport
        self._scope = scope
        self._body: bytes | None = body
        # From the loop to the client: the head, pieces of the body, each with what to set when it was taken,
        # and None when the app has ended.
        self._heads: SimpleQueue[tuple[int, list[tuple[bytes, bytes]]] | None] = SimpleQueue()
        self._pieces: SimpleQueue[tuple[bytes, anyio.Event] | None] = SimpleQueue()
        self._cancel_scope: anyio.CancelScope | None = None
        self._started = False
        self._complete = False
        self._closed = False
        self._stack = contextlib.ExitStack()
        self._portal = self._stack.enter_context(transport.portal_factory())
        self._end: Future[None] = self._portal.start_task_soon(self._run)

    # In the loop

    async def _run(self) -> None:
        self._answered = anyio.Event()
        try:
            with anyio.CancelScope() as self._cancel_scope:
                if not self._closed:
                    await self._transport.app(self._scope, self._receive, self._send)
        finally:
            self._heads.put(None)
            self._pieces.put(None)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._answered.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if self._complete:
            raise RuntimeError(f'the app sent "{kind}" after the end of its answer')
        if kind == "http.response.start":
            if self._started:
                raise RuntimeError('the app sent "http.response.start" twice')
            headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            self._started = True
            self._heads.put((message["status"], headers))
        elif kind == "http.response.body":
            if not self._started:
                raise RuntimeError('the app sent "http.response.body" before "http.response.start"')
            self._complete = not message.get("more_body", False)
            taken = anyio.Event()
            self._pieces.put((bytes(message.get("body", b"")), taken))
            if self._complete:
                self._answered.set()
            else:
                # An endless answer goes no faster than it is read.
                await taken.wait()
        else:
            raise RuntimeError(f'the app sent "{kind}", which is no part of an answer to an HTTP request')

    def _cancel(self) -> None:
        if not self._complete and self._cancel_scope is not None:
            self._cancel_scope.cancel()

    # In the client's thread

    def head(self) -> tuple[int, list[tuple[bytes, bytes]]] | None:
        """Wait for status and header fields; None where the app ended without them.

        Raises:
            Exception: what the app raised instead of answering.
        """
        try:
            head = self._heads.get()
        except BaseException:  # interrupted
            self.close()
            raise
        if head is None:
            self.close()
        return head

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
        if self._closed:
            return
        self._closed = True
        with self._stack:
            if not self._end.done():
                self._portal.call(self._cancel)
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
        exchange = _Exchange(self, self._scope(request), request.read())
        self.exchanges.add(exchange)
        head = exchange.head()
        if head is None:
            if self.raise_server_exceptions:
                raise AssertionError("the app ended without an answer: it sent no http.response.start")
            return httpx.Response(500, request=request)
        status, headers = head
        return httpx.Response(status, headers=headers, stream=exchange, request=request)

    def _scope(self, request: httpx.Request) -> Scope:
        url = request.url
        if url.scheme not in _DEFAULT_PORTS:
            raise ValueError(f"TestClient requests http and https URLs, not {str(url)!r}")
        raw_path = url.raw_path.partition(b"?")[0]
        return {
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
            "server": (url.raw_host.decode("ascii"), url.port or _DEFAULT_PORTS[url.scheme]),
            "extensions": {},
            "state": self.app_state.copy(),
        }

    def close(self) -> None:
        with contextlib.ExitStack() as stack:
            for exchange in list(self.exchanges):
                stack.callback(exchange.close)


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


class TestClient(httpx.Client):
    """A client of an ASGI app, with all that an `httpx.Client` has: `client.get("/users").json()`.

    As a context manager it starts the app up and shuts it down, and runs all requests in one event loop;
    without it, each request has a loop of its own.

    Arguments:
        app: any ASGI 3 app.
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
        app: ASGIApp,
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
        self.app = app
        self.app_state: dict[str, Any] = {}
        self.async_backend: dict[str, Any] = {"backend": backend, "backend_options": backend_options or {}}
        self._exit_stack = contextlib.ExitStack()
        super().__init__(
            base_url=base_url,
            headers={
                "user-agent": "testclient",
                **{name.lower(): value for name, value in (headers or {}).items()},
            },
            cookies=cookies,
            follow_redirects=follow_redirects,
            transport=_Transport(
                app, self._portal_factory, raise_server_exceptions, root_path, client, self.app_state
            ),
        )

    def _portal_factory(self) -> contextlib.AbstractContextManager[BlockingPortal]:
        if self.portal is not None:
            return contextlib.nullcontext(self.portal)
        return start_blocking_portal(**self.async_backend)

    def __enter__(self) -> Self:
        # Not httpx's, after whose exit a client is of no more use: this one may be entered again.
        with contextlib.ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal(**self.async_backend))
            self.portal = portal
            stack.callback(setattr, self, "portal", None)
            lifespan = _Lifespan(self.app, portal, self.app_state)
            self.task = lifespan.task
            lifespan.wait("startup")
            stack.callback(lifespan.leave)
            stack.callback(self._transport.close)
            self._exit_stack = stack.pop_all()
        return self

    def __exit__(self, *args: object) -> None:
        self._exit_stack.close()
