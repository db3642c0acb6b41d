"""ASGI made of a WebSocket's stream: the scope and the messages that an ASGI app sees of
`fastweb.types.WebSocketStream`. What `fastweb.asgi` is for requests; see the ASGI specification, HTTP &
WebSocket protocol, version 2.5.

    CONNECTING  websocket.accept               -> OPEN
                websocket.close                -> CLOSED    the client sees a 403
                websocket.http.response.start  -> REFUSING  refused in words (an extension)
    OPEN        websocket.send                 -> OPEN
                websocket.close                -> CLOSED

Any other order is the app's mistake, and a RuntimeError in it. One that sends to a client which is gone gets
an OSError.
"""

from __future__ import annotations

from typing import Any, Final

from fastweb.asgi import Exchange, bytes_of
from fastweb.exceptions import ClientDisconnect
from fastweb.types import Message, Scope, WebSocketStream

__all__ = ["WebSocketExchange", "websocket_scope_of"]

CONNECTING: Final = 0
OPEN: Final = 1
CLOSED: Final = 2
REFUSING: Final = 3


def websocket_scope_of(stream: WebSocketStream) -> Scope:
    """The ASGI scope of a WebSocket, without what the app adds to it."""
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": stream.http_version,
        "scheme": stream.scheme,
        "path": stream.path,
        "raw_path": stream.raw_path,
        "query_string": stream.query_string,
        "root_path": "",
        "headers": stream.headers,
        "client": stream.client,
        "server": stream.server,
        "subprotocols": list(stream.subprotocols),
        "extensions": {"websocket.http.response": {}},
    }


class WebSocketExchange:
    """One WebSocket as ASGI messages.

    Arguments:
        stream: the WebSocket; its handshake is not answered yet.
    """

    __slots__ = ("_denial", "_introduced", "stage", "stream")

    def __init__(self, stream: WebSocketStream) -> None:
        self.stream = stream
        self.stage = CONNECTING
        #: "websocket.connect" was received.
        self._introduced = False
        self._denial: Exchange | None = None

    async def receive(self) -> Message:
        """The next message: connect, then what the client sends, then a disconnect."""
        if not self._introduced:
            self._introduced = True
            return {"type": "websocket.connect"}
        stream = self.stream
        data = await stream.receive()
        if data is None:
            return {
                "type": "websocket.disconnect",
                "code": stream.close_code,
                "reason": stream.close_reason,
            }
        return {"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data}

    async def send(self, message: Message) -> None:
        """Take a message of the app's.

        Raises:
            OSError: the client is gone.
            RuntimeError: it is not this message's turn.
            TypeError, ValueError: what is in it cannot be sent.
        """
        kind: str = message["type"]
        if self.stage == OPEN:
            if kind == "websocket.send":
                await self._send(message)
            elif kind == "websocket.close":
                self._close(message)
            else:
                raise _out_of_turn(kind, "it was accepted")
        elif self.stage == CONNECTING:
            if kind == "websocket.accept":
                headers = [(bytes_of(name), bytes_of(value)) for name, value in message.get("headers") or ()]
                self.stream.accept(message.get("subprotocol"), headers)
                self.stage = OPEN
            elif kind == "websocket.close":
                self._close(message)
            elif kind == "websocket.http.response.start":
                self.stage = REFUSING
                self._denial = Exchange(self.stream.http)
                await self._denial.send({**message, "type": "http.response.start"})
            else:
                raise _out_of_turn(kind, "it was asked for, before it is accepted")
        elif self.stage == REFUSING and kind == "websocket.http.response.body":
            assert self._denial is not None
            try:
                await self._denial.send({**message, "type": "http.response.body"})
            except ClientDisconnect:
                raise OSError("the client is gone") from None
        else:
            raise _out_of_turn(kind, "it was closed or refused")

    async def _send(self, message: Message) -> None:
        data: Any = message.get("bytes")
        if data is None:
            data = message.get("text")
            if not isinstance(data, str):
                raise TypeError(f"the text of a WebSocket's message is a str, not {data!r:.100}")
        else:
            data = bytes_of(data)
        try:
            await self.stream.send(data)
        except ClientDisconnect:
            raise OSError("the client is gone") from None

    def _close(self, message: Message) -> None:
        code = message.get("code")
        reason = message.get("reason")
        if reason is not None and not isinstance(reason, str):
            reason = str(reason)
        self.stream.close(1000 if code is None else code, reason or "")
        self.stage = CLOSED


def _out_of_turn(kind: str, when: str) -> RuntimeError:
    return RuntimeError(f"the ASGI message {kind!r} has no place in a WebSocket after {when}")
