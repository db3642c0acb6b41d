"""Middleware as a function of the request and what comes next.

The app behind it runs in a task of its own, so that it may go on (background tasks, the rest of a stream)
when `call_next` has returned. The two meet at a stream of ASGI messages that holds next to none: the app goes
on when its message was taken, and after its last one when the answer has been sent.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel

from fastweb.concurrency import collapsing_task_group
from fastweb.exceptions import ClientDisconnect
from fastweb.requests import Request
from fastweb.responses import Response
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BaseHTTPMiddleware", "DispatchFunction", "RequestResponseEndpoint"]

RequestResponseEndpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
DispatchFunction: TypeAlias = Callable[[Request, RequestResponseEndpoint], Awaitable[Response]]


class _CachedRequest(Request):
    """The request that `dispatch` sees, and out of which the app behind it gets its messages: what `dispatch`
    read with `body()` comes again, what it read with `stream()` is gone.
    """

    _handed_on = False
    _disconnect_told = False

    async def wrapped_receive(self) -> Message:
        """The ASGI `receive` of the app behind."""
        source = self._source
        if self._handed_on or self._disconnect_told:
            if not source.disconnected:
                message = await self.receive()
                if message["type"] != "http.disconnect":
                    raise RuntimeError(f"Unexpected message received: {message['type']}")
                source.disconnected = True
            self._disconnect_told = True
            return {"type": "http.disconnect"}
        if hasattr(self, "_body"):
            self._handed_on = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        try:
            piece = await source.receive()
        except ClientDisconnect:
            self._disconnect_told = True
            return {"type": "http.disconnect"}
        if source.body_complete:
            self._handed_on = self._consumed = True
        return {"type": "http.request", "body": piece, "more_body": not source.body_complete}


class BaseHTTPMiddleware:
    """Calls a function for every HTTP request; WebSockets and the lifespan pass by.

    Subclass it and write `dispatch`, or hand the function over. Either may read the request's body, answer by
    itself, call `call_next(request)` for the app's response, change that, or return another one.

    Arguments:
        app: what `call_next` calls.
        dispatch: an async function (request, call_next) -> response.

    Raises:
        RuntimeError: the app behind ended without an answer.
    """

    def __init__(self, app: ASGIApp, dispatch: DispatchFunction | None = None) -> None:
        self.app = app
        self.dispatch_func: DispatchFunction = self.dispatch if dispatch is None else dispatch

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """What is done with a request; for subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no dispatch(), and was given none")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app behind, for what is no HTTP request; else what `dispatch` returns."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cached = _CachedRequest(scope, receive, send)
        answered = anyio.Event()
        runs: list[_Run] = []
        try:
            async with collapsing_task_group() as group:

                async def call_next(request: Request) -> Response:
                    run = _Run(self.app, scope, cached, answered)
                    runs.append(run)
                    group.start_soon(run)
                    return await run.response(send)

                try:
                    response = await self.dispatch_func(cached, call_next)
                    # Where the client has left, the app behind hears of it by `receive`, ends as it sees fit,
                    # and its background tasks run.
                    with contextlib.suppress(ClientDisconnect):
                        await response(scope, cached.wrapped_receive, send)
                except BaseException:
                    for run in runs:
                        run.leftovers.patience = 0
                    raise
                finally:
                    # Before the group waits for the app: it may wait for these, in a thread that nobody can
                    # cancel.
                    answered.set()
                    for run in runs:
                        run.end()
        finally:
            for run in runs:
                run.close()
        for run in runs:
            if run.error is not None and not run.error_raised and not run.leftovers.interrupted:
                raise run.error


#: How many messages the app may be ahead: the body of an answer that is not streamed, behind its head.
_AHEAD = 1


class Leftovers:
    """Takes what an app still sends when its answer was dropped. Most apps end soon, and their background
    tasks are to run; one that goes on and on gets an error in the end, as if its client were gone.
    """

    def __init__(self) -> None:
        #: How many more messages are taken.
        self.patience = 100
        self.interrupted = False

    async def take(self) -> None:
        """Take a message.

        Raises:
            OSError: there were too many. Whatever the app raises then comes of it.
        """
        await anyio.lowlevel.checkpoint()
        if self.patience == 0:
            self.interrupted = True
            raise OSError("the answer is not wanted any more")
        self.patience -= 1


