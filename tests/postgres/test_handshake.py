"""A hostile server before the session stands: lengths, order, floods, silence, downgrades."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import struct
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fastweb.postgres import channel
from fastweb.postgres.cancel import send_cancel
from fastweb.postgres.conninfo import resolve
from fastweb.postgres.errors import ConnectError, PostgresError, ProtocolError, UnsupportedServerFeatureError
from fastweb.postgres.options import PROTOCOL_3_2
from fastweb.postgres.startup import open_session
from tests.postgres.running import run as run_with
from tests.postgres.running import until
from tests.postgres.sessions import LOOPS, Certificates, Simple, make_certificates

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Script = Callable[[Reader, Writer], Awaitable[None]]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"), "cert")


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[..., Any]:
    factory = LOOPS[request.param]
    return lambda main: run_with(main, loop_factory=factory)


def m(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    return kind + struct.pack("!i", len(body) + 4 if length is None else length) + body


def auth(code: int, rest: bytes = b"") -> bytes:
    return m(b"R", struct.pack("!i", code) + rest)


OK = auth(0)
READY = m(b"Z", b"I")
KEY = m(b"K", b"\0\0\0\1abcd")
SCRAM = b"SCRAM-SHA-256\0"
PLUS = b"SCRAM-SHA-256-PLUS\0"


@asynccontextmanager
async def serving(script: Script, **server: Any) -> AsyncIterator[int]:
    """A server that does `script` on each connection, the StartupMessage not read yet; its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
        # asyncio's streams have an error of their own for a task of theirs that is cancelled.
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            tasks.discard(task)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, **server)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.02)


async def startup_message(reader: Reader) -> bytes:
    size = struct.unpack("!i", await reader.readexactly(4))[0]
    return await reader.readexactly(size - 4)


def says(*messages: bytes, stays: bool = False) -> Script:
    """Answers the StartupMessage so, and closes; or stays, and says no more."""

    async def script(reader: Reader, writer: Writer) -> None:
        await startup_message(reader)
        writer.write(b"".join(messages))
        await writer.drain()
        if stays:
            await reader.read()
        else:
            # So that what the client writes meanwhile is no reset.
            writer.write_eof()
            await reader.read()

    return script


def dsn(port: int, **keywords: object) -> str:
    said = {"host": "127.0.0.1", "port": port, "user": "u", "dbname": "d", "password": "hunter2", **keywords}
    said.setdefault("sslmode", "disable")
    return " ".join(f"{name}={value}" for name, value in said.items())


LENGTHS = (0, 3, -1, -(1 << 31), channel.MESSAGE + 1, (1 << 31) - 1)

