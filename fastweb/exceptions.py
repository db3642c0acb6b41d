"""Errors: those that an app raises as answers, and those that fastweb raises where something does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias, TypedDict

from fastweb.status import FastWebDeprecationWarning

__all__ = [
    "ClientDisconnect",
    "DeclarationError",
    "DependencyScopeError",
    "DuplicateParameterError",
    "EndpointContext",
    "FastAPIDeprecationWarning",
    "FastAPIError",
    "FastWebDeprecationWarning",
    "FastWebError",
    "HTTPException",
    "PydanticV1NotSupportedError",
    "RequestValidationError",
    "ResponseValidationError",
    "StarletteDeprecationWarning",
    "StarletteHTTPException",
    "ValidationException",
    "WebSocketException",
    "WebSocketRequestValidationError",
]

_PHRASES: dict[int, str] = {int(code): code.phrase for code in HTTPStatus}


#: The names that FastAPI and Starlette have for it.
FastAPIDeprecationWarning: TypeAlias = FastWebDeprecationWarning
StarletteDeprecationWarning: TypeAlias = FastWebDeprecationWarning


class StarletteHTTPException(Exception):  # noqa: N818 - FastAPI's name for it
    """An error that is an answer: the class of those that routers and middleware raise, such as 404 and 405,
    and the base of those that apps raise. A handler for it sees both.

    Arguments:
        status_code: the status of the answer.
        detail: what is wrong; by default the status code's own phrase.
        headers: header fields to add to the answer.
    """

    def __init__(
        self, status_code: int, detail: Any = None, headers: Mapping[str, str] | None = None
    ) -> None:
        if detail is None:
            detail = _PHRASES.get(status_code, "")
        # All of them become `args`, so that the exception can be pickled and copied.
        super().__init__(status_code, detail, headers)
        self.status_code = status_code
        self.detail = detail
        self.headers = headers

    def __str__(self) -> str:
        return f"{self.status_code}: {self.detail}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(status_code={self.status_code!r}, detail={self.detail!r})"


# Starlette calls it so, and it says its name. Pickle goes by the qualified name.
StarletteHTTPException.__name__ = "HTTPException"


class HTTPException(StarletteHTTPException):
    """Raised by an app to answer with an error: `raise HTTPException(404, "no such user")`.

    Arguments:
        status_code: the status of the answer.
        detail: the answer's `detail`, anything that JSON can hold; by default the status code's own phrase.
        headers: header fields to add to the answer.
    """


class WebSocketException(Exception):  # noqa: N818 - FastAPI's name for it
    """Raised by an app to close a WebSocket.

    Arguments:
        code: a close code (RFC 6455, section 7.4; `fastweb.status.WS_…`).
        reason: words for the client.
    """

    def __init__(self, code: int, reason: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason or ""

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(code={self.code!r}, reason={self.reason!r})"


class ClientDisconnect(Exception):  # noqa: N818 - Starlette's name for it
    """The client went away before its request was read, or before its answer was sent."""


class FastWebError(RuntimeError):
    """A mistake in the app's code: an annotation, a route or an option that fastweb cannot work with."""


#: FastAPI's name for it.
FastAPIError: TypeAlias = FastWebError


class DeclarationError(FastWebError, AssertionError):
    """A parameter that contradicts itself, its function or its route. FastAPI has an AssertionError there."""


class DuplicateParameterError(FastWebError, ValueError):
    """A path with two parameters of one name. FastAPI has a ValueError there."""


class DependencyScopeError(FastWebError):
    """A dependency needs another one that ends before it does."""


class PydanticV1NotSupportedError(FastWebError):
    """A model of `pydantic.v1`: only pydantic 2 is known here."""


class EndpointContext(TypedDict, total=False):
    """Where an endpoint is: its function's name, file and line, and its method and path."""

    function: str
    path: str
    file: str
    line: int


class ValidationException(Exception):  # noqa: N818 - FastAPI's name for it
    """Data that does not fit its type.

    Arguments:
        errors: one dict an error, with `type`, `loc`, `msg`, `input` and, where there is one, `ctx`.
        endpoint_ctx: the endpoint that it happened in, shown by `str()`.
    """

    def __init__(self, errors: Sequence[Any], *, endpoint_ctx: EndpointContext | None = None) -> None:
        super().__init__(errors)
        self._errors = errors
        self.endpoint_ctx = endpoint_ctx
        context: EndpointContext = endpoint_ctx or {}
        self.endpoint_function = context.get("function")
        self.endpoint_path = context.get("path")
        self.endpoint_file = context.get("file")
        self.endpoint_line = context.get("line")

    def errors(self) -> Sequence[Any]:
        """Every error that was found."""
        return self._errors

    def locate(self, endpoint: Any, path: str) -> None:
        """Say where it happened, where nobody has yet.

        Arguments:
            endpoint: the function.
            path: its method and path.
        """
        if self.endpoint_ctx is not None:
            return
        function = getattr(endpoint, "__name__", type(endpoint).__name__)
        while hasattr(endpoint, "__wrapped__"):
            endpoint = endpoint.__wrapped__
        code = getattr(endpoint, "__code__", None)
        self.endpoint_ctx = EndpointContext(function=function, path=path)
        self.endpoint_function, self.endpoint_path = function, path
        if code is not None:
            self.endpoint_file, self.endpoint_line = code.co_filename, code.co_firstlineno
            self.endpoint_ctx |= {"file": code.co_filename, "line": code.co_firstlineno}

    def __str__(self) -> str:
        count = len(self._errors)
        lines = [f"{count} validation error{'' if count == 1 else 's'}:"]
        lines += [f"  {error}" for error in self._errors]
        if self.endpoint_file and self.endpoint_line and self.endpoint_function:
            lines.append("")
            lines.append(
                f'  File "{self.endpoint_file}", line {self.endpoint_line}, in {self.endpoint_function}'
            )
            if self.endpoint_path:
                lines.append(f"    {self.endpoint_path}")
        elif self.endpoint_path:
            lines.append("")
            lines.append(f"  Endpoint: {self.endpoint_path}")
        return "\n".join(lines).rstrip()


class RequestValidationError(ValidationException):
    """The request does not fit the endpoint's parameters: the client's fault, answered with 422.

    Arguments:
        errors: as `ValidationException` has them; `loc` begins with the part of the request.
        body: the body as it was parsed.
        endpoint_ctx: the endpoint.
    """

    def __init__(
        self, errors: Sequence[Any], *, body: Any = None, endpoint_ctx: EndpointContext | None = None
    ) -> None:
        super().__init__(errors, endpoint_ctx=endpoint_ctx)
        self.body = body


class WebSocketRequestValidationError(ValidationException):
    """The request that opens a WebSocket does not fit the endpoint's parameters."""


class ResponseValidationError(ValidationException):
    """What the endpoint returned does not fit its response model: the app's fault, answered with 500.

    Arguments:
        errors: as `ValidationException` has them; `loc` begins with "response".
        body: what the endpoint returned.
        endpoint_ctx: the endpoint.
    """

    def __init__(
        self, errors: Sequence[Any], *, body: Any = None, endpoint_ctx: EndpointContext | None = None
    ) -> None:
        super().__init__(errors, endpoint_ctx=endpoint_ctx)
        self.body = body


def __getattr__(name: str) -> Any:
    # FastAPI's names for empty models of pydantic, which nothing here needs: made when asked for.
    if name not in ("RequestErrorModel", "WebSocketErrorModel"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pydantic import create_model

    model = globals()[name] = create_model(name.removesuffix("ErrorModel"))
    return model
