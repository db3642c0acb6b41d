"""What requests and responses are made of: URLs, query parameters, header fields, and state."""

from __future__ import annotations

import re
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any, BinaryIO, Generic, Literal, NamedTuple, Self, TypeVar, cast, overload
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

from fastweb.concurrency import run_in_threadpool
from fastweb.types import Scope

__all__ = [
    "URL",
    "Address",
    "CommaSeparatedStrings",
    "Default",
    "DefaultPlaceholder",
    "FormData",
    "Headers",
    "ImmutableMultiDict",
    "MultiDict",
    "MutableHeaders",
    "QueryParams",
    "Secret",
    "State",
    "URLPath",
    "UploadFile",
    "parse_host",
    "parse_query",
]

K = TypeVar("K")
V_co = TypeVar("V_co", covariant=True)
T = TypeVar("T")

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

# RFC 9110, section 7.2:     Host       = uri-host [ ":" port ]
# RFC 3986, section 3.2.2:   host       = IP-literal / IPv4address / reg-name
#                            IP-literal = "[" ( IPv6address / IPvFuture  ) "]"
#                            IPvFuture  = "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
#                            reg-name   = *( unreserved / pct-encoded / sub-delims )     (here: not empty)
_HOST = re.compile(
    r"(?P<host>[A-Za-z0-9._~%!$&'()*+,;=-]+"
    r"|\[(?:(?P<ipv6>[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)|v[0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\])"
    r"(?::(?P<port>[0-9]+))?"
)


class Address(NamedTuple):
    """One end of a connection."""

    host: str
    port: int


def parse_host(value: str) -> tuple[str, str | None] | None:
    """Split a Host header field into host and port; None where it is neither (RFC 9110, section 7.2).

    An IP literal keeps its brackets. The port's digits are as they came; it may be larger than any real one.
    """
    match = _HOST.fullmatch(value)
    if match is None:
        return None
    if match["ipv6"] is not None and not _is_ipv6(match["ipv6"]):
        return None
    return match["host"], match["port"]


def _is_ipv6(value: str) -> bool:
    import ipaddress  # takes milliseconds to import, and is seldom needed

    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True


def parse_query(query: str) -> list[tuple[str, str]]:
    """The pairs of a query string, in order and percent-decoded, in linear time.

    As `urllib.parse.parse_qsl(query, keep_blank_values=True)` gives them, at half its cost.
    Source: the URL standard, "application/x-www-form-urlencoded parsing".
    """
    pairs = []
    plain = "%" not in query and "+" not in query
    for piece in query.split("&"):
        if not piece:
            continue
        name, _, value = piece.partition("=")
        if plain:
            pairs.append((name, value))
        else:
            pairs.append((unquote(name.replace("+", " ")), unquote(value.replace("+", " "))))
    return pairs


