"""Addresses and the server's own places: inet, cidr, macaddr, macaddr8, pg_lsn, tid; texts with a version.

inet and cidr (src/backend/utils/adt/network.c, network_send):

    Byte1   family: 2 IPv4, 3 IPv6
    Byte1   bits of the network
    Byte1   1 for a cidr
    Byte1   how many bytes follow: 4 or 16, the address
"""

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)
from typing import Any

try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

from fastweb._speedups.pg_codec import Codec, shown
from fastweb._speedups.pg_wire import Output, WireError
from fastweb._speedups.writer import Writer

if cython.compiled:
    from cython.cimports.fastweb._speedups.pg_codec import (
        Codec,
        misfit,
        put_utf8,
        text_at,
        unexpected,
        whole,
    )
    from cython.cimports.fastweb._speedups.pg_wire import Output, uint16_at, uint32_at
    from cython.cimports.fastweb._speedups.writer import Writer
else:
    from fastweb._speedups.pg_codec import misfit, put_utf8, text_at, unexpected, whole
    from fastweb._speedups.pg_wire import uint16_at, uint32_at

__all__ = ["InetCodec", "LsnCodec", "MacCodec", "TidCodec", "VersionedTextCodec"]

_ADDRESSES: Any = (IPv4Address, IPv6Address)
_NETWORKS: Any = (IPv4Network, IPv6Network)


@cython.final
@cython.cclass
class InetCodec(Codec):
    """inet, an address, or an interface where the network is not all of its bits; cidr, a network. In, also
    the text of one.
    """

    is_cidr: cython.bint

    def __init__(self, oid: int, name: str, is_cidr: bool) -> None:
        Codec.__init__(self, oid, name)
        self.is_cidr = is_cidr

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = ip_network(value) if self.is_cidr else ip_interface(value)
            except ValueError as error:
                raise ValueError(f"expected a network for {self.name}, got {shown(value)}: {error}") from None
        if isinstance(value, _NETWORKS):
            packed: bytes = value.network_address.packed
            bits = value.prefixlen
        elif isinstance(value, _ADDRESSES):
            packed = value.packed
            # An interface is an address too.
            network = getattr(value, "network", None)
            bits = len(packed) * 8 if network is None else network.prefixlen
        else:
            unexpected("an address or network of ipaddress", self.name, value)
        if getattr(value, "scope_id", None) is not None:
            raise ValueError(f"expected an address without a scope for {self.name}, got {shown(value)}")
        out.put_int8(2 if len(packed) == 4 else 3)
        out.put_int8(bits)
        out.put_int8(1 if self.is_cidr else 0)
        out.put_int8(len(packed))
        out.put(packed)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at < 4:
            raise WireError(f"a value of {self.name} of {end - at} bytes")
        family: cython.int = data[at]
        bits: cython.int = data[at + 1]
        size: cython.int = data[at + 3]
        if (
            family not in (2, 3)
            or size != (4 if family == 2 else 16)
            or end - at != 4 + size
            or bits > 8 * size
        ):
            raise WireError(f"a value of {self.name} of family {family}, {bits} bits and {end - at} bytes")
        packed: bytes = data[at + 4 : end]
        if self.is_cidr:
            try:
                return IPv4Network((packed, bits)) if family == 2 else IPv6Network((packed, bits))
            except ValueError:
                raise WireError(f"a value of {self.name} with bits behind its network") from None
        if bits == 8 * size:
            return IPv4Address(packed) if family == 2 else IPv6Address(packed)
        return IPv4Interface((packed, bits)) if family == 2 else IPv6Interface((packed, bits))


@cython.final
@cython.cclass
class MacCodec(Codec):
    """macaddr, six bytes, and macaddr8, eight: as text, 08:00:2b:01:02:03."""

    size: cython.int

    def __init__(self, oid: int, name: str, size: int) -> None:
        Codec.__init__(self, oid, name)
        self.size = size

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not isinstance(value, str):
            unexpected("str", self.name, value)
        digits: str = value.strip()
        for sign in ":-.":
            digits = digits.replace(sign, "")
        try:
            packed: bytes = bytes.fromhex(digits) if " " not in digits else b""
        except ValueError:
            packed = b""
        if len(packed) == 6 and self.size == 8:
            packed = packed[:3] + b"\xff\xfe" + packed[3:]
        if len(packed) != self.size:
            raise ValueError(f"expected {self.size} bytes in hex for {self.name}, got {shown(value)}")
        out.put(packed)

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != self.size:
            misfit(self.name, self.size, end - at)
        return data[at:end].hex(":")


@cython.final
@cython.cclass
class LsnCodec(Codec):
    """pg_lsn: UInt64, a place in the write-ahead log, as text: 16/B374D848. In, also an int."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        place: Any = value
        if isinstance(value, str):
            try:
                high, low = value.split("/")
                place = int(high[:9], 16), int(low[:9], 16)
            except ValueError:
                place = ()
            if not place or max(place) > 0xFFFFFFFF or min(place) < 0:
                raise ValueError(f"expected a place such as 16/B374D848 for {self.name}, got {shown(value)}")
            place = place[0] << 32 | place[1]
        elif not isinstance(value, int):
            unexpected("str", self.name, value)
        elif value < 0 or value > 0xFFFFFFFFFFFFFFFF:
            raise OverflowError(
                f"expected an int of 64 bits without a sign for {self.name}, got {shown(value)}"
            )
        out.put(int(place).to_bytes(8, "big"))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 8:
            misfit(self.name, 8, end - at)
        return f"{uint32_at(data, at):X}/{uint32_at(data, at + 4):X}"


@cython.final
@cython.cclass
class TidCodec(Codec):
    """tid: UInt32 block, UInt16 offset, as a tuple."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not isinstance(value, (tuple, list)) or len(value) != 2:
            unexpected("tuple of block and offset", self.name, value)
        out.put_uint32(whole(value[0], self.name, 0, 0xFFFFFFFF))
        out.put_uint16(whole(value[1], self.name, 0, 0xFFFF))

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        if end - at != 6:
            misfit(self.name, 6, end - at)
        return (uint32_at(data, at), uint16_at(data, at + 4))


@cython.final
@cython.cclass
class VersionedTextCodec(Codec):
    """jsonpath, and ltree and its queries: Byte1, the version 1, and text."""

    @cython.ccall
    def encode(self, out: Output, value: Any) -> Any:
        if not isinstance(value, str):
            unexpected("str", self.name, value)
        out.put_int8(1)
        out.put_text(str.__str__(value))

    @cython.cfunc
    @cython.exceptval(-1)
    def check(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> cython.bint:
        if end - at < 1 or data[at] != 1:
            raise WireError(f"a value of {self.name} begins with its version, 1")
        return True

    @cython.ccall
    def decode(self, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        self.check(data, at, end)
        return text_at(data, at + 1, end)

    @cython.ccall
    def write_json(self, out: Writer, data: bytes, at: cython.Py_ssize_t, end: cython.Py_ssize_t) -> Any:
        self.check(data, at, end)
        put_utf8(out, data, at + 1, end)
