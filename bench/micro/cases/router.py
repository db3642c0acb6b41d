"""fastweb/_speedups/router.py"""

from __future__ import annotations

from typing import Any

from bench.micro.case import Work, case
from bench.micro.users import asked_paths, route_paths
from fastweb import FastWeb
from fastweb._speedups.router import FULL, Matcher


async def endpoint(item_id: str = "") -> None:
    pass


def _app(count: int) -> FastWeb:
    app = FastWeb()
    for path in route_paths(count):
        app.add_api_route(path, endpoint)
    return app


def _match(count: int) -> Work:
    match = _app(count).router.match
    paths = asked_paths(count)
    for path in paths:
        assert match("GET", path)[0] == FULL

    def run() -> None:
        for path in paths:
            match("GET", path)

    return run, len(paths)


@case("router, 10 routes", "router.Matcher")
def match_10() -> Work:
    return _match(10)


@case("router, 1,000 routes", "router.Matcher")
def match_1000() -> Work:
    return _match(1000)


@case("router, 1,000 routes, no match", "router.Matcher")
def no_match() -> Work:
    match = _app(1000).router.match
    return lambda: match("GET", "/api/v1/resource499/things/42"), 1


@case("router, add 100 routes and freeze", "router.Matcher")
def add() -> Work:
    import re

    routes: list[tuple[list[Any], Any]] = []
    for number in range(50):
        routes.append(([f"/a{number}"], re.compile(f"/a{number}")))
        routes.append(([f"/a{number}/", ("id", "int", int)], re.compile(f"/a{number}/(?P<id>[0-9]+)")))
    methods = frozenset({"GET"})

    def run() -> None:
        matcher = Matcher()
        for parts, regex in routes:
            matcher.add(parts, methods, None, regex)
        matcher.freeze()

    return run, 1
