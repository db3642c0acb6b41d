"""TLS: which certificate a client gets, who may connect, and what the app is told of it.

A worker loads the files as it starts, and again when they have changed: every handshake begins with the
contexts as they are then, and connections that exist keep theirs. What cannot be loaded (a certificate whose
key is not there yet) is logged, and the old goes on.

    context          the certificate of `ssl_certfile`, which begins each handshake
      sni_callback   -> another context, where the client has named a server that has a certificate of its own

Minimum TLS 1.2, no compression, no renegotiation, the server's order of ciphers; ALPN (RFC 7301) offers
`PROTOCOLS`, and `selected_protocol` is at hand as soon as a connection is made.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from fastweb.server.config import CERT_REQS, ConfigError

if TYPE_CHECKING:
    from fastweb.server.config import Config

__all__ = ["PROTOCOLS", "TLS", "describe", "selected_protocol"]

_logger = logging.getLogger("fastweb.server")

#: What is spoken, the best first (RFC 7301 section 6).
PROTOCOLS: Final = ("http/1.1",)

#: Bytes that asyncio reads from a TLS connection at once.
_BUFFER: Final = 32 * 1024

#: Seconds between two looks at the files.
_INTERVAL: Final = 1.0

_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_NUMBERS: Final = {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}

#: What certbot calls the files of a name, in the directory of that name.
_CHAIN, _KEY = "fullchain.pem", "privkey.pem"

_Times = dict[str, tuple[int, int, int] | None]


class _Context(ssl.SSLContext):
    """One certificate, and what goes for all of them."""

    certificate: str


class _PasswordNeededError(Exception):
    """A key is encrypted."""


class TLS:
    """The certificates of a server.

    Arguments:
        config: with a `ssl_certfile`.

    Raises:
        ConfigError: a file cannot be read, is not what it should be, or does not belong to the other.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._named = [_named_pair(item) for item in config.ssl_sni]
        self._timer: asyncio.TimerHandle | None = None
        self._loading: asyncio.Future[None] | None = None
        # asyncio (not uvloop) makes and touches a buffer of this size for each connection, 256 KiB otherwise:
        # a gigabyte for 4,000 of them. A TLS record has 16 KiB.
        SSLProtocol.max_size = min(SSLProtocol.max_size, _BUFFER)
        self._seen = self._loaded = self._times()
        self.context, self._by_name = self._load()

    # --- Loading ---

    def _load(self) -> tuple[_Context, dict[str, _Context]]:
        config = self._config
        assert config.ssl_certfile is not None
        default = self._context(config.ssl_certfile, config.ssl_keyfile)
        by_name = {name: self._context(chain, key) for name, chain, key in self._named}
        if by_name:
            # Of these contexts, since others may have taken their place by the time of a handshake.
            default.sni_callback = functools.partial(_switch, by_name)
        return default, by_name

    def _context(self, chain: str, key: str | None) -> _Context:
        config = self._config
        context = _Context(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[config.ssl_version]
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        context.set_alpn_protocols(list(PROTOCOLS))
        if config.ssl_ciphers is not None:
            try:
                context.set_ciphers(config.ssl_ciphers)
            except ssl.SSLError:
                raise ConfigError(f"ssl_ciphers: OpenSSL knows no {config.ssl_ciphers!r}") from None
        _load_pair(context, chain, key, config.ssl_keyfile_password)
        if config.ssl_ca_certs is not None:
            authorities = config.ssl_ca_certs
            try:
                if os.path.isdir(authorities):
                    context.load_verify_locations(capath=authorities)
                else:
                    _read(authorities, "ssl_ca_certs")
                    context.load_verify_locations(authorities)
            except ssl.SSLError as error:
                raise ConfigError(f"ssl_ca_certs: {authorities} has no certificates ({error})") from None
        context.verify_mode = ssl.VerifyMode(CERT_REQS[str(config.ssl_cert_reqs)])
        return context

    # --- Renewal ---

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, look whether the files have changed."""
        self._timer = loop.call_later(_INTERVAL, self._look, loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loading is not None:
            self._loading.cancel()

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self.watch(loop)
        seen, self._seen = self._seen, self._times()
        # Changed, and not still changing: a chain and its key are two files.
        if self._seen == seen != self._loaded and self._loading is None:
            self._loaded = seen
            # In a thread: to open an encrypted key takes a while, by design.
            self._loading = asyncio.ensure_future(self._reload(loop))

    async def _reload(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self.context, self._by_name = await loop.run_in_executor(None, self._load)
        except ConfigError as error:
            _logger.error("The new certificates cannot be loaded, the old go on: %s", error.message)
        else:
            _logger.info("The certificates have changed: new connections get the new ones")
        finally:
            self._loading = None

    def _times(self) -> _Times:
        config = self._config
        paths = [config.ssl_certfile, config.ssl_keyfile, config.ssl_ca_certs]
        for _, chain, key in self._named:
            paths += [chain, key]
        found: _Times = {}
        for path in paths:
            if path is not None:
                try:
                    status = os.stat(path)
                except OSError:
                    found[path] = None
                else:
                    found[path] = status.st_mtime_ns, status.st_size, status.st_ino
        return found


def _named_pair(item: str) -> tuple[str, str, str | None]:
    """`name=chain,key`, `name=file of both`, or `name=directory` as certbot lays one out."""
    name, _, files = item.partition("=")
    if os.path.isdir(files):
        return name.lower(), os.path.join(files, _CHAIN), os.path.join(files, _KEY)
    chain, _, key = files.partition(",")
    return name.lower(), chain, key or None


def _switch(by_name: dict[str, _Context], connection: ssl.SSLObject, name: str | None, _: object) -> None:
    """RFC 6066 section 3. A name that has no certificate gets the default one."""
    if name is not None:
        name = name.lower()
        # "*.example.org" is one label deep (RFC 9525 section 6.3).
        context = by_name.get(name) or by_name.get("*." + name.partition(".")[2])
        if context is not None:
            connection.context = context


def _read(path: str, option: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"{option}: cannot read {path}: {error.strerror}") from None


def _load_pair(context: _Context, chain: str, key: str | None, password: str | None) -> None:
    text = _read(chain, "ssl_certfile")
    key_text = _read(key, "ssl_keyfile") if key is not None else text
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise ConfigError(f"ssl_certfile: {chain} has no certificate (PEM: -----BEGIN CERTIFICATE-----)")
    if b"PRIVATE KEY-----" not in key_text:
        hint = "" if key is not None else "; name the file that has it as ssl_keyfile"
        raise ConfigError(f"ssl_keyfile: {key or chain} has no private key (PEM){hint}")

    def ask() -> str:
        # Or else OpenSSL would ask the terminal.
        if password is None:
            raise _PasswordNeededError
        return password

    try:
        context.load_cert_chain(chain, key, ask)
    except _PasswordNeededError:
        raise ConfigError(f"ssl_keyfile: {key or chain} is encrypted: give ssl_keyfile_password") from None
    except (OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise ConfigError(
                f"ssl_keyfile: the key in {key or chain} does not belong to the certificate in {chain}"
            ) from None
        if b"ENCRYPTED" in key_text:
            raise ConfigError(f"ssl_keyfile_password: it does not open {key or chain}") from None
        files = chain if key is None else f"{chain} and {key}"
        raise ConfigError(f"ssl_certfile: {files} cannot be loaded: {error}") from None
    start = text.index(b"-----BEGIN CERTIFICATE-----")
    end = text.find(b"-----END CERTIFICATE-----", start) + len(b"-----END CERTIFICATE-----")
    context.certificate = text[start:end].decode("ascii", "replace") + "\n"


# --- What a connection tells ---


def selected_protocol(transport: asyncio.BaseTransport) -> str | None:
    """What ALPN has chosen; None without TLS, or with a client that knows none."""
    connection = transport.get_extra_info("ssl_object")
    return None if connection is None else connection.selected_alpn_protocol()


def describe(transport: asyncio.BaseTransport) -> dict[str, Any] | None:
    """A connection's TLS as ASGI's TLS extension has it; None without TLS.

    Returns:
        server_cert: the certificate that was sent, PEM.
        client_cert_chain: the client's, PEM, its own first; before Python 3.13 its own alone.
        client_cert_name: its subject as RFC 4514 writes it.
        client_cert_error: None, since a handshake with a wrong one fails.
        tls_version, cipher_suite: their numbers on the wire.
    """
    connection: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if connection is None:
        return None
    context = connection.context
    chain: list[str] = []
    name = None
    certificate = connection.getpeercert(True)
    if certificate is not None:
        read_chain: Callable[[], list[bytes]] | None = getattr(connection, "get_verified_chain", None)
        links = read_chain() if read_chain is not None else [certificate]
        chain = [ssl.DER_cert_to_PEM_cert(item) for item in links]
        name = _distinguished_name((connection.getpeercert() or {}).get("subject", ()))
    cipher = connection.cipher()
    return {
        "server_cert": getattr(context, "certificate", None),
        "client_cert_chain": chain,
        "client_cert_name": name,
        "client_cert_error": None,
        "tls_version": _NUMBERS.get(connection.version() or ""),
        "cipher_suite": None if cipher is None else _suites(context).get(cipher[0]),
    }


def _suites(context: ssl.SSLContext) -> dict[str, int]:
    # OpenSSL's identifiers have the version of the protocol in front.
    return {str(item["name"]): int(item["id"]) & 0xFFFF for item in context.get_ciphers()}


#: RFC 4514 section 3, by the names that OpenSSL has for them.
_KEYWORDS: Final = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}


def _distinguished_name(subject: Any) -> str:
    """RFC 4514 section 2: the last part first, parts of one set joined by "+"."""
    return ",".join(
        "+".join(f"{_KEYWORDS.get(kind, kind)}={_escape(value)}" for kind, value in part)
        for part in reversed(subject)
    )


def _escape(value: str) -> str:
    """RFC 4514 section 2.4."""
    escaped = "".join(
        f"\\{character}" if character in '"+,;<>\\' else "\\00" if character == "\0" else character
        for character in value
    )
    if escaped[:1] in ("#", " "):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and len(value) > 1:
        escaped = escaped[:-1] + "\\ "
    return escaped
