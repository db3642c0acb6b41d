"""A route's call plan: its tree of dependencies, flattened when the route is made, and run for each request.

    tree                     plan
    endpoint(user, q)        0  token(header)
      user <- current(db)    1  database()
        db <- database()     2  current(tok=0, db=1)
        tok <- token()       3  endpoint(user=2, q)

A step has its parameters (compiled, `_speedups.plan`), which earlier results it takes, and how it is called.
A dependency that is used twice is one step. At request time nothing is inspected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any, Final

from fastweb._speedups.plan import COOKIE, GENERAL, HEADER, INTEGER, PATH, QUERY, TEXT, Parameter, extract
from fastweb.background import BackgroundTasks
from fastweb.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastweb.dependencies.calls import Kind
from fastweb.dependencies.dependant import Dependant, RequestParameter, dependant_of
from fastweb.exceptions import HTTPException, RequestValidationError
from fastweb.requests import Request, parse_json
from fastweb.responses import Response
from fastweb.types import Undefined
from fastweb.validation import nodes

__all__ = ["CallPlan", "Outcome"]

Errors = list[dict[str, Any]]


class Step:
    """One call of the plan.

    Arguments:
        dependant: the function, read.
        results: the steps that it needs, by number, and the keywords that take their results; None where
            nobody takes one.
    """

    __slots__ = ("body", "call", "ends_early", "kind", "parameters", "results", "special")

    def __init__(self, dependant: Dependant, results: list[tuple[str | None, int]]) -> None:
        self.call = dependant.call
        self.kind = dependant.kind
        self.ends_early = dependant.scope == "function"
        self.parameters = [
            _parameter(source, parameter)
            for source, parameters in (
                (PATH, dependant.path),
                (QUERY, dependant.query),
                (HEADER, dependant.header),
                (COOKIE, dependant.cookie),
            )
            for parameter in parameters
        ]
        self.body = dependant.body
        self.special = list(dependant.special.items())
        self.results = results


class Outcome:
    """What solving the dependencies of a request has given: the endpoint's arguments, and what else was asked
    for.
    """

    __slots__ = ("background", "response", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.background: BackgroundTasks | None = None
        self.response: Response | None = None


class CallPlan:
    """How one route's endpoint is called.

    Arguments:
        dependant: the endpoint, read.
        extra: dependencies of the route itself, whose results nobody takes; they run first.
        overrides: functions that stand in for others (`FastWeb.dependency_overrides`).
        path_names: the parameters in the route's path, for what stands in.

    Attributes:
        call: the endpoint.
        is_async: it is a coroutine function.
        has_exits: something is to be closed after the endpoint, or after the answer.
        has_body: some parameter is in the body.
        whole_body: the parameter that is the whole body, if one is.
    """

    def __init__(
        self,
        dependant: Dependant,
        extra: list[Dependant],
        path_names: frozenset[str],
        overrides: Mapping[Callable[..., Any], Callable[..., Any]] | None = None,
    ) -> None:
        self._overrides = overrides or {}
        self._path_names = path_names
        self._cached: dict[Any, int] = {}
        self.steps: list[Step] = []
        results = [(inner.name, self._add(inner)) for inner in (*extra, *dependant.dependencies)]
        self.endpoint = Step(dependant, results)
        self.call = dependant.call
        self.is_async = self.endpoint.kind is Kind.COROUTINE
        self.has_exits = any(step.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR) for step in self.steps)
        # The endpoint's own first, as FastAPI has it: the first one says whether it is embedded.
        parameters = [parameter for step in (self.endpoint, *self.steps) for parameter in step.body]
        self.has_body = bool(parameters)
        self._embed = len({parameter.name for parameter in parameters}) > 1 or (
            self.has_body and bool(getattr(parameters[0].info, "embed", False))
        )
        self.whole_body = parameters[0] if parameters and not self._embed else None

    def _add(self, dependant: Dependant) -> int:
        """The number of the step that gives a dependency's result, added where it is not there yet."""
        generates = dependant.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR)
        key = (dependant.call, dependant.scope or ("request" if generates else None))
        if dependant.use_cache and key in self._cached:
            return self._cached[key]
        override = self._overrides.get(dependant.call)
        if override is not None:
            dependant = dependant_of(override, self._path_names, name=dependant.name, scope=dependant.scope)
        results = [(inner.name, self._add(inner)) for inner in dependant.dependencies]
        number = len(self.steps)
        self.steps.append(Step(dependant, results))
        self._cached.setdefault(key, number)
        return number

    # At request time

    async def solve(
        self,
        request: Request,
        body: bytes | None,
        function_exits: AsyncExitStack | None,
        request_exits: AsyncExitStack | None,
    ) -> Outcome:
        """Call the dependencies, in order, and find the endpoint's arguments.

        A dependency whose own parameters are wrong is not called, nor is what needs it; the others are, so
        that every error is found. It is told once for each that needs it, as FastAPI does.

        Raises:
            RequestValidationError: the request does not fit them.
            HTTPException: 400, the body cannot be read at all.
            Exception: what a dependency has raised.
        """
        outcome = Outcome()
        received = self._read_body(request, body) if self.has_body else None
        results: list[Any] = []
        failed: dict[int, Errors] = {}
        for number, step in enumerate(self.steps):
            values, errors = self._arguments(step, request, received, results, failed, outcome)
            if errors:
                failed[number] = errors
                results.append(None)
            else:
                results.append(
                    await _call(step, values, function_exits if step.ends_early else request_exits)
                )
        outcome.values, errors = self._arguments(self.endpoint, request, received, results, failed, outcome)
        if errors:
            raise RequestValidationError(errors, body=None if received is None else received.parsed())
        return outcome

    def _arguments(
        self,
        step: Step,
        request: Request,
        received: Received | None,
        results: list[Any],
        failed: dict[int, Errors],
        outcome: Outcome,
    ) -> tuple[dict[str, Any], Errors]:
        """The arguments of one step, and what is wrong with them."""
        values: dict[str, Any] = {}
        errors: Errors = []
        for name, number in step.results:
            if number in failed:
                errors.extend(failed[number])
            elif name is not None:
                values[name] = results[number]
        self._fill(step, request, received, values, errors)
        for name, kind in step.special:
            if kind == "request":
                values[name] = request
            elif kind == "response":
                if outcome.response is None:
                    outcome.response = Response()
                    outcome.response.raw_headers.clear()
                    outcome.response.status_code = None  # type: ignore[assignment]
                values[name] = outcome.response
            else:
                if outcome.background is None:
                    outcome.background = BackgroundTasks()
                values[name] = outcome.background
        return values, errors

    def _fill(
        self, step: Step, request: Request, received: Received | None, values: dict[str, Any], errors: Errors
    ) -> None:
        """Read the values of a step's parameters."""
        if step.parameters:
            stream = request._stream
            extract(
                step.parameters,
                request._path_params,
                stream.query_string,  # type: ignore[union-attr]
                stream.headers,  # type: ignore[union-attr]
                values,
                errors,
            )
        if received is not None:
            for parameter in step.body:
                value = self._from_body(parameter, received, errors)
                if value is not Undefined:
                    values[parameter.name] = value

    # The body

    def _read_body(self, request: Request, body: bytes | None) -> Received:
        """The body, as far as it must be read before anything is called: it is JSON, or it is not.

        Raises:
            RequestValidationError: it says that it is JSON, and is not.
            HTTPException: 400, it is not even text, or nested too deeply.
        """
        received = Received(body or b"", _is_json(request), self.whole_body)
        if received.data and received.is_json:
            try:
                if self.whole_body is None:
                    received.parsed()
                else:
                    received.whole()
            except ValueError as error:
                raise _not_json(error, received.data) from error
            except RecursionError as error:
                raise HTTPException(400, "There was an error parsing the body") from error
        return received

    def _from_body(self, parameter: RequestParameter, received: Received, errors: Errors) -> Any:
        """The value of a parameter that is the body, or one key of it; `Undefined` where there are errors."""
        loc: tuple[str, ...] = ("body",)
        if not self._embed:
            if not received.data:
                return _missing(parameter, loc, errors)
            if parameter is self.whole_body:
                value, found = received.whole()
                errors.extend(found)
                return value
            return parameter.validator.validate(received.parsed(), loc, errors)
        loc = ("body", parameter.alias)
        if received.data and received.is_json:
            whole = received.parsed()
            if not isinstance(whole, dict):
                # Not even a default helps then, in FastAPI.
                return _required(loc, errors)
            if parameter.alias in whole:
                return parameter.validator.validate(whole[parameter.alias], loc, errors)
        return _missing(parameter, loc, errors)