class URL:
    """A URL in its parts. It compares equal to the same URL as a string.

    Arguments:
        url: the whole of it; or
        scope: the ASGI scope of a request, whose URL this is to be; or
        components: some of scheme, netloc (or username, password, hostname, port), path, query and fragment.

    Raises:
        ValueError: more than one of the three was given.
    """

    def __init__(self, url: str = "", scope: Scope | None = None, **components: Any) -> None:
        if bool(url) + (scope is not None) + bool(components) > 1:
            raise ValueError("URL takes one of url, scope and components, not several of them")
        if scope is not None:
            url = _url_of(scope)
        elif components:
            url = str(URL("").replace(**components))
        self._url: str = url
        self._components: SplitResult | None = None

    @property
    def components(self) -> SplitResult:
        """The URL as `urllib.parse.urlsplit` splits it."""
        if self._components is None:
            self._components = urlsplit(self._url)
        return self._components

    @property
    def scheme(self) -> str:
        return self.components.scheme

    @property
    def netloc(self) -> str:
        return self.components.netloc

    @property
    def path(self) -> str:
        return self.components.path

    @property
    def query(self) -> str:
        return self.components.query

    @property
    def fragment(self) -> str:
        return self.components.fragment

    @property
    def username(self) -> str | None:
        return self.components.username

    @property
    def password(self) -> str | None:
        return self.components.password

    @property
    def hostname(self) -> str | None:
        return self.components.hostname

    @property
    def port(self) -> int | None:
        return self.components.port

    @property
    def is_secure(self) -> bool:
        return self.scheme in ("https", "wss")

    def replace(self, **components: Any) -> URL:
        """The same URL with some components changed; a port, username or password of None is left out."""
        if not components.keys().isdisjoint(("username", "password", "hostname", "port")):
            components["netloc"] = self._netloc_with(components)
        return type(self)(self.components._replace(**components).geturl())

    def _netloc_with(self, components: dict[str, Any]) -> str:
        # RFC 3986, section 3.2:   authority = [ userinfo "@" ] host [ ":" port ]
        port = components.pop("port", self.port)
        username = components.pop("username", self.username)
        password = components.pop("password", self.password)
        hostname: str | None = components.pop("hostname", None)
        if hostname is None:
            # Not self.hostname, which lowers its case and drops the brackets of an IP literal.
            hostname = self.netloc.rpartition("@")[2]
            if hostname and not hostname.endswith("]"):
                hostname = hostname.rsplit(":", 1)[0]
        elif ":" in hostname and _is_ipv6(hostname):
            hostname = f"[{hostname}]"
        netloc = hostname if port is None else f"{hostname}:{port}"
        if username is not None:
            userinfo = username if password is None else f"{username}:{password}"
            netloc = f"{userinfo}@{netloc}"
        return netloc

    def include_query_params(self, **params: Any) -> URL:
        """The same URL with these query parameters set, whatever they were."""
        query = MultiDict(parse_query(self.query))
        query.update({name: str(value) for name, value in params.items()})
        return self.replace(query=urlencode(query.multi_items()))

    def replace_query_params(self, **params: Any) -> URL:
        """The same URL with these query parameters and no others."""
        return self.replace(query=urlencode([(name, str(value)) for name, value in params.items()]))

    def remove_query_params(self, keys: str | Sequence[str]) -> URL:
        """The same URL without the query parameters of these names."""
        gone = {keys} if isinstance(keys, str) else set(keys)
        return self.replace(
            query=urlencode([pair for pair in parse_query(self.query) if pair[0] not in gone])
        )

    def __eq__(self, other: object) -> bool:
        return self._url == str(other)

    def __hash__(self) -> int:
        return hash(self._url)

    def __str__(self) -> str:
        return self._url

    def __repr__(self) -> str:
        url = self.replace(password="********")._url if self.password else self._url
        return f"{type(self).__name__}({url!r})"


def _url_of(scope: Scope) -> str:
    scheme: str = scope.get("scheme", "http")
    # In the decoded path these stand for themselves; in a URL they would end it, or look like a slash.
    path: str = scope["path"].replace("?", "%3F").replace("#", "%23").replace("\\", "%5C")
    raw_query: bytes = scope.get("query_string", b"")
    try:
        query = raw_query.decode()
    except UnicodeDecodeError:
        query = quote(raw_query, safe="!#$%&'()*+,/:;=?@[]~")
    netloc = _netloc_of(scope, scheme)
    if netloc is not None:
        return SplitResult(scheme, netloc, path, query, "").geturl()
    if path.startswith("//"):
        # Without a host, what follows two slashes would be read as one.
        path = "/%2F" + path[2:]
    return f"{path}?{query}" if query else path


def _netloc_of(scope: Scope, scheme: str) -> str | None:
    for name, value in scope["headers"]:
        if name == b"host":
            # A Host that is none must not become part of a URL: "a.example/path?" would change the rest.
            host = parse_host(value.decode("latin-1"))
            if host is None:
                break
            if host[1] is None:
                return host[0]
            digits = host[1].lstrip("0") or "0"
            if len(digits) > 5 or int(digits) > 65535:
                break
            return f"{host[0]}:{host[1]}"
    server = scope.get("server")
    if server is None or server[1] is None:  # nothing known, or a Unix socket
        return None
    name, port = server
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    return name if port == _DEFAULT_PORTS.get(scheme) else f"{name}:{port}"


