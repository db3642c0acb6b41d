"""Opening a session: which host, which address, with or without TLS, and what to say when none of them is it.

`open_session` tries host by host and address by address until one is ready for queries and is what
`target_session_attrs` asks for. A server that refuses the user, that this client refuses, or that
breaks the protocol is the last one that is asked, as in libpq: a password is not shown around. Where nobody
answers, TLS fails, or the server closes or is starting up, the next address is tried.

Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import struct
from dataclasses import dataclass

from fastweb.postgres.addresses import Address, addresses_of, connect_socket
from fastweb.postgres.auth import AuthenticationRefused
from fastweb.postgres.channel import Channel, ClosedBefore, not_a_message
from fastweb.postgres.errors import (
    ClientConfigurationError,
    ConnectError,
    ConnectionLostError,
    PostgresError,
    PostgresLogMessage,
    ProtocolError,
    TargetServerAttributeNotMatched,
)
from fastweb.postgres.handshake import Handshake, PasswordCallError, message
from fastweb.postgres.options import Host, Options
from fastweb.postgres.tls import PLAIN, TLS, context_of, methods_of, server_name

__all__ = ["NextAddressError", "Session", "open_channel", "open_session"]

#: SSLRequest: Int32 8, Int32 80877103.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)


@dataclass(slots=True)
class Session:
    """A session that is ready for queries and that nobody reads yet.

    Attributes:
        transport: connected; `hand_over` gives it to the protocol that goes on with it.
        options: that it was opened with.
        address: where it is, for a CancelRequest and for messages.
        parameters: what the server has reported: server_version, TimeZone, in_hot_standby …
        process_id, secret_key: for a CancelRequest; the key is empty where the server gave none.
        protocol_version: `PROTOCOL_3_0` or `PROTOCOL_3_2`.
        is_encrypted: whether TLS is below it.
        notices: that came before it was ready.
    """

    transport: asyncio.Transport
    options: Options
    address: Address
    parameters: dict[str, str]
    process_id: int
    secret_key: bytes
    protocol_version: int
    is_encrypted: bool
    notices: list[PostgresLogMessage]
    channel: Channel

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Gives the transport to `protocol`: its `connection_made` is called, and `data_received` with what
        has come.

        Raises:
            ConnectionLostError: the server has closed the connection since.
        """
        if self.channel.is_closed or self.transport.is_closing():
            self.channel.close()
            raise ConnectionLostError(f"{self.address} closed the connection as soon as it was open")
        self.transport.set_protocol(protocol)
        protocol.connection_made(self.transport)
        if self.channel.buffer:
            data = bytes(self.channel.buffer)
            self.channel.buffer.clear()
            protocol.data_received(data)
        self.channel.release()

    def close(self) -> None:
        """Ends a session that was not handed over."""
        self.channel.close()


async def open_session(options: Options, loop: asyncio.AbstractEventLoop | None = None) -> Session:
    """Opens a session with the first of the servers that will do.

    Raises:
        PostgresError: the server refused: InvalidPasswordError, InvalidCatalogNameError (a database that is
        not
            there), TooManyConnectionsError …
        ConnectError: no server could be reached, or none of them would do.
        ClientConfigurationError: a file of the options is wrong.
        ProtocolError: what answered does not keep to the protocol.
        Exception: what `password` calls has raised it.
    """
    if loop is None:
        loop = asyncio.get_running_loop()
    hosts = list(options.hosts)
    if options.load_balance_hosts == "random":
        random.shuffle(hosts)
    wanted = options.target_session_attrs
    # Of prefer-standby a second round takes what there is.
    rounds = ("standby", "any") if wanted == "prefer-standby" else (wanted,)
    failures: list[Exception] = []
    for attributes in rounds:
        failures = []
        for host in hosts:
            try:
                session = await _try_host(host, options, attributes, loop, failures)
            except PasswordCallError as failed:
                raise failed.error from failed.error.__cause__
            if session is not None:
                return session
    raise _summary(failures)


async def _try_host(
    host: Host, options: Options, attributes: str, loop: asyncio.AbstractEventLoop, failures: list[Exception]
) -> Session | None:
    """A session with one of the host's addresses; or None, and why not is put to `failures`."""
    try:
        addresses = await addresses_of(host, options, loop)
    except TimeoutError:
        failures.append(
            ConnectError(f"{_place(host, options)}: its name was not found in {options.connect_timeout:g} s")
        )
        return None
    except OSError as error:
        reason = error.strerror or str(error)
        failures.append(
            ConnectError(f"{_place(host, options)}: the host is not known: {_line(reason)}; check host")
        )
        return None
    for address in addresses:
        methods = methods_of(options, is_unix=address.is_unix)
        for number, method in enumerate(methods):
            try:
                async with asyncio.timeout(options.connect_timeout):
                    return await _attempt(address, method, options, attributes, loop)
            except PostgresError as error:
                _explain(error, address, options)
                if error.sqlstate == "57P03":
                    failures.append(error)
                    # Starting up, shutting down or recovering: so it is at its other addresses.
                    return None
                if error.sqlstate == "28000" and number + 1 < len(methods):
                    # pg_hba.conf may have a line for the other way.
                    failures.append(error)
                    continue
                if error.sqlstate == "28000" and number and isinstance(failures[-1], PostgresError):
                    # Both ways were refused: the way that was tried first is the one that was meant.
                    raise failures[-1] from None
                raise
            except TargetServerAttributeNotMatched as error:
                failures.append(error)
                return None
            except NextAddressError as error:
                failures.append(error.failure)
                if not error.may_fall_back:
                    break
            except TimeoutError:
                failures.append(
                    ConnectError(
                        f"{_place(address, options)}: no answer in {options.connect_timeout:g} s; is the"
                        " server reachable, and is it PostgreSQL (connect_timeout=)?"
                    )
                )
                break
    return None


