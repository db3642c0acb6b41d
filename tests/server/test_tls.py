from __future__ import annotations

import asyncio
import http.client
import logging
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from fastweb._speedups.response import Head
from fastweb.server.config import Config, ConfigError
from fastweb.server.tls import TLS, selected_protocol
from tests.server.conftest import until

PLAIN = Head(200, ((b"content-type", b"text/plain"),))


async def tell(stream: Any) -> None:
    stream.respond(PLAIN, f"{stream.scheme} {len(stream.body)}".encode())


async def large(stream: Any) -> None:
    stream.start(200, [])
    for _ in range(32):
        await stream.send(b"x" * 65536)
    stream.finish()


class Told:
    """Keeps what the app sees of TLS."""

    def __init__(self) -> None:
        self.tls: list[Any] = []
        self.protocols: list[Any] = []

    async def __call__(self, stream: Any) -> None:
        self.tls.append(stream.tls)
        self.protocols.append(selected_protocol(stream.connection.transport))
        stream.respond(PLAIN, b"")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def issue(authority: trustme.CA, path: Path, *names: str, subject: str | None = None) -> str:
    """A certificate and its key, in one file."""
    made = authority.issue_cert(*names, common_name=subject, key_type=trustme.KeyType.ECDSA)
    made.private_key_and_cert_chain_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
def both(authority: trustme.CA, tmp_path: Path) -> str:
    return issue(authority, tmp_path / "both.pem", "localhost", "127.0.0.1")


@pytest.fixture
def authorities(authority: trustme.CA, tmp_path: Path) -> str:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


def client_context(authority: trustme.CA, certificate: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if certificate is not None:
        context.load_cert_chain(certificate)
    return context


@contextmanager
def connected(
    port: int, context: ssl.SSLContext, name: str | None = "localhost", alpn: list[str] | None = None
) -> Iterator[ssl.SSLSocket]:
    if alpn:
        context.set_alpn_protocols(alpn)
    plain = socket.create_connection(("127.0.0.1", port), 20)
    with plain, context.wrap_socket(plain, server_hostname=name) as sock:
        yield sock


def get(sock: socket.socket, path: str = "/", more: str = "") -> bytes:
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode())
    answer = http.client.HTTPResponse(sock)
    answer.begin()
    return answer.read()


def names_of(sock: ssl.SSLSocket) -> list[str]:
    certificate: Any = sock.getpeercert()
    return [value for _, value in certificate["subjectAltName"]]


def ended(sock: socket.socket) -> bool:
    """Whether the server ends a connection, in one way or another."""
    sock.settimeout(20)
    try:
        while sock.recv(4096):
            pass
    except (ConnectionError, ssl.SSLError):
        pass
    return True


def test_https(host: Callable[..., Any], make_app: Any, authority: trustme.CA, both: str) -> None:
    server = host(make_app({"/": tell, "/large": large}), port=0, ssl_certfile=both)
    assert server.addresses == [f"https://127.0.0.1:{server.port}"]
    with connected(server.port, client_context(authority), alpn=["h2", "http/1.1"]) as sock:
        assert sock.version() == "TLSv1.3"
        assert sock.selected_alpn_protocol() == "http/1.1"
        assert get(sock) == b"https 0"
        assert get(sock, "/large") == b"x" * 65536 * 32
        size = 1_000_000
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"y" * size)
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        assert answer.read() == b"https %d" % size
        sock.sendall(b"nonsense\r\n\r\n")
        assert b"400 Bad Request" in sock.recv(4096)
        assert ended(sock)


def test_over_a_unix_socket(
    host: Callable[..., Any], make_app: Any, authority: trustme.CA, both: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "web.sock")
    host(make_app({"/": tell}), bind=(f"unix:{path}",), ssl_certfile=both)
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(path)
        with client_context(authority).wrap_socket(plain, server_hostname="localhost") as sock:
            assert get(sock) == b"https 0"


def test_what_the_app_is_told(
    host: Callable[..., Any],
    make_app: Any,
    authority: trustme.CA,
    both: str,
    authorities: str,
    tmp_path: Path,
) -> None:
    told = Told()
    server = host(
        make_app({"/": told}), port=0, ssl_certfile=both, ssl_ca_certs=authorities, ssl_cert_reqs="1"
    )
    mine = issue(authority, tmp_path / "client.pem", "me@example.org", subject='Ada, "the" first')
    with connected(server.port, client_context(authority, mine), alpn=["http/1.1"]) as sock:
        get(sock)
        get(sock)
    context = client_context(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connected(server.port, context) as sock:
        cipher = sock.cipher()
        get(sock)
    assert told.protocols == ["http/1.1", "http/1.1", None]
    first, again, other = told.tls
    assert first is again  # made once a connection
    pem = Path(mine).read_text()
    assert first["client_cert_chain"][0] in pem
    assert first["client_cert_name"].startswith('CN=Ada\\, \\"the\\" first,OU=')
    assert first["client_cert_error"] is None
    assert first["tls_version"] == 0x0304
    assert first["cipher_suite"] in (0x1301, 0x1302, 0x1303)
    assert first["server_cert"] in Path(both).read_text()
    assert other["client_cert_chain"] == []
    assert other["client_cert_name"] is None
    assert other["tls_version"] == 0x0303
    numbers = {str(item["name"]): int(item["id"]) & 0xFFFF for item in context.get_ciphers()}
    assert cipher is not None
    assert other["cipher_suite"] == numbers[cipher[0]]


def test_clients_without_a_right_certificate(
    host: Callable[..., Any],
    make_app: Any,
    authority: trustme.CA,
    both: str,
    authorities: str,
    tmp_path: Path,
) -> None:
    server = host(
        make_app({"/": tell}), port=0, ssl_certfile=both, ssl_ca_certs=authorities, ssl_cert_reqs="required"
    )
    stranger = trustme.CA(key_type=trustme.KeyType.ECDSA)
    theirs = issue(stranger, tmp_path / "theirs.pem", "me@example.org")
    for certificate in (None, theirs):
        # In TLS 1.3 the client is done before the server has looked.
        with pytest.raises((ssl.SSLError, ConnectionError)):  # noqa: SIM117
            with connected(server.port, client_context(authority, certificate)) as sock:
                get(sock)
    mine = issue(authority, tmp_path / "mine.pem", "me@example.org")
    with connected(server.port, client_context(authority, mine)) as sock:
        assert get(sock) == b"https 0"


def test_a_certificate_for_each_name(
    host: Callable[..., Any], make_app: Any, authority: trustme.CA, both: str, tmp_path: Path
) -> None:
    one = issue(authority, tmp_path / "one.pem", "one.example.org")
    wild = issue(authority, tmp_path / "wild.pem", "*.example.net")
    live = tmp_path / "live"
    live.mkdir()
    made = authority.issue_cert("two.example.org")
    made.private_key_pem.write_to_path(str(live / "privkey.pem"))
    made.cert_chain_pems[0].write_to_path(str(live / "fullchain.pem"))
    told = Told()
    server = host(
        make_app({"/": told}),
        port=0,
        ssl_certfile=both,
        ssl_sni=(f"one.example.org={one}", f"two.example.org={live}", f"*.example.net={wild}"),
    )
    for name, found in {
        "one.example.org": "one.example.org",
        "ONE.example.org": "one.example.org",
        "two.example.org": "two.example.org",
        "any.example.net": "*.example.net",
        "localhost": "localhost",
        "deep.any.example.net": "localhost",
        "example.net": "localhost",
        "three.example.org": "localhost",
        None: "localhost",
    }.items():
        context = client_context(authority)
        context.check_hostname = False
        with connected(server.port, context, name) as sock:
            assert names_of(sock)[0] == found, name
            get(sock)
    assert told.tls[0]["server_cert"] in Path(one).read_text()
    assert told.tls[-1]["server_cert"] in Path(both).read_text()


def test_renewal(
    host: Callable[..., Any],
    make_app: Any,
    authority: trustme.CA,
    both: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fastweb.server.tls._INTERVAL", 0.02)
    caplog.set_level(logging.INFO, "fastweb.server")
    server = host(make_app({"/": tell}), port=0, ssl_certfile=both)
    context = client_context(authority)
    context.check_hostname = False

    def serial() -> Any:
        with connected(server.port, context) as sock:
            return (sock.getpeercert() or {})["serialNumber"]

    with connected(server.port, context) as old:
        before = serial()
        Path(both + ".new").write_text("-----BEGIN CERTIFICATE-----\nhalf of a PRIVATE KEY-----")
        os.replace(both + ".new", both)  # a file that is empty for a moment would be a third that is wrong
        until(lambda: "cannot be loaded, the old go on: ssl_certfile:" in caplog.text)
        assert serial() == before
        os.unlink(both)
        until(lambda: "cannot read" in caplog.text)
        assert serial() == before
        # As certbot does: another file takes its place.
        issue(authority, Path(both + ".new"), "localhost")
        os.replace(both + ".new", both)
        until(lambda: serial() != before)
        assert get(old) == b"https 0"
    until(lambda: "new connections get the new ones" in caplog.text)
    assert caplog.text.count("the old go on") == 2


@pytest.mark.parametrize(
    ("given", "refused"),
    [
        ({}, ssl.TLSVersion.TLSv1_1),
        ({"ssl_version": "TLSv1.3"}, ssl.TLSVersion.TLSv1_2),
    ],
)
def test_old_versions_are_refused(
    host: Callable[..., Any],
    make_app: Any,
    authority: trustme.CA,
    both: str,
    given: dict[str, Any],
    refused: ssl.TLSVersion,
) -> None:
    server = host(make_app({"/": tell}), port=0, ssl_certfile=both, **given)
    context = client_context(authority)
    with (
        pytest.warns(DeprecationWarning, match="TLSv1_1") if refused is ssl.TLSVersion.TLSv1_1 else nothing()
    ):
        context.minimum_version = context.maximum_version = refused
        context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):  # noqa: SIM117
        with connected(server.port, context):
            pass


@contextmanager
def nothing() -> Iterator[None]:
    yield


HOSTILE = {
    "plain HTTP": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "zeros": bytes(64),
    "a hello of 16 MB": b"\x16\x03\x01\x40\x00\x01\xff\xff\xff\x03\x03" + bytes(16384 - 6),
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "SSL 2": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(37),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_handshake_is_cut(
    host: Callable[..., Any], make_app: Any, authority: trustme.CA, both: str, data: bytes
) -> None:
    server = host(make_app({"/": tell}), port=0, ssl_certfile=both, tls_handshake_timeout=5.0)
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock:
        sock.sendall(data)
        assert ended(sock)
    with connected(server.port, client_context(authority)) as good:
        assert get(good) == b"https 0"


def test_slow_handshakes(host: Callable[..., Any], make_app: Any, authority: trustme.CA, both: str) -> None:
    server = host(make_app({"/": tell}), port=0, ssl_certfile=both, tls_handshake_timeout=0.3)
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock:
        sock.sendall(b"\x16\x03")
        assert ended(sock)


def test_too_many_handshakes(
    host: Callable[..., Any], make_app: Any, authority: trustme.CA, both: str
) -> None:
    server = host(make_app({"/": tell}), port=0, ssl_certfile=both, limit_handshakes=5)
    slow = [socket.create_connection(("127.0.0.1", server.port), 20) for _ in range(12)]
    try:
        for sock in slow[:7]:
            assert ended(sock)
        # Who means it is not kept out.
        for _ in range(3):
            with connected(server.port, client_context(authority)) as good:
                assert get(good) == b"https 0"
    finally:
        for sock in slow:
            sock.close()


def test_it_stops_while_a_handshake_waits(
    host: Callable[..., Any], make_app: Any, both: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastweb.server.worker._HANDSHAKE_TIME", 0.05)
    server = host(make_app({"/": tell}), port=0, ssl_certfile=both)
    with socket.create_connection(("127.0.0.1", server.port), 20) as sock:
        time.sleep(0.1)  # accepted by now, or else taken out of the queue
        server.stop()
        assert ended(sock)


def test_a_client_that_says_goodbye(
    host: Callable[..., Any], make_app: Any, authority: trustme.CA, both: str, caplog: Any
) -> None:
    async def wait(stream: Any) -> None:
        await asyncio.wait_for(stream.wait_disconnect(), 60)
        told.append(stream.path)
        stream.respond(PLAIN, b"")

    told: list[str] = []
    server = host(make_app({"/wait": wait}), port=0, ssl_certfile=both)
    with connected(server.port, client_context(authority)) as sock:
        sock.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.1)
        with pytest.raises((OSError, ssl.SSLError)):  # close_notify, and the answer to it never comes
            sock.settimeout(0.2)
            sock.unwrap()
            raise OSError
        until(lambda: told)
    assert told == ["/wait"]
    assert "has no effect" not in caplog.text


# --- Wrong files ---


def wrong(tmp_path: Path, authority: trustme.CA) -> Iterator[tuple[dict[str, Any], str]]:
    both = issue(authority, tmp_path / "both.pem", "localhost")
    made = authority.issue_cert("localhost")
    chain, key, text, locked = (
        str(tmp_path / name) for name in ("chain.pem", "key.pem", "text", "locked.pem")
    )
    made.cert_chain_pems[0].write_to_path(chain)
    authority.issue_cert("localhost").private_key_pem.write_to_path(key)
    Path(text).write_text("no PEM")
    from cryptography.hazmat.primitives import serialization

    own = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
    Path(locked).write_bytes(
        own.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
    )
    broken = str(tmp_path / "broken.pem")
    Path(broken).write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    yield {"ssl_certfile": "no/such"}, "ssl_certfile: cannot read no/such: No such file"
    yield {"ssl_certfile": str(tmp_path)}, "Is a directory"
    yield {"ssl_certfile": text}, "has no certificate"
    yield {"ssl_certfile": chain}, "has no private key .* name the file that has it as ssl_keyfile"
    yield {"ssl_certfile": chain, "ssl_keyfile": text}, f"ssl_keyfile: {text} has no private key"
    yield {"ssl_certfile": chain, "ssl_keyfile": "no/such"}, "ssl_keyfile: cannot read no/such"
    yield {"ssl_certfile": chain, "ssl_keyfile": key}, "does not belong to the certificate"
    yield {"ssl_certfile": broken, "ssl_keyfile": key}, "cannot be loaded"
    yield {"ssl_certfile": chain, "ssl_keyfile": locked}, "is encrypted: give ssl_keyfile_password"
    yield (
        {"ssl_certfile": chain, "ssl_keyfile": locked, "ssl_keyfile_password": "open"},
        "ssl_keyfile_password: it does not open",
    )
    yield {"ssl_certfile": both, "ssl_ciphers": "NONSENSE"}, "ssl_ciphers"
    yield {"ssl_certfile": both, "ssl_ca_certs": text, "ssl_cert_reqs": "required"}, "ssl_ca_certs"
    yield {"ssl_certfile": both, "ssl_ca_certs": "no/such", "ssl_cert_reqs": 2}, "ssl_ca_certs: cannot read"
    yield {"ssl_certfile": both, "ssl_sni": ("a=no/such",)}, "cannot read no/such"
    yield {"ssl_certfile": both, "ssl_sni": ("a",)}, "ssl_sni must be name=chain,key"
    yield {"ssl_certfile": both, "ssl_version": "TLSv1.1"}, "TLSv1.2 or TLSv1.3"
    yield {"ssl_certfile": both, "ssl_version": 17}, "TLSv1.2 or TLSv1.3"
    yield {"ssl_certfile": both, "ssl_cert_reqs": 3}, "none, optional or required"
    yield {"ssl_certfile": both, "ssl_cert_reqs": "required"}, "needs ssl_ca_certs"
    yield {"ssl_certfile": b"x"}, "must be a string"
    yield {"ssl_keyfile": both}, "needs ssl_certfile"
    yield {"ssl_sni": ("a=b",)}, "needs ssl_certfile"


def test_wrong_files_are_one_line_each(tmp_path: Path, authority: trustme.CA) -> None:
    for options, words in wrong(tmp_path, authority):
        with pytest.raises(ConfigError, match=words) as caught:
            TLS(Config(app="a", **options))
        assert caught.value.exit_code == 2, options
        assert "\n" not in caught.value.message
    chain, key = str(tmp_path / "chain.pem"), str(tmp_path / "locked.pem")
    TLS(Config(app="a", ssl_certfile=chain, ssl_keyfile=key, ssl_keyfile_password="sesame"))


@pytest.mark.parametrize("workers", [1, 2])
def test_wrong_files_end_the_start(serve: Callable[..., Any], workers: int) -> None:
    server = serve(workers=workers, ssl_certfile="no/such.pem")
    assert server.wait() == 2
    assert server.err == "Error: ssl_certfile: cannot read no/such.pem: No such file or directory\n"


# --- Clients that are not ours ---


def program(name: str) -> str:
    """Where a program is that a test needs."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"this test needs {name}: install it (Debian: apt-get install {name})")
    return found


def test_curl(start: Callable[..., Any], both: str, authorities: str) -> None:
    options = ["--ssl-certfile", both, "--port", "0", "--no-access-log"]
    server = start("-m", "fastweb", "run", "main:app", "--workers", "2", *options)
    server.until(lambda: "https://127.0.0.1:" in server.err)
    port = server.err.partition("https://127.0.0.1:")[2].split()[0]
    done = subprocess.run(
        [program("curl"), "-sS", "--cacert", authorities, *[f"https://localhost:{port}/options"] * 3],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("'error'") == 3
    assert server.stop() == 0


def test_openssl(host: Callable[..., Any], make_app: Any, both: str, authorities: str) -> None:
    server = host(make_app({"/": tell}), port=0, ssl_certfile=both)
    command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", authorities]
    done = subprocess.run(
        [*command, "-servername", "localhost", "-alpn", "http/1.1", "-ign_eof"],
        input="GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    for words in ("Verify return code: 0 (ok)", "ALPN protocol: http/1.1", "https 0", "Compression: NONE"):
        assert words in done.stdout, done.stdout + done.stderr


def test_without_tls_nothing_of_it_is_loaded(start: Callable[..., Any]) -> None:
    server = start("-c", "import fastweb.server.worker, sys; sys.exit('fastweb.server.tls' in sys.modules)")
    assert server.wait() == 0
    assert sys.version_info >= (3, 11)