def _required(loc: tuple[str, ...], errors: Errors) -> Any:
    errors.append({"type": "missing", "loc": loc, "msg": "Field required", "input": None})
    return Undefined


def _missing(parameter: RequestParameter, loc: tuple[str, ...], errors: Errors) -> Any:
    default = parameter.default()
    return _required(loc, errors) if default is None else default()


class Received:
    """The body of a request: its bytes, and what was made of them, each once.

    Arguments:
        data: the bytes.
        is_json: they are said to be JSON.
        parameter: the parameter that is the whole of it, if there is one.
    """

    __slots__ = ("_parameter", "_parsed", "_whole", "data", "is_json")

    def __init__(self, data: bytes, is_json: bool, parameter: RequestParameter | None) -> None:
        self.data = data
        self.is_json = is_json
        self._parameter = parameter
        self._parsed: Any = Undefined
        self._whole: tuple[Any, Errors] | None = None

    def parsed(self) -> Any:
        """The body as JSON gives it; None where there is none, its bytes where it does not say that it is
        JSON.
        """
        if self._parsed is Undefined:
            if not self.data:
                self._parsed = None
            else:
                self._parsed = parse_json(self.data) if self.is_json else self.data
        return self._parsed

    def whole(self) -> tuple[Any, Errors]:
        """The value of the parameter that is the whole body, and its errors."""
        if self._whole is None:
            assert self._parameter is not None
            validator = self._parameter.validator
            errors: Errors = []
            if self.is_json:
                self._whole = validator.validate_json(self.data, ("body",), errors), errors
            else:
                self._whole = validator.validate(self.data, ("body",), errors), errors
        return self._whole


