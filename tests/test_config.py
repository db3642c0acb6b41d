"""Settings from the environment and from a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from fastweb.config import Config, Environ, EnvironError, environ
from fastweb.datastructures import URL, CommaSeparatedStrings, Secret

FILE = """
# a comment = 1
NAME = value
QUOTED="a = 'b' # c"
SINGLE='x'
HALF="y
EMPTY=
no value
PREFIX_NAME=prefixed
"""


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("key", "value"),
    [("NAME", "value"), ("QUOTED", "a = 'b' # c"), ("SINGLE", "x"), ("HALF", '"y'), ("EMPTY", "")],
)
def test_file(env_file: Path, key: str, value: str) -> None:
    assert Config(env_file, environ={})(key) == value
    assert Config(str(env_file), environ={key: "set"})(key) == "set"
    assert Config(environ={key: "set"}).get(key) == "set"


def test_prefix(env_file: Path) -> None:
    config = Config(env_file, environ={"PREFIX_A": "1"}, env_prefix="PREFIX_")
    assert (config("A"), config("NAME")) == ("1", "prefixed")
    with pytest.raises(KeyError, match="PREFIX_QUOTED"):
        config("QUOTED")


def test_encoding(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes("NAME=é".encode("cp1252"))
    assert Config(path, environ={}, encoding="cp1252")("NAME") == "é"


def test_no_file(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="not found"):
        Config(tmp_path / ".env")


@pytest.mark.parametrize(
    ("value", "cast", "expected"),
    [
        ("true", bool, True),
        ("False", bool, False),
        ("1", bool, True),
        ("0", bool, False),
        ("5", int, 5),
        ("a, b", CommaSeparatedStrings, ["a", "b"]),
        ("x", None, "x"),
    ],
)
def test_cast(value: str, cast: Any, expected: Any) -> None:
    found = Config(environ={"KEY": value})("KEY", cast=cast)
    assert (list(found) if isinstance(expected, list) else found) == expected


def test_cast_to_starlettes_types() -> None:
    config = Config(environ={"URL": "http://user:pass@host/db", "SECRET": "s"})
    assert config("URL", cast=URL).hostname == "host"
    assert repr(config("SECRET", cast=Secret)) == "Secret('**********')"


@pytest.mark.parametrize(
    ("default", "cast", "expected"),
    [(None, None, None), (None, int, None), ("5", int, 5), (False, bool, False), ("true", bool, True)],
)
def test_default(default: Any, cast: Any, expected: Any) -> None:
    assert Config(environ={})("KEY", cast=cast, default=default) is expected or expected == 5


@pytest.mark.parametrize(("value", "cast"), [("yes", bool), ("", bool), ("x", int)])
def test_what_does_not_fit(value: str, cast: Any) -> None:
    with pytest.raises(ValueError, match=f"Config 'KEY' has value '{value}'. Not a valid {cast.__name__}"):
        Config(environ={"KEY": value})("KEY", cast=cast)


def test_missing() -> None:
    with pytest.raises(KeyError, match="is missing, and has no default"):
        Config(environ={})("KEY")


def test_environ() -> None:
    mine = Environ({"A": "1", "B": "2"})
    mine["A"] = "3"
    assert (mine["A"], len(mine), list(mine)) == ("3", 2, ["A", "B"])
    for change in (lambda: mine.update(A="4"), lambda: mine.pop("A")):
        with pytest.raises(EnvironError, match="already been read"):
            change()
    del mine["B"]
    assert dict(mine) == {"A": "3"}
    assert environ["PATH"] == os.environ["PATH"]
