"""The measuring itself.

In a round every server is started afresh, on the one core, and held still (SIGSTOP). Then, route by route,
each contender in turn is let go, warmed up, loaded and held again: so what is compared was measured seconds
apart, and the next round begins with another one. A ratio is that of two figures of one round.
"""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from bench.http.contenders import FASTWEB, Contender
from bench.http.environments import (
    Environment,
    InstallError,
    child_variables,
    make_environment,
    make_wheel,
)
from bench.http.load import LoadError, LoadResult, LoadTools
from bench.http.processes import Memory, cpu_seconds, memory, on_core
from bench.http.progress import Progress
from bench.http.routes import ROUTES, Route
from bench.http.servers import Server, ServerError

__all__ = ["Measurement", "Plan", "Results", "Spread", "measure"]

#: Seconds of load before a measurement: caches, the interpreter's specialised bytecode, the allocator.
WARM_UP: Final = 0.3

_COLD: Final = """
import sys, time
begin = time.perf_counter()
{statements}
end = time.perf_counter()
sys.stdout.write(repr(end - begin))
"""
_MODE: Final = "import fastweb; print('compiled' if fastweb.is_compiled() else 'pure')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be measured.

    Arguments:
        contenders, routes: in this order.
        half: the routes that are also measured at half load.
        baseline: the contender that the ratios are ratios to.
        rounds: how often everything is measured, if there is time.
        seconds: of load, for one figure.
        connections: open at once.
        workers: processes whose proportional memory is measured; 0 for not at all.
        cold: how often a cold start is measured; 0 for not at all.
        time_limit: seconds after which no further round begins; None for no limit.
    """

    contenders: tuple[Contender, ...]
    routes: tuple[Route, ...]
    half: tuple[Route, ...]
    baseline: str
    rounds: int
    seconds: float
    connections: int
    workers: int
    cold: int
    time_limit: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One contender at one route in one round."""

    round: int
    full: LoadResult
    half: LoadResult | None
    cpu: float | None
    """Processor seconds a request, at full load, of all the server's processes."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several figures, the middle one and the outermost."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread | None:
        return cls(statistics.median(figures), min(figures), max(figures)) if figures else None

    def as_dict(self) -> dict[str, float]:
        return {"median": self.median, "min": self.low, "max": self.high}


@dataclass(slots=True)
class Results:
    """All that was found, by the contender's name, then by the route's."""

    plan: Plan
    tools: LoadTools
    environments: dict[str, Environment] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    route_problems: dict[tuple[str, str], str] = field(default_factory=dict)
    measurements: dict[tuple[str, str], list[Measurement]] = field(default_factory=dict)
    memory: dict[str, list[Memory]] = field(default_factory=dict)
    workers_memory: dict[str, Memory] = field(default_factory=dict)
    workers_problems: dict[str, str] = field(default_factory=dict)
    cold: dict[str, list[float]] = field(default_factory=dict)
    rounds: int = 0

    def rate(self, contender: str, route: str) -> Spread | None:
        """Requests a second at full load."""
        return Spread.of([each.full.rate for each in self.measurements.get((contender, route), ())])

    def ratio(self, contender: str, route: str, to: str) -> Spread | None:
        """The ratio of two contenders' requests a second, within each round."""
        others = {each.round: each.full.rate for each in self.measurements.get((to, route), ())}
        mine = self.measurements.get((contender, route), ())
        return Spread.of([each.full.rate / others[each.round] for each in mine if each.round in others])

    def latency(self, contender: str, route: str, load: str, name: str) -> Spread | None:
        """A percentile ("p50", "p99", "p999") at "full" or "half" load, in seconds."""
        found = [getattr(each, load) for each in self.measurements.get((contender, route), ())]
        return Spread.of([getattr(each, name) for each in found if each is not None])

    def cpu(self, contender: str, route: str) -> Spread | None:
        """Processor seconds a request."""
        found = [each.cpu for each in self.measurements.get((contender, route), ())]
        return Spread.of([each for each in found if each is not None])

    def cpu_ratio(self, contender: str, route: str, to: str) -> Spread | None:
        """How many times less processor time a request takes than another's, within each round: what the
        ratio of the rates comes to
        where each has its core to itself, and what is left of it on a machine that does other things, too."""
        others = {each.round: each.cpu for each in self.measurements.get((to, route), ())}
        mine = self.measurements.get((contender, route), ())
        return Spread.of(
            [other / each.cpu for each in mine if each.cpu and (other := others.get(each.round))]
        )

    def client_bound(self, contender: str, route: str) -> bool:
        """Whether the client may have been what limited the rate: it used its core up, and the server did
        not use up its own."""
        found = self.measurements.get((contender, route), ())
        return any(
            each.full.client_cpu > 0.97 and each.cpu is not None and each.cpu * each.full.rate < 0.95
            for each in found
        )


