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

import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

from fastweb._speedups.plan import COOKIE, GENERAL, HEADER, INTEGER, PATH, QUERY, TEXT, Parameter, extract
from fastweb.background import BackgroundTasks
from fastweb.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastweb.dependencies.calls import Kind
from fastweb.dependencies.dependant import Dependant, RequestParameter, dependant_of
from fastweb.dependencies.forms import FormReader, ReceivedForm
from fastweb.dependencies.parameters import missing
from fastweb.dependencies.readers import needs_reader, reader_of
from fastweb.exceptions import HTTPException, RequestValidationError, WebSocketRequestValidationError
from fastweb.params import Form
from fastweb.requests import HTTPConnection, Request, parse_json
from fastweb.responses import Response
from fastweb.types import Undefined
from fastweb.validation import nodes

if TYPE_CHECKING:
    from anyio import CancelScope

__all__ = ["CallPlan", "Outcome"]

Errors = list[dict[str, Any]]


class Step:
    """One call of the plan.

    Arguments:
        dependant: the function, read.
        websocket: the request is a WebSocket.
        results: the steps that it needs, by number, and the keywords that take their results; None where
            nobody takes one.
    """

    __slots__ = ("body", "call", "ends_early", "kind", "parameters", "readers", "results", "special")

    def __init__(
        self, dependant: Dependant, results: list[tuple[str | None, int]], *, websocket: bool = False
    ) -> None:
        self.call, self.kind = dependant.call, dependant.kind
        if dependant.concurrency is not None:
            from fastweb.dependencies.concurrency import bounded  # rare

            self.call, self.kind = bounded(self.call, self.kind, dependant.concurrency)
        self.ends_early = dependant.scope == "function"
        self.parameters: list[Parameter] = []
        #: What is more than a plain parameter: (which of the parameters it stands before, how it is read).
        self.readers: list[tuple[int, _Read]] = []
        for source, parameters in (
            (PATH, dependant.path),
            (QUERY, dependant.query),
            (HEADER, dependant.header),
            (COOKIE, dependant.cookie),
        ):
            for parameter in parameters:
                if needs_reader(parameter):
                    self.readers.append((len(self.parameters), reader_of(parameter).read))
                else:
                    self.parameters.append(_parameter(source, parameter))
        self.body = dependant.body
        #: "request", "response" or "background"
        self.special: list[tuple[str, str]] = []
        for name, kind in dependant.special.items():
            if kind == "security_scopes":
                self.readers.append((len(self.parameters), _scopes_reader(name, dependant.oauth_scopes)))
            elif kind == "connection" or kind == ("websocket" if websocket else "request"):
                self.special.append((name, "request"))
            elif kind in ("response", "background"):
                self.special.append((name, kind))
        self.results = results


_Read = Callable[[HTTPConnection, dict[str, Any], Errors], None]


