"""The request as the app sees it, whichever door it came through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, Self, cast

from fastweb._speedups.request import parse_cookies
from fastweb.asgi import receive_of, scope_of, send_of
from fastweb.datastructures import URL, Address, FormData, Headers, QueryParams, State
from fastweb.exceptions import ClientDisconnect, HTTPException
from fastweb.streams import ASGIStream
from fastweb.types import Message, Receive, Scope, Send, Stream

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from fastweb.limits import Limits

    StateT = TypeVar("StateT", bound=Mapping[str, Any] | State, default=State)
else:
    from typing import TypeVar

    StateT = TypeVar("StateT")

__all__ = [
    "ClientDisconnect",
    "HTTPConnection",
    "Request",
    "cookie_parser",
    "empty_receive",
    "empty_send",
    "parse_json",
]

#: Starlette's name for it.
cookie_parser = parse_cookies

#: What of a request's header goes for what is pushed with its answer, too.
SERVER_PUSH_HEADERS_TO_COPY = ("accept", "accept-encoding", "accept-language", "cache-control", "user-agent")


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


async def empty_receive() -> NoReturn:
    raise RuntimeError("Receive channel has not been made available")


async def empty_send(message: Message) -> NoReturn:
    raise RuntimeError("Send channel has not been made available")


class HTTPConnection(Mapping[str, Any], Generic[StateT]):
    """What a request and a WebSocket have in common; a mapping of its ASGI scope.

    The scope is made when it is first asked for, and is the truth from then on. `Request[MyState]` says of
    which type `request.state` is, to type checkers.
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
        assert scope["type"] in ("http", "websocket"), f"{scope['type']!r} connections have no request"
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
        session = self.scope["session"]
        if hasattr(session, "mark_accessed"):  # somebody else's middleware may leave a plain dict
            session.mark_accessed()
        return cast(dict[str, Any], session)

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
    def state(self) -> StateT:
        """What the lifespan yielded and middleware left for this request."""
        if self._state is None:
            self._state = State(self.scope.setdefault("state", {}))
        return cast(StateT, self._state)

    def url_for(self, name: str, /, **path_params: Any) -> URL:
        """The URL of the route of that name."""
        provider = self.scope.get("router") or self.scope.get("app")
        if provider is None:
            raise RuntimeError(
                "The `url_for` method can only be used inside a Starlette application or with a router."
            )
        return cast(URL, provider.url_path_for(name, **path_params).make_absolute_url(base_url=self.base_url))


