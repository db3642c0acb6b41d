"""Finding the app that is to be served: `module:app`, a file, a factory, or the object itself. What it
speaks, `fastweb.server.interface` tells.

What is wrong with it is told in one line; what goes wrong inside the user's own module is shown with its
traceback, without our frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from fastweb.resources import ResourceError
from fastweb.server.config import Config, ConfigError, StartupError
from fastweb.server.interface import adapt, interface_of, is_app
from fastweb.types import StreamApp

__all__ = ["is_loading", "load_app", "user_error"]

_PACKAGE = str(Path(__file__).parent.parent) + os.sep
#: Frames between us and the user's code, when they come first in a traceback.
_OUR_FRAMES = (
    _PACKAGE,
    "<frozen ",
    str(Path(importlib.__file__).parent) + os.sep,
    str(Path(asyncio.__file__).parent) + os.sep,
    contextlib.__file__,
)

#: While the user's modules are being imported, `run()` must not serve (see `fastweb.server.run`).
_loading = False
_earlier_main: list[ModuleType | None] = []


def is_loading() -> bool:
    """Whether the user's modules are being imported right now, to find the app."""
    return _loading


def load_app(config: Config) -> StreamApp:
    """Import the app that a config names, and adapt it to the server where it is none of ours.

    Raises:
        ConfigError: no such module, no such attribute, or it is no app.
        StartupError: the user's code raised; the details are its traceback, without our frames.
    """
    global _loading
    if config.app_dir is not None:
        directory = os.path.abspath(config.app_dir)
        if directory not in sys.path[:1]:
            sys.path.insert(0, directory)
    app = config.app
    name = app if isinstance(app, str) else type(app).__name__
    _loading = True
    try:
        if isinstance(app, str):
            app = _find(app, config)
        if config.factory:
            app = _guarded(app, f"the factory {name}") if callable(app) else app
            if inspect.iscoroutine(app):
                app.close()
                raise ConfigError(
                    f"the factory {name} is async: it must be a plain function that returns the app"
                )
    finally:
        _loading = False
    return adapt(app, _interface(app, name, config), config)


def _interface(app: object, name: str, config: Config) -> str:
    """What the app speaks, or is told to."""
    if config.interface == "fastweb" and not is_app(app):
        raise ConfigError(f"{name} is {_kind(app)}, not an app of fastweb's: leave --interface out")
    if config.interface in ("asgi", "wsgi") and not callable(app):
        raise ConfigError(f"{name} is {_kind(app)}, which is no {config.interface} app: it cannot be called")
    found = interface_of(app) if config.interface == "auto" else config.interface
    if found == "asgi2":
        raise ConfigError(
            f"{name} is {_kind(app)} of ASGI 2 (called with the scope, then with receive and send): wrap it"
            " with asgiref.compatibility.guarantee_single_callable, or, if calling it makes the app, add"
            " --factory"
        )
    if found is None:
        raise ConfigError(f"{name} is {_kind(app)}, not an app{_not_an_app_hint(app, config)}")
    return found


def _not_an_app_hint(value: object, config: Config) -> str:
    if isinstance(value, type) or (inspect.isroutine(value) and not config.factory):
        return ": if calling it makes the app, add --factory (factory=True)"
    return ": expected an instance of fastweb.FastWeb, or an ASGI or WSGI app"


def _kind(value: object) -> str:
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    if inspect.isroutine(value):
        return "a function"
    if isinstance(value, ModuleType):
        return "a module"
    name = type(value).__qualname__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _find(target: str, config: Config) -> Any:
    source, attribute = _split(target)
    if config.script is not None:
        module = _guarded(lambda: _run_script(str(config.script)), f"running {config.script}")
        source = os.path.basename(config.script)
    elif source.endswith(".py") or os.sep in source or "/" in source:
        module = _import_file(source)
    else:
        module = _import(source)
    if attribute:
        return _attribute(module, source, attribute)
    if config.factory:
        raise ConfigError(f"name the factory: {source}:create_app, for example")
    return _only_app(module, source)


def _split(target: str) -> tuple[str, str]:
    """`module:attribute`, `path.py:attribute`, or one of them without the attribute."""
    source, colon, attribute = target.rpartition(":")
    # C:\main.py has a colon, but no attribute.
    if not colon or attribute[:1] in ("\\", "/"):
        return target, ""
    if not source or not all(part.isidentifier() for part in attribute.split(".")):
        raise ConfigError(f"{target!r} names no app: expected module:attribute, such as main:app")
    return source, attribute


