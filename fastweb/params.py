"""Where an endpoint's parameters come from: `Path`, `Query`, `Header`, `Cookie`, `Body`, `Form`, `File`,
`Depends` and `Security`.

Each stands as a parameter's default, `q: int = Query(0, ge=0)`, or in its annotation,
`q: Annotated[int, Query(ge=0)] = 0`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, Unpack
from weakref import WeakKeyDictionary

from fastweb.exceptions import DeclarationError, FastWebDeprecationWarning
from fastweb.fields import FieldInfo
from fastweb.types import Undefined

if TYPE_CHECKING:
    from anyio import Semaphore
    from anyio.lowlevel import RunVar

__all__ = [
    "Body",
    "Cookie",
    "Depends",
    "File",
    "Form",
    "Header",
    "Param",
    "ParamOptions",
    "ParamTypes",
    "Path",
    "Query",
    "Security",
]


class ParamTypes(Enum):
    """The parts of a request that hold parameters: `in` of OpenAPI's Parameter Object."""

    query = "query"
    header = "header"
    path = "path"
    cookie = "cookie"


class ParamOptions(TypedDict, total=False):
    """What can be said of any parameter, beside its default. Most of it is `fastweb.fields.FieldInfo`'s.

    Arguments:
        regex: the old name of `pattern`.
        example: the old way to give one of `examples`.
        openapi_examples: examples as OpenAPI has them, by name, with `summary`, `description` and `value`.
        include_in_schema: whether the parameter is in the OpenAPI schema.
        alias_priority, union_mode, fail_fast: pydantic's, of use to pydantic's types only.
    """

    default_factory: Callable[[], Any] | None
    annotation: Any
    alias: str | None
    alias_priority: int | None
    validation_alias: Any
    serialization_alias: str | None
    title: str | None
    description: str | None
    gt: float | None
    ge: float | None
    lt: float | None
    le: float | None
    min_length: int | None
    max_length: int | None
    pattern: str | re.Pattern[str] | None
    regex: str | None
    discriminator: Any
    strict: bool | None
    validate_default: bool | None
    union_mode: Literal["smart", "left_to_right"] | None
    fail_fast: bool | None
    multiple_of: float | None
    allow_inf_nan: bool | None
    max_digits: int | None
    decimal_places: int | None
    examples: Sequence[Any] | None
    example: Any
    openapi_examples: Mapping[str, Any] | None
    deprecated: Any
    include_in_schema: bool
    json_schema_extra: dict[str, Any] | Callable[[dict[str, Any]], None] | None


class _Described(FieldInfo):
    """A `FieldInfo` with what a parameter has in addition."""

    example: Any
    openapi_examples: Mapping[str, Any] | None
    include_in_schema: bool
    alias_priority: int | None
    union_mode: Literal["smart", "left_to_right"] | None
    fail_fast: bool | None

    def _describe(self, default: Any, options: ParamOptions) -> None:
        """What each `__init__` calls."""
        if unknown := options.keys() - ParamOptions.__annotations__.keys():
            raise TypeError(f"{type(self).__name__}() got an unexpected keyword argument {min(unknown)!r}")
        rest: dict[str, Any] = {**options}
        pattern = rest.pop("pattern", None)
        if (regex := rest.pop("regex", None)) is not None:
            self._warn("`regex` has been deprecated, please use `pattern` instead")
            pattern = pattern or regex
        self.example = rest.pop("example", Undefined)
        if self.example is not Undefined:
            self._warn("`example` has been deprecated, please use `examples` instead")
        self.openapi_examples = rest.pop("openapi_examples", None)
        self.include_in_schema = rest.pop("include_in_schema", True)
        self.alias_priority = rest.pop("alias_priority", None)
        self.union_mode = rest.pop("union_mode", None)
        self.fail_fast = rest.pop("fail_fast", None)
        super().__init__(default, pattern=_as_string(pattern), **rest)
        self._given = frozenset(options)

    def _warn(self, message: str) -> None:
        # Past _describe, and Path's, and __init__, to whoever made the parameter.
        level = 5 if isinstance(self, Path) else 4
        warnings.warn(message, FastWebDeprecationWarning, stacklevel=level)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.default})"


