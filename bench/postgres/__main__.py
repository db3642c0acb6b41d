"""`python -m bench.postgres`: see docs/benchmarks.md. It needs PostgreSQL, as the tests do, and pip."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench.http.environments import ROOT
from bench.http.load import find_tools
from bench.http.measure import Plan, as_json, measure
from bench.http.processes import choose_cores
from bench.http.progress import Progress
from bench.machine import busy, commit, machine, now, stalls
from bench.postgres.cases import CASES, CLIENTS
from bench.postgres.clients import measure_clients
from bench.postgres.database import Database, database
from bench.postgres.http import HALF, ROUTES, contenders
from bench.postgres.report import report

RESULTS: Final = ROOT / "bench" / "results" / "postgres.json"
_CONTENDERS: Final = tuple(contenders("", ""))


def _names(known: Any) -> Any:
    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.postgres",
        description="PostgreSQL clients alone, and apps over HTTP: each in its own process and environment.",
        epilog=f"cases: {', '.join(CASES)}. clients: {', '.join(CLIENTS)}. routes: {', '.join(ROUTES)}. "
        f"apps: {', '.join(_CONTENDERS)}.",
    )
    add = parser.add_argument
    add("--cases", type=_names(CASES), default=list(CASES), metavar="A,B", help="these cases alone")
    add("--clients", type=_names(CLIENTS), default=list(CLIENTS), metavar="A,B", help="these clients alone")
    add("--routes", type=_names(ROUTES), default=list(ROUTES), metavar="A,B", help="these routes alone")
    add("--apps", type=_names(_CONTENDERS), default=list(_CONTENDERS), metavar="A,B", help="these apps alone")
    add("--no-clients", action="store_true", help="HTTP alone")
    add("--no-http", action="store_true", help="the clients alone")
    add("--rounds", type=int, default=3, metavar="N", help="how often each figure is measured [3]")
    add("--seconds", type=float, default=0.7, metavar="N", help="for each figure of a client [0.7]")
    add("--http-seconds", type=int, default=2, metavar="N", help="of load for each figure over HTTP [2]")
    add("--connections", type=int, default=64, metavar="N", help="of the load over HTTP [64]")
    add("--output", type=Path, default=RESULTS, metavar="PATH", help="where results go")
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--quiet", action="store_true", help="no progress")
    return parser


def _run(options: argparse.Namespace, found: Database, progress: Progress) -> dict[str, Any]:
    cores = choose_cores()
    results: dict[str, Any] = {}
    if not options.no_clients:
        results["clients"] = measure_clients(
            options.cases, options.clients, found.dsn, cores, options.rounds, options.seconds, progress
        )
    if not options.no_http:
        known = contenders(found.dsn, found.url)
        plan = Plan(
            contenders=tuple(known[name] for name in options.apps),
            routes=tuple(ROUTES[name] for name in options.routes),
            half=tuple(ROUTES[name] for name in HALF if name in options.routes),
            baseline="fastapi-asyncpg",
            rounds=options.rounds,
            seconds=options.http_seconds,
            connections=options.connections,
            workers=0,
            cold=0,
            time_limit=None,
        )
        # PostgreSQL works on the load's core: a client that waits without sleeping would take it all.
        results["http"] = as_json(measure(plan, replace(find_tools(cores), spins=False), progress))
    return results


def main() -> int:
    """Run, and return the exit code: 0 if anything could be measured."""
    options = _parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    cores = choose_cores()
    about: dict[str, Any] = {
        "benchmark": "postgres",
        "date": now(),
        "machine": machine(),
        "load_average": round(busy(), 2),
        "stalls": stalls(),
        "commit": commit(ROOT),
        "cores": {"client": cores.server, "postgres": cores.load, "load": cores.load},
    }
    progress = Progress(quiet=options.quiet)
    try:
        with database(cores.load) as found:
            about["postgres"] = {"version": found.version, "settings": found.settings}
            results = {**about, **_run(options, found, progress)}
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return 130
    progress.end()
    print(report(results, markdown=options.markdown))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stderr.write(f"written: {options.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
