"""A route's call plan: its tree of dependencies, flattened when the route is made, and run for each request.

    tree                     plan
    endpoint(user, q)        0  token(header)
      user <- current(db)    1  database()
        db <- database()     2  current(tok=0, db=1)
        tok <- token()       3  endpoint(user=2, q)

A step has its parameters (compiled, `_speedups.plan`), which earlier results it takes, and how it is called. A dependency that is used
twice is one step. At request time nothing is inspected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from inspect import isasyncgenfunction
from typing import Any, Final

from fastweb._speedups.plan import COOKIE, GENERAL, HEADER, INTEGER, PATH, QUERY, TEXT, Parameter, extract
from fastweb.background import BackgroundTasks
from fastweb.concurrency import contextmanager_in_threadpool, is_async_callable, run_in_threadpool
from fastweb.dependencies.dependant import Dependant, Field, dependant_of
from fastweb.exceptions import HTTPException, RequestValidationError
from fastweb.requests import Request, parse_json
from fastweb.responses import Response
from fastweb.types import Undefined
from fastweb.validation import nodes

__all__ = ["CallPlan", "Outcome"]


class Step:
    """One call of the plan."""

    __slots__ = ("body", "call", "generator", "is_async", "parameters", "results", "scope", "special")

    def __init__(self, dependant: Dependant, results: list[tuple[str, int]]) -> None:
        self.call = dependant.call
        self.is_async = is_async_callable(dependant.call)
        self.generator = dependant.is_generator
        self.scope = dependant.scope
        self.parameters = [
            _parameter(source, field)
            for source, fields in (
                (PATH, dependant.path),
                (QUERY, dependant.query),
                (HEADER, dependant.header),
                (COOKIE, dependant.cookie),
            )
            for field in fields
        ]
        self.body = dependant.body
        self.special = list(dependant.special.items())
        self.results = results


class Outcome:
    """What solving the dependencies of a request has given, beside the endpoint's arguments."""

    __slots__ = ("background", "errors", "response", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.errors: list[dict[str, Any]] = []
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
        is_plain: it has no dependencies, and takes nothing but values of the request.
        body_field: the one parameter that is the whole body, if it is so.
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
        self.steps: list[Step] = []
        self._cached: dict[Any, int] = {}
        for item in extra:
            self._add(item)
        self.endpoint = Step(dependant, self._results(dependant))
        self.call = dependant.call
        self.is_async = self.endpoint.is_async
        #: Whether anything is to be closed after the endpoint, or after the answer.
        self.has_exits = any(step.generator for step in self.steps)
        self.is_plain = not self.steps and not self.endpoint.special
        fields = [field for step in (*self.steps, self.endpoint) for field in step.body]
        names = {field.name for field in fields}
        self.has_body = bool(fields)
        self.embed = len(names) > 1 or any(getattr(field.info, "embed", False) for field in fields)
        self.body_field: Field | None = fields[0] if fields and not self.embed else None

    def _results(self, dependant: Dependant) -> list[tuple[str, int]]:
        return [(inner.name, self._add(inner)) for inner in dependant.dependencies if inner.name is not None]

    def _add(self, dependant: Dependant) -> int:
        """The number of the step that gives a dependency's result, added where it is not there yet."""
        override = self._overrides.get(dependant.call)
        key = (dependant.call, dependant.scope or "")
        if dependant.use_cache and key in self._cached:
            return self._cached[key]
        if override is not None:
            dependant = dependant_of(
                override, self._path_names, name=dependant.name, use_cache=dependant.use_cache, scope=dependant.scope
            )
        results = self._results(dependant)
        number = len(self.steps)
        self.steps.append(Step(dependant, results))
        self._cached.setdefault(key, number)
        return number

    # At request time

    def solve_plain(self, request: Request, body: bytes | None) -> dict[str, Any]:
        """The endpoint's arguments, where the plan is plain.

        Raises:
            RequestValidationError: the request does not fit them.
        """
        values: dict[str, Any] = {}
        errors: list[dict[str, Any]] = []
        parameters = self.endpoint.parameters
        if parameters:
            stream = request._stream
            extract(
                parameters,
                request._path_params,
                stream.query_string,  # type: ignore[union-attr]
                stream.headers,  # type: ignore[union-attr]
                _cookies_of(request),
                values,
                errors,
            )
        if self.has_body:
            received = self._read_body(request, body)
            self._take_body(self.endpoint, received, values, errors)
            if errors:
                raise RequestValidationError(errors, body=received.parsed())
        elif errors:
            raise RequestValidationError(errors)
        return values

    async def solve(
        self, request: Request, body: bytes | None, function_exits: AsyncExitStack | None, request_exits: AsyncExitStack | None
    ) -> Outcome:
        """Call the dependencies, in order, and find the endpoint's arguments.

        A dependency whose own parameters are wrong is not called, nor is what needs it; the others are, so that every error is found.
        """
        outcome = Outcome()
        received = self._read_body(request, body) if self.has_body else None
        results: list[Any] = []
        failed: set[int] = set()
        for step in self.steps:
            values = self._arguments(step, request, received, results, failed, outcome)
            if values is None:
                failed.add(len(results))
                results.append(None)
            else:
                results.append(await _call(step, values, function_exits, request_exits))
        values = self._arguments(self.endpoint, request, received, results, failed, outcome)
        if outcome.errors:
            raise RequestValidationError(outcome.errors, body=received.parsed() if received is not None else None)
        outcome.values = values or {}
        return outcome

    def _arguments(
        self,
        step: Step,
        request: Request,
        received: Received | None,
        results: list[Any],
        failed: set[int],
        outcome: Outcome,
    ) -> dict[str, Any] | None:
        """The arguments of one step; None where there are errors."""
        values: dict[str, Any] = {}
        errors = outcome.errors
        before = len(errors)
        broken = False
        for name, number in step.results:
            if number in failed:
                broken = True
            else:
                values[name] = results[number]
        if step.parameters:
            stream = request._stream
            extract(
                step.parameters,
                request._path_params,
                stream.query_string,  # type: ignore[union-attr]
                stream.headers,  # type: ignore[union-attr]
                _cookies_of(request),
                values,
                errors,
            )
        if step.body and received is not None:
            self._take_body(step, received, values, errors)
        if broken or len(errors) > before:
            return None
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
        return values

    # The body

    def _read_body(self, request: Request, body: bytes | None) -> Received:
        """The body, as far as it must be read before anything is called: it is JSON, or it is not.

        Raises:
            RequestValidationError: it says that it is JSON, and is not.
            HTTPException: 400, it is not even text, or nested too deeply.
        """
        received = Received(body or b"", _is_json(request))
        if received.data and received.is_json:
            try:
                if self.body_field is not None:
                    received.validate(self.body_field)
                else:
                    received.parsed()
            except ValueError as error:
                raise _not_json(error, received.data) from error
            except RecursionError as error:
                raise HTTPException(400, "There was an error parsing the body") from error
        return received

    def _take_body(
        self, step: Step, received: Received, values: dict[str, Any], errors: list[dict[str, Any]]
    ) -> None:
        for field in step.body:
            if not self.embed:
                if not received.data:
                    self._missing(field, ("body",), values, errors)
                    continue
                value = received.validate(field)
                errors.extend(received.errors)
            else:
                loc = ("body", field.alias)
                whole = received.parsed() if received.data else None
                raw = whole.get(field.alias, Undefined) if isinstance(whole, dict) else Undefined
                if raw is Undefined:
                    self._missing(field, loc, values, errors)
                    continue
                value = field.validator.validate(raw, loc, errors)
            if value is not Undefined:
                values[field.name] = value

    def _missing(
        self, field: Field, loc: tuple[str, ...], values: dict[str, Any], errors: list[dict[str, Any]]
    ) -> None:
        default = field.default()
        if default is None:
            errors.append({"type": "missing", "loc": loc, "msg": "Field required", "input": None})
        else:
            values[field.name] = default()


class Received:
    """The body of a request: its bytes, and what was made of them, each once."""

    __slots__ = ("_parsed", "_value", "data", "errors", "is_json")

    def __init__(self, data: bytes, is_json: bool) -> None:
        self.data = data
        self.is_json = is_json
        self.errors: list[dict[str, Any]] = []
        self._parsed: Any = Undefined
        self._value: Any = Undefined

    def parsed(self) -> Any:
        """The body as JSON gives it; None where there is none, its bytes where it does not say that it is JSON."""
        if self._parsed is Undefined:
            if not self.data:
                self._parsed = None
            else:
                self._parsed = parse_json(self.data) if self.is_json else self.data
        return self._parsed

    def validate(self, field: Field) -> Any:
        """The value of the parameter that is the whole body; its errors are in `errors`."""
        if self._value is Undefined and not self.errors:
            if self.is_json:
                self._value = field.validator.validate_json(self.data, ("body",), self.errors)
            else:
                self._value = field.validator.validate(self.data, ("body",), self.errors)
        return self._value


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
    """Whether the request says that its body is JSON: application/json, or application/*+json (RFC 6838 section 4.2.8).

    Nothing else will do: a form on another site can post text/plain without asking first, and must not pass for JSON.
    """
    stream = request._stream
    for name, value in stream.headers:  # type: ignore[union-attr]
        if name == b"content-type":
            if value == _JSON:
                return True
            media = value.split(b";", 1)[0].strip().lower()
            return media == _JSON or (media.startswith(b"application/") and media.endswith(b"+json"))
    return False


def _cookies_of(request: Request) -> Callable[[], dict[str, str]]:
    return lambda: request.cookies


async def _call(
    step: Step, values: dict[str, Any], function_exits: AsyncExitStack | None, request_exits: AsyncExitStack | None
) -> Any:
    if step.generator:
        exits = function_exits if step.scope == "function" else request_exits
        assert exits is not None
        call = step.call
        if isasyncgenfunction(call) or isasyncgenfunction(getattr(call, "__call__", None)):
            return await exits.enter_async_context(asynccontextmanager(call)(**values))
        return await exits.enter_async_context(contextmanager_in_threadpool(contextmanager(call)(**values)))
    if step.is_async:
        return await step.call(**values)
    return await run_in_threadpool(step.call, **values)


def _parameter(source: int, field: Field) -> Parameter:
    return Parameter(
        source,
        field.name,
        field.alias,
        _kind(field),
        field.many,
        field.validator.validate,
        field.default(),
        Undefined,
    )


def _kind(field: Field) -> int:
    """Which of the kinds that need no validator a parameter is, if any."""
    schema = field.validator.schema
    if type(schema) is nodes.StrSchema and field.annotation is str and not field.info.constraints():
        return TEXT
    if type(schema) is nodes.IntSchema and field.annotation is int and not field.info.constraints():
        return INTEGER
    return GENERAL
