"""The request as the app sees it, whichever door it came through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Any, NoReturn, Self, cast

from fastweb._speedups.request import parse_cookies
from fastweb.datastructures import URL, Address, Headers, QueryParams, State
from fastweb.exceptions import ClientDisconnect
from fastweb.streams import ASGIStream, receive_of, scope_of, send_of
from fastweb.types import Message, Receive, Scope, Send, Stream

__all__ = ["ClientDisconnect", "HTTPConnection", "Request", "parse_json"]


def parse_json(data: bytes) -> Any:
    """Read JSON as `json.loads` does, only faster.

    Raises:
        json.JSONDecodeError: it is not JSON.
        UnicodeDecodeError: it is no text.
        RecursionError: it is nested too deeply.
    """
    import msgspec  # not loaded with every app

    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # What msgspec refuses may still be JSON to Python (NaN, UTF-16), and json's error says where it is
        # wrong.
        import json

        return json.loads(data)


async def _no_receive() -> NoReturn:
    raise RuntimeError("Receive channel has not been made available")


async def _no_send(message: Message) -> NoReturn:
    raise RuntimeError("Send channel has not been made available")


class HTTPConnection(Mapping[str, Any]):
    """What a request and a WebSocket have in common; a mapping of its ASGI scope.

    The scope is made when it is first asked for, and is the truth from then on.
    """

    # Defaults on the class: an instance that nobody asks for more holds only what it was made of.
    _scope: Scope | None = None
    _stream: Stream | None = None
    _app: Any = None
    _route: Any = None
    _path_params: dict[str, Any] | None = None
    _url: URL | None = None
    _base_url: URL | None = None
    _headers: Headers | None = None
    _query_params: QueryParams | None = None
    _cookies: dict[str, str] | None = None
    _state: State | None = None

    def __init__(self, scope: Scope, receive: Receive | None = None) -> None:
        if scope["type"] not in ("http", "websocket"):
            raise ValueError(f"no connection of this kind has a request: {scope['type']!r}")
        self._scope = scope

    @property
    def scope(self) -> Scope:
        """The ASGI connection scope."""
        if self._scope is None:
            assert self._stream is not None
            scope = scope_of(self._stream)
            if self._app is not None:
                self._app.complete_scope(scope, self._route, self._path_params)
            self._scope = scope
        return self._scope

    @scope.setter
    def scope(self, scope: Scope) -> None:
        self._scope = scope

    def __getitem__(self, key: str) -> Any:
        return self.scope[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scope)

    def __len__(self) -> int:
        return len(self.scope)

    # Two connections are never equal, whatever Mapping says.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    @property
    def app(self) -> Any:
        """The app that answers."""
        return self._app if self._scope is None else self._scope["app"]

    @property
    def url(self) -> URL:
        """The whole URL that was asked for."""
        if self._url is None:
            self._url = URL(scope=self.scope)
        return self._url

    @property
    def base_url(self) -> URL:
        """The URL that the app's own paths stand behind; it ends with a slash."""
        if self._base_url is None:
            scope = dict(self.scope)
            root = scope.get("app_root_path", scope.get("root_path", ""))
            scope["path"] = root if root.endswith("/") else root + "/"
            scope["query_string"] = b""
            scope["root_path"] = root
            self._base_url = URL(scope=scope)
        return self._base_url

    @property
    def headers(self) -> Headers:
        """The header fields."""
        if self._headers is None:
            if self._scope is None and self._stream is not None:
                self._headers = Headers(raw=self._stream.headers)
            else:
                self._headers = Headers(scope=self.scope)
        return self._headers

    @property
    def query_params(self) -> QueryParams:
        """The parameters of the query string."""
        if self._query_params is None:
            if self._scope is None and self._stream is not None:
                self._query_params = QueryParams(self._stream.query_string)
            else:
                self._query_params = QueryParams(self.scope["query_string"])
        return self._query_params

    @property
    def path_params(self) -> dict[str, Any]:
        """What the route's path matched."""
        if self._scope is None:
            if self._path_params is None:
                self._path_params = {}
            return self._path_params
        return cast(dict[str, Any], self._scope.get("path_params", {}))

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies; of two with one name, the later."""
        if self._cookies is None:
            cookies: dict[str, str] = {}
            for header in self.headers.getlist("cookie"):
                cookies.update(parse_cookies(header))
            self._cookies = cookies
        return self._cookies

    @property
    def client(self) -> Address | None:
        """The client's host and port, where they are known."""
        if self._scope is None and self._stream is not None:
            client = self._stream.client
        else:
            client = self.scope.get("client")
        return None if client is None else Address(*client)

    @property
    def session(self) -> dict[str, Any]:
        """The session, with SessionMiddleware in place."""
        assert "session" in self.scope, "SessionMiddleware must be installed to access request.session"
        return cast(dict[str, Any], self.scope["session"])

    @property
    def auth(self) -> Any:
        """What the client may do, with AuthenticationMiddleware in place."""
        assert "auth" in self.scope, "AuthenticationMiddleware must be installed to access request.auth"
        return self.scope["auth"]

    @property
    def user(self) -> Any:
        """Who the client is, with AuthenticationMiddleware in place."""
        assert "user" in self.scope, "AuthenticationMiddleware must be installed to access request.user"
        return self.scope["user"]

    @property
    def state(self) -> State:
        """What the lifespan yielded and middleware left for this request."""
        if self._state is None:
            self._state = State(self.scope.setdefault("state", {}))
        return self._state

    def url_for(self, name: str, /, **path_params: Any) -> URL:
        """The URL of the route of that name."""
        provider = self.scope.get("router") or self.scope.get("app")
        if provider is None:
            raise RuntimeError(
                "The `url_for` method can only be used inside an application or with a router."
            )
        return cast(URL, provider.url_path_for(name, **path_params).make_absolute_url(base_url=self.base_url))


