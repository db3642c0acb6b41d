"""`fastweb run`: serve an app, on a process for each core."""

from __future__ import annotations

from typing import Any

import click

from fastweb.cli.options import app_options, cores, process_options, server_options, start

__all__ = ["run"]


@click.command(short_help="Serve APP in production.")
@app_options
@click.option(
    "--workers",
    "-w",
    type=click.IntRange(1),
    envvar="WEB_CONCURRENCY",
    help="Processes.  [default: as many as cores]",
)
@click.option("--reload", is_flag=True, help="One worker, started again when a file changes.")
@process_options
@server_options
def run(app: str | None, workers: int | None, reload: bool, **options: Any) -> None:
    """Serve APP: module:attribute, module, or path/to/file.py[:attribute].

    \b
    fastweb run main:app --port 80 --host 0.0.0.0
    fastweb run app/main.py --workers 1
    """
    if reload:
        if workers is not None and workers > 1:
            raise click.UsageError("--reload and --workers exclude each other: leave one of them out")
        workers = 1
    start(app, {"workers": workers or cores(), "reload": reload, **options})
