"""What a proxy in front says of the client: X-Forwarded-For and X-Forwarded-Proto, or Forwarded (RFC 7239).

Anybody can send these fields, so they count on connections from listed proxies only; that is decided once a
connection. Each proxy of a chain appends the address that it saw, so only the right end is vouched for: the
client is the right-most address that is no listed proxy. What stands to the left of it, or of anything that
is no address, the client may have written itself.

    X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.2     from 10.0.0.1, with 10.0.0.0/8 listed
                     forged   the client   a proxy       the proxy that is connected

A proxy writes one of the two kinds of field and hands on the other as it came from the client, so only the
kind that the config names is read. Garbage is ignored. X-Forwarded-Host is not read: a proxy can send Host.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["DEFAULT_PROXIES", "FIELDS", "Proxies", "unmapped"]

Client = tuple[str, int]
_Node = tuple[str, int]

#: Who is a proxy where nothing is said: programs of this machine.
DEFAULT_PROXIES: Final = "127.0.0.1,::1,unix:"
#: The kinds of field.
FIELDS: Final = ("x-forwarded-for", "forwarded")

#: Proxies in a row that are looked at, from the right.
_HOPS: Final = 32
#: Bytes of field values that are remembered with what they say: a proxy sends the same for each request of a
#: client.
_REMEMBERED: Final = 256

#: RFC 7239 section 6: an IPv4 address, or an IPv6 address in brackets, and a port. In X-Forwarded-For an IPv6
#: address may also stand alone.
_NODE: Final = re.compile(
    r"(?:(?P<v4>[0-9.]{7,15})|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])(?::(?P<port>[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
)
_BARE_V6: Final = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED: Final = r"\"(?:[^\"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*+\""
#: RFC 7239 section 4: `forwarded-pair = token "=" value`, `value = token / quoted-string`, and what separates
#: it. Nothing here is tried twice: the time is linear.
_PAIR: Final = re.compile(rf"[ \t]*+(?:({_TOKEN})=({_TOKEN}|{_QUOTED}))?+[ \t]*+([;,]|\Z)")
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The listed proxies, and what they say.

    Arguments:
        listed: addresses, networks (10.0.0.0/8), "unix:" (whoever connects to a Unix socket) or
            "unix:/path" (to that one), and "*" (whoever connects); one string with commas, or several.
        field: the kind of field that the proxies write, one of `FIELDS`.

    Raises:
        ValueError: something listed is none of these; the message is one line.
    """

    def __init__(self, listed: str | Sequence[str] = DEFAULT_PROXIES, field: str = "x-forwarded-for") -> None:
        self.everyone = False
        self._paths: set[str] = set()
        self._networks: list[_Network] = []
        self._nodes = field.encode()
        self._by_rfc = field == "forwarded"
        for item in listed.split(",") if isinstance(listed, str) else listed:
            item = item.strip()
            if item == "*":
                self.everyone = True
            elif item.startswith("unix:"):
                self._paths.add(item.removeprefix("unix:"))
            elif item:
                try:
                    self._networks.append(ipaddress.ip_network(item))
                except ValueError as error:
                    raise ValueError(f"{item!r} is no address, network, unix: or *: {error}") from None
        self._lists = functools.lru_cache(4096)(self._look_up)
        self._read = functools.lru_cache(1024)(self._parse)

    def trusts(self, client: Client | None, listening: object = None) -> bool:
        """Whether who has connected is a proxy.

        Arguments:
            client: None behind a Unix socket.
            listening: what `getsockname` says.
        """
        if self.everyone:
            return True
        if client is not None:
            return self._lists(client[0])
        return "" in self._paths or (isinstance(listening, str) and listening in self._paths)

    def lists(self, client: Client | None) -> bool:
        """Whether an address is listed, other than by "*"."""
        return client is not None and self._lists(client[0])

    def _look_up(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._networks)

    def forwarded(
        self, headers: Sequence[tuple[bytes, bytes]], client: Client | None, scheme: str
    ) -> tuple[Client | None, str]:
        """The client and the scheme of a request that a proxy has sent.

        Arguments:
            client: who has connected.
            scheme: of that connection.
        """
        # Fields of one name are one list (RFC 9110 section 5.3).
        nodes = schemes = b""
        for name, value in headers:
            if name == self._nodes:
                nodes = nodes + b"," + value if nodes else value
            elif name == b"x-forwarded-proto":
                schemes = schemes + b"," + value if schemes else value
        short = len(nodes) + len(schemes) <= _REMEMBERED
        said, said_scheme = (self._read if short else self._parse)(nodes, schemes)
        return said or client, said_scheme or scheme

    def _parse(self, nodes: bytes, schemes: bytes) -> tuple[Client | None, str | None]:
        if self._by_rfc:
            elements = list(_elements(nodes.decode("latin-1")))
            found, at = self._client([element.get("for", "") for element in elements])
            return found, _SCHEMES.get(elements[at].get("proto", "").lower()) if elements else None
        # From the right: what is beyond the bound is not even cut.
        hops = nodes.decode("latin-1").rsplit(",", _HOPS)
        found, at = self._client(hops) if nodes else (None, 0)
        protocols = schemes.decode("latin-1").rsplit(",", _HOPS)
        # A list is one protocol a hop; all else is what the nearest proxy said last.
        protocol = protocols[at] if len(protocols) == len(hops) else protocols[-1]
        return found, _SCHEMES.get(protocol.strip().lower())

    def _client(self, hops: Sequence[str]) -> tuple[Client | None, int]:
        """The right-most address that is no listed proxy, and its place; where all are, the left-most."""
        found: Client | None = None
        place = len(hops) - 1
        for i in range(len(hops) - 1, max(-1, len(hops) - 1 - _HOPS), -1):
            node = _node(hops[i].strip(" \t"))
            if node is None:
                break
            found, place = node, i
            if not self._lists(node[0]):
                break
        return found, place


def _elements(text: str) -> Iterator[dict[str, str]]:
    """The elements of a Forwarded field; none at all where any of it is malformed, since then nobody can tell
    which part a proxy has written."""
    found: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None or match.end() == at:
            return
        name, value, separator = match.groups()
        if name is not None:
            name = name.lower()
            if name in found[-1]:
                return  # "Each parameter MUST NOT occur more than once per field-value" (section 4)
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            found[-1][name] = value
        if separator == ",":
            found.append({})
        at = match.end()
    yield from (element for element in found[-_HOPS:] if element)


def _node(text: str) -> _Node | None:
    """An address and its port, 0 where it has none; None for what is no address ("unknown", "_hidden")."""
    match = _NODE.fullmatch(text)
    if match is None and _BARE_V6.fullmatch(text) is None:
        return None
    v4, v6, port = match.group("v4", "v6", "port") if match is not None else (None, text, None)
    try:
        address = ipaddress.IPv4Address(v4) if v4 is not None else ipaddress.IPv6Address(v6)
    except ValueError:
        return None
    number = int(port) if port is not None and port[0] != "_" else 0
    return (unmapped(str(address)), number) if number < 65536 else None


def unmapped(host: str) -> str:
    """An IPv4 address as such, where an IPv6 socket has taken it: ::ffff:192.0.2.1 (RFC 4291 section
    2.5.5.2)."""
    if host[:7].lower() == "::ffff:":
        address = ipaddress.ip_address(host)
        if address.version == 6 and address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
    return host
