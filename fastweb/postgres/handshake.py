"""From a connected channel to ReadyForQuery: StartupMessage, authentication, the session's first facts.

    client                          server
    StartupMessage
                                    [NegotiateProtocolVersion]
                                    Authentication…            (an answer to each, until AuthenticationOk)
                                    ParameterStatus…, BackendKeyData, ReadyForQuery

An ErrorResponse may come at any time, and ends it; so may a NoticeResponse. Everything else is refused, and
so is an
AuthenticationOk before what the options ask for has happened: a server that is not the right one would say
just that.

Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
"""

from __future__ import annotations

import asyncio
import inspect
import struct
from dataclasses import dataclass, field

from fastweb.postgres import auth, passfile
from fastweb.postgres.auth import AuthenticationRefused, Scram
from fastweb.postgres.channel import Channel
from fastweb.postgres.errors import (
    ClientConfigurationError,
    PostgresLogMessage,
    ProtocolError,
    error_of,
    fields_of,
    notice_of,
)
from fastweb.postgres.options import PROTOCOL_3_0, PROTOCOL_3_2, Host, Options

__all__ = ["Facts", "Handshake", "PasswordCallError", "startup_message"]

_INT32 = struct.Struct("!i")

#: Iterations of SCRAM from which on the key is worked out in a thread: about 3 ms.
IN_THREAD = 10_000


@dataclass(slots=True)
class Facts:
    """What the server has said about the session.

    Attributes:
        parameters: ParameterStatus: server_version, TimeZone, in_hot_standby …
        process_id, secret_key: BackendKeyData, for a CancelRequest. The key is empty where none came.
        protocol_version: as a StartupMessage has it.
        notices: the first of those that came.
    """

    parameters: dict[str, str] = field(default_factory=dict)
    process_id: int = 0
    secret_key: bytes = b""
    protocol_version: int = PROTOCOL_3_0
    notices: list[PostgresLogMessage] = field(default_factory=list)


def startup_message(options: Options) -> bytes:
    """StartupMessage: Int32 length, Int32 protocol version, then name and value of each parameter, a NUL at
    the end.

    Raises:
        ClientConfigurationError: a NUL in one of them.
    """
    parameters = {"user": options.user, "database": options.database}
    if options.application_name:
        parameters["application_name"] = options.application_name
    if options.options:
        parameters["options"] = options.options
    parameters |= dict(options.server_settings)
    parameters["client_encoding"] = "UTF8"
    body = bytearray(_INT32.pack(options.max_protocol_version))
    for name, value in parameters.items():
        if "\0" in name or "\0" in value:
            raise ClientConfigurationError(f"a parameter of the connection has a NUL in it: {name!r}")
        try:
            body += name.encode() + b"\0" + value.encode() + b"\0"
        except UnicodeEncodeError:
            raise ClientConfigurationError(f"a parameter of the connection is not UTF-8: {name!r}") from None
    body += b"\0"
    # MAX_STARTUP_PACKET_LENGTH: a server cuts the connection and does not say why.
    if len(body) + 4 > 10_000:
        raise ClientConfigurationError(
            "user, database, options and server_settings are longer than 10,000 bytes"
        )
    return _INT32.pack(len(body) + 4) + body


def message(kind: bytes, body: bytes) -> bytes:
    """Byte1 kind, Int32 length, body."""
    return kind + _INT32.pack(len(body) + 4) + body


