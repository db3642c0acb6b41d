"""One process of the micro-benchmark: times cases in the environment that it is started in, and prints JSON.

python -P worker.py {"root": ..., "in_place": ..., "modules": [...], "only": ..., "seconds": ...}
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from typing import Any


def public_names() -> list[str]:
    """Functions and classes of fastweb/_speedups, as "module.name": those in `__all__`, or where there is
    none, all without
    an underscore. Exceptions are no code to be timed."""
    from fastweb._speedups import hot_modules

    found = []
    for full in hot_modules():
        module = import_module(full)
        own = [name for name, value in vars(module).items() if getattr(value, "__module__", None) == full]
        for name in getattr(module, "__all__", own):
            value = getattr(module, name)
            if name.startswith("_") or not callable(value):
                continue
            if not (isinstance(value, type) and issubclass(value, BaseException)):
                found.append(f"{full.rpartition('.')[2]}.{name}")
    return sorted(found)


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Time what is asked for. A case that cannot be made is reported with the reason."""
    from bench.micro.case import CASES, time_of

    problems: dict[str, str] = {}
    for module in order["modules"]:
        try:
            import_module(module)
        except Exception as error:
            problems[module] = f"{type(error).__name__}: {error}"
    times: dict[str, float] = {}
    covers: dict[str, list[str]] = {}
    for name, each in CASES.items():
        if order["only"] and not any(word in f"{name} {' '.join(each.covers)}" for word in order["only"]):
            continue
        covers[name] = list(each.covers)
        try:
            times[name] = time_of(each.make(), order["seconds"])
        except Exception as error:
            problems[name] = f"{type(error).__name__}: {error}"
    found: dict[str, Any] = {"times": times, "covers": covers, "problems": problems}
    if "fastweb" in sys.modules:
        import fastweb

        found |= {"compiled": fastweb.is_compiled(), "public": public_names(), "version": fastweb.__version__}
    return found


async def in_loop(order: dict[str, Any]) -> dict[str, Any]:
    """As `run`, in a callback of a running loop and in no task: where a server's protocols are called."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[dict[str, Any]] = loop.create_future()

    def callback() -> None:
        try:
            done.set_result(run(order))
        except BaseException as error:
            done.set_exception(error)

    loop.call_soon(callback)
    return await done


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    # Last: fastweb is the one that is installed, unless the checkout's own is asked for.
    sys.path.insert(0 if asked["in_place"] else len(sys.path), asked["root"])
    sys.stdout.write("\n" + json.dumps(asyncio.run(in_loop(asked))))