def measure(plan: Plan, tools: LoadTools, progress: Progress) -> Results:
    """Measure what the plan says. What cannot be measured is noted with the reason, and the rest goes on."""
    results = Results(plan, tools)
    begin = time.monotonic()
    _make_environments(results, progress)
    extra = _extra_seconds(plan)
    longest = 0.0
    for number in range(plan.rounds):
        started = time.monotonic()
        if number and plan.time_limit is not None and started - begin + longest + extra > plan.time_limit:
            progress.say(f"{number} of {plan.rounds} rounds: the time is up")
            break
        _round(results, number, progress)
        longest = max(longest, time.monotonic() - started)
        results.rounds = number + 1
    _measure_cold(results, progress)
    _measure_workers(results, progress)
    progress.end()
    return results


def _extra_seconds(plan: Plan) -> float:
    """About how long it takes to measure what is no round."""
    workers = 1.0 + 0.2 * len(plan.routes) if plan.workers else 0.0
    return len(plan.contenders) * ((plan.cold + 1) * 0.25 + workers)


def _alive(results: Results) -> list[Contender]:
    return [each for each in results.plan.contenders if each.name not in results.problems]


def _make_environments(results: Results, progress: Progress) -> None:
    wheel = None
    for contender in results.plan.contenders:
        progress.show(f"environment of {contender.title}")
        try:
            if FASTWEB in contender.requirements and wheel is None:
                progress.show("building fastweb's wheel")
                wheel = make_wheel()
            environment = make_environment(contender.environment, contender.requirements, wheel)
        except InstallError as problem:
            results.problems[contender.name] = f"not installed: {problem}"
            progress.say(f"{contender.title}: not installed: {problem}")
            continue
        results.environments[contender.name] = environment
        if FASTWEB in contender.requirements:
            results.modes[contender.name] = _mode(contender, environment)


