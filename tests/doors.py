"""One app that uses all that an app can use, and a table of requests to it with genuine FastAPI's answers.

They were written down from FastAPI 0.165 with Starlette 1.10 and pydantic 2.14. FastAPI does not know
msgspec's Structs: theirs are those of a pydantic model with the same fields.
"""

import contextlib
import dataclasses
import datetime
import enum
import pathlib
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Literal

import msgspec
import pydantic
from typing_extensions import TypedDict

from fastweb import (
    APIRouter,
    BackgroundTasks,
    Body,
    Cookie,
    Depends,
    FastWeb,
    Header,
    HTTPException,
    Path,
    Query,
    Request,
    Response,
)
from fastweb.exception_handlers import request_validation_exception_handler
from fastweb.exceptions import RequestValidationError
from fastweb.models import BaseModel, Field
from fastweb.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)


class Item(BaseModel):
    name: str = Field(max_length=10)
    price: float = Field(gt=0)
    tags: list[str] = []
    note: str | None = None


class Stocked(Item):
    secret: str = "s3cret"


class Owner(BaseModel):
    user: str
    item: Item


class Aliased(BaseModel):
    my_name: str = Field(alias="myName")
    other: int = Field(default=3, alias="otherVal")


class Thing(msgspec.Struct):
    name: str
    price: Annotated[float, msgspec.Meta(gt=0)]
    tags: list[str] = []


class Hidden(Thing):
    secret: str = "s3cret"


class Modern(pydantic.BaseModel):
    name: str = pydantic.Field(max_length=10)
    when: datetime.datetime | None = None


class ModernHidden(Modern):
    secret: str = "s3cret"


@dataclasses.dataclass
class Point:
    x: int
    y: str = "why"


@dataclasses.dataclass
class Point3(Point):
    z: str = "hidden"


class Pair(TypedDict):
    left: int
    right: str


class Color(str, enum.Enum):  # noqa: UP042 - the usual way in FastAPI's tutorial
    red = "red"
    blue = "blue"


class OutOfTea(Exception):
    pass


class Misplaced(Exception):
    pass


#: The alphabet.
LETTERS = pathlib.Path(__file__).parent / "files" / "letters" / "letters.txt"
OF_THE_FILE = [
    ("etag", '"1"'),
    ("last-modified", "Thu, 02 Jan 2020 00:00:00 GMT"),
    ("accept-ranges", "bytes"),
    ("content-disposition", "attachment; filename*=utf-8''%C3%A9.txt"),
    ("content-type", "text/plain; charset=utf-8"),
]
TEXT = ("content-type", "text/plain; charset=utf-8")