def _scopes_reader(name: str, scopes: Sequence[str]) -> _Read:
    scopes_class = sys.modules[
        "fastweb.security.oauth2"
    ].SecurityScopes  # who annotates with it has loaded it

    def read(request: HTTPConnection, values: dict[str, Any], errors: Errors) -> None:
        values[name] = scopes_class(scopes=list(scopes))

    return read


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
        websocket: the route is a WebSocket's: the request is one, and has no body.
        strict_content_type: a body that does not say what it is is not taken for JSON.
        form_limits: what `Request.form` takes: max_files, max_fields, max_part_size.

    Attributes:
        call: the endpoint.
        is_async: it is a coroutine function.
        has_exits: something is to be closed after the endpoint, or after the answer.
        has_body: some parameter is in the body.
        body_parameters: the parameters that are in the body, the endpoint's first.
        whole_body: the parameter that is the whole body, if one is.
        reads_form: the body is a form: `read_body` reads it.
    """

    def __init__(
        self,
        dependant: Dependant,
        extra: list[Dependant],
        path_names: frozenset[str],
        overrides: Mapping[Callable[..., Any], Callable[..., Any]] | None = None,
        *,
        websocket: bool = False,
        strict_content_type: bool = True,
        form_limits: Mapping[str, int] | None = None,
    ) -> None:
        self._websocket = websocket
        self._strict = strict_content_type
        self._overrides = overrides or {}
        self._path_names = path_names
        self._cached: dict[Any, int] = {}
        self.steps: list[Step] = []
        results = [(inner.name, self._add(inner)) for inner in (*extra, *dependant.dependencies)]
        self.endpoint = Step(dependant, results, websocket=websocket)
        if self.endpoint.kind is Kind.AT_ONCE:
            self.endpoint.kind = Kind.PLAIN  # an endpoint is more than what it was marked for
        self.call = dependant.call
        self.is_async = self.endpoint.kind is Kind.COROUTINE
        self._shields = any(step.kind is Kind.ASYNC_GENERATOR for step in self.steps)
        self.has_exits = any(step.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR) for step in self.steps)
        # The endpoint's own first, as FastAPI has it: the first one says whether it is embedded.
        parameters = list(_bodies(dependant, extra))
        self.body_parameters = parameters
        self.has_body = bool(parameters)
        self._embed = _embeds(parameters)
        self.whole_body = parameters[0] if parameters and not self._embed else None
        forms = [isinstance(parameter.info, Form) for parameter in parameters]
        self.reads_form = not websocket and (any(forms) if self._embed else forms[:1] == [True])
        self._form = FormReader(parameters, form_limits or {}) if self.reads_form else None

    def _add(self, dependant: Dependant) -> int:
        """The number of the step that gives a dependency's result, added where it is not there yet."""
        generates = dependant.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR)
        scopes = frozenset(dependant.oauth_scopes) if dependant.uses_scopes else None
        key = (dependant.call, dependant.scope or ("request" if generates else None), scopes)
        if dependant.use_cache and key in self._cached:
            return self._cached[key]
        override = self._overrides.get(dependant.call)
        if override is not None:
            concurrency = dependant.concurrency
            dependant = dependant_of(
                override,
                self._path_names,
                name=dependant.name,
                scope=dependant.scope,
                parent_oauth_scopes=dependant.oauth_scopes,
            )
            dependant.concurrency = concurrency
        results = [(inner.name, self._add(inner)) for inner in dependant.dependencies]
        number = len(self.steps)
        self.steps.append(Step(dependant, results, websocket=self._websocket))
        self._cached.setdefault(key, number)
        return number

    # At request time

    async def read_body(self, request: Request) -> Any:
        """What `solve` takes for the body: its bytes, or the form that it is. Whoever calls it also calls
        `request.close()` when all is done, where `reads_form`.

        Raises:
            HTTPException: 400, it is no form that can be read.
        """
        return await request.body() if self._form is None else await self._form.read(request)

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
        # Around all of them, so that a scope of a dependency's own still ends before it.
        scope = _cleanup_scope(request_exits) if self._shields and request_exits is not None else None
        for number, step in enumerate(self.steps):
            values, errors = self._arguments(step, request, received, results, failed, outcome)
            if errors:
                failed[number] = errors
                results.append(None)
            else:
                exits = function_exits if step.ends_early else request_exits
                results.append(await _call(step, values, exits, scope))
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

    async def solve_websocket(
        self,
        websocket: Any,
        function_exits: AsyncExitStack | None,
        request_exits: AsyncExitStack | None,
    ) -> Outcome:
        """`solve` for a WebSocket.

        Raises:
            WebSocketRequestValidationError: the request that opened it does not fit the parameters.
        """
        try:
            return await self.solve(websocket, None, function_exits, request_exits)
        except RequestValidationError as error:
            raise WebSocketRequestValidationError(error.errors()) from None

    def _fill(
        self,
        step: Step,
        request: Request,
        received: Received | ReceivedForm | None,
        values: dict[str, Any],
        errors: Errors,
    ) -> None:
        """Read the values of a step's parameters."""
        if step.readers:
            self._fill_mixed(step, request, values, errors)
        elif step.parameters:
            _extract(step.parameters, request, values, errors)
        if received is not None:
            for parameter in step.body:
                if isinstance(received, ReceivedForm):
                    value = received.value_of(parameter, errors)
                else:
                    value = self._from_body(parameter, received, errors)
                if value is not Undefined:
                    values[parameter.name] = value

    def _fill_mixed(self, step: Step, request: Request, values: dict[str, Any], errors: Errors) -> None:
        """The same, in their order, where some are no plain parameters."""
        done = 0
        for place, read in step.readers:
            if place > done:
                _extract(step.parameters[done:place], request, values, errors)
                done = place
            read(request, values, errors)
        if done < len(step.parameters):
            _extract(step.parameters[done:], request, values, errors)

    # The body

    def _read_body(self, request: Request, body: Any) -> Any:
        """The body, as far as it must be read before anything is called: it is JSON, or it is not.

        Raises:
            RequestValidationError: it says that it is JSON, and is not.
            HTTPException: 400, it is not even text, or nested too deeply.
        """
        if isinstance(body, ReceivedForm):
            return body
        is_json = not self._websocket and _is_json(request, self._strict)
        received = Received(body or b"", is_json, self.whole_body)
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
                return parameter.absent(loc, errors)
            if parameter is self.whole_body:
                value, found = received.whole()
                errors.extend(found)
                return value
            return parameter.validator.validate(received.parsed(), loc, errors)
        if received.data and received.is_json:
            whole = received.parsed()
            if not isinstance(whole, dict):
                # Not even a default helps then, in FastAPI.
                return missing(("body", parameter.alias), errors)
            for _, name in parameter.names:
                if name in whole:
                    return parameter.validator.validate(whole[name], ("body", name), errors)
        return parameter.absent(("body", parameter.alias), errors)


