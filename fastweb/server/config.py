"""What a server is told: the app, where it listens, how many processes, which bounds. And what it says when
it cannot start."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

from fastweb.limits import Limits
from fastweb.server.addresses import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    Address,
    InheritedAddress,
    TCPAddress,
    UnixAddress,
    parse,
)

if TYPE_CHECKING:
    from fastweb.server.proxy import Proxies

__all__ = [
    "CERT_REQS",
    "INTERFACES",
    "LIFESPANS",
    "LOG_LEVELS",
    "LOOPS",
    "STARTUP_FAILED",
    "TLS_VERSIONS",
    "Config",
    "ConfigError",
    "StartupError",
    "banner",
    "configure_logging",
    "option_name",
    "report",
]

LOG_LEVELS = ("critical", "error", "warning", "info", "debug")
LOOPS = ("auto", "uvloop", "asyncio")
INTERFACES = ("auto", "fastweb", "asgi", "wsgi")
LIFESPANS = ("auto", "on", "off")
TLS_VERSIONS = ("TLSv1.2", "TLSv1.3")
#: What is asked of clients, in words and as `ssl.VerifyMode` has it.
CERT_REQS = {"none": 0, "optional": 1, "required": 2, "0": 0, "1": 1, "2": 2}

#: Exit code when the app's own start-up fails: its lifespan, or a start-up task.
STARTUP_FAILED = 3


class StartupError(Exception):
    """The server cannot start, or not go on, for a reason outside its own code.

    Arguments:
        message: one line, what is wrong and what to do.
        exit_code: of the process: 1 at run time, 2 a wrong argument, 3 the app's start-up failed.
        details: more to show above the line, such as the traceback of the user's own error.
    """

    exit_code = 1

    def __init__(self, message: str, *, exit_code: int | None = None, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if exit_code is not None:
            self.exit_code = exit_code


class ConfigError(StartupError, ValueError):
    """An option has a value that it cannot have."""

    exit_code = 2


def option_name(limit: str) -> str:
    """The option that sets a field of `Limits`: `body_timeout` is `timeout_body`, `head_size` is
    `limit_head_size`."""
    stem = limit.removesuffix("_timeout")
    return f"limit_{limit}" if stem == limit else f"timeout_{stem}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that a server is told. It can be sent to another process as JSON, unless `app` is an object.

    Arguments:
        app: "module:attribute", "module", "path/of/file.py", "path/of/file.py:attribute", or the app itself.
        factory: `app` is a function that makes the app.
        interface: what the app speaks, one of `INTERFACES`; "auto" looks at it.
        lifespan: of an ASGI app: "on": it must start up without an error; "off": it has none; "auto": an
            exception means that it has none.
        root_path: the path that a proxy takes away before a request comes here; SCRIPT_NAME of a WSGI app.
        threads: in which each worker runs a WSGI app.
        app_dir: the directory to import from, put first on `sys.path`; None leaves the path alone.
        script: the file that ran as `__main__`, to be run again as `__mp_main__`, where `app` then is.
        bind: addresses to listen on, such as "127.0.0.1:8000", "[::1]:8000", ":8000", "unix:/run/web.sock",
            "fd://3" (`fastweb.server.addresses`), beside the one that host and port, uds or fd give. With
            none of all these: the sockets that systemd or gunicorn has handed over, else 127.0.0.1:8000.
        host: a name or an address; "localhost" is all of its addresses, "" every address of the machine. By
            default, where a port is given, 127.0.0.1.
        port: of TCP; 0 takes a free one. By default, where a host is given, 8000.
        uds: the path of a Unix socket to listen on, instead of host and port.
        uds_permissions: the mode of that socket's file. Who may write to it may connect.
        fd: a listening socket that this process was started with, instead of host and port.
        backlog: connections that may wait to be accepted.
        ssl_certfile: serve TLS with this certificate: a PEM file, with its chain.
        ssl_keyfile: its private key, a PEM file; by default in the same file.
        ssl_keyfile_password: opens the keys that are encrypted.
        ssl_version: the oldest version that is spoken, "TLSv1.2" or "TLSv1.3".
        ssl_ciphers: those of TLS 1.2, as OpenSSL writes them; by default Python's choice.
        ssl_ca_certs: whose client certificates are accepted: a PEM file or a directory of OpenSSL's.
        ssl_cert_reqs: whether clients must have one: "none", "optional" or "required" (or 0, 1, 2 as ssl has
            them).
        ssl_sni: certificates for names of servers: "name=chain.pem,key.pem", "name=directory" with
            fullchain.pem and privkey.pem; a name may be "*.example.org".
        proxy_protocol: connections of listed proxies begin with a header of the PROXY protocol.
        proxy_headers: believe listed proxies what they say of the client and of its scheme.
        forwarded_allow_ips: who is a listed proxy: addresses, networks, "unix:", "*" (`Proxies`), with commas
            or as a sequence; by default FORWARDED_ALLOW_IPS in the environment, else programs of this
            machine.
        forwarded_field: what they write: "x-forwarded-for" (and X-Forwarded-Proto), or "forwarded" (RFC
            7239). The other kind comes from the client and is not read.
        workers: processes that serve.
        preload: import the app once, in a process that workers are forked from (Linux).
        startup_tasks: functions, as "module:function", that run once before the workers start.
        max_requests: answers after which a worker is replaced; 0 is no bound.
        max_requests_jitter: up to so many more, at random for each worker.
        max_worker_age: seconds after which it is replaced, a tenth more or less; 0 is no bound.
        max_worker_memory: bytes of resident memory beyond which it is replaced; 0 is no bound.
        pidfile: a file to write the process id to that signals go to.
        reload: start the one worker again when a source file changes.
        reload_dirs: directories to watch; by default `app_dir`, else the current one.
        reload_includes: patterns of files to watch beside sources, templates and .env: "*.yaml".
        reload_excludes: patterns of files not to watch.
        log_level: one of `LOG_LEVELS`.
        access_log: write a line for each request (at level "info" and below).
        access_log_format: "default", "common", "combined", "json", or text with {fields}; see
            `fastweb.server.access_log.FIELDS`.
        access_log_file: append the lines to this file instead of standard output.
        block_threshold: seconds that something may block the event loop before its stack is logged; 0 for
            never.
        server_header: send a `Server` field.
        ws_per_message_deflate: compress the messages of WebSockets where clients ask for it.
        graceful_timeout: seconds that what is in flight may take when the server stops.
        loop: "uvloop", "asyncio", or "auto": uvloop where it is installed.
        limits: the bounds on what comes from the network; by default the app's own `limits`, if it has some.
        bounds: some fields of `Limits`, which replace those.

    Raises:
        ConfigError: a value is wrong, or two options exclude each other.
    """

    app: Any
    factory: bool = False
    interface: str = "auto"
    lifespan: str = "auto"
    root_path: str = ""
    threads: int = 32
    app_dir: str | None = None
    script: str | None = None
    bind: tuple[str, ...] = ()
    host: str | None = None
    port: int | None = None
    uds: str | None = None
    uds_permissions: int = 0o666
    fd: int | None = None
    backlog: int = 2048
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_keyfile_password: str | None = None
    ssl_version: str = "TLSv1.2"
    ssl_ciphers: str | None = None
    ssl_ca_certs: str | None = None
    ssl_cert_reqs: str | int = "none"
    ssl_sni: tuple[str, ...] = ()
    proxy_protocol: bool = False
    proxy_headers: bool = True
    forwarded_allow_ips: str | Sequence[str] | None = None
    forwarded_field: str = "x-forwarded-for"
    workers: int = 1
    preload: bool = False
    startup_tasks: tuple[str, ...] = ()
    max_requests: int = 0
    max_requests_jitter: int = 0
    max_worker_age: float = 0.0
    max_worker_memory: int = 0
    pidfile: str | None = None
    reload: bool = False
    reload_dirs: tuple[str, ...] = ()
    reload_includes: tuple[str, ...] = ()
    reload_excludes: tuple[str, ...] = ()
    log_level: str = "info"
    access_log: bool = True
    access_log_format: str = "default"
    access_log_file: str | None = None
    block_threshold: float = 5.0
    server_header: bool = True
    ws_per_message_deflate: bool = True
    # Less than the 30 s that systemd-like supervisors and Kubernetes wait before they kill.
    graceful_timeout: float = 20.0
    loop: str = "auto"
    limits: Limits | None = None
    bounds: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.app is None or self.app == "":
            raise ConfigError("no app given: expected module:attribute, such as main:app")
        if self.port is not None:
            _integer("port", self.port, 0, 65535)
        _integer("workers", self.workers, 1, 4096)
        _integer("backlog", self.backlog, 1, 65535)
        _integer("uds_permissions", self.uds_permissions, 0, 0o777)
        if self.fd is not None:
            _integer("fd", self.fd, 0, 2**31 - 1)
        if self.uds is not None and self.fd is not None:
            raise ConfigError("uds and fd exclude each other: give one address to listen on")
        if self.uds == "":
            raise ConfigError("uds must be the path of a socket, not an empty string")
        if not isinstance(self.host, str | None):
            raise ConfigError(f"host must be a name or an address, not {self.host!r}")
        if not isinstance(self.bind, tuple) or not all(isinstance(item, str) for item in self.bind):
            raise ConfigError(f"bind must be a tuple of addresses, not {self.bind!r}")
        try:
            self.addresses()
        except ValueError as error:
            raise ConfigError(f"bind: {error}") from None
        if self.log_level not in LOG_LEVELS:
            raise ConfigError(f"log_level must be one of {', '.join(LOG_LEVELS)}, not {self.log_level!r}")
        if self.loop not in LOOPS:
            raise ConfigError(f"loop must be one of {', '.join(LOOPS)}, not {self.loop!r}")
        if self.interface not in INTERFACES:
            raise ConfigError(f"interface must be one of {', '.join(INTERFACES)}, not {self.interface!r}")
        if self.lifespan not in LIFESPANS:
            raise ConfigError(f"lifespan must be one of {', '.join(LIFESPANS)}, not {self.lifespan!r}")
        if not _is_root_path(self.root_path):
            raise ConfigError(
                f"root_path must be a path such as /api, with no slash at its end, not {self.root_path!r}"
            )
        _integer("threads", self.threads, 1, 4096)
        if not isinstance(self.graceful_timeout, int | float) or not self.graceful_timeout >= 0:
            raise ConfigError(f"graceful_timeout must be seconds, 0 or more, not {self.graceful_timeout!r}")
        if not isinstance(self.block_threshold, int | float) or not 0 <= self.block_threshold <= 3600:
            raise ConfigError(
                f"block_threshold must be seconds, 0 for never, at most 3600, not {self.block_threshold!r}"
            )
        self._check_access_log()
        if self.reload and self.workers > 1:
            raise ConfigError("reload and more than one worker exclude each other: leave one of them out")
        self._check_processes()
        if not isinstance(self.limits, Limits | None):
            raise ConfigError(f"limits must be fastweb.limits.Limits, not {self.limits!r}")
        self._check_tls()
        self._check_proxies()
        try:
            self.limits_of(None)
        except (TypeError, ValueError) as error:
            raise ConfigError(str(error)) from None

    def addresses(self) -> list[Address] | None:
        """Where to listen; None where nothing is said of it."""
        found: list[Address] = [parse(item) for item in self.bind]
        if self.fd is not None:
            found.append(InheritedAddress(self.fd))
        elif self.uds is not None:
            found.append(UnixAddress(self.uds))
        elif self.host is not None or self.port is not None:
            host = DEFAULT_HOST if self.host is None else self.host
            found.append(TCPAddress(host, DEFAULT_PORT if self.port is None else self.port))
        return found or None

    def _check_tls(self) -> None:
        for name in ("certfile", "keyfile", "keyfile_password", "ciphers", "ca_certs"):
            value = getattr(self, f"ssl_{name}")
            if not isinstance(value, str | None) or value == "":
                raise ConfigError(f"ssl_{name} must be a string, not {value!r}")
        if self.ssl_version not in TLS_VERSIONS:
            raise ConfigError(f"ssl_version must be {' or '.join(TLS_VERSIONS)}, not {self.ssl_version!r}")
        if str(self.ssl_cert_reqs) not in CERT_REQS:
            raise ConfigError(f"ssl_cert_reqs must be none, optional or required, not {self.ssl_cert_reqs!r}")
        if not isinstance(self.ssl_sni, tuple):
            raise ConfigError(f"ssl_sni must be a tuple of name=chain,key, not {self.ssl_sni!r}")
        for item in self.ssl_sni:
            name, equals, files = item.partition("=")
            if not name or not equals or not files:
                raise ConfigError(f"ssl_sni must be name=chain,key or name=directory, not {item!r}")
        if self.ssl_certfile is None:
            for name in ("keyfile", "keyfile_password", "ciphers", "ca_certs", "sni"):
                if getattr(self, f"ssl_{name}"):
                    raise ConfigError(f"ssl_{name} needs ssl_certfile, the certificate to serve with")
        if CERT_REQS[str(self.ssl_cert_reqs)] and self.ssl_ca_certs is None:
            raise ConfigError("ssl_cert_reqs needs ssl_ca_certs: whose certificates are accepted")

    @property
    def scheme(self) -> str:
        """Of the addresses that it listens on."""
        return "http" if self.ssl_certfile is None else "https"

    def _check_proxies(self) -> None:
        if self.forwarded_field not in ("x-forwarded-for", "forwarded"):
            raise ConfigError(
                f"forwarded_field must be x-forwarded-for or forwarded, not {self.forwarded_field!r}"
            )
        if self.forwarded_allow_ips is not None or "FORWARDED_ALLOW_IPS" in os.environ:
            try:
                self.proxies()
            except (TypeError, ValueError, AttributeError) as error:
                raise ConfigError(f"forwarded_allow_ips: {error}") from None

    def proxies(self) -> Proxies:
        """The listed proxies."""
        from fastweb.server.proxy import DEFAULT_PROXIES, Proxies

        listed = self.forwarded_allow_ips
        if listed is None:
            listed = os.environ.get("FORWARDED_ALLOW_IPS", DEFAULT_PROXIES)
        return Proxies(listed, self.forwarded_field)

    def _check_access_log(self) -> None:
        if not isinstance(self.access_log_format, str):
            raise ConfigError(f"access_log_format must be text, not {self.access_log_format!r}")
        if self.access_log_format != "default":
            from fastweb.server.access_log import formatter

            try:
                formatter(self.access_log_format)
            except ValueError as error:
                raise ConfigError(str(error)) from None
        path = self.access_log_file
        if path is None:
            return
        directory = os.path.dirname(os.path.abspath(path))
        if not path or os.path.isdir(path) or not os.path.isdir(directory):
            raise ConfigError(f"access_log_file must be a file in a directory that exists, not {path!r}")
        if not os.access(path if os.path.exists(path) else directory, os.W_OK):
            raise ConfigError(f"access_log_file {path} cannot be written: check its permissions")

    def _check_processes(self) -> None:
        for name in ("max_requests", "max_requests_jitter", "max_worker_memory"):
            _integer(name, getattr(self, name), 0, 2**62)
        if not isinstance(self.max_worker_age, int | float) or not self.max_worker_age >= 0:
            raise ConfigError(f"max_worker_age must be seconds, 0 or more, not {self.max_worker_age!r}")
        if self.max_requests_jitter and not self.max_requests:
            raise ConfigError("max_requests_jitter is added to max_requests: give that, too")
        if self.preload and self.reload:
            raise ConfigError("preload and reload exclude each other: leave one of them out")
        if self.preload and sys.platform != "linux":
            raise ConfigError("preload needs Linux: leave it out here")
        if self.pidfile == "":
            raise ConfigError("pidfile must be the path of a file, not an empty string")
        if not isinstance(self.startup_tasks, tuple):
            raise ConfigError(f"startup_tasks must be a tuple of module:function, not {self.startup_tasks!r}")
        for task in self.startup_tasks:
            module, _, function = task.partition(":") if isinstance(task, str) else ("", "", "")
            if not all(part.isidentifier() for part in (*module.split("."), *function.split("."))):
                raise ConfigError(f"startup_tasks: {task!r} is not module:function, such as migrations:run")

    def needs_supervisor(self) -> bool:
        """Whether the workers are processes of their own, even if there is only one."""
        bounded = self.max_requests or self.max_worker_age or self.max_worker_memory
        return self.workers > 1 or self.preload or bool(bounded) or self.pidfile is not None

    def limits_of(self, app: object) -> Limits:
        """The bounds that an app is served with."""
        base = self.limits if self.limits is not None else getattr(app, "limits", None)
        return dataclasses.replace(base if isinstance(base, Limits) else Limits(), **self.bounds)

    @classmethod
    def from_options(cls, app: Any, options: Mapping[str, Any]) -> Config:
        """Make it from flat options: the fields of this class and, by name or `option_name`, those of
        `Limits`.

        Raises:
            ConfigError: a value is wrong.
            TypeError: there is no such option.
        """
        config_names = {item.name for item in dataclasses.fields(cls)} - {"app"}
        limit_names: dict[str, str] = {}
        for item in dataclasses.fields(Limits):
            limit_names[item.name] = limit_names[option_name(item.name)] = item.name
        own: dict[str, Any] = {}
        bounds: dict[str, Any] = dict(options.get("bounds", {}))
        for name, value in options.items():
            if name in config_names:
                own[name] = tuple(value) if name in _TUPLES and not isinstance(value, str) else value
            elif name == "timeout_graceful":
                own["graceful_timeout"] = value
            elif name in limit_names:
                bounds[limit_names[name]] = value
            else:
                import difflib

                near = difflib.get_close_matches(name, [*config_names, *limit_names], 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise TypeError(f"the server has no option {name!r}{hint}")
        return cls(app=app, **{**own, "bounds": bounds})

    def to_json(self) -> str:
        """For another process. The app must be a string."""
        if not isinstance(self.app, str):
            raise ConfigError(f"an app object cannot be sent to another process: {self.app!r}")
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Config:
        values = json.loads(text)
        if values["limits"] is not None:
            values["limits"] = Limits(**values["limits"])
        values.update({name: tuple(values[name]) for name in _TUPLES})
        return cls(**values)


#: Fields that are lists in JSON and on the command line.
_TUPLES = ("bind", "reload_dirs", "reload_excludes", "reload_includes", "ssl_sni", "startup_tasks")


def _integer(name: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} must be an integer from {low} to {high}, not {value!r}")


def _is_root_path(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return not value or (
        value.startswith("/") and not value.endswith("/") and not any(c in value for c in "?#%\r\n\0")
    )


class _Formatter(logging.Formatter):
    """`INFO:     Words`, as users of other Python servers know it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        return f"{record.levelname + ':':<9} {record.message}"


def _root_has_no_handlers(_record: logging.LogRecord) -> bool:
    return not logging.getLogger().handlers


def configure_logging(level: str) -> None:
    """Show the log of `fastweb` on stderr, unless the app configures logging itself, before or after this."""
    from fastweb.server.log_cap import cap_logs

    cap_logs()
    logger = logging.getLogger("fastweb")
    logger.setLevel(level.upper())
    if any(isinstance(handler.formatter, _Formatter) for handler in logger.handlers):
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter())
    # Asked for each record: once the app gives the root logger a handler, the records go there alone.
    handler.addFilter(_root_has_no_handlers)
    logger.addHandler(handler)


def report(error: StartupError, stream: TextIO | None = None) -> None:
    """Write an error as its details, if any, and one line."""
    stream = stream or sys.stderr
    if error.details:
        stream.write(error.details.rstrip("\n") + "\n")
    stream.write(f"Error: {error.message}\n")
    stream.flush()


def _app_name(config: Config) -> str:
    if not isinstance(config.app, str):
        return ""
    if config.script is None:
        return config.app
    return os.path.basename(config.script) + ":" + config.app.rpartition(":")[2]


def _log_words(config: Config) -> str:
    """What is unusual about the access log."""
    if not config.access_log:
        return "no access log"
    form = config.access_log_format
    form = "" if form == "default" else "custom" if "{" in form else form
    file = os.path.basename(config.access_log_file or "")
    return f"access log: {' in '.join(part for part in (form, file) if part)}" if form or file else ""


def banner(
    config: Config, addresses: Sequence[str], stream: TextIO | None = None, *, interface: str = ""
) -> None:
    """Say where the server listens and what it is, in two lines; in colour where a person reads it.

    Arguments:
        interface: what the app speaks, where it is none of ours: "asgi" or "wsgi".
    """
    from fastweb._speedups import is_compiled

    stream = stream or sys.stderr
    coloured = stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    bold, dim, plain = ("\x1b[1;36m", "\x1b[2m", "\x1b[0m") if coloured else ("", "", "")
    workers = "1 worker" if config.workers == 1 else f"{config.workers} workers"
    parts = [
        _app_name(config),
        f"{interface} app" if interface else "",
        workers + (" preloaded" if config.preload else ""),
        "reload" if config.reload else "",
        _log_words(config),
        "compiled" if is_compiled() else "pure",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"pid {os.getpid()}",
    ]
    words = " · " if (stream.encoding or "").lower().startswith("utf") else " - "
    where = "  ".join(addresses)
    stream.write(
        f"fastweb   {bold}{where}{plain}\n"
        f"{dim}          {words.join(part for part in parts if part)}   (Ctrl+C stops){plain}\n"
    )
    stream.flush()