class _Run:
    """One run of the app behind a `BaseHTTPMiddleware`."""

    def __init__(self, app: ASGIApp, scope: Scope, request: _CachedRequest, answered: anyio.Event) -> None:
        self.app = app
        self.scope = scope
        self.request = request
        self.answered = answered
        self.error: Exception | None = None
        self.error_raised = False
        self.leftovers = Leftovers()
        self._waiting: set[anyio.CancelScope] = set()
        self._sent, self._messages = anyio.create_memory_object_stream[Message](_AHEAD)

    async def __call__(self) -> None:
        """In a task of its own."""
        with self._sent:
            try:
                await self.app(self.scope, self.receive, self.send)
            except Exception as error:
                # It belongs to whoever waits for the answer, or to the end.
                self.error = error

    def end(self) -> None:
        """The answer was sent: the rest is for nobody, and what the app waits for will not come."""
        self._messages.close()
        for scope in self._waiting:
            scope.cancel()

    def close(self) -> None:
        """Nothing is to be sent any more."""
        self._sent.close()  # open still, where the task was cancelled before it began
        self._messages.close()

    async def receive(self) -> Message:
        """The app's `receive`: a disconnect when its answer has been sent, or was dropped."""
        if self.answered.is_set():
            return {"type": "http.disconnect"}
        with anyio.CancelScope() as waiting:
            self._waiting.add(waiting)
            try:
                return await self.request.wrapped_receive()
            finally:
                self._waiting.discard(waiting)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """The app's `send`."""
        try:
            try:
                self._sent.send_nowait(message)
            except anyio.WouldBlock:
                await self._sent.send(message)
        except anyio.BrokenResourceError:
            await self.leftovers.take()
            return
        is_last = message["type"] == "http.response.pathsend" or (
            message["type"] == "http.response.body" and not message.get("more_body", False)
        )
        if is_last:
            await self.answered.wait()

    async def response(self, send: Send) -> Response:
        """The app's answer, as soon as its head is known."""
        info = None
        while (message := await self.next_message()) is not None:
            if message["type"] == "http.response.start":
                return _StreamingResponse(message["status"], message.get("headers", ()), _Body(self), info)
            if message["type"] == "http.response.debug":
                info = message["info"]
            else:
                await send(message)  # early hints, and what else may come before a head
        raise RuntimeError("No response returned.")

    async def next_message(self) -> Message | None:
        """What the app sends next; None when it has ended.

        Raises:
            Exception: what it ended with. Half an answer must not look like a whole one.
        """
        try:
            try:
                # PERF: receive() gives way to the loop even where there is something to receive.
                return self._messages.receive_nowait()
            except anyio.WouldBlock:
                return await self._messages.receive()
        except anyio.EndOfStream:
            error = self.error
            if error is None:
                return None
            self.error_raised = True
            # Without this, EndOfStream would be shown as what the app's error came of.
            raise error from error.__cause__ or error.__context__


class _Body:
    """The pieces of an answer's body; a message that is no piece, such as pathsend, as it is.

    No generator: one that is left in the middle would have to be closed.
    """

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._ended = False

    def __aiter__(self) -> _Body:
        return self

    async def __anext__(self) -> bytes | Message:
        while not self._ended:
            message = await self._run.next_message()
            if message is None:
                self._ended = True
            elif message["type"] != "http.response.body":
                self._ended = message["type"] == "http.response.pathsend"
                return message
            else:
                self._ended = not message.get("more_body", False)
                piece: bytes = message.get("body", b"")
                if piece:
                    return piece
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._ended = True


class _StreamingResponse(Response):
    """The app's answer as `call_next` returns it: its head can be changed, its body is a stream."""

    def __init__(
        self,
        status_code: int,
        headers: Any,
        content: AsyncIterable[bytes | Message],
        info: Mapping[str, Any] | None,
    ) -> None:
        self.status_code = status_code
        self.raw_headers = list(headers)
        self.body_iterator: Any = content
        self.info = info
        self.background = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, piece by piece."""
        if self.info is not None:
            await send({"type": "http.response.debug", "info": self.info})
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        ended = False
        async for piece in self.body_iterator:
            if isinstance(piece, MutableMapping):
                ended = piece["type"] == "http.response.pathsend"
                await send(piece)
            else:
                data = piece.encode(self.charset) if isinstance(piece, str) else piece
                await send({"type": "http.response.body", "body": data, "more_body": True})
        if not ended:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self.background is not None:
            await self.background()
