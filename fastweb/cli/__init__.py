"""The command line: `fastweb run`, `fastweb dev`, `fastweb routes`. One command a file; `python -m fastweb`
is the same."""

from __future__ import annotations

import click

from fastweb.cli.dev import dev
from fastweb.cli.routes import routes
from fastweb.cli.run import run
from fastweb.cli.version import show_version

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    "-V",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=show_version,
    help="Show the version and what it runs on.",
)
def main() -> None:
    """Serve and inspect fastweb apps."""


for command in (run, dev, routes):
    main.add_command(command)
