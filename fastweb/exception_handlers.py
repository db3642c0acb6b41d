"""How errors are answered where the app does not say otherwise."""

from __future__ import annotations

from fastweb.encoders import jsonable_encoder
from fastweb.exceptions import HTTPException, RequestValidationError
from fastweb.requests import Request
from fastweb.responses import JSONResponse, Response, is_body_allowed

__all__ = ["http_exception_handler", "request_validation_exception_handler"]


async def http_exception_handler(request: Request, exc: HTTPException) -> Response:
    """An `HTTPException`: its status, its headers, and `{"detail": …}`."""
    if not is_body_allowed(exc.status_code):
        return Response(status_code=exc.status_code, headers=exc.headers)
    return JSONResponse({"detail": exc.detail}, status_code=exc.status_code, headers=exc.headers)


async def request_validation_exception_handler(request: Request, exc: RequestValidationError) -> JSONResponse:
    """A request that does not fit the endpoint: 422, with every error."""
    return JSONResponse({"detail": jsonable_encoder(exc.errors())}, status_code=422)
