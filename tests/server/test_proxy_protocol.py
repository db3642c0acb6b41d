from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from fastweb._speedups.response import Head
from fastweb.server.proxy_protocol import (
    HEADER_SIZE,
    Origin,
    ProxyHeaderError,
    ProxyHeaderReader,
    _crc32c,
)
from tests.server.conftest import until

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TCP4 = bytes([203, 0, 113, 9, 192, 0, 2, 1]) + struct.pack("!HH", 56324, 443)
TCP6 = bytes.fromhex("20010db8000000000000000000000009" * 2) + struct.pack("!HH", 1, 65535)


def v2(family: int, addresses: bytes, tlvs: bytes = b"", command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(addresses) + len(tlvs)) + addresses + tlvs


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def with_checksum(header: bytes) -> bytes:
    """The header whose last TLV is an empty checksum, with the right one."""
    return header[:-4] + struct.pack("!I", _crc32c(header))


CLIENT = ("203.0.113.9", 56324)
SERVER = ("192.0.2.1", 443)
ORIGIN = Origin(client=CLIENT, server=SERVER)
V6 = Origin(client=("2001:db8::9", 1), server=("2001:db8::9", 65535))
V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\r\n"
SSL_TLV = tlv(0x20, b"\x01\x00\x00\x00\x00" + tlv(0x21, b"TLSv1.3"))
NO_CHECKSUM = tlv(0x03, bytes(4))

GOOD: dict[str, tuple[bytes, Origin]] = {
    "v1": (V1, ORIGIN),
    "v1 IPv6": (b"PROXY TCP6 2001:db8::9 2001:DB8::9 1 65535\r\n", V6),
    "v1 port 0": (
        b"PROXY TCP4 203.0.113.9 192.0.2.1 0 0\r\n",
        Origin(client=(CLIENT[0], 0), server=(SERVER[0], 0)),
    ),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", Origin(own=True)),
    "v1 unknown, longest": (
        b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535".ljust(105, b"x") + b"\r\n",
        Origin(own=True),
    ),
    "v2": (v2(0x11, TCP4), ORIGIN),
    "v2 IPv6": (v2(0x21, TCP6), V6),
    "v2 Unix": (v2(0x31, bytes(216)), Origin()),
    "v2 unspecified": (v2(0x00, b""), Origin(own=True)),
    "v2 local": (v2(0x00, b"", command=0x20), Origin(own=True)),
    "v2 local with whatever": (v2(0x11, b"abc", command=0x20), Origin(own=True)),
    "v2 TLVs": (v2(0x11, TCP4, tlv(0x02, b"example.org") + tlv(0x04, b"")), ORIGIN),
    "v2 TLS": (v2(0x11, TCP4, SSL_TLV), Origin(client=CLIENT, server=SERVER, tls=True)),
    "v2 no TLS": (v2(0x11, TCP4, tlv(0x20, bytes(5))), ORIGIN),
    "v2 checksum": (with_checksum(v2(0x11, TCP4, NO_CHECKSUM)), ORIGIN),
    "v2 longest": (v2(0x11, TCP4, tlv(0x04, bytes(HEADER_SIZE - 12 - 3))), ORIGIN),
}


@pytest.mark.parametrize(("header", "origin"), GOOD.values(), ids=GOOD.keys())
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_headers(header: bytes, origin: Origin, size: int) -> None:
    """In pieces of any size, and not a byte of what follows."""
    reader = ProxyHeaderReader()
    data = header + b"GET / HTTP/1.1\r\n\r\n"
    taken = 0
    while reader.origin is None:
        count = reader.look(data[taken : taken + size])
        assert count > 0
        taken += count
    assert reader.origin == origin
    assert taken == len(header)


BAD: dict[str, bytes] = {
    "HTTP": b"GET / HTTP/1.1\r\n",
    "TLS": b"\x16\x03\x01",
    "v1 LF": b"PROXY TCP4 203.0.113.9 192.0.2.1 56324 443\n",
    "v1 lower case": b"proxy TCP4",
    "v1 two spaces": b"PROXY  TCP4 203.0.113.9 192.0.2.1 56324 443\r\n",
    "v1 space at the end": V1[:-2] + b" \r\n",
    "v1 wrong family": V1.replace(b"TCP4", b"TCP6"),
    "v1 UDP": V1.replace(b"TCP4", b"UDP4"),
    "v1 leading zero": V1.replace(b"443", b"0443"),
    "v1 port": V1.replace(b"443", b"65536"),
    "v1 negative port": V1.replace(b"443", b"-1"),
    "v1 no port": b"PROXY TCP4 203.0.113.9 192.0.2.1 56324\r\n",
    "v1 octal": V1.replace(b"203", b"0203"),
    "v1 no address": V1.replace(b"203.0.113.9", b"203.0.113"),
    "v1 scope": b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    "v1 without end": b"PROXY TCP4 " + b"1" * 200,
    "v1 unknown without end": b"PROXY UNKNOWN " + b"x" * 94,
    "v1 UNKNOWNX": b"PROXY UNKNOWNX\r\n",
    "v1 CR within": b"PROXY UNKNOWN\rx\n",
    "v2 signature": SIGNATURE[:-1] + b"\r",
    "v2 version 1": v2(0x11, TCP4, command=0x11),
    "v2 command 2": v2(0x11, TCP4, command=0x22),
    "v2 UDP": v2(0x12, TCP4),
    "v2 family 4": v2(0x41, TCP4),
    "v2 short": v2(0x11, TCP4[:-1]),
    "v2 empty": v2(0x11, b""),
    "v2 too long": v2(0x11, TCP4, bytes(HEADER_SIZE - 11)),
    "v2 65535": SIGNATURE + b"\x21\x11\xff\xff",
    "v2 half a TLV": v2(0x11, TCP4, b"\x04\x00"),
    "v2 TLV beyond the end": v2(0x11, TCP4, b"\x04\x00\x05abcd"),
    "v2 short TLS": v2(0x11, TCP4, tlv(0x20, b"\x01")),
    "v2 wrong checksum": v2(0x11, TCP4, NO_CHECKSUM),
    "v2 short checksum": v2(0x11, TCP4, tlv(0x03, b"\0")),
}


