"""The import hook: `fastapi.x` is `fastweb.compat.fastapi.x`, if there is such a file, or `fastweb.x`; and so
for `starlette.x`.

The module under the other name is the very same object, so that a class is one class under all its names.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module, metadata
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Literal, NamedTuple

import fastweb
from fastweb.compat.pydantic_models import read_parameters

__all__ = ["ANSWERED", "Finder", "Gap", "gaps"]

#: The packages that are answered for, and the versions that they are said to have.
ANSWERED = {"fastapi": "0.165.0", "starlette": "1.10.0"}

#: The modules that are fastweb's own of the same name; others have a file in fastweb/compat/.
_SAME_NAME = {
    "fastapi": {
        *("background", "concurrency", "datastructures", "encoders", "exception_handlers", "exceptions"),
        *("middleware", "openapi", "params", "requests", "responses", "routing", "security", "sse"),
        *("staticfiles", "templating", "testclient", "websockets"),
    },
    "starlette": {
        *("authentication", "background", "concurrency", "config", "convertors", "datastructures"),
        *("endpoints", "formparsers", "middleware", "requests", "responses", "routing", "schemas"),
        *("staticfiles", "status", "templating", "testclient", "types", "websockets"),
    },
}


class Gap(NamedTuple):
    """Something that was asked for and is not there, or not all of it."""

    #: The full name, under FastAPI or Starlette.
    name: str
    state: Literal["missing", "partial"]
    #: What is not there.
    words: str


#: Who may look for a name that is not there without being told, and without it being noted.
_QUIET = ("_frozen_importlib", "importlib.", "fastweb.")

_gaps: dict[str, Gap] = {}
#: The names under which a module was imported, by its own.
_aliases: dict[str, list[str]] = {}


def gaps() -> list[Gap]:
    """All that were met so far."""
    return list(_gaps.values())


def _missing(name: str) -> str:
    """Note it, and say so."""
    words = f"fastweb {fastweb.__version__} has no {name}"
    _gaps.setdefault(name, Gap(name, "missing", words))
    return f"{words} (fastweb.compat.report() lists all that was missing)"


class _Answer(ModuleType):
    """The class of a module that answers for another: what it lacks is noted, and said in fastweb's words."""

    def __getattr__(self, name: str) -> Any:
        caller = sys._getframe(1)
        asked = caller.f_globals.get("__name__", "")
        if (name.startswith("__") and name.endswith("__")) or asked.startswith(_QUIET):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        aliases = _aliases[self.__name__]
        imported = _imported_from(caller)
        alias = imported if imported in aliases else aliases[0]
        package, _, rest = f"{alias}.{name}".partition(".")
        # Python looks for a submodule under the name that this module has itself; and `import fastapi` is
        # known to load most of them.
        if _home(package, rest) is not None:
            return import_module(f"{alias}.{name}")
        if imported is None:
            missing = _missing(f"{' / '.join(aliases)}.{name}")
            words = f"module {alias!r} has no attribute {name!r}: {missing}"
            raise AttributeError(words, name=name, obj=self)
        words = f"cannot import name {name!r} from {alias!r}: {_missing(f'{alias}.{name}')}"
        raise ImportError(words, name=alias, path=self.__file__)


def _imported_from(frame: FrameType) -> str | None:
    """The module that a `from module import name` reads a name of right now, or None if this is none.

    Told from the instruction, as Python drops the words of the AttributeError that it gets there.
    """
    code = frame.f_code
    if dis.opname[code.co_code[frame.f_lasti]] != "IMPORT_FROM":
        return None
    name = None
    for instruction in dis.get_instructions(code):
        if instruction.offset >= frame.f_lasti:
            break
        if instruction.opname == "IMPORT_NAME":
            name = str(instruction.argval)
    return name


class _Loader(Loader):
    """Gives the module that answers, whole and initialised."""

    def __init__(self, home: str) -> None:
        self.home = home

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = import_module(self.home)
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        alias = module.__spec__.name if module.__spec__ else module.__name__
        # The import system has just given it the spec of its other name.
        module.__spec__ = self.spec
        aliases = _aliases.setdefault(module.__name__, [])
        if alias not in aliases:
            aliases.append(alias)
        if type(module) is ModuleType:
            module.__class__ = _Answer
        words = vars(module).get("__partial__")
        if words:
            _gaps.setdefault(alias, Gap(alias, "partial", words))


class _Distribution(metadata.Distribution):
    """What `importlib.metadata` says of the packages that are answered for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        fields = {"Metadata-Version": "2.1", "Name": self._name, "Version": ANSWERED[self._name]}
        return "".join(f"{name}: {value}\n" for name, value in fields.items())

    def locate_file(self, path: str | PathLike[str]) -> Path:
        return Path(__file__).parent / path


class Finder(MetaPathFinder):
    """Finds all of `fastapi` and `starlette`. First in `sys.meta_path`, it hides installed copies."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        if package not in ANSWERED:
            return None
        home = _home(package, rest)
        if fullname == "fastapi":
            read_parameters()
        if home is None:
            raise ModuleNotFoundError(f"no module named {fullname!r}: {_missing(fullname)}", name=fullname)
        return ModuleSpec(fullname, _Loader(home), origin=home)

    def find_distributions(
        self, context: metadata.DistributionFinder.Context | None = None
    ) -> Iterable[_Distribution]:
        """`importlib.metadata`'s door to a finder."""
        name = None if context is None else context.name
        for answered in ANSWERED:
            if name is None or name.lower() == answered:
                yield _Distribution(answered)


def _home(package: str, rest: str) -> str | None:
    """The module that answers for `package.rest`."""
    homes = [f"fastweb.compat.{package}.{rest}".rstrip(".")]
    if rest.partition(".")[0] in _SAME_NAME[package]:
        homes.append(f"fastweb.{rest}")
    for home in homes:
        try:
            if find_spec(home) is not None:
                return home
        except ModuleNotFoundError:  # Its parent is not there, or no package.
            continue
    return None
