"""fastweb/_speedups/plan.py"""

from __future__ import annotations

from typing import Any

from bench.micro.case import Work, case
from bench.micro.cases.request import HEADERS
from fastweb._speedups.plan import COOKIE, GENERAL, HEADER, INTEGER, PATH, QUERY, TEXT, Parameter, extract
from fastweb.types import Undefined
from fastweb.validation.validators import validator_of


def _parameter(source: int, name: str, kind: int, annotation: Any) -> Parameter:
    return Parameter(
        source, name, name.replace("_", "-"), kind, False, validator_of(annotation).validate, None, Undefined
    )


def _extract(parameters: list[Parameter], count: int) -> Work:
    path = {"id": "42"}

    def run() -> None:
        values: dict[str, Any] = {}
        errors: list[Any] = []
        extract(parameters, path, b"limit=10&search=engines", HEADERS, values, errors)

    run()
    values: dict[str, Any] = {}
    extract(parameters, path, b"limit=10&search=engines", HEADERS, values, [])
    assert len(values) == count, values
    return run, 1


@case("extract, path + 2 query", "plan.extract", "plan.Source")
def path_query() -> Work:
    parameters = [
        _parameter(PATH, "id", INTEGER, int),
        _parameter(QUERY, "limit", INTEGER, int),
        _parameter(QUERY, "search", TEXT, str),
    ]
    return _extract(parameters, 3)


@case("extract, 2 headers + 2 cookies", "plan.extract")
def headers_cookies() -> Work:
    parameters = [
        _parameter(HEADER, "user_agent", TEXT, str),
        _parameter(HEADER, "authorization", TEXT, str),
        _parameter(COOKIE, "session", TEXT, str),
        _parameter(COOKIE, "theme", TEXT, str),
    ]
    return _extract(parameters, 4)


@case("extract, 1 that needs its validator", "plan.extract")
def validated() -> Work:
    return _extract([_parameter(QUERY, "limit", GENERAL, float)], 1)


@case("Parameter", "plan.Parameter")
def parameter() -> Work:
    validate = validator_of(int).validate
    return lambda: Parameter(QUERY, "limit", "limit", INTEGER, False, validate, None, Undefined), 1
