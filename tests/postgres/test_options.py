"""Options and arguments of wrong types: one line that says which, what was expected and what came."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastweb.postgres import PgPool, connect
from fastweb.postgres.options import Options


@pytest.mark.parametrize(
    ("args", "keywords", "error", "words"),
    [
        ((5,), {}, TypeError, "dsn: expected a connection string, a str, or None, not int"),
        (({"password": "x"},), {}, TypeError, "dsn: expected a connection string, a str, or None, not dict"),
        ((b"host=x",), {}, TypeError, "dsn: expected a connection string, a str, or None, not bytes"),
        ((None, "3"), {}, TypeError, "min_size: expected a whole number, not str: '3'"),
        ((None, 1, 2.5), {}, TypeError, "max_size: expected a whole number, not float: 2.5"),
        ((None, True), {}, TypeError, "min_size: expected a whole number, not bool: True"),
        ((None, -1), {}, ValueError, "min_size must not be negative, not -1"),
        ((None, 5, 3), {}, ValueError, "a pool needs 0 <= min_size <= max_size >= 1, not 5 and 3"),
        ((None, 0, 0), {}, ValueError, "a pool needs 0 <= min_size <= max_size >= 1, not 0 and 0"),
        ((), {"max_idle": "9"}, TypeError, "max_idle: expected seconds, a number, not str: '9'"),
        ((), {"acquire_timeout": -1}, ValueError, "acquire_timeout must not be negative, not -1"),
        ((), {"max_age": float("nan")}, ValueError, "max_age must not be negative, not nan"),
        ((), {"setup": 5}, TypeError, "setup: expected a function, not 5"),
        (
            (),
            {"command_timeout": "1"},
            TypeError,
            "command_timeout: expected seconds, a number, not str: '1'",
        ),
        (
            (),
            {"statement_cache_size": "1"},
            TypeError,
            "statement_cache_size: expected a whole number, not str",
        ),
        ((), {"message_size": -1}, ValueError, "message_size must not be negative, not -1"),
        ((), {"host": {"a": 1}}, TypeError, "host: expected a str, not dict"),
        ((), {"user": b"ann"}, TypeError, "user: expected a str, not bytes"),
        ((), {"user": ["ann"]}, TypeError, "user: expected a str, not list"),
        ((), {"server_settings": [1]}, TypeError, "server_settings: expected a dict of settings, not list"),
    ],
)
def test_what_is_wrong_is_said(args: Any, keywords: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        PgPool(*args, **keywords)
    assert str(raised.value).startswith(words)
    assert "\n" not in str(raised.value)


def test_connect_says_it_too() -> None:
    wrong: Any = 5
    with pytest.raises(TypeError, match=r"^dsn: expected a connection string, a str, or None, not int$"):
        asyncio.run(connect(wrong))
    with pytest.raises(TypeError, match=r"^command_timeout: expected seconds, a number, not str: 'x'$"):
        asyncio.run(connect(command_timeout="x"))
    with pytest.raises(TypeError, match=r"^keepalives: expected True or False, not 'yes'$"):
        Options(keepalives="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^user: expected a str, not int$"):
        Options(user=5)  # type: ignore[arg-type]