class Request(HTTPConnection[StateT]):
    """An HTTP request.

    Arguments:
        scope: its ASGI scope.
        receive, send: the rest of its ASGI connection, where there is one.
    """

    #: Not there until the body was read: subclasses that keep another in its place ask with hasattr.
    _body: bytes
    _json: Any = ...
    _form: FormData | None = None
    _consumed = False
    _asgi_receive: Receive | None = None
    _asgi_send: Send | None = None

    def __init__(self, scope: Scope, receive: Receive = empty_receive, send: Send = empty_send) -> None:
        super().__init__(scope)
        assert scope["type"] == "http", f"a request comes by http, not by {scope['type']!r}"
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
    def _receive(self) -> Receive:
        return self.receive

    @_receive.setter
    def _receive(self, receive: Receive) -> None:
        # A private name of Starlette's that many a middleware sets, to have the body read once more.
        self._scope, self._asgi_send = self.scope, self._send
        self._stream = None
        self._asgi_receive = receive

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
        if hasattr(self, "_body"):
            yield self._body
            yield b""
            return
        if self._consumed:
            raise RuntimeError("Stream consumed")
        receive = self._source.receive
        while not self._consumed:
            if data := await receive():
                yield data
            else:
                self._consumed = True
        yield b""

    async def body(self) -> bytes:
        """The whole body."""
        if not hasattr(self, "_body"):
            if self._consumed:
                raise RuntimeError("Stream consumed")
            receive = self._source.receive
            data = await receive()
            if data:
                pieces = [data]
                while data := await receive():
                    pieces.append(data)
                data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._consumed = True
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

    def form(
        self,
        *,
        max_files: int | float | None = None,
        max_fields: int | float | None = None,
        max_part_size: int | None = None,
    ) -> _Form:
        """The form in the body: `await request.form()`, or `async with request.form() as form:`, which closes
        its files. It is read once; what is neither urlencoded nor multipart is an empty form.

        Arguments:
            max_files: files of a multipart form; by default `Limits.form_files`.
            max_fields: fields that are text; by default `Limits.form_fields`.
            max_part_size: bytes of one of them; by default `Limits.form_part_size`.

        Raises:
            HTTPException: 400, the form cannot be read, or goes beyond a bound.
            fastweb.formparsers.MultiPartException: the same, where the request belongs to no app.
        """
        return _Form(self, max_files, max_fields, max_part_size)

    async def _read_form(
        self, max_files: int | float | None, max_fields: int | float | None, max_part_size: int | None
    ) -> FormData:
        if self._form is None:
            from fastweb import formparsers  # few requests are forms

            limits = self._limits()
            fields = limits.form_fields if max_fields is None else max_fields
            size = limits.form_part_size if max_part_size is None else max_part_size
            media_type = formparsers.media_type_of(self.headers.get("content-type"))
            if media_type not in (b"multipart/form-data", b"application/x-www-form-urlencoded"):
                self._form = FormData()
                return self._form
            parser: formparsers.FormParser | formparsers.MultiPartParser
            async with aclosing(self.stream()) as stream:
                if media_type == b"multipart/form-data":
                    parser = formparsers.MultiPartParser(
                        self.headers,
                        stream,
                        max_files=limits.form_files if max_files is None else max_files,
                        max_fields=fields,
                        max_part_size=size,
                        max_header_count=limits.part_header_count,
                        max_header_size=limits.part_header_size,
                    )
                    parser.spool_max_size = limits.form_spool_size
                else:
                    parser = formparsers.FormParser(
                        self.headers, stream, max_fields=fields, max_part_size=size
                    )
                try:
                    self._form = await parser.parse()
                except formparsers.MultiPartException as error:
                    if "app" in self.scope:
                        raise HTTPException(400, error.message) from error
                    raise
        return self._form

    def _limits(self) -> Limits:
        """The bounds that hold for this request: its server's, or else its app's."""
        from fastweb.limits import Limits  # few requests are forms

        app = self._app if self._scope is None else self._scope.get("app")
        for holder in (self._stream, app):
            limits = getattr(holder, "limits", None)
            if isinstance(limits, Limits):
                return limits
        return Limits()

    async def close(self) -> None:
        """Close the files of the form, where one was read."""
        if self._form is not None:
            await self._form.close()

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

    async def send_push_promise(self, path: str) -> None:
        """Push the answer to another request along with this one's, where the server can (ASGI, extension
        "http.response.push").

        Arguments:
            path: of the request that the client will make.
        """
        if "http.response.push" in self.scope.get("extensions", {}):
            headers = [
                (name.encode(), value.encode("latin-1"))
                for name in SERVER_PUSH_HEADERS_TO_COPY
                for value in self.headers.getlist(name)
            ]
            await self._send({"type": "http.response.push", "path": path, "headers": headers})

    async def send_early_hints(self, link: str, /, *additional_links: str) -> None:
        """Tell the client what it will need, before the answer, where the server can: 103 Early Hints (RFC
        8297; ASGI, extension "http.response.early_hint").

        Arguments:
            link, additional_links: values of Link fields, such as "</style.css>; rel=preload; as=style".
        """
        if "http.response.early_hint" in self.scope.get("extensions", {}):
            links = [value.encode("latin-1") for value in (link, *additional_links)]
            await self._send({"type": "http.response.early_hint", "links": links})


class _Form:
    """What `Request.form` gives: to be awaited, or to be entered."""

    __slots__ = ("_bounds", "_request")

    def __init__(self, request: Request[Any], *bounds: Any) -> None:
        self._request = request
        self._bounds = bounds

    def __await__(self) -> Generator[Any, None, FormData]:
        return self._request._read_form(*self._bounds).__await__()

    async def __aenter__(self) -> FormData:
        return await self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._request.close()
