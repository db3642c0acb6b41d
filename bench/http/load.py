"""The load: wrk at full speed where there is one, our own client at a fixed rate, and what they found.

wrk cannot hold a rate, and its latencies are those of a closed loop: while a server stalls, wrk does not
ask. So half load is our own client's, which counts a request's time from when it was due (load.c says more).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from bench.http.environments import child_variables, tools
from bench.http.processes import Cores, on_core
from bench.http.routes import Route

__all__ = ["LoadError", "LoadResult", "LoadTools", "find_tools"]

_HERE: Final = Path(__file__).resolve().parent


class LoadError(Exception):
    """The load could not be run, or was not answered as it should be; the message says what happened."""


class NoAnswerError(LoadError):
    """Nothing was answered in the time."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What a run of load has found; times in seconds.

    Attributes:
        rate: answers a second.
        asked: the rate that was asked for; 0 for as many as possible.
        late: requests that the client sent more than a millisecond after they were due; their time runs all
            the same.
        client_cpu: the part of its core that the client used; near 1 without a fixed rate, it may be what
            limits the figure.
    """

    rate: float
    asked: float
    requests: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float
    late: int = 0
    client_cpu: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LoadTools:
    """The clients of this machine.

    Attributes:
        wrk: the program, and its version; None where there is none.
        client: how our own client is started.
        compiled: it is load.c.
        spins: at a fixed rate, our own client waits without sleeping, where it has a core to itself.
    """

    wrk: str | None
    wrk_version: str
    client: tuple[str, ...]
    compiled: bool
    cores: Cores
    spins: bool = True

    def describe(self) -> str:
        own = "load.c" if self.compiled else "client.py (no C compiler found: slower)"
        return f"full load: {self.wrk_version if self.wrk else own}; half load: {own}"

    def full(self, route: Route, port: int, connections: int, seconds: float) -> LoadResult:
        """As many requests as the server answers.

        Raises:
            LoadError: it could not be run, or some answers were none or wrong.
        """
        if self.wrk is None:
            return self._own(route, port, connections, seconds, 0.0)
        words = [
            self.wrk,
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}",
            "--latency",
            "-s",
            str(_HERE / "wrk.lua"),
        ]
        variables = {"BENCH_METHOD": route.method, "BENCH_BODY": route.payload.decode()}
        text, cpu = self._run([*words, f"http://127.0.0.1:{port}{route.target}"], seconds, b"", variables)
        line = next((line for line in text.splitlines() if line.startswith("BENCH ")), None)
        if line is None:
            raise LoadError(f"wrk printed no result: {text[-200:]!r}")
        return _result(json.loads(line[6:]), 0.0, cpu)

    def half(self, route: Route, port: int, connections: int, seconds: float, rate: float) -> LoadResult:
        """So many requests a second.

        Raises:
            LoadError: as for `full`.
        """
        return self._own(route, port, connections, seconds, rate)

    def warm_up(self, route: Route, port: int, connections: int, seconds: float) -> None:
        """Some load whose figures nobody wants.

        Raises:
            LoadError: as for `full`.
        """
        try:
            self._own(route, port, connections, seconds, 0.0)
        except NoAnswerError:
            # With so many connections at once, an answer may take that long.
            self._own(route, port, connections, seconds * 10, 0.0)

    def _own(self, route: Route, port: int, connections: int, seconds: float, rate: float) -> LoadResult:
        spin = "1" if self.spins and self.cores.load is not None else "0"
        words = [*self.client, str(port), str(connections), str(seconds), str(rate), spin]
        text, _ = self._run(words, seconds, route.request(port), {})
        try:
            found = json.loads(text)
        except ValueError:
            raise LoadError(f"the client printed no result: {text[-200:]!r}") from None
        return _result(found, rate, found["client_cpu"])

    def _run(
        self, words: list[str], seconds: float, stdin: bytes, variables: dict[str, str]
    ) -> tuple[str, float]:
        before = os.times()
        with on_core(self.cores.load):
            try:
                done = subprocess.run(
                    words,
                    input=stdin,
                    capture_output=True,
                    timeout=seconds + 15,
                    env={**child_variables(), **variables},
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise LoadError(f"the client was not done {15} seconds after it should have been") from None
        if done.returncode != 0:
            raise LoadError(f"the client failed: {done.stderr.decode(errors='replace').strip()[-200:]}")
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return done.stdout.decode(errors="replace"), cpu


def _result(found: dict[str, Any], asked: float, cpu: float) -> LoadResult:
    if found["errors"]:
        why = found.get("first_error") or "status, connection or time-out"
        raise LoadError(f"{found['errors']} of {found['requests']} requests failed ({why})")
    if not found["requests"]:
        raise NoAnswerError("no request was answered")
    return LoadResult(
        rate=found["requests"] / found["seconds"],
        asked=asked,
        requests=found["requests"],
        mean=found["mean"],
        p50=found["p50"],
        p90=found["p90"],
        p99=found["p99"],
        p999=found["p999"],
        max=found["max"],
        late=found.get("late", 0),
        client_cpu=min(1.0, cpu / found["seconds"]),
    )


def find_tools(cores: Cores) -> LoadTools:
    """wrk, and our own client: compiled where there is a C compiler, else as Python."""
    wrk = shutil.which("wrk")
    version = ""
    if wrk is not None:
        shown = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False)
        version = " ".join((shown.stdout or shown.stderr).split()[:2]) or "wrk"
    source = _HERE / "load.c"
    program = tools() / "load"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        made = (
            compiler is not None
            and not subprocess.run(
                [*compiler.split(), "-O2", "-o", str(program), str(source)], capture_output=True, check=False
            ).returncode
        )
        if not made:
            program.unlink(missing_ok=True)
    if program.exists():
        return LoadTools(wrk, version, (str(program),), True, cores)
    return LoadTools(wrk, version, (sys.executable, str(_HERE / "client.py")), False, cores)
