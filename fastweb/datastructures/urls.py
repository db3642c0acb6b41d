"""URLs, and the paths that routes make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from fastweb.datastructures.addresses import is_ipv6, parse_host
from fastweb.datastructures.multidicts import MultiDict, parse_query
from fastweb.types import Scope

__all__ = ["URL", "URLPath"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


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
        elif ":" in hostname and is_ipv6(hostname):
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