#: What is said, with which exception it ends, and what this says.
CASES: list[tuple[str, bytes, type[Exception], str]] = [
    *((f"length {size}", m(b"R", b"", size), ProtocolError, "not PostgreSQL") for size in LENGTHS),
    *(
        (f"length {size} behind", OK + m(b"S", b"", size), ProtocolError, "not PostgreSQL")
        for size in LENGTHS
    ),
    ("nothing", b"", ConnectError, "closed the connection before the session began"),
    ("half a head", b"R\0\0", ConnectError, "closed the connection before"),
    ("half a body", b"R\0\0\0\x08\0", ConnectError, "closed the connection before"),
    ("a kind that is none", m(b"\0", b"abcd"), ProtocolError, "not PostgreSQL"),
    ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", ProtocolError, "another kind of server"),
    ("tls", b"\x15\x03\x01\0\2\2\x28", ProtocolError, "TLS from the first byte"),
    ("http", b"HTTP/1.1 400 Bad Request\r\n\r\n", ProtocolError, "an HTTP server"),
    ("no code", m(b"R", b"\0\0\0"), ProtocolError, "without its code"),
    ("ready at once", READY, ProtocolError, "'Z' that was not due"),
    ("a parameter at once", m(b"S", b"a\0b\0"), ProtocolError, "'S' that was not due"),
    ("a row", OK + m(b"D", b"\0\0"), ProtocolError, "'D' that was not due"),
    ("ok twice", OK + OK, ProtocolError, "'R' that was not due"),
    *((f"code {code}", auth(code), ConnectError, f"asks for method {code}") for code in (1, 4, 6, 13, -1)),
    ("kerberos", auth(2), ConnectError, "asks for krb5"),
    ("gss", auth(7), ConnectError, "asks for gss"),
    ("sspi", auth(9), ConnectError, "asks for sspi"),
    ("gss goes on", auth(8, b"x"), ConnectError, "asks for method 8"),
    ("md5 of 3 bytes", auth(5, b"abc"), ProtocolError, "not 4 bytes"),
    ("md5 of 5 bytes", auth(5, b"abcde"), ProtocolError, "not 4 bytes"),
    ("two ways", auth(5, b"abcd") + auth(3), ProtocolError, "a second authentication"),
    ("no mechanism", auth(10, b"\0"), ProtocolError, "does not end"),
    ("no mechanism at all", auth(10), ProtocolError, "does not end"),
    ("mechanisms that do not end", auth(10, SCRAM), ProtocolError, "does not end"),
    ("an empty list", auth(10, b"\0\0"), ConnectError, "asks for no mechanism"),
    ("oauth", auth(10, b"OAUTHBEARER\0\0"), ConnectError, "asks for OAUTHBEARER, of which"),
    ("plus without tls", auth(10, PLUS + SCRAM + b"\0"), ConnectError, "on a connection without TLS"),
    ("scram goes on first", auth(11, b"r=x,s=AAAA,i=1"), ProtocolError, "when none was due"),
    ("scram ends first", auth(12, b"v=AAAA"), ProtocolError, "when none was due"),
    ("in without scram's end", auth(10, SCRAM + b"\0") + OK, ConnectError, "before it showed that it knows"),
    ("scram's end at once", auth(10, SCRAM + b"\0") + auth(12, b"v="), ProtocolError, "before the first"),
    ("scram twice", auth(10, SCRAM + b"\0") * 2, ProtocolError, "a second authentication"),
    ("scram of another", auth(10, SCRAM + b"\0") + auth(11, b"r=x,s=AAAA,i=1"), ProtocolError, "nonce"),
    ("a parameter of one string", OK + m(b"S", b"ab\0"), ProtocolError, "not two strings"),
    ("a parameter of three", OK + m(b"S", b"a\0b\0c\0"), ProtocolError, "not two strings"),
    ("a parameter that does not end", OK + m(b"S", b"a\0b"), ProtocolError, "not two strings"),
    ("a key of 3 bytes", OK + m(b"K", b"\0\0\0\1abc"), ProtocolError, "too short or too long"),
    ("a key of 5 bytes", OK + m(b"K", b"\0\0\0\1abcde"), ProtocolError, "too short or too long"),
    ("within a transaction", OK + KEY + m(b"Z", b"T"), ProtocolError, "within a transaction"),
    ("ready of no byte", OK + KEY + m(b"Z", b""), ProtocolError, "within a transaction"),
    ("an error that does not end", m(b"E", b"Mx"), ProtocolError, "does not end"),
    ("an error of nothing", m(b"E", b"\0"), PostgresError, "the server gave no message"),
    ("latin1", OK + m(b"S", b"client_encoding\0LATIN1\0") + READY, ProtocolError, "speaks LATIN1"),
    ("an unasked version", m(b"v", struct.pack("!ii", 3 << 16, 0)) + OK, ProtocolError, "not asked"),
    ("a version of nothing", m(b"v", b"\0\0"), ProtocolError, "too short"),
    ("notices for ever", m(b"N", b"Mhello\0\0") * 2000, ProtocolError, "message after message"),
    ("notices before", m(b"N", b"Mhello\0\0") * 500 + m(b"E", b"C28000\0Mno\0\0"), PostgresError, "no"),
    ("parameters for ever", OK + m(b"S", b"a\0b\0") * 2000, ProtocolError, "message after message"),
    ("large messages", OK + m(b"S", b"a\0" + b"b" * 29000 + b"\0") * 40, ProtocolError, "message after"),
]  # fmt: skip


