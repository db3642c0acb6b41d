"""`fastweb routes`: the routes of an app, as a table."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click

from fastweb.cli.options import app_options, default_app, fail
from fastweb.server.config import Config, StartupError

__all__ = ["routes"]

_HEADINGS = ("METHODS", "PATH", "NAME", "ENDPOINT")
_GAP = "  "

Row = tuple[str, str, str, str]


@click.command(short_help="List the routes of APP.")
@app_options
def routes(app: str | None, app_dir: str | None, factory: bool) -> None:
    """List the routes of APP in the order in which they are tried: methods, path, name, and where the
    endpoint is. Those of the API's own description are left out."""
    from fastweb.server.interface import interface_name
    from fastweb.server.loading import load_app

    try:
        config = Config(app=default_app(app), app_dir=os.path.abspath(app_dir or "."), factory=factory)
        found: Any = load_app(config)
        if interface_name(found):
            found = found.app
    except StartupError as error:
        fail(error)
    rows = list(_rows(getattr(found, "routes", ()), ""))
    if not rows:
        click.echo("The app has no routes.")
        return
    import shutil  # not loaded by the commands that serve

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in _table(rows, width):
        click.echo(line)


def _rows(found: Iterable[Any], prefix: str) -> Iterator[Row]:
    for route in found:
        path = prefix + getattr(route, "path", "")
        inner = getattr(route, "routes", None)
        endpoint = getattr(route, "endpoint", None)
        if inner and endpoint is None:
            yield from _rows(inner, path)
            continue
        endpoint = endpoint or getattr(route, "app", None)
        if getattr(endpoint, "__module__", None) == "fastweb.openapi.pages":
            continue
        yield _methods(route), path or "/", getattr(route, "name", None) or "", _place(endpoint)


def _methods(route: Any) -> str:
    methods = getattr(route, "methods", None)
    if methods:
        # HEAD comes with GET: no news.
        shown = sorted(set(methods) - ({"HEAD"} if "GET" in methods else set()))
        return ",".join(shown)
    kind = type(route).__name__
    return "WS" if "WebSocket" in kind else "MOUNT" if "Mount" in kind else "*"


def _place(endpoint: Any) -> str:
    function = inspect.unwrap(endpoint) if callable(endpoint) else endpoint
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    code = getattr(function, "__code__", None)
    if code is None:
        return type(endpoint).__name__ if not isinstance(endpoint, type) else endpoint.__qualname__
    path = code.co_filename
    try:
        near = os.path.relpath(path)
    except ValueError:  # Another drive.
        near = path
    return f"{path if near.startswith('..') else near}:{code.co_firstlineno}"


def _table(rows: list[Row], width: int | None) -> Iterator[str]:
    """Columns as wide as they need; in a terminal the last one gives way, at its left end, since the line is
    at its right."""
    lines = [_HEADINGS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    if width is not None:
        room = width - sum(widths[:3]) - 3 * len(_GAP)
        widths[3] = max(min(widths[3], room), 12)
    for line in lines:
        last = line[3]
        if len(last) > widths[3]:
            last = "…" + last[len(last) - widths[3] + 1 :]
        cells = [cell.ljust(size) for cell, size in zip(line[:3], widths, strict=False)]
        yield _GAP.join([*cells, last]).rstrip()
