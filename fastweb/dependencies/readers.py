"""Reading what is more than one plain name: models as groups of parameters, several aliases, defaults that
are validated.

Which parameters need it is known when the plan is made; every other is `fastweb._speedups.plan`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastweb.datastructures import Headers
from fastweb.dependencies.parameters import Errors, ParameterGroup, RequestParameter, extras_of
from fastweb.params import Param, ParamTypes
from fastweb.requests import HTTPConnection
from fastweb.types import Undefined

__all__ = ["Reader", "needs_reader", "reader_of"]


def needs_reader(parameter: RequestParameter) -> bool:
    """Whether a parameter is more than one plain name."""
    return bool(
        parameter.groups
        or len(parameter.names) > 1
        or (parameter.info.validate_default and not parameter.info.is_required())
    )


def reader_of(parameter: RequestParameter) -> Reader:
    """What reads such a parameter."""
    return _GroupReader(parameter) if parameter.groups else Reader(parameter)


class Reader:
    """Reads a parameter that has several names, or a default to validate.

    Arguments:
        parameter: what to read.
    """

    def __init__(self, parameter: RequestParameter) -> None:
        assert isinstance(parameter.info, Param)
        self.parameter = parameter
        self.part = parameter.info.in_

    def read(self, request: HTTPConnection, values: dict[str, Any], errors: Errors) -> None:
        """Put the value among the arguments of the call, or append what is wrong."""
        value = self._read(_received(request, self.part), errors)
        if value is not Undefined:
            values[self.parameter.name] = value

    def _read(self, received: Mapping[str, Any], errors: Errors) -> Any:
        parameter = self.parameter
        _, name, value = parameter.find(received)
        loc = (self.part.value, name)
        if value is Undefined:
            return parameter.absent(loc, errors)
        return parameter.validator.validate(value, loc, errors)


class _GroupReader(Reader):
    """Reads a model whose fields stand in the request side by side."""

    def __init__(self, parameter: RequestParameter) -> None:
        super().__init__(parameter)
        self._group: ParameterGroup = parameter.groups[0]

    def _read(self, received: Mapping[str, Any], errors: Errors) -> Any:
        parameter, group = self.parameter, self._group
        is_header = isinstance(received, Headers)
        found: dict[str, Any] = {}
        known: set[str] = set()
        #: How an error is to name the header field that it is about.
        headers: dict[Any, str] = {}
        is_there = False
        for field in group.fields:
            own, name, value = field.find(received)
            is_there = is_there or any(each in received for _, each in field.names)
            if value is not Undefined:
                found[own] = value
            if not is_header:
                known.add(name)
                continue
            known.add(name.lower())
            # "user_agent" is no extra field beside "user-agent", either.
            known.update(each.lower() for each, converted in field.names if each != converted)
            if own != name:
                headers[field.name] = name
        found.update(extras_of(received, known))
        loc = (self.part.value,)
        if parameter.is_nullable and not is_there and not (group.keeps_extra and found):
            return parameter.absent(loc, errors)
        mine: Errors = []
        value = parameter.validator.validate(found, loc, mine)
        if headers and group.locates_by_alias:
            for error in mine:
                place = error["loc"]
                if len(place) > 1 and place[1] in headers:
                    error["loc"] = (place[0], headers[place[1]], *place[2:])
        errors.extend(mine)
        return value


def _received(request: HTTPConnection, part: ParamTypes) -> Mapping[str, Any]:
    """What a part of a request holds."""
    if part is ParamTypes.query:
        return request.query_params
    if part is ParamTypes.header:
        return request.headers
    if part is ParamTypes.cookie:
        return request.cookies
    return request.path_params
