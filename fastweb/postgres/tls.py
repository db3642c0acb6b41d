"""The TLS context of a connection, out of libpq's ssl* parameters.

    sslmode       encrypted           the certificate is checked
    disable       no                  -
    allow         if the server must  no
    prefer        if the server can   no
    require       yes                 only where there is a root certificate: as verify-ca
    verify-ca     yes                 its chain
    verify-full   yes                 its chain, and that it is for this host

A context is made once for the options, and again when one of its files has changed: a certificate that was
renewed needs no restart.

Source: https://www.postgresql.org/docs/current/libpq-ssl.html
"""

from __future__ import annotations

import os
import ssl
import stat
import sys

from fastweb.postgres.errors import ClientConfigurationError
from fastweb.postgres.options import Options

__all__ = ["PLAIN", "TLS", "context_of", "methods_of", "server_name"]

#: How a connection is tried.
PLAIN, TLS = "plain", "tls"

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def methods_of(options: Options, *, is_unix: bool) -> tuple[str, ...]:
    """How a connection is tried, one after the other. A Unix socket has no TLS, whatever sslmode says."""
    if is_unix or options.sslmode == "disable":
        return (PLAIN,)
    if options.sslmode == "allow":
        return (PLAIN, TLS)
    if options.sslmode == "prefer":
        return (TLS, PLAIN)
    return (TLS,)


def server_name(options: Options, host: str) -> str | None:
    """The name that the certificate must be for and that is sent; None for neither."""
    if options.sslmode == "verify-full" and not host:
        raise ClientConfigurationError(
            "sslmode=verify-full needs host, the name to check; hostaddr may go with it"
        )
    return host or None if options.sslsni else None


class _Files:
    """The files that the options name, or that are where libpq looks for them."""

    def __init__(self, options: Options) -> None:
        def find(said: str, name: str) -> str:
            if said:
                return said
            path = f"{options.home}/.postgresql/{name}" if options.home else ""
            return path if path and os.path.exists(path) else ""

        self.root = find(options.sslrootcert, "root.crt")
        self.crl = find(options.sslcrl, "root.crl") if self.root else options.sslcrl
        self.certificate = self.key = ""
        if options.sslcertmode != "disable":
            self.certificate = find(options.sslcert, "postgresql.crt")
            self.key = find(options.sslkey, "postgresql.key") if self.certificate else ""

    def stamps(self) -> tuple[object, ...]:
        """What tells that a file has changed."""
        found: list[object] = []
        for path in (self.root, self.crl, self.certificate, self.key):
            try:
                state = os.stat(path) if path and path != "system" else None
            except OSError:
                state = None
            found.append((path, state and (state.st_mtime_ns, state.st_size, state.st_ino)))
        return tuple(found)


def context_of(options: Options) -> ssl.SSLContext:
    """The context that the options ask for.

    Raises:
        ClientConfigurationError: a file is missing, cannot be read, or is not what it should be.
    """
    if options.ssl is not None:
        return options.ssl
    files = _Files(options)
    stamps = files.stamps()
    kept = options.cache.get("tls")
    if kept is not None and kept[0] == stamps:
        context: ssl.SSLContext = kept[1]
        return context
    context = _make(options, files)
    options.cache["tls"] = (stamps, context)
    return context


def _make(options: Options, files: _Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    mode = options.sslmode
    context.check_hostname = mode == "verify-full"
    context.minimum_version = _VERSIONS.get(options.ssl_min_protocol_version, ssl.TLSVersion.TLSv1_2)
    if options.ssl_max_protocol_version:
        context.maximum_version = _VERSIONS[options.ssl_max_protocol_version]
    # A server that knows no ALPN ignores it; a direct one must answer it.
    context.set_alpn_protocols(["postgresql"])
    if mode.startswith("verify") and not files.root:
        raise ClientConfigurationError(
            f"sslmode={mode} needs root certificates: sslrootcert=FILE, sslrootcert=system, or"
            f" {options.home}/.postgresql/root.crt"
        )
    if files.root and mode in ("require", "verify-ca", "verify-full"):
        context.verify_mode = ssl.CERT_REQUIRED
        if files.root == "system":
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            _load("sslrootcert", files.root, context.load_verify_locations)
        if files.crl or options.sslcrldir:
            if files.crl:
                _load("sslcrl", files.crl, context.load_verify_locations)
            if options.sslcrldir:
                _load("sslcrldir", options.sslcrldir, lambda path: context.load_verify_locations(capath=path))
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    else:
        context.verify_mode = ssl.CERT_NONE
        if (
            options.sslrootcert
            and options.sslrootcert != "system"
            and not os.path.exists(options.sslrootcert)
        ):
            raise ClientConfigurationError(f"sslrootcert: {options.sslrootcert!r} is not there")
    if files.certificate:
        _load_certificate(context, options, files)
    if options.sslkeylogfile:
        try:
            context.keylog_filename = options.sslkeylogfile
        except OSError as error:
            raise ClientConfigurationError(f"sslkeylogfile: {error}") from error
    return context


def _load_certificate(context: ssl.SSLContext, options: Options, files: _Files) -> None:
    if not files.key:
        raise ClientConfigurationError(f"there is a certificate, {files.certificate}, and no key: sslkey=")
    try:
        state = os.stat(files.key)
    except OSError as error:
        raise ClientConfigurationError(f"sslkey: {files.key!r}: {error.strerror}") from error
    if sys.platform != "win32":
        # What libpq asks: the owner's alone, or root's with no more than its group reading it.
        allowed = 0o640 if state.st_uid == 0 else 0o600
        if not stat.S_ISREG(state.st_mode) or stat.S_IMODE(state.st_mode) & 0o177 & ~allowed:
            raise ClientConfigurationError(
                f"sslkey: {files.key!r} must be a file of mode {allowed:o} or less"
            )
    # OpenSSL would ask for a passphrase on the terminal where no password is given.
    load = lambda path: context.load_cert_chain(path, files.key, password=lambda: options.sslpassword)  # noqa: E731
    _load("sslcert, sslkey or sslpassword", files.certificate, load)


def _load(name: str, path: str, load: object) -> None:
    try:
        load(path)  # type: ignore[operator]
    except ssl.SSLError as error:
        raise ClientConfigurationError(
            f"{name}: {path!r} is not what it should be: {error.reason or error}"
        ) from error
    except (OSError, ValueError) as error:
        raise ClientConfigurationError(
            f"{name}: {path!r}: {getattr(error, 'strerror', None) or error}"
        ) from error
