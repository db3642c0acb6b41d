"""The options that commands share. Those of `Limits` are made from its fields, so that each bound has its
option."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from fastweb.limits import Limits
from fastweb.server.config import (
    CERT_REQS,
    INTERFACES,
    LIFESPANS,
    LOG_LEVELS,
    LOOPS,
    TLS_VERSIONS,
    Config,
    StartupError,
    option_name,
    report,
)

__all__ = ["app_options", "cores", "default_app", "fail", "process_options", "server_options", "start"]

F = TypeVar("F", bound=Callable[..., Any])

#: Where an app is looked for when none is named, as in FastAPI's CLI.
_DEFAULT_FILES = ("main.py", "app.py", "api.py", "app/main.py", "app/app.py", "app/api.py")
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def size(text: str) -> int:
    """Bytes, or KiB, MiB, GiB: 65536, 64K, 10M, 1G."""
    match = re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if match is None:
        raise click.BadParameter(
            f"{text!r} is no size: expected bytes, or a number with K, M or G, such as 64K"
        )
    return int(match[1]) * _UNITS[match[2]]


def _option(*names: str, words: str, default: object, **attributes: Any) -> Callable[[F], F]:
    """An option whose default stands in its help only: one that was not given is left to `Config` and
    `Limits`."""
    return click.option(*names, help=f"{words}  [default: {default}]", default=None, **attributes)


def _size_words(size: int) -> str:
    for unit in ("G", "M", "K"):
        factor = _UNITS[unit.lower()]
        if size % factor == 0 and size >= factor:
            return f"{size // factor}{unit}"
    return str(size)


def _limit_help() -> dict[str, str]:
    """What `Limits` says of each field in its docstring."""
    found: dict[str, str] = {}
    name = ""
    for line in (Limits.__doc__ or "").partition("Arguments:")[2].partition("Raises:")[0].splitlines():
        item = re.match(r"\s+(\w+): (.+)", line)
        if item:
            name = item[1]
            found[name] = item[2]
        elif line.strip() and name:
            found[name] += " " + line.strip()
    return {name: text[:1].upper() + text[1:] for name, text in found.items()}


def _limit_options() -> list[Callable[[F], F]]:
    texts = _limit_help()
    options: list[Callable[[F], F]] = []
    for item in fields(Limits):
        default: Any = item.default
        is_size = item.name.endswith(("_size", "_buffer"))
        shown = _size_words(default) if is_size else f"{default:g}"
        flag = "--" + option_name(item.name).replace("_", "-")
        kind: Any = size if is_size else type(default)
        options.append(_option(flag, type=kind, words=texts.get(item.name, ""), default=shown))
    return options


def _all(options: list[Callable[[F], F]]) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _install_compat(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        from fastweb.compat import install

        install()


def app_options(function: F) -> F:
    """The app itself: APP, --app-dir, --factory, --compat."""
    return _all(
        [
            click.argument("app", required=False, metavar="[APP]"),
            _option(
                "--app-dir",
                type=click.Path(exists=True, file_okay=False),
                words="The directory to import from.",
                default="the current one",
            ),
            click.option("--factory", is_flag=True, help="APP is a function that makes the app."),
            click.option(
                "--compat",
                is_flag=True,
                expose_value=False,
                callback=_install_compat,
                help="APP is written for FastAPI or Starlette: answer its imports with fastweb.",
            ),
        ]
    )(function)


def server_options(function: F) -> F:
    """Address, log, grace and the bounds."""
    return _all(
        [
            click.option(
                "--bind",
                "-b",
                multiple=True,
                metavar="ADDRESS",
                help="Listen here, too: host:port, [::1]:8000, :8000, unix:/path, fd://3; may be repeated.",
            ),
            _option("--host", words='Name or address; "" for all.', default="127.0.0.1"),
            _option("--port", type=click.IntRange(0, 65535), words="0 takes a free one.", default=8000),
            click.option("--uds", type=click.Path(), help="Listen on this Unix socket instead."),
            click.option("--fd", type=click.IntRange(0), help="Listen on this inherited socket instead."),
            _option(
                "--reload-dir",
                "reload_dirs",
                multiple=True,
                type=click.Path(exists=True, file_okay=False),
                words="Watch this directory; may be repeated.",
                default="the current one",
            ),
            _option(
                "--reload-include",
                "reload_includes",
                multiple=True,
                metavar="PATTERN",
                words="Watch files of this pattern, too: '*.yaml'; may be repeated.",
                default="sources, templates, .env",
            ),
            _option(
                "--reload-exclude",
                "reload_excludes",
                multiple=True,
                metavar="PATTERN",
                words="Do not watch files of this pattern; may be repeated.",
                default="hidden files, what editors leave",
            ),
            _option("--log-level", type=click.Choice(LOG_LEVELS), words="How much to log.", default="info"),
            _option("--access-log/--no-access-log", default="on", words="A line a request, on stdout."),
            _option(
                "--access-log-format",
                words="default, common, combined, json, or text with {fields}, such as "
                "'{client} {request} {status} {duration_ms}'.",
                default="default",
            ),
            click.option(
                "--access-log-file", type=click.Path(), help="Append the access log to this file instead."
            ),
            _option(
                "--block-threshold",
                type=click.FloatRange(0),
                words="Seconds that something may block the event loop before its stack is logged; 0: never.",
                default=5,
            ),
            _option(
                "--server-header/--no-server-header", default="on", words="Send a Server field in answers."
            ),
            _option(
                "--ws-per-message-deflate/--no-ws-per-message-deflate",
                default="on",
                words="Compress the messages of WebSockets where clients ask for it.",
            ),
            click.option("--ssl-certfile", type=click.Path(), help="Serve TLS with this certificate (PEM)."),
            _option("--ssl-keyfile", type=click.Path(), words="Its private key.", default="in the same file"),
            click.option(
                "--ssl-keyfile-password",
                envvar="FASTWEB_SSL_KEYFILE_PASSWORD",
                help="Opens an encrypted key. Better in the environment: FASTWEB_SSL_KEYFILE_PASSWORD.",
            ),
            _option(
                "--ssl-version",
                type=click.Choice(TLS_VERSIONS),
                words="The oldest version that is spoken.",
                default="TLSv1.2",
            ),
            _option("--ssl-ciphers", words="Those of TLS 1.2, as OpenSSL writes them.", default="Python's"),
            click.option("--ssl-ca-certs", type=click.Path(), help="Whose client certificates are accepted."),
            _option(
                "--ssl-cert-reqs",
                type=click.Choice(list(CERT_REQS)),
                words="Whether clients must have one (0, 1, 2 as in uvicorn).",
                default="none",
            ),
            click.option(
                "--ssl-sni",
                multiple=True,
                metavar="NAME=FILES",
                help="A certificate for a server's name: NAME=CHAIN,KEY, or NAME=DIRECTORY with fullchain.pem"
                " and privkey.pem; may be repeated.",
            ),
            click.option(
                "--proxy-protocol",
                is_flag=True,
                default=None,
                help="Connections of listed proxies begin with a header of the PROXY protocol.",
            ),
            _option(
                "--proxy-headers/--no-proxy-headers",
                default="on",
                words="Believe listed proxies what they say of the client.",
            ),
            click.option(
                "--forwarded-allow-ips",
                metavar="LIST",
                help="The listed proxies: addresses, networks, unix:, or * for whoever connects, with commas."
                "  [default: FORWARDED_ALLOW_IPS in the environment, else this machine]",
            ),
            _option(
                "--forwarded-field",
                type=click.Choice(["x-forwarded-for", "forwarded"]),
                words="What they write; the other kind is not read.",
                default="x-forwarded-for",
            ),
            _option(
                "--interface",
                type=click.Choice(INTERFACES),
                words="What APP speaks; auto looks at it.",
                default="auto",
            ),
            _option(
                "--lifespan",
                type=click.Choice(LIFESPANS),
                words="Whether an ASGI app has a lifespan; auto asks it.",
                default="auto",
            ),
            _option("--root-path", words="The path that a proxy takes away.", default="none"),
            _option(
                "--threads",
                type=click.IntRange(1),
                words="In which each worker runs a WSGI app.",
                default=32,
            ),
            _option("--loop", type=click.Choice(LOOPS), words="The event loop.", default="auto"),
            _option(
                "--timeout-graceful",
                type=click.FloatRange(0),
                words="Seconds that what is in flight may take when the server stops.",
                default=20,
            ),
            *_limit_options(),
        ]
    )(function)


def process_options(function: F) -> F:
    """How workers are started and replaced: of `fastweb run` alone."""
    return _all(
        [
            click.option("--preload", is_flag=True, help="Import APP once, and fork the workers (Linux)."),
            click.option(
                "--startup",
                "startup_tasks",
                multiple=True,
                metavar="MODULE:FUNCTION",
                help="Run this once before the workers start, such as migrations; may be repeated.",
            ),
            _option(
                "--max-requests",
                type=click.IntRange(0),
                words="Replace a worker after so many answers.",
                default="never",
            ),
            _option(
                "--max-requests-jitter",
                type=click.IntRange(0),
                words="Up to so many more, at random for each worker.",
                default=0,
            ),
            _option(
                "--max-worker-age",
                type=click.FloatRange(0),
                words="Replace a worker after so many seconds, a tenth more or less.",
                default="never",
            ),
            _option(
                "--max-worker-memory",
                type=size,
                words="Replace a worker that has more memory resident than this.",
                default="never",
            ),
            click.option(
                "--pidfile", type=click.Path(), help="Write the process id to this file, that signals go to."
            ),
        ]
    )(function)


def cores() -> int:
    """The cores that this process may use, where it can have as many workers: on Linux no more than its
    container's share of processor time makes."""
    if os.name != "posix":
        return 1
    if sys.platform == "linux":
        from fastweb.server.cgroup import cpu_quota

        cores = len(os.sched_getaffinity(0))
        quota = cpu_quota()
        return cores if quota is None else max(1, min(cores, math.ceil(quota)))
    return os.cpu_count() or 1


def default_app(app: str | None) -> str:
    """The app that was named, or else the file that is called as such files are."""
    if app:
        return app
    for name in _DEFAULT_FILES:
        if Path(name).is_file():
            return name
    fail(StartupError("name the app: fastweb run module:app, or fastweb run path/to/file.py", exit_code=2))


def start(app: str | None, options: dict[str, Any]) -> NoReturn:
    """Serve, and leave with the exit code. Options that are None were not given."""
    from fastweb.server import serve

    given = {name: value for name, value in options.items() if value not in (None, ())}
    given["app_dir"] = os.path.abspath(given.get("app_dir", "."))
    try:
        code = serve(Config.from_options(default_app(app), given), own_process=True)
    except StartupError as error:
        fail(error)
    sys.exit(code)


def fail(error: StartupError) -> NoReturn:
    """One line on stderr, below the user's own traceback where there is one."""
    report(error)
    sys.exit(error.exit_code)