class Request(HTTPConnection):
    """An HTTP request.

    Arguments:
        scope: its ASGI scope.
        receive, send: the rest of its ASGI connection, where there is one.
    """

    _body: bytes | None = None
    _json: Any = ...
    _consumed = False
    _asgi_receive: Receive | None = None
    _asgi_send: Send | None = None

    def __init__(self, scope: Scope, receive: Receive = _no_receive, send: Send = _no_send) -> None:
        super().__init__(scope)
        if scope["type"] != "http":
            raise ValueError(f"a request comes by http, not by {scope['type']!r}")
        self._asgi_receive = receive
        self._asgi_send = send

    @classmethod
    def from_stream(cls, stream: Stream, app: Any = None, route: Any = None, path_params: Any = None) -> Self:
        """The request that a stream carries, as the app's route took it."""
        request = cls.__new__(cls)
        request._stream = stream
        request._app = app
        request._route = route
        request._path_params = path_params
        return request

    @property
    def method(self) -> str:
        """GET, POST, …"""
        if self._scope is None and self._stream is not None:
            return self._stream.method
        return cast(str, self.scope["method"])

    @property
    def receive(self) -> Receive:
        """The ASGI `receive`."""
        if self._asgi_receive is None:
            assert self._stream is not None
            self._asgi_receive = receive_of(self._stream)
        return self._asgi_receive

    @property
    def _send(self) -> Send:
        if self._asgi_send is None:
            assert self._stream is not None
            self._asgi_send = send_of(self._stream)
        return self._asgi_send

    @property
    def _source(self) -> Stream:
        """The stream that the body comes from."""
        if self._stream is None:
            self._stream = ASGIStream(self.scope, self.receive, self._send)
        return self._stream

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body in pieces as they come; b"" at the end.

        Raises:
            ClientDisconnect: the client went away before the end.
            RuntimeError: it was read before.
        """
        if self._body is not None:
            yield self._body
            yield b""
            return
        if self._consumed:
            raise RuntimeError("Stream consumed")
        self._consumed = True
        while data := await self._source.receive():
            yield data
        yield b""

    async def body(self) -> bytes:
        """The whole body."""
        if self._body is None:
            if self._consumed:
                raise RuntimeError("Stream consumed")
            self._consumed = True
            receive = self._source.receive
            data = await receive()
            if data:
                pieces = [data]
                while data := await receive():
                    pieces.append(data)
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._body = data
        return self._body

    async def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            json.JSONDecodeError: it is not JSON.
            UnicodeDecodeError: it is no text.
        """
        if self._json is ...:
            self._json = parse_json(await self.body())
        return self._json

    async def close(self) -> None:
        """Release what the request holds."""

    async def is_disconnected(self) -> bool:
        """Whether the client is gone. It waits for nothing."""
        stream = self._source
        if isinstance(stream, ASGIStream) and not stream.disconnected:
            import anyio

            with anyio.CancelScope() as scope:
                scope.cancel()
                message = await stream.asgi_receive()
                if message["type"] == "http.disconnect":
                    stream.disconnected = True
        return stream.disconnected