def test_cases(run: Callable[..., Any]) -> None:
    """All in one loop: a loop a case takes longer than the cases."""
    wrong: list[str] = []

    async def check(name: str, said: bytes, kind: type[Exception], line: str) -> None:
        async with serving(says(said)) as port:
            try:
                (await open_session(resolve(dsn(port)))).close()
                wrong.append(f"{name}: a session")
            except Exception as error:
                right = isinstance(error, kind) and line in str(error)
                if not right or not str(error).startswith(f"127.0.0.1:{port}, user 'u', database 'd': "):
                    wrong.append(f"{name}: {error!r}")
                if "hunter2" in "".join(traceback.format_exception(error)):
                    wrong.append(f"{name}: the password")

    async def main() -> None:
        for case in CASES:
            await check(*case)

    run(main())
    assert wrong == []


NEGOTIATE = [
    (struct.pack("!ii", 3 << 16, 0), None),
    (struct.pack("!ii", 3 << 16, 1) + b"_pq_.x\0", "not asked"),
    (struct.pack("!ii", PROTOCOL_3_2, 0), "not asked"),
    (struct.pack("!ii", PROTOCOL_3_2 + 1, 0), "not asked"),
    (struct.pack("!ii", 2 << 16, 0), "not asked"),
    (struct.pack("!ii", 3 << 16, -1), "whose count"),
    (struct.pack("!ii", 3 << 16, 1 << 30), "whose count"),
    (struct.pack("!ii", 3 << 16, 2) + b"a\0", "whose count"),
    (struct.pack("!ii", 3 << 16, 0) + b"a", "whose count"),
]


@pytest.mark.parametrize(("body", "line"), NEGOTIATE)
def test_negotiate_protocol_version(body: bytes, line: str | None) -> None:
    async def main() -> None:
        async with serving(says(m(b"v", body), OK, KEY, READY, stays=True)) as port:
            options = resolve(dsn(port), max_protocol_version="latest")
            if line is None:
                (await open_session(options)).close()
                return
            with pytest.raises(ProtocolError, match=line):
                await open_session(options)

    run_with(main())


def test_keys_of_3_2() -> None:
    async def main() -> None:
        for size, right in ((4, True), (32, True), (256, True), (257, False), (3, False), (20000, False)):
            key = m(b"K", b"\0\0\0\1" + b"k" * size)
            async with serving(says(OK, key, READY, stays=True)) as port:
                options = resolve(dsn(port), max_protocol_version="latest")
                if right:
                    session = await open_session(options)
                    assert session.secret_key == b"k" * size
                    session.close()
                else:
                    with pytest.raises(ProtocolError, match="too short or too long"):
                        await open_session(options)

    run_with(main())


def test_a_server_that_gives_no_key() -> None:
    async def main() -> None:
        async with serving(says(OK, READY, stays=True)) as port:
            session = await open_session(resolve(dsn(port)))
            with pytest.raises(UnsupportedServerFeatureError, match="no key"):
                await send_cancel(session)
            session.close()

    run_with(main())


def test_what_the_server_says_is_no_escape_sequence(run: Callable[..., Any]) -> None:
    async def main() -> None:
        text = b"C28P01\0M\x1b[2J\x1b]0;title\x07line\r\nline\0D\x1b[2J\0H\x1b[2J\0\0"
        async with serving(says(m(b"E", text))) as port:
            with pytest.raises(PostgresError) as caught:
                await open_session(resolve(dsn(port)))
            assert str(caught.value).replace("\n", "").isprintable()
            assert "\n" not in caught.value.args[0]

    run(main())


def test_silence(run: Callable[..., Any]) -> None:
    async def check(said: bytes) -> None:
        async with serving(says(said, stays=True)) as port:
            with pytest.raises(ConnectError, match=r"no answer in 0\.3 s"):
                await open_session(resolve(dsn(port, connect_timeout=0.3)))

    async def main() -> None:
        begun = (b"", b"R", b"R\0\0\0\x08", OK, OK + KEY, auth(10, SCRAM + b"\0"), OK + b"S")
        await asyncio.gather(*map(check, begun))

    run(main())


def test_a_drip() -> None:
    """A byte at a time, and never an end: the time is that of all of it."""

    async def drip(reader: Reader, writer: Writer) -> None:
        await startup_message(reader)
        while True:
            for byte in m(b"N", b"Mhello\0\0"):
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(0.005)

    async def main() -> None:
        async with serving(drip) as port:
            with pytest.raises(ConnectError, match="no answer in"):
                await open_session(resolve(dsn(port, connect_timeout=0.3)))

    run_with(main())


