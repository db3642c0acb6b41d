"""The results as tables: in the terminal, and in Markdown for a README."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.http.contenders import Contender
from bench.http.measure import Results, Spread
from bench.http.routes import Route
from bench.machine import remarks
from bench.tables import duration, markdown_table, number, size, text_table, times

__all__ = ["markdown_report", "text_report"]

_NONE = "–"


def _show(spread: Spread | None, form: Callable[[float], str]) -> str:
    return _NONE if spread is None else form(spread.median)


def _range(spread: Spread | None) -> str:
    return _NONE if spread is None else f"{times(spread.low)}–{times(spread.high)}"


def _title(results: Results, contender: Contender) -> str:
    mode = results.modes.get(contender.name)
    return (
        f"{contender.title} ({mode})" if mode == "pure" and "pure" not in contender.title else contender.title
    )


def _shown(results: Results) -> list[Contender]:
    return [
        each for each in results.plan.contenders if any(name == each.name for name, _ in results.measurements)
    ]


def _baseline_title(results: Results) -> str:
    return next(
        (each.title for each in results.plan.contenders if each.name == results.plan.baseline),
        results.plan.baseline,
    )


def _summary(results: Results) -> tuple[list[str], list[list[str]]]:
    """A row a contender, a column a route: the rate, and its ratio to the baseline's."""
    routes = results.plan.routes
    rows = []
    for contender in _shown(results):
        row = [_title(results, contender)]
        for route in routes:
            rate = results.rate(contender.name, route.name)
            ratio = results.ratio(contender.name, route.name, results.plan.baseline)
            mark = "*" if results.client_bound(contender.name, route.name) else ""
            cell = _NONE if rate is None else number(rate.median) + mark
            row.append(cell if ratio is None else f"{cell} {times(ratio.median)}")
        rows.append(row)
    return ["requests a second", *[route.title for route in routes]], rows


def _route_table(results: Results, route: Route) -> tuple[list[str], list[list[str]]]:
    """All that is known of one route."""
    name = route.name
    halves = route in results.plan.half
    head = [route.title, "req/s", "ratio", "min–max", "CPU/req", "by CPU", "p50", "p99", "p99.9"]
    head += ["half: p50", "p99", "p99.9"] if halves else []
    rows = []
    for contender in _shown(results):
        if results.rate(contender.name, name) is None:
            continue
        ratio = results.ratio(contender.name, name, results.plan.baseline)
        row = [
            _title(results, contender),
            _show(results.rate(contender.name, name), number)
            + ("*" if results.client_bound(contender.name, name) else ""),
            _show(ratio, times),
            _range(ratio),
            _show(results.cpu(contender.name, name), duration),
            _show(results.cpu_ratio(contender.name, name, results.plan.baseline), times),
        ]
        for load in ("full", "half") if halves else ("full",):
            row += [
                _show(results.latency(contender.name, name, load, each), duration)
                for each in ("p50", "p99", "p999")
            ]
        rows.append(row)
    return head, rows


def _process_table(results: Results) -> tuple[list[str], list[list[str]]]:
    workers = results.plan.workers
    head = [
        "process",
        "resident",
        f"{workers} workers, PSS" if workers else "",
        "cold start",
        "min–max",
        "installed",
        "models",
    ]
    rows = []
    for contender in _shown(results):
        name = contender.name
        several = results.workers_memory.get(name)
        cold = Spread.of(results.cold.get(name, []))
        row = [
            _title(results, contender),
            _show(Spread.of([each.rss for each in results.memory.get(name, [])]), size),
            size(several.pss) if several is not None else _NONE,
            _show(cold, duration),
            f"{duration(cold.low)}–{duration(cold.high)}" if cold is not None else _NONE,
            size(results.environments[name].size) if name != "limit" else _NONE,
            contender.models or _NONE,
        ]
        rows.append(row)
    if not workers:
        return head[:2] + head[3:], [row[:2] + row[3:] for row in rows]
    return head, rows


def _problems(results: Results) -> list[str]:
    titles = {each.name: each.title for each in results.plan.contenders}
    titles_of_routes = {each.name: each.title for each in results.plan.routes}
    lines = [f"{titles[name]}: {why}" for name, why in results.problems.items()]
    lines += [
        f"{titles[name]}, {titles_of_routes[route]}: {why}"
        for (name, route), why in results.route_problems.items()
        if name not in results.problems
    ]
    return lines


def _versions(results: Results) -> str:
    found: dict[str, str] = {}
    for contender in results.plan.contenders:
        environment = results.environments.get(contender.name)
        if environment is not None:
            found |= {name: environment.versions.get(name, "?") for name in contender.versions}
    modes = sorted({mode for name, mode in results.modes.items() if "pure" not in name})
    return ", ".join(
        f"{name} {version}" + (f" ({', '.join(modes)})" if name == "fastweb" else "")
        for name, version in found.items()
    )


def _machine_lines(results: Results, about: dict[str, Any]) -> list[str]:
    cores = results.tools.cores
    where = (
        f"server on core {cores.server}, load on core {cores.load}"
        if cores.server is not None
        else "server and load share the cores here: figures are low, and ratios rough"
    )
    machine = about["machine"]
    return [
        f"{about['date'][:10]}, {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['system']}, {machine['python']}",
        f"{where}; {results.plan.connections} connections, {results.rounds} rounds of "
        f"{results.plan.seconds:g} s; "
        f"{results.tools.describe()}",
        _versions(results),
    ]


def _notes(results: Results) -> list[str]:
    notes = [
        f"× and ratio: times {_baseline_title(results)}, within a round; median of {results.rounds}. "
        "By CPU: the same of processor time a request."
    ]
    routes = [route.name for route in results.plan.routes]
    if any(results.client_bound(each.name, name) for each in results.plan.contenders for name in routes):
        notes.append("*: the load client used up its core and the server did not: it may be faster.")
    return notes


def text_report(results: Results, about: dict[str, Any]) -> str:
    """For a terminal."""
    parts = []
    if _shown(results):
        parts.append(text_table(*_summary(results)))
        parts += [text_table(*_route_table(results, route)) for route in results.plan.routes]
        parts.append(text_table(*_process_table(results)))
    notes = _notes(results)
    parts.append("\n".join([*notes, *_machine_lines(results, about)]))
    if problems := _problems(results):
        parts.append("\n".join(["not measured:", *["  " + line for line in problems]]))
    parts += remarks(about)
    return "\n\n".join(parts)


def markdown_report(results: Results, about: dict[str, Any]) -> str:
    """For a README: rates and ratios, latency and processes, and what they were measured on."""
    parts = []
    if _shown(results):
        parts.append(markdown_table(*_summary(results)))
        for route in results.plan.half:
            head, rows = _route_table(results, route)
            parts.append(markdown_table(head, rows))
        parts.append(markdown_table(*_process_table(results)))
    lines = [*_notes(results), *_machine_lines(results, about), *remarks(about)]
    parts.append("\n".join(f"{line}  " for line in lines).rstrip())
    if problems := _problems(results):
        parts.append("Not measured:\n\n" + "\n".join(f"- {line}" for line in problems))
    return "\n\n".join(parts)
