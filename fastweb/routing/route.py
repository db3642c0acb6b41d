"""A route: which endpoint answers a path and method, and how its result becomes the answer.

A route is made ready when it is declared: its path is compiled, its endpoint read into a call plan, its
response model into a serializer. A mistake in any of them is an error there and then, with the name of the
function.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from fastweb._speedups.answer import Operation
from fastweb._speedups.response import Head
from fastweb.concurrency import run_in_threadpool
from fastweb.datastructures import Default, DefaultPlaceholder, URLPath
from fastweb.dependencies.calls import describe, return_annotation_of, yields
from fastweb.dependencies.dependant import dependant_of
from fastweb.dependencies.operation import operation_of
from fastweb.dependencies.plan import CallPlan, Outcome
from fastweb.encoders import dump_untyped, jsonable_encoder
from fastweb.exceptions import EndpointContext, FastWebError, RequestValidationError, ResponseValidationError
from fastweb.params import Depends
from fastweb.paths import compile_path, fill_path
from fastweb.requests import Request, parse_json
from fastweb.responses import (
    HTMLResponse,
    JSONResponse,
    ORJSONResponse,
    PlainTextResponse,
    Response,
    begin_response,
    is_body_allowed,
    send_response,
)
from fastweb.routing.base import BaseRoute, NoMatchFound
from fastweb.types import Stream
from fastweb.validation.schema import schema_of
from fastweb.validation.serializer import ResponseErrors, Serializer, serializer_of

__all__ = ["OPTIONS", "APIRoute"]


class APIRoute(BaseRoute):
    """One path, its methods and the endpoint that answers them.

    Arguments:
        path: begins with a slash; `{name}` and `{name:convertor}` are its parameters.
        endpoint: a function, plain (run in the thread pool) or async.
        methods: by default GET alone.
        response_model: the type of what is sent: the result is validated, and nothing that the type does not
            declare is sent. By default the endpoint's return annotation; None for none.
        response_model_include, response_model_exclude, response_model_by_alias, response_model_exclude_unset,
            response_model_exclude_defaults, response_model_exclude_none: what of it is left out.
        status_code: of the answer, where the endpoint does not set it.
        response_class: what the answer is made with, where the endpoint returns no response.
        dependencies: called before the endpoint, for what they do.
        name: for `url_path_for`; by default the function's.
        tags, summary, description, response_description, responses, deprecated, operation_id,
        include_in_schema, callbacks,
            openapi_extra: for the API's description.
        bare_request: an unannotated parameter called `request` or `req` is the request.

    Raises:
        FastWebError: path, endpoint or response model cannot be used; the message says why.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Collection[str] | None = None,
        response_model: Any = Default(None),
        response_model_include: Any = None,
        response_model_exclude: Any = None,
        response_model_by_alias: bool = True,
        response_model_exclude_unset: bool = False,
        response_model_exclude_defaults: bool = False,
        response_model_exclude_none: bool = False,
        status_code: int | None = None,
        response_class: type[Response] | DefaultPlaceholder = Default(JSONResponse),
        dependencies: Sequence[Depends] | None = None,
        name: str | None = None,
        tags: Sequence[Any] | None = None,
        summary: str | None = None,
        description: str | None = None,
        response_description: str = "Successful Response",
        responses: Mapping[int | str, Any] | None = None,
        deprecated: bool | None = None,
        operation_id: str | None = None,
        include_in_schema: bool = True,
        callbacks: Sequence[Any] | None = None,
        openapi_extra: dict[str, Any] | None = None,
        bare_request: bool = False,
    ) -> None:
        if path and not path.startswith("/"):
            raise FastWebError(f"the path of {describe(endpoint)} is {path!r}; a path begins with a slash")
        if not callable(endpoint):
            raise FastWebError(f"the endpoint of {path!r} is {endpoint!r}, which cannot be called")
        if yields(endpoint):
            raise FastWebError(
                f"{describe(endpoint)} has a yield in it; return a StreamingResponse of a generator instead"
            )
        self.path = path
        self.endpoint = endpoint
        self.methods: frozenset[str] = frozenset(method.upper() for method in (methods or ("GET",)))
        self.name = getattr(endpoint, "__name__", type(endpoint).__name__) if name is None else name
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)
        self.status_code = int(status_code) if status_code is not None else None
        self.response_class = response_class
        self.dependencies = list(dependencies or ())
        self.tags = list(tags or ())
        self.summary = summary
        self.description = (
            description if description is not None else inspect.cleandoc(endpoint.__doc__ or "")
        )
        self.response_description = response_description
        self.responses = dict(responses or {})
        self.deprecated = deprecated
        self.operation_id = operation_id
        self.include_in_schema = include_in_schema
        self.callbacks = callbacks
        self.openapi_extra = openapi_extra
        self.bare_request = bare_request
        self.response_model_include = response_model_include
        self.response_model_exclude = response_model_exclude
        self.response_model_by_alias = response_model_by_alias
        self.response_model_exclude_unset = response_model_exclude_unset
        self.response_model_exclude_defaults = response_model_exclude_defaults
        self.response_model_exclude_none = response_model_exclude_none
        self.response_model = self._model(response_model)
        self._names = frozenset(self.param_convertors)
        self.plan = self._make_plan(None)
        self._overridden: tuple[Any, CallPlan, Operation] | None = None
        self._serializer = self._make_serializer()
        self._options = self._dump_options()
        self._response_class = (
            response_class.value if isinstance(response_class, DefaultPlaceholder) else response_class
        )
        self._bodiless = not is_body_allowed(self.status_code)
        #: Makes the answer's body of the endpoint's value, with no response object; None where the response
        #: class may do what it likes.
        self._encode = self._make_encoder()
        self._head = None if self._encode is None else self._make_head()
        self.operation = self._make_operation(self.plan)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(path={self.path!r}, name={self.name!r}, methods={sorted(self.methods)})"
        )

    # When it is declared

    def _model(self, response_model: Any) -> Any:
        if not isinstance(response_model, DefaultPlaceholder):
            return response_model
        annotation = return_annotation_of(self.endpoint)
        if isinstance(annotation, type) and issubclass(annotation, Response):
            return None
        return annotation

    def _make_plan(self, overrides: Mapping[Callable[..., Any], Callable[..., Any]] | None) -> CallPlan:
        extra = []
        for mark in self.dependencies:
            if mark.dependency is None:
                raise FastWebError(
                    f"a dependency of the route {self.path!r} is a Depends() without a function"
                )
            extra.append(
                dependant_of(mark.dependency, self._names, use_cache=mark.use_cache, scope=mark.scope)
            )
        endpoint = dependant_of(self.endpoint, self._names, bare_request=self.bare_request)
        return CallPlan(endpoint, extra, self._names, overrides)

    def _make_serializer(self) -> Serializer | None:
        if self.response_model is None:
            return None
        if not is_body_allowed(self.status_code):
            raise FastWebError(
                f"{describe(self.endpoint)} answers with {self.status_code}, which has no body: "
                "it cannot have a response model"
            )
        try:
            schema_of(
                self.response_model
            )  # no class that only the app knows: nothing says what of it is sent
            return serializer_of(self.response_model)
        except FastWebError as error:
            raise FastWebError(
                f"the response model of {describe(self.endpoint)}: {error}. "
                "If the endpoint returns responses itself, say response_model=None"
            ) from error

    def _dump_options(self) -> dict[str, Any]:
        given = {
            "include": self.response_model_include,
            "exclude": self.response_model_exclude,
            "by_alias": self.response_model_by_alias,
            "exclude_unset": self.response_model_exclude_unset,
            "exclude_defaults": self.response_model_exclude_defaults,
            "exclude_none": self.response_model_exclude_none,
        }
        usual = {"include": None, "exclude": None, "by_alias": True}
        return {name: value for name, value in given.items() if value != usual.get(name, False)}

    def _make_encoder(self) -> Callable[[Any], bytes] | None:
        if self._response_class in (JSONResponse, ORJSONResponse):
            if self._bodiless:
                return _no_body
            return dump_untyped if self._serializer is None else self._encode_model
        if self._response_class in (PlainTextResponse, HTMLResponse) and not self._bodiless:
            return self._encode_text
        return None

    def _make_head(self) -> Head:
        media_type = self._response_class.media_type or ""
        if media_type.startswith("text/"):
            media_type += f"; charset={self._response_class.charset}"
        return Head(self.status_code or 200, ((b"content-type", media_type.encode()),))

    def _make_operation(self, plan: CallPlan) -> Operation:
        return operation_of(self, plan, self._encode, self._head)

    # For each request

    def operation_with(self, overrides: Mapping[Callable[..., Any], Callable[..., Any]]) -> Operation:
        """`operation`, with functions that stand in for dependencies."""
        if not overrides:
            return self.operation
        key = dict(overrides)
        if self._overridden is None or self._overridden[0] != key:
            plan = self._make_plan(key)
            self._overridden = (key, plan, self._make_operation(plan))
        return self._overridden[2]

    def _plan_with(self, overrides: Mapping[Callable[..., Any], Callable[..., Any]]) -> CallPlan:
        self.operation_with(overrides)
        return self.plan if not overrides or self._overridden is None else self._overridden[1]

    # What its operation asks for: fastweb._speedups.answer.Operation

    def request(self, stream: Stream, app: Any, path_params: Any) -> Request:
        """The request that a stream carries."""
        return Request.from_stream(stream, app, self, path_params)

    def invalid(self, errors: list[dict[str, Any]], body: bytes | None) -> RequestValidationError:
        """The exception for a request that does not fit."""
        return RequestValidationError(errors, body=parse_json(body) if body else None)

    def failed(
        self, app: Any, request: Request, stream: Stream, error: Exception
    ) -> Coroutine[Any, Any, None]:
        """What answers an exception."""
        self._locate(error)
        answer: Coroutine[Any, Any, None] = app.handle_exception(request, stream, error)
        return answer

    def respond(self, value: Any, stream: Stream) -> Coroutine[Any, Any, None] | None:
        """Send what the endpoint returned as a response: at once, or by what is returned."""
        return begin_response(self._response(value, None), stream)

    async def general(self, app: Any, request: Request, stream: Stream) -> None:
        """Answer any request."""
        plan = self._plan_with(app.dependency_overrides)
        try:
            body = await request.body() if plan.has_body else None
            if plan.has_exits:
                sent = False
                async with AsyncExitStack() as request_exits:
                    response = None
                    async with AsyncExitStack() as function_exits:
                        outcome = await plan.solve(request, body, function_exits, request_exits)
                        response = self._response(await self._call(plan, outcome.values), outcome)
                    if response is not None:
                        await send_response(response, stream)
                        sent = True
                if not sent:
                    raise FastWebError(
                        f"{describe(self.endpoint)} raised an exception, and a dependency with a yield "
                        "caught it and raised neither it nor another one: there is nothing to answer with"
                    )
            else:
                outcome = await plan.solve(request, body, None, None)
                result = await self._call(plan, outcome.values)
                if (
                    self._encode is not None
                    and outcome.response is None
                    and not isinstance(result, Response)
                ):
                    stream.respond(self._head, self._encode(result))  # type: ignore[arg-type]
                    if outcome.background is not None:
                        await stream.drain()
                        await outcome.background()
                else:
                    await send_response(self._response(result, outcome), stream)
        except Exception as error:
            self._locate(error)
            await app.handle_exception(request, stream, error)

    async def _call(self, plan: CallPlan, values: dict[str, Any]) -> Any:
        if plan.is_async:
            return await plan.call(**values)
        return await run_in_threadpool(plan.call, **values)

    def _encode_model(self, result: Any) -> bytes:
        """The JSON of what the endpoint returned, as the response model has it.

        Raises:
            ResponseValidationError: it does not fit the response model.
        """
        try:
            return self._serializer.dump_json(result, **self._options)  # type: ignore[union-attr]
        except ResponseErrors as error:
            raise ResponseValidationError(error.errors, body=result) from None

    def _encode_text(self, result: Any) -> bytes:
        """The text that the endpoint returned."""
        if type(result) is str and self._serializer is None:
            return result.encode()
        return bytes(self._response_class(self._jsonable(result)).body)

    def _response(self, result: Any, outcome: Outcome | None) -> Any:
        """The response for what the endpoint returned, with what the dependencies added to it."""
        response: Any
        background = None if outcome is None else outcome.background
        given = None if outcome is None else outcome.response
        if isinstance(result, Response):
            # It is the whole answer: what was set on the injected response is not for it, as in FastAPI.
            if result.background is None:
                result.background = background
            return result
        status = self.status_code
        if given is not None and given.status_code:
            status = given.status_code
        arguments: dict[str, Any] = {} if status is None else {"status_code": status}
        if background is not None:
            arguments["background"] = background
        if self._encode is not None and self._response_class in (JSONResponse, ORJSONResponse):
            content = self._encode(result) if is_body_allowed(status) else b""
            response = Response(content, media_type="application/json", **arguments)
        else:
            response = self._response_class(self._jsonable(result), **arguments)
            if not is_body_allowed(response.status_code):
                response.body = b""
        if given is not None:
            response.raw_headers.extend(given.raw_headers)
        return response

    def _jsonable(self, result: Any) -> Any:
        if self._serializer is None:
            return jsonable_encoder(result)
        try:
            return self._serializer.dump(result, **self._options)
        except ResponseErrors as error:
            raise ResponseValidationError(error.errors, body=result) from None

    def _locate(self, error: Exception) -> None:
        """Tell a validation error where it happened."""
        if (
            isinstance(error, (RequestValidationError, ResponseValidationError))
            and error.endpoint_ctx is None
        ):
            code = getattr(inspect.unwrap(self.endpoint), "__code__", None)
            error.endpoint_ctx = EndpointContext(
                function=self.name, path=f"{'/'.join(sorted(self.methods))} {self.path}"
            )
            error.endpoint_function, error.endpoint_path = self.name, error.endpoint_ctx["path"]
            if code is not None:
                error.endpoint_file, error.endpoint_line = code.co_filename, code.co_firstlineno
                error.endpoint_ctx |= {"file": code.co_filename, "line": code.co_firstlineno}

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:
        """The path of this route with these parameters; see `BaseRoute.url_path_for`."""
        if name != self.name or path_params.keys() != self.param_convertors.keys():
            raise NoMatchFound(name, path_params)
        return URLPath(path=fill_path(self.path_format, self.param_convertors, path_params), protocol="http")


def _no_body(result: Any) -> bytes:
    return b""


#: What a route is made with, beside its path and endpoint; each is an attribute, too.
OPTIONS: Final = tuple(inspect.signature(APIRoute).parameters)[2:]