class NextAddressError(Exception):
    """An address that will not do.

    Arguments:
        failure: what to say, if none does.
        may_fall_back: whether the other way, with TLS or without, may do.
    """

    def __init__(self, failure: Exception, *, may_fall_back: bool = False) -> None:
        super().__init__(failure)
        self.failure = failure
        self.may_fall_back = may_fall_back


async def open_channel(
    address: Address, method: str, options: Options, loop: asyncio.AbstractEventLoop
) -> tuple[Channel, bytes | None]:
    """A connected channel, and the server's certificate in DER where TLS is below it.

    Raises:
        NextAddressError: it cannot be had.
    """
    place = _place(address, options)
    context = context_of(options) if method == TLS else None
    name = server_name(options, address.host.host) if context is not None else None
    if context is not None and context is options.ssl and name is None:
        name = address.host.hostaddr or None
    try:
        sock = await connect_socket(address, options, loop)
    except OSError as error:
        raise NextAddressError(ConnectError(f"{place}: {_refusal(error, address)}")) from error
    try:
        if address.is_unix:
            _, channel = await loop.create_unix_connection(lambda: Channel(loop), sock=sock)
        else:
            _, channel = await loop.create_connection(lambda: Channel(loop), sock=sock)
    except BaseException:
        with contextlib.suppress(OSError):  # uvloop up to 0.21 has closed it.
            sock.close()
        raise
    if context is None:
        return channel, None
    try:
        if options.sslnegotiation == "postgres" and not await _agree(channel, place, method, options):
            return channel, None
        try:
            tls = await channel.start_tls(context, name)
        except (OSError, ValueError) as error:
            raise NextAddressError(
                ConnectError(f"{place}: TLS: {_tls_refusal(error, options)}"), may_fall_back=True
            ) from error
        if options.sslnegotiation == "direct" and tls.selected_alpn_protocol() != "postgresql":
            raise NextAddressError(
                ConnectError(
                    f"{place}: sslnegotiation=direct, and the server did not agree to ALPN's postgresql: it"
                    " is older than PostgreSQL 17, or what is there is something else"
                )
            )
        return channel, tls.getpeercert(binary_form=True) or b""
    except BaseException as error:
        channel.close()
        if isinstance(error, ClosedBefore):
            raise NextAddressError(
                ConnectError(f"{place}: the server closed the connection when it was asked for TLS"),
                may_fall_back=True,
            ) from error
        raise


async def _agree(channel: Channel, place: str, method: str, options: Options) -> bool:
    """SSLRequest: the server says S or N, one byte; whether TLS may begin."""
    channel.write(SSL_REQUEST)
    answer = await channel.read_byte()
    if answer == 83:  # S
        return True
    if answer == 78:  # N
        if PLAIN in methods_of(options, is_unix=False) and options.sslmode == "prefer":
            if channel.buffer:
                raise ProtocolError(f"{place}: the server sent more than its answer to an SSLRequest")
            return False
        raise NextAddressError(
            ConnectError(f"{place}: the server has no TLS (ssl=off), and sslmode is {options.sslmode}")
        )
    if answer == 69:  # E
        # What it says was not encrypted and is nobody's: it is not shown (CVE-2024-10977).
        raise NextAddressError(
            ConnectError(
                f"{place}: the server answered an SSLRequest with an error: it has no room, or no TLS"
            ),
            may_fall_back=True,
        )
    raise ProtocolError(f"{place}: {not_a_message(bytes((answer,)) + bytes(channel.buffer[:80]))}")