class URLPath(str):
    """A path, and the kind of route and the host that it is for: what `url_path_for` returns.

    Raises:
        ValueError: the protocol is none of "http", "websocket" and "".
    """

    protocol: Literal["http", "websocket", ""]
    host: str

    def __new__(cls, path: str, protocol: Literal["http", "websocket", ""] = "", host: str = "") -> Self:
        if protocol not in ("http", "websocket", ""):
            raise ValueError(f'the protocol of a URLPath is "http", "websocket" or "", not {protocol!r}')
        path = path.replace("\\", "%5C")
        if path.startswith("//"):
            # Two slashes at its start would make the first segment the host of a redirect.
            path = "/%2F" + path[2:]
        self = super().__new__(cls, path)
        self.protocol = protocol
        self.host = host
        return self

    def make_absolute_url(self, base_url: str | URL) -> URL:
        """The URL of this path on the host, and with the security, of `base_url`."""
        base = URL(base_url) if isinstance(base_url, str) else base_url
        scheme = base.scheme
        if self.protocol == "http":
            scheme = "https" if base.is_secure else "http"
        elif self.protocol == "websocket":
            scheme = "wss" if base.is_secure else "ws"
        return URL(scheme=scheme, netloc=self.host or base.netloc, path=base.path.rstrip("/") + str(self))