def test_a_flood_takes_no_memory(run: Callable[..., Any]) -> None:
    """Bytes of a message that never ends, while the client does not read: it stops taking them."""

    async def flood(reader: Reader, writer: Writer) -> None:
        await startup_message(reader)
        # SCRAM with many iterations keeps the client busy elsewhere.
        nonce = await scram_nonce(reader, writer)
        writer.write(auth(11, b"r=" + nonce + b"x,s=AAAA,i=1000000"))
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async def main() -> None:
        async with serving(flood) as port:
            tracemalloc.start()
            with pytest.raises((ProtocolError, ConnectError)):
                await open_session(resolve(dsn(port)))
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
            tracemalloc.stop()

    run(main())


async def scram_nonce(reader: Reader, writer: Writer, offers: bytes = SCRAM) -> bytes:
    """Asks for SCRAM; the client's nonce."""
    writer.write(auth(10, offers + b"\0"))
    head = await reader.readexactly(5)
    body = await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
    return body.partition(b",r=")[2]


@pytest.mark.parametrize(
    ("iterations", "line"),
    [
        (b"1000001", "1,000,001 iterations of SCRAM"),
        (b"2147483647", "2,147,483,647 iterations of SCRAM"),
        (b"9" * 30, "number of iterations is none"),
        (b"0", "number of iterations is none"),
    ],
)
def test_iterations(iterations: bytes, line: str) -> None:
    async def script(reader: Reader, writer: Writer) -> None:
        await startup_message(reader)
        nonce = await scram_nonce(reader, writer)
        writer.write(auth(11, b"r=" + nonce + b"x,s=AAAA,i=" + iterations))
        assert await reader.read() == b""

    async def main() -> None:
        async with serving(script) as port:
            with pytest.raises((ConnectError, ProtocolError), match=line):
                await open_session(resolve(dsn(port)))

    run_with(main())


@pytest.mark.parametrize("end", [b"v=" + base64.b64encode(b"x" * 32), b"e=other-error", b"v=", b""])
def test_a_server_that_does_not_know_the_password(run: Callable[..., Any], end: bytes) -> None:
    """It goes on as if it had accepted the proof, and lets the client in."""

    async def script(reader: Reader, writer: Writer) -> None:
        await startup_message(reader)
        nonce = await scram_nonce(reader, writer)
        writer.write(auth(11, b"r=" + nonce + b"x,s=AAAA,i=4096"))
        await reader.readexactly(5)
        writer.write(auth(12, end) + OK + KEY + READY)
        await reader.read()

    async def main() -> None:
        async with serving(script) as port:
            with pytest.raises((ConnectError, ProtocolError)) as caught:
                await open_session(resolve(dsn(port)))
            assert "hunter2" not in str(caught.value)

    run(main())


def test_a_server_that_knows_it_does_not_have_it_twice(run: Callable[..., Any]) -> None:
    """A right signature, then SCRAM once more."""

    async def script(reader: Reader, writer: Writer) -> None:
        await startup_message(reader)
        nonce = await scram_nonce(reader, writer)
        first = b"r=" + nonce + b"x,s=AAAA,i=1"
        writer.write(auth(11, first))
        head = await reader.readexactly(5)
        final = await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4)
        salted = hashlib.pbkdf2_hmac("sha256", b"hunter2", base64.b64decode(b"AAAA"), 1)
        message = b"n=,r=" + nonce + b"," + first + b"," + final.rpartition(b",p=")[0]
        key = hmac.digest(salted, b"Server Key", "sha256")
        signature = base64.b64encode(hmac.digest(key, message, "sha256"))
        writer.write(auth(12, b"v=" + signature) * 2)
        await reader.read()

    async def main() -> None:
        async with serving(script) as port:
            with pytest.raises(ProtocolError, match="when none was due"):
                await open_session(resolve(dsn(port)))

    run(main())


# --- TLS ---


def answers(answer: bytes, then: bytes = b"", *, later: bytes = b"") -> Script:
    """Answers an SSLRequest so; keeps what the client says."""

    async def script(reader: Reader, writer: Writer) -> None:
        if await reader.readexactly(8) != struct.pack("!ii", 8, 80877103):
            # sslmode=prefer may come again, in clear.
            return
        writer.write(answer + then)
        if later:
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(later)
        await reader.read()

    return script


