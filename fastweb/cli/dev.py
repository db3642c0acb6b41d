"""`fastweb dev`: serve an app while it is being written."""

from __future__ import annotations

from typing import Any

import click

from fastweb.cli.options import app_options, server_options, start

__all__ = ["dev"]


@click.command(short_help="Serve APP while it is being written.")
@app_options
@click.option(
    "--reload/--no-reload", default=True, show_default=True, help="Start again when a file changes."
)
@server_options
def dev(app: str | None, reload: bool, **options: Any) -> None:
    """Serve APP with one worker, on 127.0.0.1, started again when a Python file changes.

    APP is module:attribute, module, or path/to/file.py[:attribute].
    """
    start(app, {"workers": 1, "reload": reload, **options})
