"""The results as tables, in the terminal and in Markdown, read from what is written to bench/results."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bench.machine import remarks
from bench.postgres.cases import ACQUIRE, CASES, CLIENTS, GOALS, P99
from bench.postgres.http import HALF, ROUTES, contenders
from bench.tables import duration, markdown_table, number, text_table, times

__all__ = ["report"]

_NONE = "–"
Table = tuple[list[str], list[list[str]]]


def report(results: dict[str, Any], *, markdown: bool = False) -> str:
    """All of it.

    Arguments:
        results: what bench/results/postgres.json holds.
    """
    show = markdown_table if markdown else text_table
    parts = []
    if "clients" in results:
        parts.append(show(*_clients(results["clients"])))
    if "http" in results:
        parts.append(show(*_http(results["http"])))
    parts.append(show(*_goals(results)))
    machine = results["machine"]
    cores = results["cores"]
    parts.append(
        f"{results['date'][:10]}, {machine['cpu']}, {machine['cores']} cores, {machine['system']}, "
        f"{machine['python']}, PostgreSQL {results['postgres']['version']}; client or server on core "
        f"{cores['client']}, PostgreSQL and the load on core {cores['postgres']}"
    )
    parts += remarks(results)
    problems = [f"{name}: {why}" for name, why in results.get("clients", {}).get("problems", {}).items()]
    for name, app in results.get("http", {}).get("contenders", {}).items():
        problems += [f"{name}: {app['problem']}"] if app["problem"] else []
        problems += [
            f"{name}, {key}: {each['problem']}" for key, each in app["routes"].items() if each["problem"]
        ]
    if problems:
        parts.append("\n".join(["not measured:", *["  " + line for line in problems]]))
    return "\n\n".join(parts)


def _clients(clients: dict[str, Any]) -> Table:
    """A row a case: each client's figure, and how many times the baseline's it is."""
    names = [name for name in CLIENTS if any(name in case["clients"] for case in clients["cases"].values())]
    head = ["a second", *[CLIENTS[name].title for name in names]]
    rows = []
    for key, case in clients["cases"].items():
        row = [case["title"]]
        for name in names:
            found = case["clients"].get(name)
            if found is None:
                row.append(_NONE)
                continue
            ratio = found["ratios"].get(CASES[key].baseline)
            row.append(number(found["rate"]) + (f" ({times(ratio['rate'])})" if ratio else ""))
        rows.append(row)
    return head, rows


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _rate(app: dict[str, Any], route: str) -> float | None:
    return _median([each["full"]["rate"] for each in app["routes"].get(route, {}).get("rounds", ())])


def _p99(app: dict[str, Any], route: str) -> float | None:
    rounds = app["routes"].get(route, {}).get("rounds", ())
    return _median([each["half"]["p99"] for each in rounds if each["half"] is not None])


def _http(http: dict[str, Any]) -> Table:
    routes = [name for name in ROUTES if any(name in app["routes"] for app in http["contenders"].values())]
    head = ["requests a second", *[ROUTES[name].title for name in routes]]
    head += [f"p99 at half load: {ROUTES[name].title}" for name in routes if name in HALF]
    rows = []
    for app in http["contenders"].values():
        row = [app["title"]]
        for name in routes:
            rate = _rate(app, name)
            ratio = app["routes"].get(name, {}).get("ratio")
            row.append(
                _NONE if rate is None else number(rate) + (f" ({times(ratio['median'])})" if ratio else "")
            )
        for name in routes:
            if name in HALF:
                p99 = _p99(app, name)
                row.append(_NONE if p99 is None else duration(p99))
        rows.append(row)
    return head, rows


def _goals(results: dict[str, Any]) -> Table:
    """What was asked for, and what was found."""
    rows = []
    titles = {**{name: each.title for name, each in contenders("", "").items()}}
    titles |= {name: each.title for name, each in CLIENTS.items()}
    cases = results.get("clients", {}).get("cases", {})
    apps = results.get("http", {}).get("contenders", {})
    for goal in GOALS:
        ratio = by_cpu = limit = None
        if goal.case in cases:
            ours = cases[goal.case]["clients"].get("fastweb", {}).get("ratios", {}).get(goal.to)
            if ours:
                ratio, by_cpu = ours["rate"], ours["cpu"]
            bare = cases[goal.case]["clients"].get("limit", {}).get("ratios", {}).get(goal.to)
            limit = bare["rate"] if bare else None
            title = cases[goal.case]["title"]
        elif goal.case in ROUTES:
            title = f"HTTP: {ROUTES[goal.case].title}"
            if "fastweb" in apps and goal.to in apps:
                ratio, by_cpu = _http_ratio(apps["fastweb"], apps[goal.to], goal.case)
        else:
            continue
        if ratio is None:
            continue
        rows.append(
            [
                f"{title}: times {titles[goal.to]}",
                times(goal.least),
                times(ratio),
                _NONE if by_cpu is None else times(by_cpu),
                _NONE if limit is None else times(limit),
                "yes" if ratio >= goal.least else "no",
            ]
        )
    acquired = cases.get("acquire", {}).get("clients", {}).get("fastweb")
    if acquired:
        spent = 1 / acquired["rate"]
        rows.append(
            [
                "acquire and release",
                duration(ACQUIRE),
                duration(spent),
                _NONE,
                _NONE,
                "yes" if spent <= ACQUIRE else "no",
            ]
        )
    for name in HALF:
        p99 = _p99(apps["fastweb"], name) if "fastweb" in apps else None
        if p99 is not None:
            title = f"HTTP: p99 at half load, {ROUTES[name].title}"
            rows.append([title, duration(P99), duration(p99), _NONE, _NONE, "yes" if p99 <= P99 else "no"])
    return ["goal", "asked", "found", "by CPU", "the limit", "met"], rows


def _http_ratio(
    ours: dict[str, Any], theirs: dict[str, Any], route: str
) -> tuple[float | None, float | None]:
    """Of the rates, and of the servers' processor time a request; within each round."""
    pairs = list(zip(ours["routes"][route]["rounds"], theirs["routes"][route]["rounds"], strict=False))
    rate = _median([a["full"]["rate"] / b["full"]["rate"] for a, b in pairs])
    cpu = [(a["cpu_seconds_a_request"], b["cpu_seconds_a_request"]) for a, b in pairs]
    return rate, _median([b / a for a, b in cpu if a and b])