#: An AuthenticationOk, and an error that would be shown, as whoever sits between would put them behind the S.
STUFFED = OK + KEY + READY


@pytest.mark.parametrize("sslmode", ["prefer", "require", "verify-full"])
def test_bytes_behind_the_answer_are_nobodys(
    run: Callable[..., Any], certificates: Certificates, sslmode: str
) -> None:
    """CVE-2021-23222: they must not be read as if they had come by TLS, and there is no falling back."""

    async def main() -> None:
        for script in (answers(b"S", STUFFED), answers(b"S", later=STUFFED), answers(b"N", STUFFED)):
            async with serving(script) as port:
                with pytest.raises((ProtocolError, ConnectError)) as caught:
                    await open_session(
                        resolve(
                            dsn(
                                port,
                                sslmode=sslmode,
                                sslrootcert=certificates.path("root.crt"),
                                connect_timeout=1,
                            )
                        )
                    )
                assert "hunter2" not in str(caught.value)

    run(main())


@pytest.mark.parametrize(
    ("sslmode", "answer", "line"),
    [
        ("require", b"N", "the server has no TLS"),
        ("verify-full", b"N", "the server has no TLS"),
        ("require", b"E", "answered an SSLRequest with an error"),
        ("require", m(b"E", b"C28000\0Mcall 555-0100\0\0"), "answered an SSLRequest with an error"),
        ("require", b"X", "not PostgreSQL"),
        ("require", b"SSLfoo", "sent more in clear"),
        ("prefer", b"X", "not PostgreSQL"),
    ],
)
def test_answers_to_an_ssl_request(
    certificates: Certificates, sslmode: str, answer: bytes, line: str
) -> None:
    async def main() -> None:
        async with serving(answers(answer)) as port:
            root = certificates.path("root.crt")
            with pytest.raises((ConnectError, ProtocolError), match=line) as caught:
                await open_session(resolve(dsn(port, sslmode=sslmode, sslrootcert=root)))
            # What was not encrypted is nobody's word (CVE-2024-10977).
            assert "555-0100" not in str(caught.value)

    run_with(main())


def test_prefer_falls_back(run: Callable[..., Any]) -> None:
    """On a new connection where the handshake failed, on the same where the server has no TLS."""
    plain = says(OK, KEY, READY, stays=True)

    def first(answer: bytes, *, same: bool) -> Script:
        seen: list[int] = []

        async def script(reader: Reader, writer: Writer) -> None:
            if seen:
                await plain(reader, writer)
                return
            seen.append(1)
            await reader.readexactly(8)
            writer.write(answer)
            if same:
                await plain(reader, writer)

        return script

    async def main() -> None:
        for script in (
            first(b"N", same=True),
            first(b"S", same=False),
            first(b"E", same=False),
            first(b"", same=False),
        ):
            async with serving(script) as port:
                session = await open_session(resolve(dsn(port, sslmode="prefer")))
                assert not session.is_encrypted
                session.close()

    run(main())