def _as_string(pattern: str | re.Pattern[str] | None) -> str | None:
    if not isinstance(pattern, re.Pattern):
        return pattern
    letters = [letter for letter in "aimsx" if pattern.flags & getattr(re, letter.upper())]
    return f"(?{''.join(letters)}){pattern.pattern}" if letters else pattern.pattern


class Param(_Described):
    """A parameter that is not the body.

    Arguments:
        default: its value where the request does not have it; `...` or nothing makes it required.
        options: see `ParamOptions`.
    """

    in_: ClassVar[ParamTypes]

    if TYPE_CHECKING:
        # To a type checker it gives Any, so that it can be the default of a parameter of any type.
        def __new__(cls, default: Any = Undefined, **options: Unpack[ParamOptions]) -> Any: ...
    else:

        def __init__(self, default=Undefined, **options):
            self._describe(default, options)


class Path(Param):
    """A parameter in the path. It is always there, so it has no default.

    Raises:
        DeclarationError: a default was given.
    """

    in_ = ParamTypes.path

    def _describe(self, default: Any, options: ParamOptions) -> None:
        if default is not ... and default is not Undefined:
            raise DeclarationError(
                f"Path parameters cannot have a default value: without it, the path does not match. "
                f"Remove {default!r}, or make it a Query parameter"
            )
        options.pop("default_factory", None)
        super()._describe(default, options)


class Query(Param):
    """A parameter in the query string."""

    in_ = ParamTypes.query


class Header(Param):
    """A header field.

    Arguments:
        default: its value where the request does not have it; `...` or nothing makes it required.
        convert_underscores: read `user_agent` from the field `user-agent`. Many proxies drop the former.
        options: see `ParamOptions`.
    """

    in_ = ParamTypes.header
    convert_underscores: bool

    if TYPE_CHECKING:

        def __new__(
            cls,
            default: Any = Undefined,
            *,
            convert_underscores: bool = True,
            **options: Unpack[ParamOptions],
        ) -> Any: ...
    else:

        def __init__(self, default=Undefined, *, convert_underscores=True, **options):
            self._describe(default, options)
            self.convert_underscores = convert_underscores


class Cookie(Param):
    """A cookie."""

    in_ = ParamTypes.cookie


class Body(_Described):
    """The body, or one key of it.

    Arguments:
        default: its value where the request does not have it; `...` or nothing makes it required.
        embed: expect a JSON object with the parameter's name as a key; by default where there are several.
        media_type: the body's media type in the OpenAPI schema.
        options: see `ParamOptions`.
    """

    embed: bool | None
    media_type: str

    if TYPE_CHECKING:

        def __new__(
            cls,
            default: Any = Undefined,
            *,
            embed: bool | None = None,
            media_type: str = "application/json",
            **options: Unpack[ParamOptions],
        ) -> Any: ...
    else:

        def __init__(self, default=Undefined, *, embed=None, media_type="application/json", **options):
            self._describe(default, options)
            self.embed = embed
            self.media_type = media_type


class Form(Body):
    """A field of a form.

    Arguments:
        default: its value where the form does not have it, or has it empty; `...` or nothing makes it
            required.
        media_type: of the form in the OpenAPI schema; either kind is read.
        options: see `ParamOptions`; with `embed=True` a model is one field, and not all of them.
    """

    if TYPE_CHECKING:

        def __new__(
            cls,
            default: Any = Undefined,
            *,
            embed: bool | None = None,
            media_type: str = "application/x-www-form-urlencoded",
            **options: Unpack[ParamOptions],
        ) -> Any: ...
    else:

        def __init__(
            self, default=Undefined, *, embed=None, media_type="application/x-www-form-urlencoded", **options
        ):
            self._describe(default, options)
            self.embed = embed
            self.media_type = media_type


class File(Form):
    """A file in a form: as an `UploadFile`, or as bytes.

    Arguments:
        default: its value where the form does not have it; `...` or nothing makes it required.
        media_type: of the form in the OpenAPI schema.
        options: see `ParamOptions`.
    """

    if TYPE_CHECKING:

        def __new__(
            cls,
            default: Any = Undefined,
            *,
            embed: bool | None = None,
            media_type: str = "multipart/form-data",
            **options: Unpack[ParamOptions],
        ) -> Any: ...
    else:

        def __init__(self, default=Undefined, *, embed=None, media_type="multipart/form-data", **options):
            self._describe(default, options)
            self.embed = embed
            self.media_type = media_type


