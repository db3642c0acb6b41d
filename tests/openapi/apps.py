"""Apps whose documents are compared: each is made with FastAPI and pydantic, once, by `generate.py`, and with
fastweb and either kind of models in the tests.

A function takes a `Framework`, the names that it is to be made with, and gives the app. Nothing of fastweb or
FastAPI is imported here; and annotations are evaluated at once, for they name what is local.
"""
# mypy: disable-error-code="empty-body, untyped-decorator, valid-type, misc, name-defined"

import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from typing_extensions import TypedDict

T = TypeVar("T")


@dataclass
class Framework:
    """What an app is made with: modules (`applications`, `params`, …) and what its models are made of."""

    App: Any
    Router: Any
    modules: dict[str, Any] = field(default_factory=dict)
    BaseModel: Any = None
    Field: Any = None

    def __getattr__(self, name: str) -> Any:
        return self.modules[name]


class Color(enum.Enum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


@dataclasses.dataclass
class Place:
    """A place."""

    x: float
    y: float = 0
    names: list[str] = dataclasses.field(default_factory=list)


class Words(TypedDict, total=False):
    first: str
    second: int


class Pair(NamedTuple):
    left: int
    right: str = "r"


def named(cls: Any, name: str, module: str) -> Any:
    """The class as though it stood in another module."""
    cls.__module__, cls.__qualname__, cls.__name__ = module, name, name
    return cls


def metadata(framework: Framework) -> Any:
    app = framework.App(
        title="Everything",
        summary="Short",
        description="Long *words*.",
        version="2.0",
        terms_of_service="https://example.com/terms",
        contact={"name": "Me", "url": "https://Example.com", "email": "me@example.com"},
        license_info={"name": "MIT", "url": "https://example.com/license"},
        openapi_tags=[
            {"name": "users", "description": "Them.", "externalDocs": {"url": "https://example.com"}},
            {"name": "none", "description": None},
        ],
        servers=[{"url": "https://api.example.com", "description": None}, {"url": "/v2"}],
        openapi_external_docs={"description": "More", "url": "https://docs.example.com"},
    )

    @app.get("/", tags=["users"], summary="In short", deprecated=True, operation_id="root")
    def root() -> str:
        """What is said.

        And more.
        \f
        Not for users.
        """
        return ""

    @app.get("/described", description="Given.\fNot this.", response_description="It")
    def described() -> None:
        """Not this."""

    @app.get("/hidden", include_in_schema=False)
    def hidden() -> int:
        return 1

    @app.api_route("/several/{rest:path}", methods=["PUT"])
    def several(rest: str) -> dict[str, int]:
        return {}

    class Sent(framework.BaseModel):
        at: dt.datetime
        what: str

    @app.webhooks.post("new-user")
    def new_user(body: Sent) -> None:
        """What is sent to you."""

    return app


def parameters(framework: Framework) -> Any:
    app = framework.App()
    p = framework.params

    @app.get("/{number}/{word}")
    def all_kinds(
        number: int,
        word: Annotated[str, p.Path(title="The word", min_length=1, pattern="^[a-z]+$")],
        needed: str,
        listed: Annotated[list[int], p.Query(alias="list", max_length=3)],
        x_token: Annotated[str, p.Header(description="A token.")],
        plain_one: Annotated[str | None, p.Header(convert_underscores=False)] = None,
        session: Annotated[str | None, p.Cookie()] = None,
        limit: Annotated[int, p.Query(ge=1, le=100, multiple_of=5, description="How many.")] = 10,
        ratio: Annotated[float, p.Query(gt=0, lt=1, deprecated=True)] = 0.5,
        color: Color = Color.RED,
        size: Size | None = None,
        mode: Literal["a", "b"] = "a",
        when: dt.datetime | None = None,
        day: dt.date = dt.date(2026, 1, 2),
        wait: dt.timedelta | None = None,
        key: uuid.UUID | None = None,
        price: decimal.Decimal = decimal.Decimal("1.5"),
        flag: bool = False,
        unseen: Annotated[str, p.Query(include_in_schema=False)] = "",
        shown: Annotated[str, p.Query(examples=["a", "b"], json_schema_extra={"x-more": [1]})] = "",
        told: Annotated[
            str | None,
            p.Query(openapi_examples={"one": {"summary": "One", "value": "1"}, "two": {"value": None}}),
        ] = None,
        either: int | str | None = None,
        pair: Annotated[tuple[int, str] | None, p.Query()] = None,
        set_of: Annotated[set[str], p.Query()] = frozenset(),  # type: ignore[assignment]
    ) -> None: ...

    def page(skip: int = 0, size: Annotated[int, p.Query(le=50)] = 20) -> None: ...

    def strict(skip: int) -> None: ...

    @app.get("/dependent", dependencies=[p.Depends(strict)])
    def dependent(
        first: Annotated[None, p.Depends(page)], again: Annotated[None, p.Depends(page)]
    ) -> None: ...

    return app


def bodies(framework: Framework) -> Any:
    app = framework.App()
    p = framework.params
    base: Any = framework.BaseModel
    describe: Any = framework.Field

    class Tag(base):
        name: str

    class Item(base):
        """A thing."""

        name: Annotated[str, describe(min_length=1, max_length=20, description="What it is called.")]
        price: float = describe(gt=0, examples=[1.5])
        count: int = describe(default=1, ge=0, title="How many")
        renamed: str = describe(default="", alias="other name")
        tags: list[Tag] = []
        by_name: dict[str, Tag] = {}
        color: Color | None = None
        where: Place | None = None
        extra: Any = None
        at: dt.datetime | None = None

    class Cat(base):
        kind: Literal["cat"]
        lives: int = 9

    class Dog(base):
        kind: Literal["dog", "puppy"]

    @app.post("/one")
    def one(item: Item) -> Item:
        return item

    @app.post("/embedded")
    def embedded(item: Annotated[Item, p.Body(embed=True)]) -> list[Item]:
        return [item]

    @app.put("/several/{number}")
    def several(
        number: int, item: Item, tag: Tag | None = None, weight: Annotated[int, p.Body(gt=0)] = 1
    ) -> dict[str, Item]:
        return {}

    @app.post("/list")
    def listed(items: list[Item], q: str = "") -> None: ...

    @app.post("/any")
    def anything(body: Annotated[dict[str, Any], p.Body(media_type="application/vnd.api+json")]) -> Any: ...

    @app.post("/pets")
    def pets(pet: Annotated[Cat | Dog, p.Body(discriminator="kind")]) -> Cat | Dog:
        return pet

    @app.post("/examples")
    def with_examples(
        item: Annotated[
            Item, p.Body(openapi_examples={"good": {"summary": "Good", "value": {"name": "x", "price": 1}}})
        ],
        tag: Annotated[Tag, p.Body(examples=[{"name": "t"}])],
    ) -> None: ...

    @app.post("/standard")
    def standard(place: Place, words: Words) -> Pair: ...

    @app.post("/raw")
    def raw(data: Annotated[bytes, p.Body()], color: Annotated[Color, p.Body()] = Color.BLUE) -> Color:
        return color

    return app


def answers(framework: Framework) -> Any:
    app = framework.App(responses={500: {"description": "Broken"}})
    r = framework.responses
    base: Any = framework.BaseModel
    router = framework.Router(prefix="/r", tags=["r"], responses={404: {"description": "Gone"}})

    class Message(base):
        text: str

    class Answer(base):
        value: int = 0

    @router.get("/plain", response_class=r.PlainTextResponse, status_code=202)
    def plain() -> str:
        return ""

    @router.get("/redirect", response_class=r.RedirectResponse)
    def redirect() -> None: ...

    @router.delete("/empty", status_code=204)
    def empty() -> None: ...

    @router.get("/html", response_class=r.HTMLResponse)
    def html() -> None: ...

    @router.post(
        "/more",
        response_model=Answer,
        status_code=201,
        responses={
            404: {"model": Message},
            "4XX": {"description": "Yours", "content": {"application/json": {"example": {"text": "x"}}}},
            "5XX": {"model": Message},
            "default": {"model": Message, "description": "Else"},
            201: {"content": {"image/png": {}}, "description": "Made"},
            299: {},
        },
    )
    def more(value: int) -> Any: ...

    @app.get("/extra", openapi_extra={"x-a": 1, "parameters": [{"in": "query", "name": "z"}], "tags": ["t"]})
    def extra(q: int) -> None: ...

    callbacks = framework.Router()

    @callbacks.post("/done/{id}")
    def done(id: int, body: Message) -> Answer: ...

    @app.post("/called", callbacks=callbacks.routes)
    def called(message: Message) -> None: ...

    app.include_router(router)
    app.include_router(router, prefix="/again", deprecated=True, tags=["again"])
    return app


def names(framework: Framework) -> Any:
    app = framework.App()
    base: Any = framework.BaseModel

    def model(module: str, **fields: Any) -> Any:
        return named(
            type(base)("Item", (base,), {"__annotations__": fields, "__module__": module}), "Item", module
        )

    first, second = model("shop.old", name=str), model("shop.new", number=int)

    class Page(base, Generic[T]):
        items: list[T]
        next: int | None = None

    class Node(base):
        children: list["Node"] = []
        value: int = 0

    class Two(base):
        value: int = 3

    @app.get("/first")
    def get_first() -> first: ...

    @app.get("/second")
    def get_second() -> second: ...

    @app.get("/pages")
    def get_pages() -> Page[int]: ...

    @app.get("/two")
    def get_two(color: Color) -> Page[Two]: ...

    @app.post("/two")
    def post_two(two: Two, color: Color) -> Two: ...

    return app


def forms(framework: Framework) -> Any:
    app = framework.App()
    p, files = framework.params, framework.datastructures.UploadFile
    base: Any = framework.BaseModel

    class Profile(base):
        name: str
        age: int | None = None

    class Settings(base):
        theme: str = "light"

    @app.post("/fields")
    def fields(
        name: Annotated[str, p.Form(max_length=9)],
        tags: Annotated[list[str], p.Form()] = ["a"],  # noqa: B006
    ) -> None: ...

    @app.post("/file")
    def file(data: Annotated[bytes, p.File(description="All of it.")]) -> None: ...

    @app.post("/uploads")
    def uploads(one: files, many: list[files], note: Annotated[str, p.Form()] = "") -> None: ...

    @app.post("/optional")
    def optional(one: files | None = None) -> None: ...

    @app.post("/model")
    def model(profile: Annotated[Profile, p.Form()]) -> None: ...

    @app.post("/models")
    def models(
        profile: Annotated[Profile, p.Form()],
        settings: Annotated[Settings, p.Form()],
        token: Annotated[str, p.Form()],
    ) -> None: ...

    @app.post("/maybe")
    def maybe(profile: Annotated[Profile | None, p.Form()] = None) -> None: ...

    @app.get("/groups")
    def groups(
        query: Annotated[Profile, p.Query()],
        header: Annotated[Settings, p.Header()],
        cookie: Annotated[Settings | None, p.Cookie()] = None,
    ) -> None: ...

    return app


def security(framework: Framework) -> Any:
    s, p = framework.security, framework.params
    app = framework.App(dependencies=[p.Depends(s.APIKeyHeader(name="X-Key", description="A key."))])
    oauth2 = s.OAuth2PasswordBearer(tokenUrl="token", scopes={"read": "Read.", "write": "Write."})
    other = s.OAuth2AuthorizationCodeBearer(authorizationUrl="/a", tokenUrl="/t", refreshUrl="/r")

    def user(scopes: s.SecurityScopes, token: Annotated[str, p.Depends(oauth2)]) -> str:
        return token

    @app.get("/read")
    def read(user: Annotated[str, p.Security(user, scopes=["read"])]) -> None: ...

    @app.get("/both", dependencies=[p.Security(user, scopes=["write"])])
    def both(user: Annotated[str, p.Security(user, scopes=["read"])]) -> None: ...

    @app.post("/token")
    def token(form: Annotated[s.OAuth2PasswordRequestForm, p.Depends()]) -> None: ...

    @app.get("/others")
    def others(
        basic: Annotated[Any, p.Depends(s.HTTPBasic())],
        bearer: Annotated[Any, p.Depends(s.HTTPBearer(bearerFormat="JWT", scheme_name="jwt"))],
        digest: Annotated[Any, p.Depends(s.HTTPDigest())],
        query: Annotated[Any, p.Depends(s.APIKeyQuery(name="key"))],
        cookie: Annotated[Any, p.Depends(s.APIKeyCookie(name="key"))],
        code: Annotated[Any, p.Depends(other)],
        openid: Annotated[Any, p.Depends(s.OpenIdConnect(openIdConnectUrl="/openid"))],
    ) -> None: ...

    return app


def streams(framework: Framework) -> Any:
    app = framework.App()
    r = framework.responses
    base: Any = framework.BaseModel

    class Item(base):
        name: str

    @app.get("/lines")
    def lines() -> Iterable[Item]:
        yield Item(name="a")

    @app.get("/any-lines")
    async def any_lines() -> AsyncIterable[Any]:
        yield 1

    @app.get("/events", response_class=r.EventSourceResponse)
    async def events() -> AsyncIterable[Item]:
        yield Item(name="a")

    @app.get("/whole-events", response_class=r.EventSourceResponse)
    def whole_events() -> Iterable[framework.sse.ServerSentEvent]:
        yield framework.sse.ServerSentEvent(data=1)

    return app


APPS: dict[str, Callable[[Framework], Any]] = {
    function.__name__: function
    for function in (metadata, parameters, bodies, forms, answers, names, security, streams)
}