def _not_json(error: ValueError, data: bytes) -> Exception:
    """The error for a body that is not JSON, as FastAPI has it."""
    if not hasattr(error, "pos"):  # a UnicodeDecodeError: not even text
        return HTTPException(400, "There was an error parsing the body")
    return RequestValidationError(
        [
            {
                "type": "json_invalid",
                "loc": ("body", error.pos),
                "msg": "JSON decode error",
                "input": {},
                "ctx": {"error": getattr(error, "msg", str(error))},
            }
        ],
        body=data.decode("utf-8", "replace"),
    )


_JSON: Final = b"application/json"


def _is_json(request: Request) -> bool:
    """Whether the body is said to be JSON: application/json, or application/*+json (RFC 6838 section 4.2.8).

    Nothing else will do: a form on another site can post text/plain without asking first, and must not pass
        for JSON.
    """
    stream = request._stream
    for name, value in stream.headers:  # type: ignore[union-attr]
        if name == b"content-type":
            if value == _JSON:
                return True
            media = value.split(b";", 1)[0].strip().lower()
            return media == _JSON or (media.startswith(b"application/") and media.endswith(b"+json"))
    return False


async def _call(step: Step, values: dict[str, Any], exits: AsyncExitStack | None) -> Any:
    kind = step.kind
    if kind is Kind.COROUTINE:
        return await step.call(**values)
    if kind is Kind.PLAIN:
        return await run_in_threadpool(step.call, **values)
    assert exits is not None
    if kind is Kind.ASYNC_GENERATOR:
        return await exits.enter_async_context(asynccontextmanager(step.call)(**values))
    return await exits.enter_async_context(contextmanager_in_threadpool(contextmanager(step.call)(**values)))


def _parameter(source: int, parameter: RequestParameter) -> Parameter:
    return Parameter(
        source,
        parameter.name,
        parameter.alias,
        _kind(parameter),
        parameter.many,
        parameter.validator.validate,
        parameter.default(),
        Undefined,
    )


def _kind(parameter: RequestParameter) -> int:
    """Which of the kinds that need no validator a parameter is, if any."""
    schema = parameter.validator.schema
    if parameter.info.constraints():
        return GENERAL
    if type(schema) is nodes.StrSchema and parameter.annotation is str:
        return TEXT
    if type(schema) is nodes.IntSchema and parameter.annotation is int:
        return INTEGER
    return GENERAL
