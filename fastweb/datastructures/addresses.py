"""Where a connection or a request goes: host and port."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Address", "parse_host"]

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
    if match["ipv6"] is not None and not is_ipv6(match["ipv6"]):
        return None
    return match["host"], match["port"]


def is_ipv6(value: str) -> bool:
    import ipaddress  # takes milliseconds to import, and is seldom needed

    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return True
