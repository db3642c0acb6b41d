"""The client part: drivers are started once and take turns, held still (SIGSTOP) while others work."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

from bench.http.contenders import FASTWEB
from bench.http.environments import (
    Environment,
    InstallError,
    child_variables,
    make_environment,
    make_wheel,
)
from bench.http.processes import Cores, end_session, on_core, signal_session
from bench.http.progress import Progress
from bench.postgres.cases import CASES, CLIENTS, Case, Client

__all__ = ["DriverError", "Figures", "measure_clients"]

_DRIVERS: Final = Path(__file__).resolve().parent / "drivers"

#: Seconds of warm-up before a measurement.
WARM_UP: Final = 0.2

#: What a client did in one round of a case: operations a second, and processor seconds an operation.
Figure = tuple[float, float]
Figures = dict[str, dict[str, list[Figure]]]


class DriverError(Exception):
    """A driver cannot be measured; the message says why, in a line."""


class Driver:
    """A client's process."""

    def __init__(self, client: Client, environment: Environment, dsn: str, core: int | None) -> None:
        self.client = client
        variables = {**child_variables(), "BENCH_DSN": dsn, "PYTHONDONTWRITEBYTECODE": "1"}
        if client.pure:
            variables["FASTWEB_PURE"] = "1"
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        with on_core(core):
            self.process = subprocess.Popen(
                [str(environment.python), str(_DRIVERS / f"{client.driver}_driver.py")],
                cwd=tempfile.gettempdir(),
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                start_new_session=True,
            )
        try:
            self._answer(30.0)
            self.hold()
        except BaseException:
            self.end()
            raise

    def run(self, case: str, seconds: float) -> dict[str, Any]:
        """Have it do a case for so long.

        Raises:
            DriverError: it could not.
        """
        assert self.process.stdin is not None
        signal_session(self.process.pid, signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps({"case": case, "seconds": seconds}).encode() + b"\n")
            self.process.stdin.flush()
            return self._answer(seconds * 2 + 30)
        except OSError as error:
            raise DriverError(f"has ended ({error}): {self._last_words()}") from None
        finally:
            self.hold()

    def _answer(self, patience: float) -> dict[str, Any]:
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], patience)[0]:
            raise DriverError(f"does not answer within {patience:.0f} seconds")
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise DriverError(f"has ended with {self.process.returncode}: {self._last_words()}")
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise DriverError(found["error"])
        return found

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return (lines or ["it has said nothing"])[-1][:300]

    def hold(self) -> None:
        signal_session(self.process.pid, signal.SIGSTOP)

    def end(self) -> None:
        end_session(self.process)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._log.close()


@contextlib.contextmanager
def _drivers(
    clients: Sequence[Client], dsn: str, cores: Cores, problems: dict[str, str], progress: Progress
) -> Iterator[tuple[dict[str, Driver], dict[str, str]]]:
    running: dict[str, Driver] = {}
    versions: dict[str, str] = {}
    wheel = None
    try:
        for client in clients:
            progress.show(f"environment of {client.title}")
            try:
                if FASTWEB in client.requirements and wheel is None:
                    wheel = make_wheel()
                environment = make_environment(client.environment, client.requirements, wheel)
                versions |= {name: environment.versions.get(name, "?") for name in client.versions}
                running[client.name] = Driver(client, environment, dsn, cores.server)
            except (InstallError, DriverError) as problem:
                problems[client.name] = str(problem)
                progress.say(f"{client.title}: {problem}")
        yield running, versions
    finally:
        for driver in running.values():
            driver.end()


def measure_clients(
    cases: Sequence[str],
    clients: Sequence[str],
    dsn: str,
    cores: Cores,
    rounds: int,
    seconds: float,
    progress: Progress,
) -> dict[str, Any]:
    """Measure them; the results as JSON holds them."""
    figures: Figures = {name: {} for name in cases}
    problems: dict[str, str] = {}
    chosen = [CLIENTS[name] for name in clients]
    with _drivers(chosen, dsn, cores, problems, progress) as (drivers, versions):
        for number in range(rounds):
            for name in cases:
                case = CASES[name]
                # Each round begins with another one.
                takers = [each for each in case.clients if each in drivers]
                turn = number % len(takers) if takers else 0
                for taker in takers[turn:] + takers[:turn]:
                    if f"{taker}, {name}" in problems:
                        continue
                    progress.show(f"round {number + 1} of {rounds}: {case.title}: {CLIENTS[taker].title}")
                    try:
                        drivers[taker].run(name, WARM_UP)
                        time.sleep(0.01)
                        found = drivers[taker].run(name, seconds)
                    except DriverError as problem:
                        problems[f"{taker}, {name}"] = str(problem)
                        progress.say(f"{CLIENTS[taker].title}, {case.title}: {problem}")
                        continue
                    rate = found["operations"] / found["seconds"]
                    figures[name].setdefault(taker, []).append((rate, found["cpu"] / found["operations"]))
    return {
        "rounds": rounds,
        "seconds": seconds,
        "versions": versions,
        "problems": problems,
        "cases": {name: _summary(CASES[name], figures[name]) for name in cases},
    }


def _summary(case: Case, figures: dict[str, list[Figure]]) -> dict[str, Any]:
    made: dict[str, Any] = {"title": case.title, "unit": case.unit, "clients": {}}
    for client, found in figures.items():
        made["clients"][client] = {
            "rate": statistics.median(rate for rate, _ in found),
            "cpu": statistics.median(cpu for _, cpu in found),
            # Within a round, whose figures were measured seconds apart.
            "ratios": {
                other: {
                    "rate": statistics.median(a[0] / b[0] for a, b in zip(found, theirs, strict=False)),
                    "cpu": statistics.median(b[1] / a[1] for a, b in zip(found, theirs, strict=False)),
                }
                for other, theirs in figures.items()
                if other != client
            },
            "rounds": [{"rate": rate, "cpu": cpu} for rate, cpu in found],
        }
    return made