class PasswordCallError(Exception):
    """What `password=` calls has failed; `error` is its own, which is the caller's to see."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class Handshake:
    """One conversation with one server.

    Arguments:
        channel: connected, with TLS below it where there is any.
        host: that the options name, for the password file.
        certificate: the server's, in DER, where there is TLS.
    """

    def __init__(self, channel: Channel, options: Options, host: Host, certificate: bytes | None) -> None:
        self.channel = channel
        self.options = options
        self.host = host
        self.certificate = certificate
        self.facts = Facts(protocol_version=options.max_protocol_version)
        self.scram: Scram | None = None
        #: What the server asked for, by require_auth's names; None: nothing yet.
        self.method: str | None = None
        #: Where the password came from, for the error.
        self.password_source = ""

    async def run(self) -> Facts:
        """Until ReadyForQuery.

        Raises:
            PostgresError: the server refused.
            AuthenticationRefused: the client refused.
            ProtocolError, ClosedBefore: what the channel says.
        """
        self.channel.write(startup_message(self.options))
        await self.authenticate()
        facts = self.facts
        while True:
            kind, body = await self.read()
            if kind == 83:  # S ParameterStatus: String name, String value
                name, _, value = body.partition(b"\0")
                if body.count(0) != 2 or not body.endswith(b"\0"):
                    raise ProtocolError("a ParameterStatus that is not two strings")
                facts.parameters[name.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "replace")
            elif kind == 75:  # K BackendKeyData: Int32 process, then the key: 4 bytes, of 3.2 up to 256
                most = 256 if facts.protocol_version >= PROTOCOL_3_2 else 4
                if not 8 <= len(body) <= 4 + most:
                    raise ProtocolError("a BackendKeyData whose key is too short or too long")
                facts.process_id = _INT32.unpack_from(body)[0]
                facts.secret_key = body[4:]
            elif kind == 90:  # Z ReadyForQuery: Byte1 status
                if body != b"I":
                    raise ProtocolError("a session that begins within a transaction")
                break
            else:
                raise unexpected(kind)
        encoding = facts.parameters.get("client_encoding", "UTF8")
        if encoding.replace("-", "").upper() not in ("UTF8", "UNICODE"):
            raise ProtocolError(f"the server speaks {encoding}, though the session was begun with UTF8")
        return facts

    async def read(self) -> tuple[int, bytes]:
        """The next message that is no notice; an ErrorResponse is raised."""
        while True:
            kind, body = await self.channel.read_message()
            if kind == 69:  # E ErrorResponse
                raise error_of(fields_of(body))
            if kind != 78:  # N NoticeResponse
                return kind, body
            if len(self.facts.notices) < self.options.notices:
                self.facts.notices.append(notice_of(fields_of(body)))

    async def query(self, sql: str) -> bytes:
        """The first column of the only row that a simple Query answers; empty for NULL."""
        self.channel.write(message(b"Q", sql.encode() + b"\0"))
        found = b""
        while True:
            kind, body = await self.read()
            if kind == 68:  # D DataRow: Int16 columns, of each Int32 length and its bytes
                size = _INT32.unpack_from(body, 2)[0] if len(body) >= 6 else -2
                if not -1 <= size <= len(body) - 6:
                    raise ProtocolError("a DataRow whose length is none")
                found = body[6 : 6 + max(size, 0)]
            elif kind == 83:
                name, _, value = body.partition(b"\0")
                self.facts.parameters[name.decode("utf-8", "replace")] = value[:-1].decode("utf-8", "replace")
            elif kind == 90:
                return found
            elif kind not in (84, 67):  # T RowDescription, C CommandComplete
                raise unexpected(kind)

    # --- authentication
    # -----------------------------------------------------------------------------------------

    async def authenticate(self) -> None:
        """Answers each Authentication message, until AuthenticationOk."""
        negotiated = False
        while True:
            kind, body = await self.read()
            if kind == 118 and not negotiated and self.method is None:  # v NegotiateProtocolVersion
                negotiated = True
                self.negotiate(body)
                continue
            if kind != 82:  # R Authentication
                raise unexpected(kind)
            if len(body) < 4:
                raise ProtocolError("an Authentication message without its code")
            code, rest = _INT32.unpack_from(body)[0], body[4:]
            if code == auth.OK:
                self.check_ok()
                return
            if code in (auth.SASL_CONTINUE, auth.SASL_FINAL):
                await self.go_on(code, rest)
                continue
            if self.method is not None:
                raise ProtocolError("the server asks for a second authentication")
            self.method = auth.AUTHENTICATION.get(code, f"method {code}")
            if code == auth.SASL:
                await self.begin_scram(rest)
            elif code in (auth.CLEARTEXT, auth.MD5):
                await self.answer_password(code, rest)
            else:
                raise AuthenticationRefused(
                    f"the server asks for {self.method} authentication, which this client does not know; in"
                    " the server's pg_hba.conf, scram-sha-256 is one that it does"
                )

    def negotiate(self, body: bytes) -> None:
        """NegotiateProtocolVersion: Int32 version, Int32 count, and the names of unknown parameters."""
        if len(body) < 8:
            raise ProtocolError("a NegotiateProtocolVersion that is too short")
        version, count = struct.unpack_from("!ii", body)
        options = self.options
        if not 0 <= count <= 100 or body.count(0, 8) != count or (count == 0 and len(body) != 8):
            raise ProtocolError("a NegotiateProtocolVersion whose count is not that of its parameters")
        # Of our parameters none begins with _pq_., which is what may be unknown.
        if count or version >= options.max_protocol_version or version >> 16 != 3:
            raise ProtocolError("a NegotiateProtocolVersion that answers what was not asked")
        if version < options.min_protocol_version:
            raise AuthenticationRefused(
                f"the server speaks version 3.{version & 0xFFFF} of the protocol at most, and"
                f" min_protocol_version is 3.{options.min_protocol_version & 0xFFFF}"
            )
        self.facts.protocol_version = version

    def check_ok(self) -> None:
        """AuthenticationOk: has what must happen happened?"""
        options = self.options
        if self.scram is not None and not self.scram.done:
            raise AuthenticationRefused(
                "the server let the client in before it showed that it knows the password; it is not the"
                " server that it says it is"
            )
        if self.method is None:
            self.check_allowed("none", "asks for no authentication")
        if options.channel_binding == "require" and (
            self.scram is None or self.scram.mechanism != "SCRAM-SHA-256-PLUS"
        ):
            raise AuthenticationRefused(
                "channel_binding=require, and the server let the client in without SCRAM-SHA-256-PLUS"
            )

    def check_allowed(self, method: str, does: str) -> None:
        allowed = self.options.require_auth
        if allowed and method not in allowed:
            raise AuthenticationRefused(
                f"the server {does}, and require_auth is {', '.join(sorted(allowed))}: nothing was sent to it"
            )

    async def password(self) -> str:
        """The password, from where it is found first.

        Raises:
            AuthenticationRefused: there is none.
        """
        options = self.options
        found = options.password
        if callable(found):
            self.password_source = "what password= calls"
            try:
                answer = found()
                found = await answer if inspect.isawaitable(answer) else answer
            except Exception as error:
                raise PasswordCallError(error) from error
            if not isinstance(found, str):
                raise ClientConfigurationError(
                    f"password: a str was expected from what it calls, not {type(found).__name__}"
                )
        elif not found and options.passfile:
            self.password_source = options.passfile
            name = self.host.host or self.host.hostaddr or "localhost"
            found = passfile.password_of(
                options.passfile, name, self.host.port, options.database, options.user
            )
        if not found:
            raise AuthenticationRefused(
                "the server asks for a password, and there is none: password=, PGPASSWORD, or a line of"
                f" {options.passfile or 'a password file'}"
            )
        if "\0" in found:
            raise ClientConfigurationError("the password has a NUL in it")
        return found

    async def answer_password(self, code: int, rest: bytes) -> None:
        """AuthenticationCleartextPassword, AuthenticationMD5Password (4 bytes of salt): PasswordMessage."""
        options = self.options
        if options.channel_binding == "require":
            raise AuthenticationRefused(
                f"channel_binding=require, and the server asks for {self.method} authentication"
            )
        if code == auth.CLEARTEXT:
            self.check_allowed("password", "asks for the password in clear")
            answer = (await self.password()).encode("utf-8", "surrogateescape")
        else:
            self.check_allowed("md5", "asks for MD5 authentication")
            if len(rest) != 4:
                raise ProtocolError("an AuthenticationMD5Password whose salt is not 4 bytes")
            answer = auth.md5_answer(options.user, await self.password(), rest)
        self.channel.write(message(b"p", answer + b"\0"))

    async def begin_scram(self, rest: bytes) -> None:
        """AuthenticationSASL: the names of mechanisms, a NUL behind each and one more at the end."""
        options = self.options
        offered = rest.split(b"\0")
        if not rest.endswith(b"\0\0") or offered[-2:] != [b"", b""]:
            raise ProtocolError("an AuthenticationSASL whose list does not end")
        if b"SCRAM-SHA-256" not in offered and b"SCRAM-SHA-256-PLUS" not in offered:
            names = ", ".join(name.decode("ascii", "replace") for name in offered[:-2])[:100]
            raise AuthenticationRefused(
                f"the server asks for {names or 'no mechanism'}, of which this client knows none; in the"
                " server's pg_hba.conf, scram-sha-256 is one that it does"
            )
        self.check_allowed("scram-sha-256", "asks for SCRAM-SHA-256 authentication")
        binding = self.binding(offered)
        keys = {"client_key": options.scram_client_key, "server_key": options.scram_server_key}
        has_keys = all(keys.values())
        self.scram = scram = Scram(
            "" if has_keys else await self.password(),
            binding,
            could_bind=self.certificate is not None
            and options.channel_binding != "disable"
            and b"SCRAM-SHA-256-PLUS" not in offered,
            most=options.scram_iterations,
            client_key=keys["client_key"] if has_keys else b"",
            server_key=keys["server_key"] if has_keys else b"",
        )
        # SASLInitialResponse: String mechanism, Int32 length, the client's first message
        first = scram.first()
        self.channel.write(message(b"p", scram.mechanism.encode() + b"\0" + _INT32.pack(len(first)) + first))

    def binding(self, offered: list[bytes]) -> bytes:
        """The channel binding, where it is wanted, offered, and the certificate has one."""
        options = self.options
        found = b""
        if options.channel_binding != "disable" and b"SCRAM-SHA-256-PLUS" in offered:
            if self.certificate is None:
                # No server offers it in clear: somebody passes on what was encrypted to him.
                raise AuthenticationRefused(
                    "the server offers SCRAM-SHA-256-PLUS on a connection without TLS"
                )
            found = auth.certificate_hash(self.certificate)
        if not found:
            if options.channel_binding == "require":
                why = (
                    "there is no TLS"
                    if self.certificate is None
                    else (
                        "the server offers no SCRAM-SHA-256-PLUS"
                        if b"SCRAM-SHA-256-PLUS" not in offered
                        else "the server's certificate is signed in a way for which none is defined"
                    )
                )
                raise AuthenticationRefused(f"channel_binding=require, and {why}")
            if b"SCRAM-SHA-256" not in offered:
                raise AuthenticationRefused(
                    "the server asks for SCRAM-SHA-256-PLUS alone, which is disabled, or not possible"
                )
        return found

    async def go_on(self, code: int, rest: bytes) -> None:
        """AuthenticationSASLContinue and AuthenticationSASLFinal."""
        scram = self.scram
        if scram is None or scram.done:
            raise ProtocolError("a message of SCRAM when none was due")
        if code == auth.SASL_FINAL:
            if not scram.iterations:
                raise ProtocolError("the last message of SCRAM before the first")
            scram.read_final(rest)
            if not self.options.scram_client_key:
                auth.keep_keys(self.options.cache, scram)
            return
        if scram.iterations:
            raise ProtocolError("the first message of SCRAM twice")
        scram.read_first(rest)
        if not auth.kept_keys(self.options.cache, scram):
            if scram.iterations > IN_THREAD:
                await asyncio.get_running_loop().run_in_executor(None, scram.make_keys)
            else:
                scram.make_keys()
        self.channel.write(message(b"p", scram.final()))


def unexpected(kind: int) -> ProtocolError:
    return ProtocolError(f"a message {chr(kind)!r} that was not due while the session was being opened")