def make_app() -> FastWeb:
    """The app; a new one each time, for it has state."""

    events: list[str] = []

    @contextlib.asynccontextmanager
    async def lifespan(app: FastWeb) -> AsyncIterator[dict[str, Any]]:
        events.append("up")
        yield {"motto": "hello", "shared": "app"}

    @contextlib.asynccontextmanager
    async def router_lifespan(app: FastWeb) -> AsyncIterator[dict[str, Any]]:
        yield {"shared": "router", "inner": 1}

    app = FastWeb(lifespan=lifespan)

    # Paths

    @app.get("/", response_model=None)
    async def root() -> Any:
        return {"message": "Hello World"}

    @app.get("/path/int/{value:int}")
    async def path_int(value: int) -> Any:
        return {"value": value}

    @app.get("/path/float/{value:float}")
    async def path_float(value: float) -> Any:
        return {"value": value}

    @app.get("/path/uuid/{value:uuid}")
    async def path_uuid(value: uuid.UUID) -> Any:
        return {"value": value}

    @app.get("/path/rest/{value:path}")
    async def path_rest(value: str) -> Any:
        return {"value": value}

    @app.get("/path/str/{value:str}")
    async def path_str(value: str) -> Any:
        return {"value": value}

    @app.get("/path/valid/{value}")
    async def path_valid(value: Annotated[int, Path(ge=1, le=10)]) -> Any:
        return {"value": value}

    @app.get("/path/enum/{value}")
    async def path_enum(value: Color) -> Any:
        return {"value": value}

    @app.get("/path/two/{a}-{b}")
    async def path_two(a: str, b: int) -> Any:
        return {"a": a, "b": b}

    @app.get("/users/me")
    async def users_me() -> Any:
        return "me"

    @app.get("/users/{name}", name="user")
    async def users_name(name: str) -> Any:
        return {"name": name}

    @app.get("/users/late")
    async def users_late() -> Any:
        return "never"

    @app.delete("/users/{name}", status_code=204)
    async def delete_user(name: str) -> None:
        return None

    @app.get("/twice")
    async def twice_first() -> Any:
        return 1

    @app.get("/twice")
    async def twice_second() -> Any:
        return 2

    @app.get("/slash/")
    async def slash() -> Any:
        return "slash"

    @app.head("/methods")
    async def method_head() -> Any:
        return Response(headers={"x-method": "head"})

    @app.options("/methods")
    async def method_options() -> Any:
        return "options"

    @app.trace("/methods")
    async def method_trace() -> Any:
        return "trace"

    @app.api_route("/several", methods=["PUT", "PATCH"])
    async def several(request: Request) -> Any:
        return request.method

    # Query, header fields, cookies

    @app.get("/query")
    async def query(
        q: str,
        n: int = 5,
        flag: bool = False,
        many: Annotated[list[int] | None, Query()] = None,
        when: datetime.date | None = None,
        kind: Literal["a", "b"] = "a",
        aliased: Annotated[str | None, Query(alias="item-query", min_length=2)] = None,
    ) -> Any:
        return [q, n, flag, many, when, kind, aliased]

    @app.get("/header")
    async def header(
        user_agent: Annotated[str | None, Header()] = None,
        x_many: Annotated[list[str] | None, Header()] = None,
        x_number: Annotated[int, Header(gt=0)] = 1,
        strange_one: Annotated[str | None, Header(convert_underscores=False)] = None,
    ) -> Any:
        return [user_agent, x_many, x_number, strange_one]

    @app.get("/cookie")
    async def cookie(a: Annotated[str | None, Cookie()] = None, n: int = Cookie(default=1)) -> Any:
        return [a, n]

    # Bodies

    @app.post("/item", status_code=201)
    async def item(item: Item) -> Any:
        return item

    @app.post("/item/optional", response_model=None)
    async def item_optional(item: Item | None = None) -> Any:
        return {"item": item}

    @app.post("/item/embedded")
    async def item_embedded(item: Annotated[Item, Body(embed=True)]) -> Any:
        return item

    @app.post("/two")
    async def two(item: Item, owner: Owner, n: Annotated[int, Body(gt=0)] = 4) -> Any:
        return {"item": item, "owner": owner, "n": n}

    @app.post("/all/{number}")
    async def all_parts(
        number: int, item: Item, q: int, x_h: Annotated[int, Header()], c: Annotated[int, Cookie()]
    ) -> Any:
        return [number, item, q, x_h, c]

    @app.post("/aliased")
    async def aliased(value: Aliased) -> Any:
        return value

    @app.post("/struct")
    async def struct(thing: Thing) -> Any:
        return thing

    @app.post("/modern")
    async def modern(value: Modern) -> Any:
        return value

    @app.post("/dataclass")
    async def a_dataclass(point: Point) -> Any:
        return point

    @app.post("/typeddict")
    async def a_typeddict(pair: Pair) -> Any:
        return pair

    @app.post("/items")
    async def items(items: list[Item]) -> Any:
        return items

    @app.post("/mapping")
    async def mapping(values: dict[str, int]) -> Any:
        return values

    @app.post("/set")
    async def a_set(values: set[int]) -> Any:
        return sorted(values)

    @app.post("/union")
    async def union(value: Owner | Item) -> Any:
        return value

    @app.post("/any")
    async def anything(value: Annotated[Any, Body()]) -> Any:
        return {"value": value}

    @app.post("/raw")
    async def raw(request: Request) -> Any:
        return {"length": len(await request.body()), "again": len(await request.body())}

    @app.post("/stream")
    async def stream(request: Request) -> Any:
        size = 0
        async for piece in request.stream():
            size += len(piece)
        return {"size": size}

    # What is answered

    @app.get("/model/subclass", response_model=Owner)
    async def model_subclass() -> Any:
        return Owner(user="u", item=Stocked(name="n", price=1))

    @app.get("/model/list")
    async def model_list() -> list[Item]:
        return [Stocked(name="n", price=1), Item(name="m", price=2)]

    @app.get("/model/dict", response_model=dict[str, Item])
    async def model_dict() -> Any:
        return {"a": {"name": "n", "price": "2", "secret": 1}, "b": Stocked(name="n", price=1)}

    @app.get("/model/union", response_model=Owner | Item)
    async def model_union() -> Any:
        return Stocked(name="n", price=1)

    @app.get("/model/struct", response_model=list[Thing])
    async def model_struct() -> Any:
        return [Hidden(name="n", price=1), Thing(name="m", price=2)]

    @app.get("/model/modern", response_model=list[Modern])
    async def model_modern() -> Any:
        return [ModernHidden(name="n")]

    @app.get("/model/dataclass", response_model=Point)
    async def model_dataclass() -> Any:
        return Point3(1)

    @app.get("/model/typeddict", response_model=Pair)
    async def model_typeddict() -> Any:
        return {"left": 1, "right": "r", "extra": 1}

    @app.get("/model/unset", response_model=Item, response_model_exclude_unset=True)
    async def model_unset() -> Any:
        return Item(name="n", price=1)

    @app.get("/model/defaults", response_model=Item, response_model_exclude_defaults=True)
    async def model_defaults() -> Any:
        return Item(name="n", price=1, tags=[])

    @app.get("/model/none", response_model=Item, response_model_exclude_none=True)
    async def model_none() -> Any:
        return Item(name="n", price=1)

    @app.get("/model/include", response_model=Item, response_model_include={"name"})
    async def model_include() -> Any:
        return Item(name="n", price=1)

    @app.get("/model/alias", response_model=Aliased)
    async def model_alias() -> Any:
        return Aliased.model_validate({"myName": "x"})

    @app.get("/model/name", response_model=Aliased, response_model_by_alias=False)
    async def model_name() -> Any:
        return Aliased.model_validate({"myName": "x"})

    @app.get("/model/broken", response_model=Item)
    async def model_broken() -> Any:
        return {"name": "n"}

    @app.get("/untyped", response_model=None)
    async def untyped() -> Any:
        return {
            "when": datetime.datetime(2020, 1, 2, 3, 4, 5),
            "long": datetime.timedelta(seconds=90),
            "id": uuid.UUID(int=5),
            "color": Color.red,
            "set": {1},
            "tuple": (1, None),
            "é": "☃",
        }

    @app.get("/html", response_class=HTMLResponse)
    async def html() -> Any:
        return "<p>é</p>"

    @app.get("/plain")
    async def plain() -> Any:
        return PlainTextResponse("text", headers={"X-Plain": "1"})

    @app.get("/redirect")
    async def redirect() -> Any:
        return RedirectResponse("/users/me?x=é y")

    @app.get("/redirect/class", response_class=RedirectResponse, status_code=302)
    async def redirect_class() -> Any:
        return "/users/me"

    @app.get("/streamed")
    async def streamed() -> Any:
        async def pieces() -> AsyncIterator[bytes | str]:
            yield b"one "
            yield "two"

        return StreamingResponse(pieces(), media_type="text/plain", headers={"x-streamed": "1"})

    @app.get("/streamed/plain")
    def streamed_plain() -> Any:
        return StreamingResponse(iter(["one ", "two"]), status_code=202)

    @app.get("/file", response_class=FileResponse)
    @app.head("/file", response_class=FileResponse)
    async def file() -> Any:
        headers = {"etag": '"1"', "last-modified": "Thu, 02 Jan 2020 00:00:00 GMT"}
        return FileResponse(LETTERS, filename="é.txt", headers=headers)

    @app.get("/injected", status_code=201)
    async def injected(response: Response) -> Any:
        response.headers["X-Injected"] = "1"
        response.set_cookie("session", "abc", httponly=True)
        response.set_cookie("other", "d e")
        response.status_code = 202
        return {"a": 1}

    @app.get("/injected/unused")
    async def injected_unused(response: Response) -> Any:
        response.headers["X-Injected"] = "1"
        return JSONResponse({"b": 1}, headers={"X-Own": "2"})

    @app.get("/status/204", status_code=204)
    async def status_204() -> None:
        return None

    @app.get("/status/304", status_code=304)
    async def status_304() -> None:
        return None

    @app.get("/sync")
    def sync(n: int = 1) -> Any:
        return {"n": n}

    # Dependencies

    async def token(x_token: Annotated[str | None, Header()] = None) -> str:
        if x_token is None:
            raise HTTPException(401, "who are you?", headers={"WWW-Authenticate": "Basic"})
        return x_token

    def page(skip: int = 0, limit: Annotated[int, Query(le=100)] = 10) -> dict[str, int]:
        return {"skip": skip, "limit": limit}

    calls: list[int] = []

    async def counted() -> int:
        calls.append(1)
        return len(calls)

    class Filters:
        def __init__(self, q: str = "none", exact: bool = False) -> None:
            self.shown = [q, exact]

    async def nested(
        token: Annotated[str, Depends(token)], page: Annotated[dict[str, int], Depends(page)]
    ) -> Any:
        return {"token": token, **page}

    @app.get("/depends")
    async def depends(found: Annotated[Any, Depends(nested)], filters: Annotated[Filters, Depends()]) -> Any:
        return [found, filters.shown]

    @app.get("/depends/cached")
    async def depends_cached(
        a: int = Depends(counted), b: int = Depends(counted), c: int = Depends(counted, use_cache=False)
    ) -> Any:
        return [b - a, c - a]

    @app.get("/depends/errors")
    async def depends_errors(n: int, a: Any = Depends(page), b: Any = Depends(page)) -> Any:
        return None

    async def replaced() -> str:
        return "original"

    @app.get("/depends/overridden")
    async def depends_overridden(a: str = Depends(replaced)) -> Any:
        return a

    app.dependency_overrides[replaced] = lambda shout: f"replacement {shout}"

    def opened(name: str) -> Any:
        async def dependency() -> AsyncIterator[str]:
            events.append(f"{name} opens")
            try:
                yield name
            except Exception as error:
                events.append(f"{name} sees {type(error).__name__}")
                raise
            finally:
                events.append(f"{name} closes")

        return dependency

    def opened_plain() -> Iterator[str]:
        events.append("plain opens")
        yield "plain"
        events.append("plain closes")

    async def translating() -> AsyncIterator[None]:
        try:
            yield
        except KeyError as error:
            raise HTTPException(418, "translated") from error

    async def swallowing() -> AsyncIterator[None]:
        with contextlib.suppress(KeyError):
            yield

    @app.get("/yield")
    async def a_yield(
        tasks: BackgroundTasks,
        a: str = Depends(opened("a")),
        b: str = Depends(opened_plain),
        c: str = Depends(opened("c"), scope="function"),
    ) -> Any:
        tasks.add_task(events.append, "task")
        events.append("endpoint")
        return [a, b, c]

    @app.get("/yield/error")
    async def yield_error(a: str = Depends(opened("a"))) -> Any:
        raise HTTPException(404, "gone")

    @app.get("/yield/translated")
    async def yield_translated(a: None = Depends(translating)) -> Any:
        raise KeyError

    @app.get("/yield/swallowed")
    async def yield_swallowed(a: None = Depends(swallowing)) -> Any:
        raise KeyError

    @app.get("/yield/invalid")
    async def yield_invalid(n: int, a: str = Depends(opened("a"))) -> Any:
        return None

    @app.get("/events")
    async def get_events() -> Any:
        return events

    @app.delete("/events")
    async def delete_events() -> None:
        events.clear()

    # Errors

    @app.get("/error/http")
    async def error_http() -> Any:
        raise HTTPException(403, {"why": ["no", 1]}, headers={"X-Why": "no"})

    @app.get("/error/empty")
    async def error_empty() -> Any:
        raise HTTPException(304, headers={"X-Why": "no"})

    @app.get("/error/unknown")
    async def error_unknown() -> Any:
        raise ZeroDivisionError

    @app.get("/error/handled")
    async def error_handled() -> Any:
        raise OutOfTea("coffee?")

    @app.get("/error/again")
    def error_again() -> Any:
        raise Misplaced

    @app.get("/error/status")
    async def error_status() -> Any:
        raise HTTPException(409, "twice")

    @app.exception_handler(OutOfTea)
    async def handle_tea(request: Request, error: OutOfTea) -> Any:
        return JSONResponse({"error": str(error), "path": request.url.path}, 418, {"X-Tea": "0"})

    @app.exception_handler(Misplaced)
    def handle_misplaced(request: Request, error: Misplaced) -> Any:
        raise HTTPException(410, "by a handler")

    @app.exception_handler(409)
    def handle_conflict(request: Request, error: HTTPException) -> Any:
        return PlainTextResponse(f"conflict: {error.detail}", 409)

    # The request itself

    @app.get("/request/{name}")
    async def request(request: Request, name: str) -> Any:
        return {
            "url": str(request.url),
            "base": str(request.base_url),
            "query": request.query_params.multi_items(),
            "params": request.path_params,
            "cookies": request.cookies,
            "host": request.headers["host"],
            "for": str(request.url_for("user", name="a b")),
            "state": [request.state.motto, request.state.shared, request.state.inner],
            "scope": [request.scope["type"], request.scope["path"], request.scope["root_path"]],
            "route": request.scope["route"].path,
        }

    # Routers

    inner = APIRouter(prefix="/inner", dependencies=[Depends(token)], lifespan=router_lifespan)

    @inner.get("")
    async def inner_root() -> Any:
        return "inner"

    @inner.get("/{n:int}")
    async def inner_number(n: int) -> Any:
        return n

    outer = APIRouter(default_response_class=PlainTextResponse)
    outer.include_router(inner, prefix="/a", tags=["a"])
    app.include_router(outer, prefix="/outer")

    @outer.get("/late")
    async def outer_late() -> Any:
        return "late"

    startup = APIRouter()

    @startup.on_event("startup")
    async def started() -> None:
        events.append("started")

    app.include_router(startup)

    @app.exception_handler(RequestValidationError)
    async def handle_invalid(request: Request, error: RequestValidationError) -> Any:
        if "x-short" in request.headers:
            return JSONResponse({"count": len(error.errors()), "body": error.body}, 422)
        return await request_validation_exception_handler(request, error)

    return app


