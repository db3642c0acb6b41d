"""`python -m bench.micro`: each case compiled and pure, in processes of their own, and beside others' code;
see docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bench.http.contenders import CONTENDERS
from bench.http.environments import ROOT, InstallError, child_variables, make_environment, make_wheel
from bench.http.processes import choose_cores, on_core
from bench.http.progress import Progress
from bench.machine import busy, commit, machine, now
from bench.tables import duration, markdown_table, text_table, times

RESULTS: Final = Path(__file__).resolve().parents[1] / "results"
WORKER: Final = Path(__file__).resolve().with_name("worker.py")
REFERENCES: Final = ("bench.micro.references",)

#: Others' case, our case, and what the two do.
AGAINST: Final = (
    ("Starlette's router, 10 routes", "router, 10 routes"),
    ("Starlette's router, 1,000 routes", "router, 1,000 routes"),
    ("FastAPI's jsonable_encoder + json.dumps, 10,000 users", "JSON out, 10,000 users, response_model"),
    ("FastAPI's jsonable_encoder + json.dumps, 10,000 users", "JSON out, 10,000 users, no response_model"),
    ("pydantic's dump_json, 10,000 users", "JSON out, 10,000 users, response_model"),
    ("pydantic's validate_json, 10,000 users", "JSON in, 10,000 users, validated"),
)

#: A ratio of pure to compiled, in the worst round, from which on compiled counts as clearly faster.
CLEARLY: Final = 1.05


@dataclass(slots=True)
class Process:
    """One of the processes of a round, and what it has found: seconds of each case in each round."""

    name: str
    python: str
    modules: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    times: dict[str, list[float]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def run(self, options: argparse.Namespace, core: int | None) -> None:
        """Time every case once more."""
        order = {
            "root": str(ROOT),
            "in_place": options.in_place,
            "modules": self.modules,
            "only": options.only if self.modules != REFERENCES else None,
            "seconds": options.seconds,
        }
        variables = {**child_variables(), "PYTHONDONTWRITEBYTECODE": "1", **self.variables}
        with on_core(core):
            done = subprocess.run(
                [self.python, "-P", str(WORKER), json.dumps(order)],
                env=variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=1800,
                check=False,
            )
        if done.returncode != 0:
            self.problems[self.name] = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[
                -1
            ][:300]
            return
        found = json.loads(done.stdout.splitlines()[-1])
        self.about = found
        self.problems |= found["problems"]
        for name, seconds in found["times"].items():
            self.times.setdefault(name, []).append(seconds)


@dataclass(frozen=True, slots=True)
class Row:
    """A case in both modes."""

    name: str
    compiled: float | None
    pure: float | None
    ratio: float | None
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """What is to be said of the compiled form; empty where it is clearly faster."""
        if self.ratio is None or self.low is None:
            return ""
        if self.ratio < 1 / CLEARLY:
            return "SLOWER compiled"
        return "" if self.low >= CLEARLY else "not clearly faster"


def _row(name: str, compiled: Process, pure: Process) -> Row:
    ours, theirs = compiled.times.get(name, []), pure.times.get(name, [])
    ratios = [slow / fast for slow, fast in zip(theirs, ours, strict=False)]
    return Row(
        name,
        statistics.median(ours) if ours else None,
        statistics.median(theirs) if theirs else None,
        statistics.median(ratios) if ratios else None,
        min(ratios, default=None),
        max(ratios, default=None),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.micro",
        description="The hot code by itself, compiled, pure, and beside what others have for the same.",
    )
    add = parser.add_argument
    add(
        "--only",
        action="append",
        metavar="TEXT",
        help="only the cases that have this in their name or in what they cover; may be repeated",
    )
    add("--rounds", type=int, default=5, metavar="N", help="processes of each kind, one after the other [5]")
    add("--seconds", type=float, default=0.1, metavar="S", help="for each case in each process [0.1]")
    add("--quick", action="store_true", help="the same as --rounds 3 --seconds 0.03")
    add(
        "--in-place",
        action="store_true",
        help="the checkout as it stands, with this interpreter, and nothing of others",
    )
    add("--no-references", action="store_true", help="nothing of others")
    add(
        "--output",
        type=Path,
        default=RESULTS / "micro.json",
        metavar="PATH",
        help="where the results go [bench/results/micro.json]",
    )
    add("--markdown", action="store_true", help="print the tables as Markdown")
    add("--quiet", action="store_true", help="no progress")
    return parser


def _processes(options: argparse.Namespace, progress: Progress) -> tuple[Process, Process, Process | None]:
    folder = Path(__file__).resolve().parent / "cases"
    modules = tuple(
        f"bench.micro.cases.{path.stem}" for path in sorted(folder.glob("*.py")) if path.stem != "__init__"
    )
    others = None
    if options.in_place:
        python = sys.executable
    else:
        progress.show("building fastweb's wheel")
        ours, theirs = CONTENDERS["fastweb"], CONTENDERS["fastapi"]
        python = str(make_environment(ours.environment, ours.requirements, make_wheel()).python)
        if not options.no_references:
            try:
                progress.show(f"environment of {theirs.title}")
                found = make_environment(theirs.environment, theirs.requirements, None)
                others = Process("others", str(found.python), REFERENCES)
            except InstallError as problem:
                progress.say(f"nothing to compare with: {problem}")
    return (
        Process("compiled", python, modules),
        Process("pure", python, modules, {"FASTWEB_PURE": "1"}),
        others,
    )


def _tables(rows: list[Row], compiled: Process, others: Process | None, *, markdown: bool) -> str:
    table = markdown_table if markdown else text_table

    def show(seconds: float | None) -> str:
        return "–" if seconds is None else duration(seconds)

    lines = [
        [
            row.name,
            show(row.compiled),
            show(row.pure),
            "–" if row.ratio is None else times(row.ratio),
            "–" if row.low is None or row.high is None else f"{times(row.low)}–{times(row.high)}",
            row.verdict,
        ]
        for row in rows
    ]
    parts = [table(["case", "compiled", "pure", "pure / compiled", "min–max", ""], lines)]
    if others is not None and others.times:
        beside = []
        for theirs, ours in AGAINST:
            pairs = list(zip(others.times.get(theirs, ()), compiled.times.get(ours, ()), strict=False))
            if pairs:
                ratios = [slow / fast for slow, fast in pairs]
                beside.append(
                    [
                        f"{theirs} / {ours}" if "router" not in theirs else theirs,
                        duration(statistics.median(slow for slow, _ in pairs)),
                        duration(statistics.median(fast for _, fast in pairs)),
                        times(statistics.median(ratios)),
                        f"{times(min(ratios))}–{times(max(ratios))}",
                    ]
                )
        parts.append(table(["beside others", "they", "fastweb", "ratio", "min–max"], beside))
    return "\n\n".join(parts)


def main() -> int:
    """Run, and return the exit code: 0, or 1 where a case could not be run or a public name has none."""
    options = _parser().parse_args()
    if options.quick:
        options.rounds, options.seconds = 3, 0.03
    progress = Progress(quiet=options.quiet)
    about: dict[str, Any] = {
        "benchmark": "micro",
        "date": now(),
        "machine": machine(),
        "load_average": round(busy(), 2),
        "commit": commit(ROOT),
    }
    try:
        compiled, pure, others = _processes(options, progress)
        for number in range(options.rounds):
            for process in (compiled, pure, *([others] if others is not None else [])):
                progress.show(f"round {number + 1} of {options.rounds}: {process.name}")
                process.run(options, choose_cores().server)
    except InstallError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped\n")
        return 130
    progress.end()
    rows = [
        _row(name, compiled, pure)
        for name in compiled.about.get("covers", {})
        if name in {*compiled.times, *pure.times}
    ]
    print(_tables(rows, compiled, others, markdown=options.markdown))
    notes = []
    if compiled.about and not compiled.about["compiled"]:
        notes.append("fastweb is NOT compiled here: both columns are plain Python.")
    covered = {name for names in compiled.about.get("covers", {}).values() for name in names}
    without = (
        [] if options.only else [name for name in compiled.about.get("public", ()) if name not in covered]
    )
    if without:
        notes.append(f"no case: {', '.join(without)}")
    slow = [row.name for row in rows if row.verdict]
    if slow:
        notes.append(f"compiled for little or nothing: {', '.join(slow)}")
    problems = {
        f"{process.name}: {name}": why
        for process in (compiled, pure, others)
        if process
        for name, why in process.problems.items()
    }
    notes += [f"not measured: {name}: {why}" for name, why in problems.items()]
    host = about["machine"]
    notes.append(
        f"{about['date'][:10]}, {host['cpu']}, {host['cores']} cores, {host['system']}, {host['python']}; "
        f"median of {options.rounds} rounds"
    )
    print("\n" + "\n".join(notes))
    results = {
        **about,
        "fastweb": compiled.about.get("version"),
        "compiled": compiled.about.get("compiled"),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "times": {process.name: process.times for process in (compiled, pure, others) if process is not None},
        "not_clearly_faster": slow,
        "without_case": without,
        "problems": problems,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.stderr.write(f"written: {options.output}\n")
    return 1 if problems or without or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
