"""Every name in the tables of the thin modules is somewhere in fastweb."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

import fastweb.compat.fastapi
import fastweb.compat.starlette
from fastweb.compat.naming import named

MODULES = [
    module.name
    for package in (fastweb.compat.fastapi, fastweb.compat.starlette)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
] + [fastweb.compat.fastapi.__name__]


@pytest.mark.parametrize("name", MODULES)
def test_every_name_is_there(name: str) -> None:
    module = import_module(name)
    for public in vars(module).get("_HOMES", ()):
        assert getattr(module, public) is not None


def test_a_name_is_looked_up_once_and_others_are_not_there() -> None:
    find = named(__name__, {"join": "os.path", "path": "nowhere_to_be_found:path"}, rest="json")
    try:
        assert find("join") is globals()["join"]
        assert find("dumps") is globals()["dumps"]
    finally:
        for name in ("join", "dumps"):
            globals().pop(name, None)
    for missing in ("nope", "path", "__file__"):
        with pytest.raises(AttributeError):
            find(missing)