def _mode(contender: Contender, environment: Environment) -> str:
    words = [str(environment.python), "-c", _MODE]
    variables = {**child_variables(), **contender.variables}
    done = subprocess.run(
        words, env=variables, cwd=environment.python.parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "broken"


@contextlib.contextmanager
def _servers(results: Results, number: int, progress: Progress) -> Iterator[dict[str, Server]]:
    """All servers, held still; each round begins with another one."""
    running: dict[str, Server] = {}
    alive = _alive(results)
    turn = number % len(alive) if alive else 0
    try:
        for contender in alive[turn:] + alive[:turn]:
            progress.show(f"round {number + 1}: starting {contender.title}")
            try:
                server = Server(contender, results.environments[contender.name], results.tools.cores.server)
            except ServerError as problem:
                results.problems[contender.name] = f"not started: {problem}"
                progress.say(f"{contender.title}: not started: {problem}")
                continue
            running[contender.name] = server
            if number == 0:
                _check(results, server, progress)
            server.hold()
        yield running
    finally:
        for server in running.values():
            server.end()


def _check(results: Results, server: Server, progress: Progress) -> None:
    for route in results.plan.routes:
        wrong = server.check(route)
        if wrong is not None:
            results.route_problems[server.contender.name, route.name] = wrong
            progress.say(f"{server.contender.title}, {route.title}: {wrong}")


def _round(results: Results, number: int, progress: Progress) -> None:
    plan = results.plan
    with _servers(results, number, progress) as servers:
        for route in plan.routes:
            for name, server in servers.items():
                if (name, route.name) in results.route_problems or name in results.problems:
                    continue
                progress.show(f"round {number + 1} of {plan.rounds}: {route.title}: {server.contender.title}")
                try:
                    server.go_on()
                    made = _one(results, server, route, number)
                    server.hold()
                except (LoadError, ServerError) as problem:
                    results.route_problems[name, route.name] = str(problem)
                    progress.say(f"{server.contender.title}, {route.title}: {problem}")
                    with contextlib.suppress(ServerError):
                        server.hold()
                    continue
                results.measurements.setdefault((name, route.name), []).append(made)
        for name, server in servers.items():
            used = memory(server.process.pid)
            if used is not None:
                results.memory.setdefault(name, []).append(used)


def _one(results: Results, server: Server, route: Route, number: int) -> Measurement:
    plan, tools = results.plan, results.tools
    tools.warm_up(route, server.port, plan.connections, WARM_UP)
    before = cpu_seconds(server.process.pid)
    full = tools.full(route, server.port, plan.connections, plan.seconds)
    after = cpu_seconds(server.process.pid)
    cpu = (after - before) / full.requests if before is not None and after is not None else None
    half = None
    if route in plan.half:
        half = tools.half(route, server.port, plan.connections, plan.seconds, full.rate / 2)
    return Measurement(number, full, half, cpu)


def _measure_cold(results: Results, progress: Progress) -> None:
    """Import and an app object, in a fresh interpreter; the interpreter's own start is not in it."""
    measured = [each for each in _alive(results) if each.cold is not None] if results.plan.cold else []
    runners = [(contender, _cold_runner(results, contender)) for contender in measured]
    for number in range(results.plan.cold + 1):
        for contender, run in runners:
            progress.show(f"cold start {number} of {results.plan.cold}: {contender.title}")
            seconds = run()
            # The first one reads files that are in no cache yet.
            if seconds is not None and number:
                results.cold.setdefault(contender.name, []).append(seconds)


def _cold_runner(results: Results, contender: Contender) -> Callable[[], float | None]:
    python = results.environments[contender.name].python
    words = [str(python), "-c", _COLD.format(statements=contender.cold)]
    variables = {**child_variables(), **contender.variables}

    def run() -> float | None:
        with on_core(results.tools.cores.server), contextlib.suppress(subprocess.TimeoutExpired, ValueError):
            done = subprocess.run(
                words,
                env=variables,
                cwd=python.parent,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            return float(done.stdout)
        return None

    return run


def _measure_workers(results: Results, progress: Progress) -> None:
    """The proportional memory of several workers, each of which has answered requests."""
    plan = results.plan
    if not plan.workers or not plan.routes:
        return
    for contender in _alive(results):
        if contender.several is None:
            results.workers_problems[contender.name] = "runs one process here"
            continue
        progress.show(f"memory of {plan.workers} workers: {contender.title}")
        try:
            server = Server(contender, results.environments[contender.name], None, plan.workers)
        except ServerError as problem:
            results.workers_problems[contender.name] = str(problem)
            continue
        try:
            for route in plan.routes:
                if (contender.name, route.name) not in results.route_problems:
                    results.tools.warm_up(route, server.port, plan.connections, 0.2)
            used = memory(server.process.pid)
            if used is not None:
                results.workers_memory[contender.name] = used
        except LoadError as problem:
            results.workers_problems[contender.name] = str(problem)
        finally:
            server.end()


def routes_of(names: Sequence[str]) -> tuple[Route, ...]:
    """The routes of these names."""
    return tuple(ROUTES[name] for name in names)


def as_json(results: Results) -> dict[str, Any]:
    """The results as JSON holds them; times in seconds, sizes in bytes."""
    plan = results.plan
    made: dict[str, Any] = {}
    for contender in plan.contenders:
        name = contender.name
        environment = results.environments.get(name)
        entry: dict[str, Any] = {
            "title": contender.title,
            "models": contender.models,
            "fixed_answers": contender.fixed,
            "mode": results.modes.get(name),
            "problem": results.problems.get(name),
            "versions": {each: environment.versions.get(each) for each in contender.versions}
            if environment
            else {},
            "installed_size": environment.size if environment else None,
            "cold_start": results.cold.get(name, []),
            "memory": [
                {"rss": each.rss, "pss": each.pss, "processes": each.processes}
                for each in results.memory.get(name, ())
            ],
            "routes": {},
        }
        several = results.workers_memory.get(name)
        if several is not None:
            entry["memory_of_workers"] = {
                "workers": plan.workers,
                "rss": several.rss,
                "pss": several.pss,
                "processes": several.processes,
            }
        for route in plan.routes:
            ratio = results.ratio(name, route.name, plan.baseline)
            by_cpu = results.cpu_ratio(name, route.name, plan.baseline)
            entry["routes"][route.name] = {
                "problem": results.route_problems.get((name, route.name)),
                "ratio": None if ratio is None else ratio.as_dict(),
                "ratio_by_cpu": None if by_cpu is None else by_cpu.as_dict(),
                "client_bound": results.client_bound(name, route.name),
                "rounds": [
                    {
                        "round": each.round,
                        "full": each.full.as_dict(),
                        "half": None if each.half is None else each.half.as_dict(),
                        "cpu_seconds_a_request": each.cpu,
                    }
                    for each in results.measurements.get((name, route.name), ())
                ],
            }
        made[name] = entry
    return {
        "plan": {
            "baseline": plan.baseline,
            "rounds": results.rounds,
            "seconds": plan.seconds,
            "connections": plan.connections,
            "cores": {"server": results.tools.cores.server, "load": results.tools.cores.load},
            "load": results.tools.describe(),
        },
        "contenders": made,
    }