#: pydantic's words for each type of error.
MESSAGES = {
    "bool_parsing": "Input should be a valid boolean, unable to interpret input",
    "dataclass_type": "Input should be a dictionary or an instance of {class_name}",
    "date_from_datetime_parsing": "Input should be a valid date or datetime, {error}",
    "datetime_from_date_parsing": "Input should be a valid datetime or date, {error}",
    "dict_type": "Input should be a valid dictionary",
    "enum": "Input should be {expected}",
    "greater_than": "Input should be greater than {gt:g}",
    "int_parsing": "Input should be a valid integer, unable to parse string as an integer",
    "json_invalid": "JSON decode error",
    "less_than_equal": "Input should be less than or equal to {le:g}",
    "list_type": "Input should be a valid list",
    "literal_error": "Input should be {expected}",
    "missing": "Field required",
    "model_attributes_type": "Input should be a valid dictionary or object to extract fields from",
    "set_type": "Input should be a valid set",
    "string_too_long": "String should have at most {max_length} characters",
    "string_too_short": "String should have at least {min_length} characters",
    "string_type": "Input should be a valid string",
}


def error(kind: str, loc: list[str | int], input: Any, **ctx: Any) -> dict[str, Any]:
    """One error of a 422."""
    found = {"type": kind, "loc": loc, "msg": MESSAGES[kind].format(**ctx), "input": input}
    return {**found, "ctx": ctx} if ctx else found


