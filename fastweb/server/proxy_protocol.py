"""The header of the PROXY protocol, in which a proxy that knows no HTTP says who its client is, before
anything else (HAProxy's proxy-protocol.txt, section 2).

    version 1    PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\\r\\n          one line, at most 107 bytes
    version 2    signature (12)  version and command (1)  family (1)  length (2)  addresses  TLVs

It is read by MSG_PEEK, so that what follows, which may be a TLS handshake, is left in the socket.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from dataclasses import dataclass
from typing import Final

__all__ = ["HEADER_SIZE", "Origin", "ProxyHeaderError", "ProxyHeaderReader"]

_V1: Final = b"PROXY "
_V1_SIZE: Final = 107
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
#: Bytes of the addresses and TLVs of version 2. TLVs may hold a client's certificate.
HEADER_SIZE: Final = 8192

_LINE: Final = re.compile(
    rb"PROXY TCP([46]) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39})"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})\r\n"
)
#: Version 2, by family and transport: the size of the addresses. SOCK_DGRAM has no business here.
_UNSPECIFIED, _TCP4, _TCP6, _UNIX = 0x00, 0x11, 0x21, 0x31
_SIZES: Final = {_UNSPECIFIED: 0, _TCP4: 12, _TCP6: 36, _UNIX: 216}

# TLVs (section 2.2), and a bit of the first byte of PP2_TYPE_SSL.
_CRC32C, _SSL = 0x03, 0x20
_CLIENT_SSL = 0x01


class ProxyHeaderError(Exception):
    """What came is no header of the PROXY protocol."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a connection comes from, as its header says.

    Arguments:
        own: it is the proxy's own (LOCAL), or the proxy does not know (UNKNOWN): the addresses of the
            connection itself are all there is.
        client: host and port; None for a Unix socket, too.
        server: where the client had connected to.
        tls: the client speaks TLS with the proxy.
    """

    own: bool = False
    client: tuple[str, int] | None = None
    server: tuple[str, int] | None = None
    tls: bool = False


class ProxyHeaderReader:
    """Reads one header, from pieces of any size.

    Attributes:
        origin: what it says, once it is complete.
    """

    def __init__(self) -> None:
        self.origin: Origin | None = None
        self._data = b""

    def look(self, peeked: bytes) -> int:
        """Look at what lies in the socket.

        Returns:
            How many bytes of it belong to the header, and are to be taken out.

        Raises:
            ProxyHeaderError: it is none.
        """
        before = len(self._data)
        data = self._data + peeked
        if data.startswith(_V1[: len(data)]):
            size = self._version_1(data)
        elif data.startswith(_V2[: len(data)]):
            size = self._version_2(data)
        else:
            raise ProxyHeaderError("it does not begin as one")
        self._data = data[:size]
        return size - before

    def _version_1(self, data: bytes) -> int:
        end = data.find(b"\n", 0, _V1_SIZE)
        if end < 0:
            if len(data) >= _V1_SIZE:
                raise ProxyHeaderError(f"version 1 has no end within {_V1_SIZE} bytes")
            return len(data)
        line = data[: end + 1]
        if line.startswith(b"PROXY UNKNOWN") and line[13:14] in (b" ", b"\r") and line.endswith(b"\r\n"):
            self.origin = Origin(own=True)
            return len(line)
        match = _LINE.fullmatch(line)
        if match is None:
            raise ProxyHeaderError(f"version 1 is malformed: {line!r}")
        try:
            kind = ipaddress.IPv4Address if match[1] == b"4" else ipaddress.IPv6Address
            hosts = [str(kind(match[i].decode())) for i in (2, 3)]
        except ValueError as error:
            raise ProxyHeaderError(f"version 1 is malformed: {error}") from None
        ports = [int(match[i]) for i in (4, 5)]
        if max(ports) > 65535:
            raise ProxyHeaderError(f"version 1 has no such port: {line!r}")
        self.origin = Origin(client=(hosts[0], ports[0]), server=(hosts[1], ports[1]))
        return len(line)

    def _version_2(self, data: bytes) -> int:
        if len(data) < 16:
            return len(data)
        version, family, length = struct.unpack_from("!BBH", data, 12)
        if version not in (0x20, 0x21):
            raise ProxyHeaderError(f"version 2 has version and command {version:#04x}")
        if family not in _SIZES and version == 0x21:
            raise ProxyHeaderError(f"version 2 has family and transport {family:#04x}")
        if length > HEADER_SIZE:
            raise ProxyHeaderError(f"version 2 has {length} bytes, of at most {HEADER_SIZE}")
        size = 16 + int(length)
        if len(data) < size:
            return len(data)
        header = data[:size]
        if version == 0x20:
            self.origin = Origin(own=True)  # LOCAL: whatever else it says is skipped
            return size
        start = 16 + _SIZES[family]
        if start > size:
            raise ProxyHeaderError(f"version 2 has {length} bytes, which is too short for its addresses")
        tls = _read_tlvs(header, start)
        if family == _UNSPECIFIED:
            self.origin = Origin(own=True, tls=tls)
        elif family == _UNIX:
            self.origin = Origin(tls=tls)
        else:
            width = 4 if family == _TCP4 else 16
            hosts = [str(ipaddress.ip_address(header[at : at + width])) for at in (16, 16 + width)]
            ports = struct.unpack_from("!HH", header, 16 + 2 * width)
            self.origin = Origin(client=(hosts[0], ports[0]), server=(hosts[1], ports[1]), tls=tls)
        return size


def _read_tlvs(header: bytes, at: int) -> bool:
    """Check the type-length-values; whether the client speaks TLS."""
    tls = False
    while at < len(header):
        if at + 3 > len(header):
            raise ProxyHeaderError("version 2 ends within a TLV")
        kind, length = struct.unpack_from("!BH", header, at)
        start, at = at + 3, at + 3 + length
        if at > len(header):
            raise ProxyHeaderError("version 2 ends within a TLV")
        if kind == _CRC32C:
            if length != 4:
                raise ProxyHeaderError("version 2 has a checksum that is none")
            (said,) = struct.unpack_from("!I", header, start)
            if _crc32c(header[:start] + b"\0\0\0\0" + header[at:]) != said:
                raise ProxyHeaderError("version 2 has a wrong checksum")
        elif kind == _SSL:
            if length < 5:
                raise ProxyHeaderError("version 2 has a TLS part that is too short")
            tls = bool(header[start] & _CLIENT_SSL)
    return tls


def _crc32c(data: bytes) -> int:
    """RFC 3720 appendix B.4: Castagnoli's polynomial, reflected."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF
