"""For tests of what opens sessions: a session that asks simply, both loops, a server of every method."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from fastweb.postgres.conninfo import resolve
from fastweb.postgres.startup import Session, open_session
from tests.postgres import servers
from tests.postgres.servers import OwnPostgres

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Simple(asyncio.Protocol):
    """What a session is handed over to here: it asks by a simple Query, and keeps all that comes."""

    def __init__(self) -> None:
        self.data = b""
        self.transport: Any = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ready: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self.ready is not None and b"Z\0\0\0\5" in self.data[-6:] and not self.ready.done():
            self.ready.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    async def query(self, sql: str) -> bytes:
        """All that the server answers."""
        self.data = b""
        self.ready = asyncio.get_running_loop().create_future()
        self.transport.write(b"Q" + (len(sql.encode()) + 5).to_bytes(4, "big") + sql.encode() + b"\0")
        await self.ready
        return self.data

    async def value(self, sql: str) -> str:
        """The only value, as a text."""
        answer = await self.query(sql)
        at = answer.index(b"D\0", answer.index(b"T\0"))
        size = int.from_bytes(answer[at + 7 : at + 11], "big")
        return answer[at + 11 : at + 11 + size].decode()


@asynccontextmanager
async def opened(dsn: str = "", **keywords: Any) -> AsyncIterator[tuple[Session, Simple]]:
    """A session, and what it is handed over to; closed at the end."""
    session = await open_session(resolve(dsn, environ={"HOME": "/nonexistent"}, **keywords))
    protocol = Simple()
    session.hand_over(protocol)
    try:
        yield session, protocol
    finally:
        session.transport.abort()
        await protocol.lost


@dataclass
class Certificates:
    """An authority, and what it has signed: the server's, a client's, and files of them.

    Arguments:
        folder: has root.crt, client.crt, client.key, locked.key (passphrase `open`), other.crt (of another
            authority), root.crl (nobody is revoked) and revoked.crl (the server is).
    """

    folder: Path
    server: bytes
    server_key: bytes
    root: bytes

    def path(self, name: str) -> str:
        return str(self.folder / name)


def make_certificates(folder: Path, client: str) -> Certificates:
    """Certificates for `localhost` and 127.0.0.1, and for the user `client`."""
    authority, other = trustme.CA(key_type=trustme.KeyType.RSA), trustme.CA()
    server = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.RSA)
    user = authority.issue_cert("client@example.org", common_name=client)
    key = serialization.load_pem_private_key(user.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"open"),
    )
    chain = b"".join(blob.bytes() for blob in server.cert_chain_pems)
    files = {
        "root.crt": authority.cert_pem.bytes(),
        "other.crt": other.cert_pem.bytes(),
        "client.crt": b"".join(blob.bytes() for blob in user.cert_chain_pems),
        "client.key": user.private_key_pem.bytes(),
        "locked.key": locked,
        "root.crl": revoked_list(authority, None),
        "revoked.crl": revoked_list(authority, x509.load_pem_x509_certificate(chain).serial_number),
    }
    for name, text in files.items():
        (folder / name).write_bytes(text)
        (folder / name).chmod(0o600)
    return Certificates(folder, chain, server.private_key_pem.bytes(), authority.cert_pem.bytes())


def revoked_list(authority: trustme.CA, serial: int | None) -> bytes:
    import datetime

    certificate = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(certificate.subject)
        .last_update(now - datetime.timedelta(days=1))
        .next_update(now + datetime.timedelta(days=1))
    )
    if serial is not None:
        revoked = x509.RevokedCertificateBuilder().serial_number(serial)
        builder = builder.add_revoked_certificate(
            revoked.revocation_date(now - datetime.timedelta(days=1)).build()
        )
    key: Any = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


#: Its users are named by how they come in. The password of each is PASSWORD.
PASSWORD = "pä\u00adß wörd"

HBA = """\
local all all trust
host all postgres 127.0.0.1/32 trust
host all scram 127.0.0.1/32 scram-sha-256
host all md5 127.0.0.1/32 md5
host all clear 127.0.0.1/32 password
hostssl all onlytls 127.0.0.1/32 scram-sha-256
hostnossl all onlyplain 127.0.0.1/32 scram-sha-256
hostssl all cert 127.0.0.1/32 cert
host all scram,md5,clear ::1/128 reject
host all rejected 127.0.0.1/32 reject
"""


@contextmanager
def walled_server(certificates: Certificates) -> Iterator[OwnPostgres]:
    """A server with TLS whose users come in by each method of pg_hba.conf."""
    tls: Mapping[str, object] = {
        "ssl": "on",
        "ssl_cert_file": "server.crt",
        "ssl_key_file": "server.key",
        "ssl_ca_file": "root.crt",
    }
    files = {"server.crt": certificates.server, "server.key": certificates.server_key}
    with servers.private(
        wheel=False, settings=tls, hba=HBA, files={**files, "root.crt": certificates.root}
    ) as server:
        import psycopg

        with psycopg.connect(server.socket_dsn, autocommit=True) as connection:
            for user in ("scram", "clear", "onlytls", "onlyplain", "cert", "rejected"):
                connection.execute(f"create user {user} password '{PASSWORD}'")
            connection.execute("set password_encryption = md5")
            connection.execute(f"create user md5 password '{PASSWORD}'")
            connection.execute("create user nobody_asks")
        yield server