class Row:
    """One request and its answer.

    Arguments:
        answer: the body: parsed where it is JSON, else its text.
        sent: the header fields of the request.
        body: of the request; `json` is the same, and says that it is JSON.
        headers: all that the app set beside Content-Length and, where there is a body of JSON, Content-Type.
    """

    def __init__(
        self,
        method: str,
        path: str,
        status: int,
        answer: Any,
        *,
        sent: dict[str, str] | None = None,
        body: str | bytes | None = None,
        json: str | bytes | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.status = status
        self.answer = answer
        self.sent = sent or {}
        if json is not None:
            body = json
            self.sent = {"content-type": "application/json"}
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = headers or []

    def __repr__(self) -> str:
        return f"{self.method} {self.path[:60]} {(self.body or b'')[:60]!r}"


#: The table: what is asked, and what is answered.
TABLE: list[Row] = [
    Row("GET", "/", 200, {"message": "Hello World"}),
    Row("GET", "/path/int/5", 200, {"value": 5}),
    Row("GET", "/path/int/05", 200, {"value": 5}),
    Row("GET", "/path/int/-5", 404, {"detail": "Not Found"}),
    Row("GET", "/path/float/1.5", 200, {"value": 1.5}),
    Row("GET", "/path/float/2", 200, {"value": 2.0}),
    Row("GET", "/path/float/1e5", 404, {"detail": "Not Found"}),
    Row(
        "GET",
        "/path/uuid/00000000-0000-0000-0000-000000000005",
        200,
        {"value": "00000000-0000-0000-0000-000000000005"},
    ),
    Row("GET", "/path/uuid/xyz", 404, {"detail": "Not Found"}),
    Row("GET", "/path/rest/a/b%2Fc/", 200, {"value": "a/b/c/"}),
    Row("GET", "/path/rest/", 200, {"value": ""}),
    Row("GET", "/path/str/a%20b%C3%A9", 200, {"value": "a bé"}),
    Row("GET", "/path/str/a/b", 404, {"detail": "Not Found"}),
    Row("GET", "/path/str/a%2Fb", 404, {"detail": "Not Found"}),
    Row("GET", "/path/valid/11", 422, {"detail": [error("less_than_equal", ["path", "value"], "11", le=10)]}),
    Row("GET", "/path/valid/x", 422, {"detail": [error("int_parsing", ["path", "value"], "x")]}),
    Row("GET", "/path/valid/%201", 200, {"value": 1}),
    Row("GET", "/path/enum/red", 200, {"value": "red"}),
    Row(
        "GET",
        "/path/enum/green",
        422,
        {"detail": [error("enum", ["path", "value"], "green", expected="'red' or 'blue'")]},
    ),
    Row("GET", "/path/two/a-b-5", 200, {"a": "a-b", "b": 5}),
    Row("GET", "/path/two/a-b", 422, {"detail": [error("int_parsing", ["path", "b"], "b")]}),
    Row("GET", "/users/me", 200, "me"),
    Row("GET", "/users/late", 200, {"name": "late"}),
    Row("GET", "/users/", 404, {"detail": "Not Found"}),
    Row("GET", "/users/x/", 307, "", headers=[("location", "http://testserver/users/x")]),
    Row("DELETE", "/users/x", 204, "", headers=[("content-type", "application/json")]),
    Row("PUT", "/users/x", 405, {"detail": "Method Not Allowed"}, headers=[("allow", "GET")]),
    Row("PUT", "/users/me", 405, {"detail": "Method Not Allowed"}, headers=[("allow", "GET")]),
    Row("GET", "/twice", 200, 1),
    Row("GET", "/slash", 307, "", headers=[("location", "http://testserver/slash/")]),
    Row("GET", "/slash?a=b&c=%20", 307, "", headers=[("location", "http://testserver/slash/?a=b&c=%20")]),
    Row("GET", "/slash/", 200, "slash"),
    Row("POST", "/slash", 307, "", headers=[("location", "http://testserver/slash/")]),
    Row("GET", "/nothing", 404, {"detail": "Not Found"}),
    Row("GET", "/nothing/", 404, {"detail": "Not Found"}),
    Row("HEAD", "/methods", 200, "", headers=[("x-method", "head")]),
    Row("OPTIONS", "/methods", 200, "options"),
    Row("TRACE", "/methods", 200, "trace"),
    Row("GET", "/methods", 405, {"detail": "Method Not Allowed"}, headers=[("allow", "HEAD")]),
    Row("HEAD", "/", 405, "", headers=[("allow", "GET"), ("content-type", "application/json")]),
    Row("PATCH", "/several", 200, "PATCH"),
    Row("GET", "/several", 405, {"detail": "Method Not Allowed"}, headers=[("allow", "PATCH, PUT")]),
    Row("GET", "/query?q=x", 200, ["x", 5, False, None, None, "a", None]),
    Row("GET", "/query", 422, {"detail": [error("missing", ["query", "q"], None)]}),
    Row(
        "GET",
        "/query?q=&n=07&flag=yes&many=1&many=2&when=2020-01-02&kind=b&item-query=xy",
        200,
        ["", 7, True, [1, 2], "2020-01-02", "b", "xy"],
    ),
    Row(
        "GET",
        "/query?q=a&q=b%20c+d&n=x&flag=maybe&many=1&many=z&when=2020-13-01&kind=c&item-query=x",
        422,
        {
            "detail": [
                error("int_parsing", ["query", "n"], "x"),
                error("bool_parsing", ["query", "flag"], "maybe"),
                error("int_parsing", ["query", "many", 1], "z"),
                error(
                    "date_from_datetime_parsing",
                    ["query", "when"],
                    "2020-13-01",
                    error="month value is outside expected range of 1-12",
                ),
                error("literal_error", ["query", "kind"], "c", expected="'a' or 'b'"),
                error("string_too_short", ["query", "item-query"], "x", min_length=2),
            ]
        },
    ),
    Row(
        "GET",
        "/query?q=%FF%C3%A9&n=9999999999999999999999999",
        200,
        ["�é", 9999999999999999999999999, False, None, None, "a", None],
    ),
    Row("GET", "/query?q&&=&n=%201%20", 200, ["", 1, False, None, None, "a", None]),
    Row("GET", "/query?q=a;b", 200, ["a;b", 5, False, None, None, "a", None]),
    Row("GET", "/header", 200, ["me", None, 1, None], sent={"user-agent": "me"}),
    Row(
        "GET",
        "/header",
        200,
        ["me", ["a, b"], 7, "s"],
        sent={"user-agent": "me", "X-Many": "a, b", "x-number": "7", "strange_one": "s"},
    ),
    Row(
        "GET",
        "/header",
        422,
        {"detail": [error("greater_than", ["header", "x-number"], "0", gt=0)]},
        sent={"user-agent": "Ã©", "x-number": "0"},
    ),
    Row(
        "GET",
        "/header",
        422,
        {"detail": [error("int_parsing", ["header", "x-number"], "x")]},
        sent={"user-agent": "me", "x-number": "x", "strange-one": "s"},
    ),
    Row("GET", "/cookie", 200, [None, 1]),
    Row("GET", "/cookie", 200, ["1", 2], sent={"cookie": "a=1; n=2"}),
    Row(
        "GET",
        "/cookie",
        422,
        {"detail": [error("int_parsing", ["cookie", "n"], "z")]},
        sent={"cookie": 'a="x\\"y"; n=z'},
    ),
    Row(
        "GET",
        "/cookie",
        422,
        {"detail": [error("int_parsing", ["cookie", "n"], "")]},
        sent={"cookie": "a=b=c; a = d ;; n="},
    ),
    Row(
        "POST",
        "/item",
        201,
        {"name": "a", "price": 1.5, "tags": [], "note": None},
        json='{"name":"a","price":1.5}',
    ),
    Row(
        "POST",
        "/item",
        201,
        {"name": "a", "price": 2.0, "tags": ["x"], "note": None},
        json='{"name":"a","price":"2","tags":["x"],"extra":1}',
    ),
    Row(
        "POST",
        "/item",
        422,
        {
            "detail": [
                error("string_too_long", ["body", "name"], "aaaaaaaaaaaa", max_length=10),
                error("greater_than", ["body", "price"], 0, gt=0.0),
                error("string_type", ["body", "tags", 0], 1),
            ]
        },
        json='{"name":"aaaaaaaaaaaa","price":0,"tags":[1]}',
    ),
    Row(
        "POST",
        "/item",
        422,
        {"detail": [error("missing", ["body", "name"], {}), error("missing", ["body", "price"], {})]},
        json="{}",
    ),
    Row("POST", "/item", 422, {"detail": [error("model_attributes_type", ["body"], [])]}, json="[]"),
    Row("POST", "/item", 422, {"detail": [error("model_attributes_type", ["body"], None)]}, json="null"),
    Row("POST", "/item", 422, {"detail": [error("model_attributes_type", ["body"], "s")]}, json='"s"'),
    Row("POST", "/item", 422, {"detail": [error("missing", ["body"], None)]}, json=""),
    Row(
        "POST",
        "/item",
        422,
        {"detail": [error("json_invalid", ["body", 8], {}, error="Expecting value")]},
        json='{"name":',
    ),
    Row(
        "POST",
        "/item",
        422,
        {"detail": [error("json_invalid", ["body", 0], {}, error="Expecting value")]},
        json="nope",
    ),
    Row(
        "POST",
        "/item",
        201,
        {"name": "a", "price": 1.5, "tags": [], "note": None},
        json='\ufeff{"name":"a","price":1.5}',
    ),
    Row("POST", "/item", 400, {"detail": "There was an error parsing the body"}, json=b'{"name":"\xff"}'),
    Row("POST", "/item", 400, {"detail": "There was an error parsing the body"}, json="[" * 200000),
    Row(
        "POST",
        "/item",
        422,
        {"detail": [error("model_attributes_type", ["body"], '{"name":"a","price":1.5}')]},
        sent={"content-type": "text/plain"},
        body='{"name":"a","price":1.5}',
    ),
    Row(
        "POST",
        "/item",
        422,
        {"detail": [error("model_attributes_type", ["body"], "x")]},
        sent={"content-type": "text/plain"},
        body="x",
    ),
    Row(
        "POST",
        "/item",
        422,
        {"detail": [error("model_attributes_type", ["body"], '{"name":"a","price":1.5}')]},
        body='{"name":"a","price":1.5}',
    ),
    Row(
        "POST",
        "/item",
        201,
        {"name": "a", "price": 1.5, "tags": [], "note": None},
        sent={"content-type": "application/vnd.api+json; charset=utf-8"},
        body='{"name":"a","price":1.5}',
    ),
    Row(
        "POST",
        "/item",
        422,
        {"count": 2, "body": {"name": 1}},
        sent={"content-type": "application/json", "x-short": "1"},
        body='{"name":1}',
    ),
    Row("POST", "/item/optional", 200, {"item": None}, json=""),
    Row("POST", "/item/optional", 200, {"item": None}, json="null"),
    Row(
        "POST",
        "/item/optional",
        200,
        {"item": {"name": "a", "price": 1.5, "tags": [], "note": None}},
        json='{"name":"a","price":1.5}',
    ),
    Row(
        "POST",
        "/item/optional",
        422,
        {
            "detail": [
                error("string_type", ["body", "name"], 1),
                error("missing", ["body", "price"], {"name": 1}),
            ]
        },
        json='{"name":1}',
    ),
    Row(
        "POST",
        "/item/embedded",
        200,
        {"name": "a", "price": 1.5, "tags": [], "note": None},
        json='{"item":{"name":"a","price":1.5}}',
    ),
    Row(
        "POST",
        "/item/embedded",
        422,
        {"detail": [error("missing", ["body", "item"], None)]},
        json='{"name":"a","price":1.5}',
    ),
    Row("POST", "/item/embedded", 422, {"detail": [error("missing", ["body", "item"], None)]}, json="[]"),
    Row("POST", "/item/embedded", 422, {"detail": [error("missing", ["body", "item"], None)]}, json=""),
    Row(
        "POST",
        "/two",
        200,
        {
            "item": {"name": "a", "price": 1.5, "tags": [], "note": None},
            "owner": {"user": "u", "item": {"name": "a", "price": 1.5, "tags": [], "note": None}},
            "n": 5,
        },
        json='{"item":{"name":"a","price":1.5},"owner":{"user":"u","item":{"name":"a","price":1.5}},"n":"5"}',
    ),
    Row(
        "POST",
        "/two",
        422,
        {
            "detail": [
                error("missing", ["body", "item", "price"], {"name": "a"}),
                error("string_type", ["body", "owner", "user"], 1),
                error("missing", ["body", "owner", "item"], {"user": 1}),
                error("greater_than", ["body", "n"], 0, gt=0),
            ]
        },
        json='{"item":{"name":"a"},"owner":{"user":1},"n":0}',
    ),
    Row(
        "POST",
        "/two",
        422,
        {
            "detail": [
                error("missing", ["body", "item"], None),
                error("missing", ["body", "owner"], None),
                error("missing", ["body", "n"], None),
            ]
        },
        json="[]",
    ),
    Row(
        "POST",
        "/two",
        422,
        {
            "detail": [
                error("missing", ["body", "item"], None),
                error("missing", ["body", "owner"], None),
                error("missing", ["body", "n"], None),
            ]
        },
        json="null",
    ),
    Row(
        "POST",
        "/two",
        422,
        {"detail": [error("missing", ["body", "item"], None), error("missing", ["body", "owner"], None)]},
        json="",
    ),
    Row(
        "POST",
        "/all/1?q=2",
        200,
        [1, {"name": "a", "price": 1.5, "tags": [], "note": None}, 2, 3, 4],
        sent={"content-type": "application/json", "x-h": "3", "cookie": "c=4"},
        body='{"name":"a","price":1.5}',
    ),
    Row(
        "POST",
        "/all/x?q=y",
        422,
        {
            "detail": [
                error("int_parsing", ["path", "number"], "x"),
                error("int_parsing", ["query", "q"], "y"),
                error("int_parsing", ["header", "x-h"], "z"),
                error("int_parsing", ["cookie", "c"], "w"),
                error("missing", ["body", "price"], {"name": "a"}),
            ]
        },
        sent={"content-type": "application/json", "x-h": "z", "cookie": "c=w"},
        body='{"name":"a"}',
    ),
    Row(
        "POST",
        "/all/x",
        422,
        {"detail": [error("json_invalid", ["body", 0], {}, error="Expecting value")]},
        json="bad",
    ),
    Row(
        "POST",
        "/all/x",
        422,
        {
            "detail": [
                error("int_parsing", ["path", "number"], "x"),
                error("missing", ["query", "q"], None),
                error("missing", ["header", "x-h"], None),
                error("missing", ["cookie", "c"], None),
                error("missing", ["body"], None),
            ]
        },
    ),
    Row("POST", "/aliased", 200, {"myName": "x", "otherVal": 3}, json='{"myName":"x"}'),
    Row(
        "POST",
        "/aliased",
        422,
        {"detail": [error("missing", ["body", "myName"], {"my_name": "x"})]},
        json='{"my_name":"x"}',
    ),
    Row(
        "POST",
        "/aliased",
        422,
        {"detail": [error("string_type", ["body", "myName"], 1)]},
        json='{"myName":1,"otherVal":"2"}',
    ),
    Row("POST", "/struct", 200, {"name": "a", "price": 1.5, "tags": []}, json='{"name":"a","price":1.5}'),
    Row("POST", "/struct", 200, {"name": "a", "price": 2.0, "tags": []}, json='{"name":"a","price":"2"}'),
    Row(
        "POST",
        "/struct",
        422,
        {
            "detail": [
                error("missing", ["body", "name"], {"price": 0, "tags": None}),
                error("greater_than", ["body", "price"], 0, gt=0.0),
                error("list_type", ["body", "tags"], None),
            ]
        },
        json='{"price":0,"tags":null}',
    ),
    Row("POST", "/struct", 422, {"detail": [error("model_attributes_type", ["body"], None)]}, json="null"),
    Row("POST", "/struct", 200, {"name": "a", "price": 1.0, "tags": []}, json='{"name":"a","price":1,"x":1}'),
    Row(
        "POST",
        "/modern",
        200,
        {"name": "a", "when": "2020-01-01T00:00:00Z"},
        json='{"name":"a","when":"2020-01-01T00:00:00Z"}',
    ),
    Row(
        "POST",
        "/modern",
        422,
        {
            "detail": [
                error("missing", ["body", "name"], {"when": "x"}),
                error("datetime_from_date_parsing", ["body", "when"], "x", error="input is too short"),
            ]
        },
        json='{"when":"x"}',
    ),
    Row("POST", "/modern", 422, {"detail": [error("model_attributes_type", ["body"], 1)]}, json="1"),
    Row("POST", "/dataclass", 200, {"x": 1, "y": "why"}, json='{"x":"1"}'),
    Row(
        "POST",
        "/dataclass",
        422,
        {"detail": [error("missing", ["body", "x"], {"y": 1}), error("string_type", ["body", "y"], 1)]},
        json='{"y":1}',
    ),
    Row(
        "POST",
        "/dataclass",
        422,
        {"detail": [error("dataclass_type", ["body"], [], class_name="Point")]},
        json="[]",
    ),
    Row("POST", "/typeddict", 200, {"left": 1, "right": "r"}, json='{"left":1,"right":"r","x":1}'),
    Row(
        "POST",
        "/typeddict",
        422,
        {
            "detail": [
                error("int_parsing", ["body", "left"], "a"),
                error("missing", ["body", "right"], {"left": "a"}),
            ]
        },
        json='{"left":"a"}',
    ),
    Row("POST", "/typeddict", 422, {"detail": [error("dict_type", ["body"], 1)]}, json="1"),
    Row(
        "POST",
        "/items",
        200,
        [{"name": "a", "price": 1.5, "tags": [], "note": None}],
        json='[{"name":"a","price":1.5}]',
    ),
    Row(
        "POST",
        "/items",
        422,
        {
            "detail": [
                error("missing", ["body", 0, "price"], {"name": "a"}),
                error("model_attributes_type", ["body", 1], 1),
            ]
        },
        json='[{"name":"a"},1]',
    ),
    Row("POST", "/items", 422, {"detail": [error("list_type", ["body"], {})]}, json="{}"),
    Row("POST", "/mapping", 200, {"a": 1, "b": 2}, json='{"a":1,"b":"2"}'),
    Row("POST", "/mapping", 422, {"detail": [error("int_parsing", ["body", "a"], "x")]}, json='{"a":"x"}'),
    Row("POST", "/mapping", 422, {"detail": [error("dict_type", ["body"], [])]}, json="[]"),
    Row("POST", "/set", 200, [1, 2], json='[1,"1",2]'),
    Row("POST", "/set", 422, {"detail": [error("int_parsing", ["body", 0], "x")]}, json='["x"]'),
    Row("POST", "/set", 422, {"detail": [error("set_type", ["body"], 5)]}, json="5"),
    Row(
        "POST",
        "/union",
        200,
        {"name": "a", "price": 1.5, "tags": [], "note": None},
        json='{"name":"a","price":1.5}',
    ),
    Row(
        "POST",
        "/union",
        200,
        {"user": "u", "item": {"name": "a", "price": 1.5, "tags": [], "note": None}},
        json='{"user":"u","item":{"name":"a","price":1.5}}',
    ),
    Row(
        "POST",
        "/union",
        422,
        {
            "detail": [
                error("missing", ["body", "Owner", "user"], {}),
                error("missing", ["body", "Owner", "item"], {}),
                error("missing", ["body", "Item", "name"], {}),
                error("missing", ["body", "Item", "price"], {}),
            ]
        },
        json="{}",
    ),
    Row("POST", "/any", 200, {"value": 5}, json="5"),
    Row("POST", "/any", 200, {"value": None}, json="null"),
    Row("POST", "/any", 200, {"value": {"a": [1]}}, json='{"a":[1]}'),
    Row("POST", "/any", 422, {"detail": [error("missing", ["body"], None)]}, json=""),
    Row("POST", "/any", 200, {"value": "text"}, sent={"content-type": "text/plain"}, body="text"),
    Row("POST", "/raw", 200, {"length": 100, "again": 100}, json="x" * 100),
    Row("POST", "/raw", 200, {"length": 0, "again": 0}, json=""),
    Row("POST", "/stream", 200, {"size": 100000}, json="x" * 100000),
    Row("POST", "/stream", 200, {"size": 0}, json=""),
    Row(
        "GET",
        "/model/subclass",
        200,
        {"user": "u", "item": {"name": "n", "price": 1.0, "tags": [], "note": None}},
    ),
    Row(
        "GET",
        "/model/list",
        200,
        [
            {"name": "n", "price": 1.0, "tags": [], "note": None},
            {"name": "m", "price": 2.0, "tags": [], "note": None},
        ],
    ),
    Row(
        "GET",
        "/model/dict",
        200,
        {
            "a": {"name": "n", "price": 2.0, "tags": [], "note": None},
            "b": {"name": "n", "price": 1.0, "tags": [], "note": None},
        },
    ),
    Row("GET", "/model/union", 200, {"name": "n", "price": 1.0, "tags": [], "note": None}),
    Row(
        "GET",
        "/model/struct",
        200,
        [{"name": "n", "price": 1.0, "tags": []}, {"name": "m", "price": 2.0, "tags": []}],
    ),
    Row("GET", "/model/modern", 200, [{"name": "n", "when": None}]),
    Row("GET", "/model/dataclass", 200, {"x": 1, "y": "why"}),
    Row("GET", "/model/typeddict", 200, {"left": 1, "right": "r"}),
    Row("GET", "/model/unset", 200, {"name": "n", "price": 1.0}),
    Row("GET", "/model/defaults", 200, {"name": "n", "price": 1.0}),
    Row("GET", "/model/none", 200, {"name": "n", "price": 1.0, "tags": []}),
    Row("GET", "/model/include", 200, {"name": "n"}),
    Row("GET", "/model/alias", 200, {"myName": "x", "otherVal": 3}),
    Row("GET", "/model/name", 200, {"my_name": "x", "other": 3}),
    Row(
        "GET",
        "/model/broken",
        500,
        "Internal Server Error",
        headers=[("content-type", "text/plain; charset=utf-8")],
    ),
    Row(
        "GET",
        "/untyped",
        200,
        {
            "when": "2020-01-02T03:04:05",
            "long": 90.0,
            "id": "00000000-0000-0000-0000-000000000005",
            "color": "red",
            "set": [1],
            "tuple": [1, None],
            "é": "☃",
        },
    ),
    Row("GET", "/html", 200, "<p>é</p>", headers=[("content-type", "text/html; charset=utf-8")]),
    Row(
        "GET",
        "/plain",
        200,
        "text",
        headers=[("x-plain", "1"), ("content-type", "text/plain; charset=utf-8")],
    ),
    Row("GET", "/redirect", 307, "", headers=[("location", "/users/me?x=%C3%A9%20y")]),
    Row("GET", "/redirect/class", 302, "", headers=[("location", "/users/me")]),
    Row(
        "GET",
        "/streamed",
        200,
        "one two",
        headers=[("x-streamed", "1"), ("content-type", "text/plain; charset=utf-8")],
    ),
    Row("GET", "/streamed/plain", 202, "one two"),
    Row("GET", "/file", 200, "abcdefghijklmnopqrstuvwxyz", headers=OF_THE_FILE),
    Row("HEAD", "/file", 200, "", headers=OF_THE_FILE),
    Row(
        "GET",
        "/file",
        206,
        "bcd",
        sent={"range": "bytes=1-3"},
        headers=[*OF_THE_FILE, ("content-range", "bytes 1-3/26")],
    ),
    Row(
        "HEAD",
        "/file",
        206,
        "",
        sent={"range": "bytes=-3"},
        headers=[*OF_THE_FILE, ("content-range", "bytes 23-25/26")],
    ),
    Row(
        "GET",
        "/file",
        206,
        "z",
        sent={"range": "bytes=25-99, 25-", "if-range": '"1"'},
        headers=[*OF_THE_FILE, ("content-range", "bytes 25-25/26")],
    ),
    Row(
        "GET",
        "/file",
        200,
        "abcdefghijklmnopqrstuvwxyz",
        sent={"range": "bytes=1-3", "if-range": '"2"'},
        headers=OF_THE_FILE,
    ),
    Row(
        "GET", "/file", 416, "", sent={"range": "bytes=26-"}, headers=[("content-range", "bytes */26"), TEXT]
    ),
    Row("GET", "/file", 400, "Only support bytes range", sent={"range": "lines=1-2"}, headers=[TEXT]),
    Row(
        "GET",
        "/injected",
        202,
        {"a": 1},
        headers=[
            ("x-injected", "1"),
            ("set-cookie", "session=abc; HttpOnly; Path=/; SameSite=lax"),
            ("set-cookie", 'other="d e"; Path=/; SameSite=lax'),
        ],
    ),
    Row("GET", "/injected/unused", 200, {"b": 1}, headers=[("x-own", "2")]),
    Row("GET", "/status/204", 204, "", headers=[("content-type", "application/json")]),
    Row("GET", "/status/304", 304, "", headers=[("content-type", "application/json")]),
    Row("GET", "/sync", 200, {"n": 1}),
    Row("GET", "/sync?n=x", 422, {"detail": [error("int_parsing", ["query", "n"], "x")]}),
    Row("GET", "/depends", 401, {"detail": "who are you?"}, headers=[("www-authenticate", "Basic")]),
    Row(
        "GET",
        "/depends?limit=101&skip=x",
        401,
        {"detail": "who are you?"},
        headers=[("www-authenticate", "Basic")],
    ),
    Row("GET", "/depends/cached", 200, [0, 1]),
    Row(
        "GET",
        "/depends/errors?skip=x&limit=101",
        422,
        {
            "detail": [
                error("int_parsing", ["query", "skip"], "x"),
                error("less_than_equal", ["query", "limit"], "101", le=100),
                error("int_parsing", ["query", "skip"], "x"),
                error("less_than_equal", ["query", "limit"], "101", le=100),
                error("missing", ["query", "n"], None),
            ]
        },
    ),
    Row("GET", "/depends/overridden", 422, {"detail": [error("missing", ["query", "shout"], None)]}),
    Row("GET", "/depends/overridden?shout=hey", 200, "replacement hey"),
    Row("GET", "/yield/translated", 418, {"detail": "translated"}),
    Row(
        "GET",
        "/yield/swallowed",
        500,
        "Internal Server Error",
        headers=[("content-type", "text/plain; charset=utf-8")],
    ),
    Row("GET", "/error/http", 403, {"detail": {"why": ["no", 1]}}, headers=[("x-why", "no")]),
    Row("GET", "/error/empty", 304, "", headers=[("x-why", "no")]),
    Row(
        "GET",
        "/error/unknown",
        500,
        "Internal Server Error",
        headers=[("content-type", "text/plain; charset=utf-8")],
    ),
    Row(
        "GET", "/error/handled", 418, {"error": "coffee?", "path": "/error/handled"}, headers=[("x-tea", "0")]
    ),
    Row("GET", "/error/again", 410, {"detail": "by a handler"}),
    Row(
        "GET",
        "/error/status",
        409,
        "conflict: twice",
        headers=[("content-type", "text/plain; charset=utf-8")],
    ),
    Row(
        "GET",
        "/depends?skip=3&q=x&exact=on",
        200,
        [{"token": "t", "skip": 3, "limit": 10}, ["x", True]],
        sent={"x-token": "t"},
    ),
    Row(
        "GET",
        "/depends?limit=x",
        422,
        {"detail": [error("int_parsing", ["query", "limit"], "x")]},
        sent={"x-token": "t"},
    ),
    Row(
        "GET",
        "/depends?exact=maybe",
        422,
        {"detail": [error("bool_parsing", ["query", "exact"], "maybe")]},
        sent={"x-token": "t"},
    ),
    Row(
        "GET",
        "/request/a%20b?x=1&x=%C3%A9&y",
        200,
        {
            "url": "http://testserver/request/a b?x=1&x=%C3%A9&y",
            "base": "http://testserver/",
            "query": [["x", "1"], ["x", "é"], ["y", ""]],
            "params": {"name": "a b"},
            "cookies": {"k": "v"},
            "host": "testserver",
            "for": "http://testserver/users/a b",
            "state": ["hello", "app", 1],
            "scope": ["http", "/request/a b", ""],
            "route": "/request/{name}",
        },
        sent={"cookie": "k=v"},
    ),
    Row("GET", "/outer/a/inner", 401, {"detail": "who are you?"}, headers=[("www-authenticate", "Basic")]),
    Row(
        "GET",
        "/outer/a/inner",
        200,
        "inner",
        sent={"x-token": "t"},
        headers=[("content-type", "text/plain; charset=utf-8")],
    ),
    Row("GET", "/outer/a/inner/", 307, "", headers=[("location", "http://testserver/outer/a/inner")]),
    Row(
        "GET",
        "/outer/a/inner/5",
        500,
        "Internal Server Error",
        sent={"x-token": "t"},
        headers=[("content-type", "text/plain; charset=utf-8")],
    ),
    Row("GET", "/outer/a/inner/x", 404, {"detail": "Not Found"}, sent={"x-token": "t"}),
    Row("GET", "/outer/late", 200, "late", headers=[("content-type", "text/plain; charset=utf-8")]),
    Row(
        "POST",
        "/outer/a/inner/5",
        405,
        {"detail": "Method Not Allowed"},
        sent={"x-token": "t"},
        headers=[("allow", "GET")],
    ),
]