class Concurrency:
    """The calls of one dependency that run at once, as its marks share it: compared by identity.

    Arguments:
        bound: how many there may be.
    """

    def __init__(self, bound: int) -> None:
        self.bound = bound

    def get_semaphore(self) -> Semaphore:
        """The semaphore of these calls in the running loop."""
        global _semaphores
        from anyio import Semaphore
        from anyio.lowlevel import RunVar

        if _semaphores is None:
            _semaphores = RunVar("fastweb_dependency_calls")
        try:
            of_loop = _semaphores.get()
        except LookupError:
            of_loop = WeakKeyDictionary()
            _semaphores.set(of_loop)
        if self not in of_loop:
            of_loop[self] = Semaphore(self.bound)
        return of_loop[self]


#: For each loop, the semaphores of the marks that there are.
_semaphores: RunVar[WeakKeyDictionary[Concurrency, Semaphore]] | None = None


@dataclass(frozen=True)
class _Depends:
    dependency: Callable[..., Any] | None = None
    use_cache: bool = True
    scope: Literal["function", "request"] | None = None
    max_concurrency: int | None = field(default=None, kw_only=True)
    #: Counts the calls of this mark; the copies that are made of it share it.
    _concurrency: Concurrency | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.dependency is not None and not callable(self.dependency):
            raise TypeError(f"Depends() takes a function or another callable, not {self.dependency!r}")
        if self.scope not in (None, "function", "request"):
            raise ValueError(f'the scope of Depends() is "function", "request" or None, not {self.scope!r}')
        bound = self.max_concurrency
        if bound is None:
            object.__setattr__(self, "_concurrency", None)
            return
        if type(bound) is not int or bound < 1:
            raise ValueError(f"max_concurrency must be a positive integer or None, not {bound!r}")
        if self._concurrency is None or self._concurrency.bound != bound:
            object.__setattr__(self, "_concurrency", Concurrency(bound))


class Depends(_Depends):
    """A parameter whose value another function gives, which is itself called with what it asks for.

    Arguments:
        dependency: a function, a generator function with one `yield`, either of them async or not, a class,
            or any other callable; by default the parameter's annotation.
        use_cache: call it once a request, whoever asks for it; else anew for each who asks.
        scope: when what follows its `yield` runs: "function", after the endpoint and before the answer is
            sent, or "request", after the answer was sent, which is the default.
        max_concurrency: how many calls of this dependency may run at once, in all requests of a worker; a
            generator runs until what follows its `yield` has. Others wait. Share one `Depends` to share it.

    Raises:
        TypeError: the dependency cannot be called.
        ValueError: there is no such scope, or the concurrency is not positive.
    """

    if TYPE_CHECKING:

        def __new__(
            cls,
            dependency: Callable[..., Any] | None = None,
            use_cache: bool = True,
            scope: Literal["function", "request"] | None = None,
            *,
            max_concurrency: int | None = None,
        ) -> Any: ...


@dataclass(frozen=True)
class _Security(Depends):
    scopes: Sequence[str] | None = None

    def __hash__(self) -> int:
        # The scopes may be a list.
        return hash((self.dependency, self.use_cache, self.scope, tuple(self.scopes or ())))


class Security(_Security):
    """A dependency that says which OAuth2 scopes are needed: by what it depends on, too.

    They add up on the way down; a parameter annotated `SecurityScopes` gets all of them.

    Arguments:
        dependency, use_cache, scope, max_concurrency: as of `Depends`.
        scopes: names of OAuth2 scopes.

    Raises:
        TypeError, ValueError: as `Depends`.
    """

    if TYPE_CHECKING:

        def __new__(
            cls,
            dependency: Callable[..., Any] | None = None,
            use_cache: bool = True,
            scope: Literal["function", "request"] | None = None,
            scopes: Sequence[str] | None = None,
            *,
            max_concurrency: int | None = None,
        ) -> Any: ...
