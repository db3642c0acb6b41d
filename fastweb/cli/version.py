"""`fastweb --version`."""

from __future__ import annotations

import platform

import click

__all__ = ["show_version"]


def show_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    """Print version, mode, Python and platform in one line, and leave."""
    if not value or context.resilient_parsing:
        return
    from fastweb import __version__
    from fastweb._speedups import is_compiled

    mode = "compiled" if is_compiled() else "pure"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    click.echo(f"fastweb {__version__} ({mode}), {python}, {platform.system()} {platform.machine()}")
    context.exit()