def _import(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"{name!r} is no module's name: expected module:attribute, such as main:app")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise user_error(error, f"importing {name}") from None
        candidates = [path.stem for path in Path(sys.path[0] or ".").glob("*.py")]
        hint = _did_you_mean(name, candidates)
        words = str(error)[:1].lower() + str(error)[1:]
        where = os.path.abspath(sys.path[0] or ".")
        raise ConfigError(f"{words} (looked in {where} first){hint}") from None
    except (Exception, SystemExit) as error:
        raise user_error(error, f"importing {name}") from None


def _import_file(source: str) -> ModuleType:
    path = Path(source).resolve()
    if not path.is_file():
        near = _did_you_mean(path.name, [item.name for item in path.parent.glob("*.py")])
        raise ConfigError(f"there is no file {source}{near}")
    if path.suffix != ".py":
        raise ConfigError(f"{source} is no Python file: expected module:attribute or path.py:attribute")
    # A file of a package is imported as part of it, so that its relative imports work.
    parts = [path.stem] if path.stem != "__init__" else []
    root = path.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        parts.insert(0, root.name)
        root = root.parent
    if str(root) not in sys.path[:1]:
        sys.path.insert(0, str(root))
    return _import(".".join(parts))


def _run_script(path: str) -> ModuleType:
    """Run the user's script again, under the name that multiprocessing gives it, too, in its `if __name__`
    guard."""
    module = ModuleType("__mp_main__")
    module.__file__ = path
    # What is pickled as `__main__.Thing` must be found; the module that ran until now is still running, and
    # kept.
    _earlier_main.append(sys.modules.get("__main__"))
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module
    code = compile(Path(path).read_bytes(), path, "exec")
    exec(code, module.__dict__)
    return module


def _attribute(module: ModuleType, source: str, attribute: str) -> Any:
    value: Any = module
    done = source
    for name in attribute.split("."):
        try:
            value = getattr(value, name)
        except AttributeError:
            public = [key for key in dir(value) if not key.startswith("_")]
            hint = _did_you_mean(name, public)
            apps = _apps(module)
            if not hint and apps:
                hint = (
                    f"; it has the app {apps[0]!r}"
                    if len(apps) == 1
                    else f"; it has the apps {', '.join(apps)}"
                )
            raise ConfigError(f"{done} has no attribute {name!r}{hint}") from None
        done = f"{source}:{name}" if done == source else f"{done}.{name}"
    return value


#: What apps are called that are none of ours, and else cannot be told from other callables.
_APP_NAMES = ("app", "application", "api", "asgi_app", "wsgi_app")


def _apps(module: ModuleType) -> list[str]:
    names = [name for name, value in vars(module).items() if is_app(value)]
    others = [name for name in _APP_NAMES if interface_of(getattr(module, name, None)) in ("asgi", "wsgi")]
    return names or others


def _only_app(module: ModuleType, source: str) -> Any:
    names = _apps(module)
    for name in _APP_NAMES:
        if name in names:
            return getattr(module, name)
    if len(names) == 1:
        return getattr(module, names[0])
    if names:
        raise ConfigError(
            f"{source} has several apps: say which one, such as {source}:{names[0]} ({', '.join(names)})"
        )
    raise ConfigError(
        f"{source} has no app: expected an instance of fastweb.FastWeb, such as app = FastWeb(), or an ASGI"
        " or WSGI app of such a name"
    )


def _did_you_mean(name: str, candidates: Sequence[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, candidates, 3)
    return f"; did you mean {' or '.join(repr(item) for item in near)}?" if near else ""


def _guarded(call: Callable[[], Any], doing: str) -> Any:
    try:
        return call()
    except StartupError:
        raise
    except (Exception, SystemExit) as error:
        raise user_error(error, doing) from None


def user_error(error: BaseException, doing: str, exit_code: int = 1) -> StartupError:
    """What the user's own code raised, as its traceback without our frames, and one line."""
    if isinstance(error, StartupError):
        return error
    if isinstance(error, SystemExit):
        return StartupError(f"{doing} called sys.exit({error.code!r})", exit_code=exit_code)
    if isinstance(error, ResourceError):
        return StartupError(f"{doing} failed: {error}", exit_code=exit_code)
    trace = _user_traceback(error.__traceback__)
    if trace is None and not isinstance(error, SyntaxError):
        trace = error.__traceback__  # All of it is ours: then all of it is needed.
    details = "".join(traceback.format_exception(type(error), error, trace))
    line = " ".join(str(error).split())
    what = type(error).__name__ + (f": {line}" if line else "")
    return StartupError(f"{doing} failed: {what}", exit_code=exit_code, details=details)


def _user_traceback(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OUR_FRAMES):
        trace = trace.tb_next
    return trace