def tls_context(certificates: Certificates, alpn: list[str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    path = certificates.folder / "server.pem"
    path.write_bytes(certificates.server + certificates.server_key)
    context.load_cert_chain(path)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


@pytest.mark.parametrize(("alpn", "right"), [(["postgresql"], True), ([], False), (["h2"], False)])
def test_direct_tls(
    run: Callable[..., Any], certificates: Certificates, alpn: list[str], right: bool
) -> None:
    async def main() -> None:
        context = tls_context(certificates, alpn)
        async with serving(says(OK, KEY, READY, stays=True), ssl=context) as port:
            options = resolve(
                dsn(
                    port,
                    sslmode="verify-full",
                    sslrootcert=certificates.path("root.crt"),
                    sslnegotiation="direct",
                )
            )
            if not right:
                with pytest.raises(ConnectError, match=r"TLS|ALPN"):
                    await open_session(options)
                return
            session = await open_session(options)
            assert session.is_encrypted
            protocol = Simple()
            session.hand_over(protocol)
            session.transport.abort()
            await protocol.lost

    run(main())


@pytest.mark.parametrize(
    ("keywords", "offers", "header"),
    [
        # Of TLS and PLUS the channel is bound.
        ({}, PLUS + SCRAM, b"p=tls-server-end-point,,"),
        # The server did not offer it: it is told that the client could have.
        ({}, SCRAM, b"y,,"),
        ({"channel_binding": "disable"}, PLUS + SCRAM, b"n,,"),
        ({"channel_binding": "require"}, PLUS, b"p=tls-server-end-point,,"),
        ({"channel_binding": "require"}, SCRAM, "the server offers no SCRAM-SHA-256-PLUS"),
        ({"channel_binding": "disable"}, PLUS, "SCRAM-SHA-256-PLUS alone"),
    ],
)
def test_a_downgrade_of_the_channel(
    certificates: Certificates, keywords: dict[str, str], offers: bytes, header: bytes | str
) -> None:
    seen: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        await startup_message(reader)
        writer.write(auth(10, offers + b"\0"))
        head = await reader.readexactly(5)
        seen.append(await reader.readexactly(struct.unpack("!i", head[1:])[0] - 4))

    async def main() -> None:
        async with serving(script, ssl=tls_context(certificates, ["postgresql"])) as port:
            options = resolve(dsn(port, sslmode="require", sslnegotiation="direct", **keywords))
            line = header if isinstance(header, str) else "closed the connection"
            with pytest.raises(ConnectError, match=line):
                await open_session(options)
        if isinstance(header, bytes):
            assert seen[0].split(b"\0", 1)[1][4:].startswith(header + b"n=,r=")
        else:
            assert not seen

    run_with(main())


def test_a_password_is_not_sent_to_who_must_not_have_it(certificates: Certificates) -> None:
    got: list[bytes] = []

    async def script(reader: Reader, writer: Writer) -> None:
        await startup_message(reader)
        writer.write(auth(3))
        got.append(await reader.read())

    async def main() -> None:
        async with serving(script) as port:
            for keywords in ({"require_auth": "scram-sha-256"}, {"require_auth": "!password"}):
                with pytest.raises(ConnectError, match="asks for the password in clear"):
                    await open_session(resolve(dsn(port, **keywords)))
            with pytest.raises(ConnectError, match="channel_binding=require"):
                await open_session(resolve(dsn(port, channel_binding="require")))
            await until(lambda: len(got) == 3)
        assert got == [b""] * 3

    run_with(main())


@pytest.mark.parametrize(
    ("said", "why"),
    [(b"surprise", "answered a CancelRequest"), (b"", "not dealt with a CancelRequest in 1 s")],
)
def test_a_hostile_answer_to_a_cancel(said: bytes, why: str) -> None:
    good = says(OK, KEY, READY, stays=True)
    count: Iterator[int] = iter(range(100))

    async def script(reader: Reader, writer: Writer) -> None:
        if next(count) == 0:
            await good(reader, writer)
        else:
            await reader.readexactly(16)
            writer.write(said)
            await reader.read()

    async def main() -> None:
        async with serving(script) as port:
            session = await open_session(resolve(dsn(port, connect_timeout=1 if not said else 60)))
            with pytest.raises(ProtocolError, match=why):
                await send_cancel(session)
            session.close()

    run_with(main())


def test_questions_for_attributes_are_bounded(run: Callable[..., Any]) -> None:
    """What answers SHOW transaction_read_only is as hostile as before."""
    row = m(b"D", struct.pack("!hi", 1, 2) + b"on")
    for answer, line in (
        (m(b"D", struct.pack("!hi", 1, 1 << 30)), "whose length is none"),
        (m(b"D", struct.pack("!hi", 1, -2)), "whose length is none"),
        (m(b"D", b"\0"), "whose length is none"),
        (row * 3000, "message after message"),
        (m(b"G", b"\0\0\0"), "'G' that was not due"),
    ):

        async def script(reader: Reader, writer: Writer, answer: bytes = answer) -> None:
            await startup_message(reader)
            writer.write(OK + KEY + READY)
            await reader.readexactly(5)
            writer.write(answer)
            await reader.read()

        async def main(script: Script = script, line: str = line) -> None:
            async with serving(script) as port:
                with pytest.raises(ProtocolError, match=line):
                    await open_session(resolve(dsn(port, target_session_attrs="read-write")))

        run(main())
