"""What others take for the same, in an environment of their own: Starlette's router, FastAPI's encoder,
pydantic."""

from __future__ import annotations

import json
from typing import Any

from bench.micro.case import Work, case
from bench.micro.users import asked_paths, document, route_paths, users


def _starlette_router(count: int) -> Work:
    from starlette.routing import Match, Route  # type: ignore[import-not-found, unused-ignore]

    async def endpoint(request: Any) -> None:
        pass

    routes = [Route(path, endpoint, methods=["GET"]) for path in route_paths(count)]
    scopes = [{"type": "http", "method": "GET", "path": path, "root_path": ""} for path in asked_paths(count)]

    def match() -> None:
        # What starlette.routing.Router does for a request, until it has its route.
        for scope in scopes:
            for route in routes:
                found, _ = route.matches(scope)
                if found == Match.FULL:
                    break
            else:
                raise LookupError(scope["path"])

    return match, len(scopes)


@case("Starlette's router, 10 routes")
def starlette_10() -> Work:
    return _starlette_router(10)


@case("Starlette's router, 1,000 routes")
def starlette_1000() -> Work:
    return _starlette_router(1000)


def _models() -> Any:
    from pydantic import BaseModel, TypeAdapter

    class User(BaseModel):
        id: int
        name: str
        email: str
        active: bool
        score: float
        tags: list[str]
        bio: str | None = None

    adapter = TypeAdapter(list[User])
    return adapter, adapter.validate_python(users())


@case("FastAPI's jsonable_encoder + json.dumps, 10,000 users")
def jsonable() -> Work:
    from fastapi.encoders import jsonable_encoder  # type: ignore[import-not-found, unused-ignore]

    _, models = _models()
    return lambda: json.dumps(jsonable_encoder(models), ensure_ascii=False, separators=(",", ":")).encode(), 1


@case("pydantic's dump_json, 10,000 users")
def dump_json() -> Work:
    adapter, models = _models()
    return lambda: adapter.dump_json(models), 1


@case("pydantic's validate_json, 10,000 users")
def validate_json() -> Work:
    adapter, _ = _models()
    data = document()
    return lambda: adapter.validate_json(data), 1