async def _attempt(
    address: Address, method: str, options: Options, attributes: str, loop: asyncio.AbstractEventLoop
) -> Session:
    place = _place(address, options)
    channel, certificate = await open_channel(address, method, options, loop)
    handshake = Handshake(channel, options, address.host, certificate)
    try:
        try:
            facts = await handshake.run()
            if attributes != "any":
                await _check_attributes(handshake, attributes, place)
        except ClosedBefore as error:
            raise NextAddressError(
                ConnectError(
                    f"{place}: the server closed the connection before the session began; its log may say why"
                ),
                may_fall_back=True,
            ) from error
        except AuthenticationRefused as error:
            raise ConnectError(f"{place}: {error}") from error
        except ProtocolError as error:
            raise ProtocolError(f"{place}: {error}") from error
        except OSError as error:
            if isinstance(error, TimeoutError | ConnectError):
                raise
            raise NextAddressError(ConnectError(f"{place}: {_line(str(error))}")) from error
        except PostgresError as error:
            if error.sqlstate == "28P01" and handshake.password_source:
                error.hint = error.hint or f"the password was taken from {handshake.password_source}"
            raise
    except BaseException:
        channel.close()
        raise
    return Session(
        transport=channel.transport,
        options=options,
        address=address,
        parameters=facts.parameters,
        process_id=facts.process_id,
        secret_key=facts.secret_key,
        protocol_version=facts.protocol_version,
        is_encrypted=certificate is not None,
        notices=facts.notices,
        channel=channel,
    )


async def _check_attributes(handshake: Handshake, attributes: str, place: str) -> None:
    """Whether the session is what target_session_attrs asks for.

    Servers from 14 on report in_hot_standby and default_transaction_read_only; older ones are asked.

    Raises:
        TargetServerAttributeNotMatched: it is not.
    """
    parameters = handshake.facts.parameters
    standby, read_only = parameters.get("in_hot_standby"), parameters.get("default_transaction_read_only")
    if attributes in ("read-write", "read-only"):
        if standby is None or read_only is None:
            answer = await handshake.query("SHOW transaction_read_only")
            is_read_only = answer == b"on"
        else:
            is_read_only = "on" in (standby, read_only)
        matches = is_read_only == (attributes == "read-only")
        found = "read-only" if is_read_only else "read-write"
    else:
        if standby is None:
            standby = "on" if await handshake.query("SELECT pg_is_in_recovery()") == b"t" else "off"
        matches = (standby == "on") == (attributes == "standby")
        found = "a standby" if standby == "on" else "no standby"
    if not matches:
        # Terminate: the server's log has no lost connection of it.
        handshake.channel.write(message(b"X", b""))
        handshake.channel.transport.close()
        raise TargetServerAttributeNotMatched(
            f"{place}: the session is {found} (target_session_attrs={attributes})"
        )


# --- what is said
# ------------------------------------------------------------------------------------------------

#: SQLSTATE -> what to do about it.
ADVICE = {
    "28P01": "check user and password",
    "28000": "check user, and the server's pg_hba.conf",
    "3D000": "create it (createdb), or name another (dbname=)",
    "53300": "close what is idle, have smaller pools or a pooler, or raise max_connections",
    "57P03": "try again in a while",
    "42501": "grant CONNECT on the database to the user",
    "0A000": "the server may be too old, or a pooler that does not know a parameter of the session",
    "08P01": "the server, or a pooler, does not know a parameter of the session, or max_protocol_version",
}


def _place(address: Address | Host, options: Options) -> str:
    return f"{address}, user {options.user!r}, database {options.database!r}"


def _line(text: str) -> str:
    """A text of somebody else's, as a part of one line: no control characters, and not long."""
    return "".join(char if char.isprintable() else " " for char in text)[:500].strip()


def _explain(error: PostgresError, address: Address, options: Options) -> None:
    """Puts where it happened and what to do to what the server said."""
    advice = ADVICE.get(error.sqlstate or "")
    text = f"{_place(address, options)}: {_line(error.message or '')}"
    error.args = (f"{text}; {advice}" if advice else text,)
    error.detail = error.detail and _line(error.detail)
    error.hint = error.hint and _line(error.hint)


def _refusal(error: OSError, address: Address) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; is the server running, and does it listen there?"
    if isinstance(error, FileNotFoundError) and address.is_unix:
        return "there is no such socket; is the server running, and is it there that it listens?"
    return _line(error.strerror or str(error))


def _tls_refusal(error: Exception, options: Options) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate is refused: {_line(error.verify_message)} (sslmode={options.sslmode})"
        )
    if isinstance(error, ssl.SSLError):
        return f"the handshake failed: {_line(error.reason or str(error))}"
    return _line(str(error)) or "the server closed the connection during the handshake"


def _summary(failures: list[Exception]) -> Exception:
    """What is raised when every address has failed: the one failure, or a line for each of them."""
    if not failures:
        return ClientConfigurationError("there is no host to connect to")
    if len(failures) == 1 or all(
        isinstance(each, PostgresError) and type(each) is type(failures[0]) for each in failures
    ):
        return failures[0]
    cls = ConnectError
    if all(isinstance(each, TargetServerAttributeNotMatched) for each in failures):
        cls = TargetServerAttributeNotMatched
    lines = dict.fromkeys(str(each.args[0] if each.args else each) for each in failures)
    return cls("\n".join(lines), tuple(failures))