class Secret:
    """A string that tracebacks and logs do not show; `str()` gives it."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}('**********')"

    def __str__(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)


class CommaSeparatedStrings(Sequence[str]):
    """The items of "a, b, 'c, d'", or of a sequence."""

    def __init__(self, value: str | Sequence[str]) -> None:
        if isinstance(value, str):
            import shlex  # seldom needed

            splitter = shlex.shlex(value, posix=True)
            splitter.whitespace = ","
            splitter.whitespace_split = True
            self._items = [item.strip() for item in splitter]
        else:
            self._items = list(value)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._items[index]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items!r})"

    def __str__(self) -> str:
        return ", ".join(repr(item) for item in self._items)


class ImmutableMultiDict(Mapping[K, V_co], Generic[K, V_co]):
    """A mapping in which a key may have several values: `d[key]` is the last of them, `getlist(key)` all.

    Arguments:
        value: another one, a mapping, or pairs.
        kwargs: more items.
    """

    def __init__(
        self,
        value: ImmutableMultiDict[K, V_co] | Mapping[K, V_co] | Iterable[tuple[K, V_co]] = (),
        /,
        **kwargs: Any,
    ) -> None:
        items: list[tuple[Any, Any]]
        if isinstance(value, ImmutableMultiDict):
            items = list(value._list)
        elif isinstance(value, Mapping):
            items = list(value.items())
        else:
            items = list(value)
        items.extend(kwargs.items())
        self._list: list[tuple[K, V_co]] = items
        self._dict: dict[K, V_co] = dict(items)

    def getlist(self, key: Any) -> list[V_co]:
        """Every value of a key, in order; none where it is not there."""
        return [value for name, value in self._list if name == key]

    def multi_items(self) -> list[tuple[K, V_co]]:
        """Every key and value, in order."""
        return list(self._list)

    def keys(self) -> KeysView[K]:
        return self._dict.keys()

    def values(self) -> ValuesView[V_co]:
        return self._dict.values()

    def items(self) -> ItemsView[K, V_co]:
        return self._dict.items()

    def __getitem__(self, key: K) -> V_co:
        return self._dict[key]

    def __contains__(self, key: object) -> bool:
        return key in self._dict

    def __iter__(self) -> Iterator[K]:
        return iter(self._dict)

    def __len__(self) -> int:
        return len(self._dict)

    def _lists(self) -> dict[K, list[V_co]]:
        lists: dict[K, list[V_co]] = {}
        for key, value in self._list:
            lists.setdefault(key, []).append(value)
        return lists

    def __eq__(self, other: object) -> bool:
        # The order of the values of a key matters; that of the keys does not.
        return isinstance(other, type(self)) and self._lists() == other._lists()

    __hash__ = None  # type: ignore[assignment]  # as every Mapping

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._list!r})"


class MultiDict(ImmutableMultiDict[Any, Any]):
    """An `ImmutableMultiDict` that can be changed."""

    def __setitem__(self, key: Any, value: Any) -> None:
        self.setlist(key, [value])

    def __delitem__(self, key: Any) -> None:
        del self._dict[key]
        self._list = [item for item in self._list if item[0] != key]

    def pop(self, key: Any, default: Any = None) -> Any:
        """Remove a key with all of its values, and return the last one, or `default`."""
        self._list = [item for item in self._list if item[0] != key]
        return self._dict.pop(key, default)

    def popitem(self) -> tuple[Any, Any]:
        """Remove some key with all of its values, and return it with its last value."""
        key, value = self._dict.popitem()
        self._list = [item for item in self._list if item[0] != key]
        return key, value

    def poplist(self, key: Any) -> list[Any]:
        """Remove a key, and return all of its values."""
        values = self.getlist(key)
        self.pop(key)
        return values

    def clear(self) -> None:
        self._dict.clear()
        self._list.clear()

    def setdefault(self, key: Any, default: Any = None) -> Any:
        if key not in self._dict:
            self.append(key, default)
        return self._dict[key]

    def setlist(self, key: Any, values: Sequence[Any]) -> None:
        """Give a key these values and no others; none remove it."""
        if not values:
            self.pop(key)
            return
        self._list = [item for item in self._list if item[0] != key]
        self._list.extend((key, value) for value in values)
        self._dict[key] = values[-1]

    def append(self, key: Any, value: Any) -> None:
        """Give a key one more value."""
        self._list.append((key, value))
        self._dict[key] = value

    def update(
        self,
        value: ImmutableMultiDict[Any, Any] | Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (),
        /,
        **kwargs: Any,
    ) -> None:
        """Set every key of `value` to its values there."""
        new = MultiDict(value, **kwargs)
        self._list = [item for item in self._list if item[0] not in new._dict]
        self._list.extend(new._list)
        self._dict.update(new._dict)


class QueryParams(ImmutableMultiDict[str, str]):
    """The query parameters of a URL; `str()` writes them as a query string.

    Arguments:
        value: a query string (bytes are Latin-1), a mapping, or pairs. Names and values become strings.
        kwargs: more parameters.
    """

    def __init__(
        self,
        value: ImmutableMultiDict[Any, Any]
        | Mapping[Any, Any]
        | Iterable[tuple[Any, Any]]
        | str
        | bytes = (),
        /,
        **kwargs: Any,
    ) -> None:
        if isinstance(value, bytes):
            value = value.decode("latin-1")
        if isinstance(value, str):
            super().__init__(parse_query(value), **{name: str(item) for name, item in kwargs.items()})
        else:
            pairs = ImmutableMultiDict[Any, Any](value, **kwargs)._list
            super().__init__([(str(name), str(item)) for name, item in pairs])

    def __str__(self) -> str:
        return urlencode(self._list)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class Headers(Mapping[str, str]):
    """Header fields: a mapping whose keys ignore case and may come twice; `h[key]` is the first value.

    Arguments:
        headers: a mapping; or
        raw: the list of pairs to work on, lower-case names first, which is not copied; or
        scope: an ASGI scope, whose "headers" become a list that this one shares.

    Raises:
        ValueError: more than one of the three was given.
        UnicodeEncodeError: a name or a value does not fit in Latin-1 (RFC 9110, section 5.5).
    """

    def __init__(
        self,
        headers: Mapping[str, str] | None = None,
        raw: list[tuple[bytes, bytes]] | None = None,
        scope: Scope | None = None,
    ) -> None:
        if (headers is not None) + (raw is not None) + (scope is not None) > 1:
            raise ValueError("Headers take one of headers, raw and scope, not several of them")
        self._list: list[tuple[bytes, bytes]]
        if raw is not None:
            self._list = raw
        elif scope is not None:
            # An ASGI server may give any iterable.
            self._list = scope["headers"] = list(scope["headers"])
        elif headers is not None:
            self._list = [_encode(name, value) for name, value in headers.items()]
        else:
            self._list = []

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """The pairs, as they are sent."""
        return list(self._list)

    def keys(self) -> list[str]:  # type: ignore[override]  # a name may come twice, and order matters
        return [name.decode("latin-1") for name, _ in self._list]

    def values(self) -> list[str]:  # type: ignore[override]
        return [value.decode("latin-1") for _, value in self._list]

    def items(self) -> list[tuple[str, str]]:  # type: ignore[override]
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._list]

    def getlist(self, key: str) -> list[str]:
        """Every value of a name, in order; none where it is not there."""
        wanted = key.lower().encode("latin-1")
        return [value.decode("latin-1") for name, value in self._list if name == wanted]

    def mutablecopy(self) -> MutableHeaders:
        """A copy that can be changed."""
        return MutableHeaders(raw=self._list[:])

    def __getitem__(self, key: str) -> str:
        wanted = key.lower().encode("latin-1")
        for name, value in self._list:
            if name == wanted:
                return value.decode("latin-1")
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        # PERF: Mapping.get raises and catches a KeyError for a field that is not there, 3 times the cost.
        wanted = key.lower().encode("latin-1")
        for name, value in self._list:
            if name == wanted:
                return value.decode("latin-1")
        return default

    def __contains__(self, key: object) -> bool:
        wanted = cast(str, key).lower().encode("latin-1")
        return any(name == wanted for name, _ in self._list)

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self._list)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and sorted(self._list) == sorted(other._list)

    __hash__ = None  # type: ignore[assignment]  # as every Mapping

    def __repr__(self) -> str:
        as_dict = dict(self.items())
        if len(as_dict) == len(self._list):
            return f"{type(self).__name__}({as_dict!r})"
        return f"{type(self).__name__}(raw={self._list!r})"


def _encode(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")


class MutableHeaders(Headers):
    """`Headers` that can be changed. What no field may hold (CR, LF, NUL) is refused when they are sent."""

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """The pairs, as they are sent: the list itself, not a copy."""
        return self._list

    def __setitem__(self, key: str, value: str) -> None:
        """Set a field, in the place of the first of its name; others of the name are removed."""
        pair = _encode(key, value)
        places = [place for place, item in enumerate(self._list) if item[0] == pair[0]]
        if not places:
            self._list.append(pair)
            return
        self._list[places[0]] = pair
        if len(places) > 1:
            # In place, because the list may be shared with a scope or a message.
            first = places[0]
            self._list[:] = [
                item for place, item in enumerate(self._list) if place <= first or item[0] != pair[0]
            ]

    def __delitem__(self, key: str) -> None:
        """Remove every field of a name, if there are any."""
        gone = key.lower().encode("latin-1")
        self._list[:] = [item for item in self._list if item[0] != gone]

    def __ior__(self, other: Mapping[str, str]) -> Self:
        if not isinstance(other, Mapping):
            raise TypeError(f"Expected a mapping but got {type(other).__name__}")
        self.update(other)
        return self

    def __or__(self, other: Mapping[str, str]) -> MutableHeaders:
        if not isinstance(other, Mapping):
            raise TypeError(f"Expected a mapping but got {type(other).__name__}")
        new = self.mutablecopy()
        new.update(other)
        return new

    def setdefault(self, key: str, value: str) -> str:
        """The value of a field, which is set to `value` first where it is not there."""
        name, encoded = _encode(key, value)
        for item_name, item_value in self._list:
            if item_name == name:
                return item_value.decode("latin-1")
        self._list.append((name, encoded))
        return value

    def update(self, other: Mapping[str, str]) -> None:
        """Set every field of a mapping."""
        for name, value in other.items():
            self[name] = value

    def append(self, key: str, value: str) -> None:
        """Add a field, whether there is one of its name or not."""
        self._list.append(_encode(key, value))

    def add_vary_header(self, vary: str) -> None:
        """Add names to the Vary field (RFC 9110, section 12.5.5)."""
        self["vary"] = ", ".join([*self.getlist("vary"), vary])


class UploadFile:
    """A file that came in a form.

    Its methods may be awaited: what may wait for a disk is done in the thread pool. A plain function uses
    `file` itself.

    Arguments:
        file: a binary file, usually a `tempfile.SpooledTemporaryFile`: in memory until it is large.
        size: its size in bytes, where it is known.
        filename: as the client calls it. It is no path: never open it.
        headers: the header fields of its part of the form.
    """

    file: BinaryIO
    filename: str | None
    size: int | None
    headers: Headers

    def __init__(
        self,
        file: BinaryIO,
        *,
        size: int | None = None,
        filename: str | None = None,
        headers: Headers | None = None,
    ) -> None:
        self.file = file
        self.size = size
        self.filename = filename
        self.headers = Headers() if headers is None else headers

    @property
    def content_type(self) -> str | None:
        """The media type, as the client says."""
        return cast(str | None, self.headers.get("content-type"))

    @property
    def _in_memory(self) -> bool:
        # What is no SpooledTemporaryFile may be on a disk from its beginning.
        return not getattr(self.file, "_rolled", True)

    def _stays_in_memory(self, more: int) -> bool:
        """Whether it is still in memory when so many bytes were written: else the write may wait."""
        size = getattr(self.file, "_max_size", 0)
        return self._in_memory and (not size or self.file.tell() + more <= size)

    async def write(self, data: bytes) -> None:
        """Write at the current position."""
        if self.size is not None:
            self.size += len(data)
        if self._stays_in_memory(len(data)):
            self.file.write(data)
        else:
            await run_in_threadpool(self.file.write, data)

    async def read(self, size: int = -1) -> bytes:
        """Read so many bytes from the current position, by default to the end."""
        if self._in_memory:
            return self.file.read(size)
        return await run_in_threadpool(self.file.read, size)

    async def seek(self, offset: int) -> None:
        """Go to a position, in bytes from the beginning."""
        if self._in_memory:
            self.file.seek(offset)
        else:
            await run_in_threadpool(self.file.seek, offset)

    async def close(self) -> None:
        """Close the file, and with that remove it. Forms close theirs when the request has ended."""
        if self._in_memory:
            self.file.close()
        else:
            await run_in_threadpool(self.file.close)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(filename={self.filename!r}, size={self.size!r}, headers={self.headers!r})"
        )

    # As a type: of a parameter, or of a model's field

    @classmethod
    def _fastweb_validate(cls, value: Any) -> UploadFile:
        """The rule of `fastweb.validation`."""
        if not isinstance(value, UploadFile):
            raise ValueError(f"Expected UploadFile, received: {type(value)}")
        return value

    @classmethod
    def _fastweb_json_schema(cls) -> dict[str, Any]:
        """How `fastweb.validation` describes it."""
        return {"type": "string", "contentMediaType": "application/octet-stream"}

    @classmethod
    def _validate(cls, value: Any, info: Any) -> UploadFile:
        """The rule, as pydantic calls it."""
        return cls._fastweb_validate(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        return cls._fastweb_json_schema()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # who asks has it

        return core_schema.with_info_plain_validator_function(cls._validate)


class FormData(ImmutableMultiDict[str, UploadFile | str]):
    """What a form holds: text and files; a name may come several times.

    Arguments:
        value: another one, a mapping, or pairs.
        kwargs: more items.
    """

    async def close(self) -> None:
        """Close every file."""
        for _, value in self._list:
            if isinstance(value, UploadFile):
                await value.close()


class State:
    """An object for anything one likes: `state.x = 1`, `state["x"]`. `app.state` and `request.state` are two.

    Arguments:
        state: the dict that holds it all, which is not copied.
    """

    _state: dict[str, Any]

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        super().__setattr__("_state", {} if state is None else state)

    def __setattr__(self, key: str, value: Any) -> None:
        self._state[key] = value

    def __getattr__(self, key: str) -> Any:
        # By way of __dict__: copy and pickle ask for attributes before there is a _state.
        try:
            return self.__dict__["_state"][key]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}") from None

    def __delattr__(self, key: str) -> None:
        try:
            del self._state[key]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {key!r}") from None

    def __getitem__(self, key: str) -> Any:
        return self._state[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._state[key] = value

    def __delitem__(self, key: str) -> None:
        del self._state[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._state)

    def __len__(self) -> int:
        return len(self._state)


class DefaultPlaceholder:
    """A default that nobody chose: it tells an option left alone from one set to the same value."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DefaultPlaceholder) and other.value == self.value

    __hash__ = None  # type: ignore[assignment]  # its value may have none

    def __repr__(self) -> str:
        return f"Default({self.value!r})"


def Default(value: T) -> T:  # noqa: N802 - FastAPI's name for it
    """Mark a value as a default that nobody chose. It is typed as the value, so that it can stand for it."""
    return cast(T, DefaultPlaceholder(value))


def value_of(option: Any) -> Any:
    """An option's value, whether somebody chose it or not."""
    return option.value if isinstance(option, DefaultPlaceholder) else option