def _bodies(dependant: Dependant, extra: Sequence[Dependant] = ()) -> Iterator[RequestParameter]:
    """The parameters in the body, those of a function before those of what it depends on."""
    yield from dependant.body
    for inner in (*extra, *dependant.dependencies):
        yield from _bodies(inner)


def _embeds(parameters: Sequence[RequestParameter]) -> bool:
    """Whether each parameter is one key of the body, or field of the form; else one is all of it."""
    if not parameters:
        return False
    first = parameters[0]
    if any(parameter.name != first.name for parameter in parameters):
        return True
    if first.groups and any(other.annotation != first.annotation for other in parameters):
        return True
    return bool(getattr(first.info, "embed", False)) or (isinstance(first.info, Form) and not first.groups)


def _extract(parameters: list[Parameter], request: Any, values: dict[str, Any], errors: Errors) -> None:
    scope = request._scope
    if scope is None:
        stream = request._stream
        extract(parameters, request._path_params, stream.query_string, stream.headers, values, errors)
    else:
        # What a middleware may have changed.
        query, headers = scope.get("query_string", b""), scope["headers"]
        extract(parameters, scope.get("path_params"), query, headers, values, errors)


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


def _is_json(request: Request, strict: bool) -> bool:
    """Whether the body is said to be JSON: application/json, or application/*+json (RFC 6838 section 4.2.8).

    Nothing else will do: a form on another site can post text/plain without asking first, and must not pass
    for JSON. It can also post what does not say its type; `strict` refuses that, too.
    """
    stream = request._stream
    for name, value in request.scope["headers"] if stream is None else stream.headers:
        if name == b"content-type":
            if value == _JSON:
                return True
            media = value.split(b";", 1)[0].strip().lower()
            if media or strict:
                return media == _JSON or (media.startswith(b"application/") and media.endswith(b"+json"))
    return not strict


def _cleanup_scope(exits: AsyncExitStack) -> CancelScope:
    from anyio import CancelScope

    return exits.enter_context(CancelScope())


@asynccontextmanager
async def _shielded(entered: AbstractAsyncContextManager[Any], scope: CancelScope) -> AsyncIterator[Any]:
    """A context manager whose exit runs to its end, though the request be cancelled."""
    from anyio.lowlevel import checkpoint_if_cancelled

    before = scope.shield
    try:
        async with entered as value:
            try:
                yield value
            finally:
                scope.shield = True
    finally:
        scope.shield = before
    # A task group of its own may have swallowed the cancellation meanwhile.
    await checkpoint_if_cancelled()


async def _call(
    step: Step, values: dict[str, Any], exits: AsyncExitStack | None, scope: CancelScope | None
) -> Any:
    kind = step.kind
    if kind is Kind.COROUTINE:
        return await step.call(**values)
    if kind is Kind.PLAIN:
        return await run_in_threadpool(step.call, **values)
    if kind is Kind.AT_ONCE:
        return step.call(**values)
    assert exits is not None
    if kind is Kind.ASYNC_GENERATOR:
        assert scope is not None
        return await exits.enter_async_context(_shielded(asynccontextmanager(step.call)(**values), scope))
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