@pytest.mark.parametrize("header", BAD.values(), ids=BAD.keys())
@pytest.mark.parametrize("size", [1, 10_000])
def test_what_is_no_header(header: bytes, size: int) -> None:
    reader = ProxyHeaderReader()
    taken = 0
    with pytest.raises(ProxyHeaderError) as caught:
        while taken < len(header):
            taken += reader.look(header[taken : taken + size])
            assert reader.origin is None
    assert "\n" not in str(caught.value)


def test_crc32c() -> None:
    """RFC 3720 appendix B.4."""
    assert _crc32c(bytes(32)) == 0x8A9136AA
    assert _crc32c(b"\xff" * 32) == 0x62A8AB43


# --- On connections ---


async def tell(stream: Any) -> None:
    words = f"{stream.client} {stream.server} {stream.scheme}"
    stream.respond(Head(200, ()), words.encode())


def ask(sock: socket.socket, *pieces: bytes, fields: str = "") -> str:
    for piece in pieces:
        sock.sendall(piece)
    sock.sendall(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n".encode())
    answer = b""
    while data := sock.recv(65536):
        answer += data
    return answer.partition(b"\r\n\r\n")[2].decode()


@pytest.fixture
def connect(host: Callable[..., Any], make_app: Any) -> Any:
    """A socket that is connected to a server with these options."""
    stack = contextlib.ExitStack()

    def connect(**options: Any) -> socket.socket:
        server = host(make_app({"/": tell}), port=0, proxy_protocol=True, **options)
        return stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 20))

    with stack:
        yield connect


SAID = f"{CLIENT} {SERVER} http"


@pytest.mark.parametrize(
    "pieces",
    [
        [V1],
        [v2(0x11, TCP4)],
        [bytes([byte]) for byte in V1],
        [bytes([byte]) for byte in v2(0x11, TCP4)],
    ],
)
def test_the_client_of_a_proxy(connect: Any, pieces: list[bytes]) -> None:
    sock = connect()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    assert ask(sock, *pieces) == SAID


def test_tls_that_the_proxy_ends(connect: Any) -> None:
    assert ask(connect(), v2(0x11, TCP4, SSL_TLV)) == f"{CLIENT} {SERVER} https"


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", v2(0, b""), v2(0, b"", command=0x20)])
def test_a_proxy_on_its_own_account(connect: Any, header: bytes) -> None:
    sock = connect()
    names = sock.getsockname(), sock.getpeername()
    # Who is behind UNKNOWN nobody knows: not even this proxy is believed its fields.
    found = ask(sock, header, fields="X-Forwarded-For: 6.6.6.6\r\n")
    assert found == f"{names[0]} {names[1]} http"


def test_a_client_without_an_address(connect: Any) -> None:
    assert ask(connect(), v2(0x31, bytes(216))) == "None None http"


@pytest.mark.parametrize("listed", ["127.0.0.1", "*"])
def test_the_fields_of_its_client_count_for_nothing(connect: Any, listed: str) -> None:
    fields = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n"
    assert ask(connect(forwarded_allow_ips=listed), V1, fields=fields) == SAID


def test_a_listed_client_is_a_proxy_again(connect: Any) -> None:
    sock = connect(forwarded_allow_ips="127.0.0.1, 203.0.113.0/24")
    assert ask(sock, V1, fields="X-Forwarded-For: 198.51.100.7\r\n") == f"('198.51.100.7', 0) {SERVER} http"


def test_others_connect_as_usual_and_are_not_believed(connect: Any) -> None:
    sock = connect(forwarded_allow_ips="10.0.0.1")
    peer = sock.getsockname()
    assert ask(sock).startswith(str(peer))
    other = connect(forwarded_allow_ips="10.0.0.1")
    other.sendall(V1)
    assert other.recv(65536).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("header", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", BAD["v1 LF"], BAD["v2 short"]])
def test_a_proxy_without_a_header_is_cut(
    connect: Any, header: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "fastweb.error")
    sock = connect()
    sock.sendall(header)
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(1) == b""
    until(lambda: "A proxy sent no header of the PROXY protocol" in caplog.text)


def test_a_proxy_that_is_slow_is_cut(connect: Any) -> None:
    sock = connect(header_timeout=0.2)
    with contextlib.suppress(ConnectionError):
        sock.sendall(V1[:20])
        assert sock.recv(1) == b""


def test_the_header_comes_before_tls(connect: Any, tmp_path: Path) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    made = authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    path = str(tmp_path / "both.pem")
    made.private_key_and_cert_chain_pem.write_to_path(path)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    # The header and the hello in one piece, as HAProxy sends them.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    sock = connect(ssl_certfile=path)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    sock.sendall(V1 + outgoing.read())
    while True:
        incoming.write(sock.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
            break
    client.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    sock.sendall(outgoing.read())
    answer = b""
    while b"https" not in answer:
        incoming.write(sock.recv(65536))
        with contextlib.suppress(ssl.SSLWantReadError):
            answer += client.read()
    assert answer.endswith(f"{CLIENT} {SERVER} https".encode())


def test_over_a_unix_socket(host: Callable[..., Any], make_app: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    host(make_app({"/": tell}), bind=(f"unix:{path}",), proxy_protocol=True)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(path)
        assert ask(sock, V1) == SAID
