"""`python -m bench.http`: needs nothing but Python 3.11 or later with venv and pip; see
docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any, Final

from bench.http.chart import chart
from bench.http.contenders import BASELINE, CONTENDERS, QUICK
from bench.http.environments import ROOT
from bench.http.load import find_tools
from bench.http.measure import Plan, Results, as_json, measure, routes_of
from bench.http.processes import choose_cores
from bench.http.progress import Progress
from bench.http.report import markdown_report, text_report
from bench.http.routes import ROUTES
from bench.machine import busy, commit, machine, now, stalls

RESULTS: Final = Path(__file__).resolve().parents[1] / "results"

#: Seconds that --quick may take; what is left after the rounds is for memory and cold start.
QUICK_SECONDS: Final = 118.0


def _names(known: Any) -> Any:
    def read(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names

    return read


def _at_least(least: float, kind: type) -> Any:
    def read(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least:g}")
        return value

    return read


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.http",
        description="fastweb and others, each in its own process and environment: requests a second, "
        "latency, processor time, memory, cold start.",
        epilog=f"contenders: {', '.join(CONTENDERS)}. routes: {', '.join(ROUTES)}.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help=f"two minutes: {', '.join(QUICK)}; up to three short rounds")
    add("--only", type=_names(CONTENDERS), metavar="A,B", help="these contenders alone")
    add("--skip", type=_names(CONTENDERS), metavar="A,B", default=[], help="not these contenders")
    add("--routes", type=_names(ROUTES), metavar="A,B", default=list(ROUTES), help="these routes alone")
    add(
        "--half",
        type=_names(ROUTES),
        metavar="A,B",
        default=["json", "post"],
        help="routes that are also measured at half load [json,post]",
    )
    add(
        "--baseline",
        choices=CONTENDERS,
        default=BASELINE,
        help="whose figures the ratios are ratios to [%(default)s]",
    )
    add("--rounds", type=_at_least(1, int), metavar="N", help="how often each figure is measured [5]")
    add("--seconds", type=_at_least(1, int), metavar="N", help="of load for each figure [3]")
    add("--connections", type=_at_least(1, int), default=64, metavar="N", help="open at once [64]")
    add(
        "--workers",
        type=_at_least(0, int),
        default=4,
        metavar="N",
        help="whose proportional memory is measured; 0 for not at all [4]",
    )
    add(
        "--cold",
        type=_at_least(0, int),
        metavar="N",
        help="how often a cold start is measured; 0 for not at all [7]",
    )
    add(
        "--output",
        type=Path,
        metavar="PATH",
        help="where results go, without suffix [bench/results/http, or http-quick]",
    )
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--quiet", action="store_true", help="no progress")
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    names = options.only or (list(QUICK) if options.quick else list(CONTENDERS))
    quick = options.quick
    return Plan(
        contenders=tuple(CONTENDERS[name] for name in names if name not in options.skip),
        routes=routes_of(options.routes),
        half=tuple(
            route
            for route in routes_of(options.half[:1] if quick else options.half)
            if route.name in options.routes
        ),
        baseline=options.baseline,
        rounds=options.rounds or (3 if quick else 5),
        seconds=options.seconds or (1 if quick else 3),
        connections=options.connections,
        workers=options.workers,
        cold=options.cold if options.cold is not None else (3 if quick else 7),
        time_limit=QUICK_SECONDS if quick else None,
    )


def _write(results: Results, about: dict[str, Any], output: Path) -> list[Path]:
    output.parent.mkdir(parents=True, exist_ok=True)
    files = [output.with_name(f"{output.name}.{suffix}") for suffix in ("json", "svg")]
    files[0].write_text(
        json.dumps({**about, **as_json(results)}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    files[1].write_text(chart(results, about), encoding="utf-8")
    return files


def main() -> int:
    """Run, and return the exit code: 0 if anything could be measured."""
    options = _parser().parse_args()
    plan = _plan(options)
    if not plan.contenders:
        _parser().error("no contender is left")
    if sys.platform == "win32":
        sys.stderr.write(
            "bench.http needs Linux or macOS: it holds and ends servers by signals and sessions\n"
        )
        return 1
    # Ended from outside, it still ends what it has started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    about: dict[str, Any] = {
        "benchmark": "http",
        "date": now(),
        "machine": machine(),
        "load_average": round(busy(), 2),
        "stalls": stalls(),
        "commit": commit(ROOT),
    }
    try:
        results = measure(plan, find_tools(choose_cores()), Progress(quiet=options.quiet))
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return 130
    about["fastweb"] = next(
        (each.versions["fastweb"] for each in results.environments.values() if "fastweb" in each.versions), ""
    )
    print((markdown_report if options.markdown else text_report)(results, about))
    if not results.measurements:
        return 1
    output = options.output or RESULTS / ("http-quick" if options.quick else "http")
    for path in _write(results, about, output):
        sys.stderr.write(f"written: {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
