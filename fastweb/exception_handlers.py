"""How errors are answered where the app does not say otherwise."""

from __future__ import annotations

import math
from typing import Any, Final

from fastweb.exceptions import HTTPException, RequestValidationError
from fastweb.requests import Request
from fastweb.responses import JSONResponse, Response, is_body_allowed

__all__ = ["http_exception_handler", "request_validation_exception_handler"]


async def http_exception_handler(request: Request, exc: HTTPException) -> Response:
    """An `HTTPException`: its status, its headers, and `{"detail": …}`."""
    if not is_body_allowed(exc.status_code):
        return Response(status_code=exc.status_code, headers=exc.headers)
    return JSONResponse({"detail": exc.detail}, status_code=exc.status_code, headers=exc.headers)


async def request_validation_exception_handler(request: Request, exc: RequestValidationError) -> Response:
    """A request that does not fit the endpoint: 422, with every error."""
    # With it comes all of validation, which an app has loaded by now, and `import fastweb` has not.
    from fastweb.encoders import jsonable_encoder

    errors = exc.errors()
    try:
        return JSONResponse({"detail": jsonable_encoder(errors)}, status_code=422)
    except ValueError:
        import json

        # An error shows the input, which may be what no JSON text can hold; that is not to become a 500.
        detail = json.dumps({"detail": jsonable_encoder(errors, custom_encoder=_LOSSY)}, ensure_ascii=True)
        return Response(detail, status_code=422, media_type="application/json")


#: Bytes that are no UTF-8, and floats that are no numbers. Lone surrogates are left: escaped, they are JSON.
_LOSSY: Final[dict[Any, Any]] = {
    bytes: lambda value: value.decode("utf-8", "replace"),
    float: lambda value: value if math.isfinite(value) else str(value),
}
