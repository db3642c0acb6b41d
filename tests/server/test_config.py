from __future__ import annotations

import io
import logging
from typing import Any

import pytest

from fastweb.limits import Limits
from fastweb.server.config import (
    Config,
    ConfigError,
    StartupError,
    banner,
    configure_logging,
    option_name,
    report,
)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"app": ""}, "module:attribute"),
        ({"app": None}, "module:attribute"),
        ({"port": -1}, "port"),
        ({"port": 65536}, "port"),
        ({"port": "80"}, "port"),
        ({"port": True}, "port"),
        ({"workers": 0}, "workers"),
        ({"backlog": 0}, "backlog"),
        ({"fd": -1}, "fd"),
        ({"uds": "a", "fd": 3}, "exclude"),
        ({"uds": ""}, "uds"),
        ({"uds_permissions": 0o1000}, "uds_permissions"),
        ({"host": 7}, "host"),
        ({"log_level": "loud"}, "critical, error"),
        ({"loop": "trio"}, "uvloop, asyncio"),
        ({"interface": "asgi2"}, "auto, fastweb, asgi, wsgi"),
        ({"lifespan": True}, "auto, on, off"),
        ({"root_path": "api"}, "a path such as /api"),
        ({"root_path": "/api/"}, "no slash at its end"),
        ({"root_path": "/a?b"}, "a path such as /api"),
        ({"root_path": None}, "a path such as /api"),
        ({"threads": 0}, "threads"),
        ({"graceful_timeout": -1}, "graceful_timeout"),
        ({"graceful_timeout": float("nan")}, "graceful_timeout"),
        ({"graceful_timeout": "1"}, "graceful_timeout"),
        ({"reload": True, "workers": 2}, "exclude"),
        ({"reload": True, "preload": True}, "exclude"),
        ({"max_requests": -1}, "max_requests"),
        ({"max_requests": 1.5}, "max_requests"),
        ({"max_requests_jitter": 5}, "is added to max_requests"),
        ({"max_worker_age": -1}, "max_worker_age"),
        ({"max_worker_age": "1"}, "max_worker_age"),
        ({"max_worker_memory": -1}, "max_worker_memory"),
        ({"pidfile": ""}, "pidfile"),
        ({"startup_tasks": ["a:b"]}, "tuple"),
        ({"startup_tasks": ("migrations",)}, "is not module:function"),
        ({"startup_tasks": ("a b:c",)}, "is not module:function"),
        ({"startup_tasks": (1,)}, "is not module:function"),
        ({"limits": {}}, "Limits"),
        ({"bounds": {"head_sise": 1}}, "head_sise"),
        ({"bounds": {"head_size": 0}}, "head_size must be positive"),
    ],
)
def test_a_wrong_value_is_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Config(**{"app": "main:app", **options})
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message


def test_the_values_at_the_bounds_are_right() -> None:
    assert Config(app="a", port=0, workers=1, graceful_timeout=0).port == 0
    assert Config(app="a", port=65535, uds_permissions=0).port == 65535


@pytest.mark.parametrize(
    ("limit", "option"),
    [
        ("head_size", "limit_head_size"),
        ("header_timeout", "timeout_header"),
        ("keep_alive_timeout", "timeout_keep_alive"),
    ],
)
def test_limits_have_their_options(limit: str, option: str) -> None:
    assert option_name(limit) == option
    for name in (limit, option):
        config = Config.from_options("main:app", {name: 7, "port": 1})
        assert config.port == 1
        assert config.limits_of(None) == Limits(**{limit: 7})


def test_options_add_to_given_limits() -> None:
    config = Config.from_options("a", {"limits": Limits(head_size=9), "body_size": 8, "timeout_graceful": 3})
    assert config.limits_of(None) == Limits(head_size=9, body_size=8)
    assert config.graceful_timeout == 3


def test_an_app_brings_its_own_limits() -> None:
    class App:
        limits = Limits(head_size=9, body_size=8)

    assert Config(app="a").limits_of(App()) == App.limits
    assert Config(app="a", bounds={"body_size": 7}).limits_of(App()) == Limits(head_size=9, body_size=7)
    assert Config(app="a", limits=Limits(body_size=6)).limits_of(App()) == Limits(body_size=6)
    App.limits = None  # type: ignore[assignment]
    assert Config(app="a").limits_of(App()) == Limits()


def test_an_option_that_does_not_exist() -> None:
    with pytest.raises(TypeError, match="no option 'prot'; did you mean 'port'"):
        Config.from_options("main:app", {"prot": 80})
    with pytest.raises(ConfigError, match="body_size must be positive"):
        Config.from_options("main:app", {"limit_body_size": 0})


def test_it_goes_to_another_process_and_back() -> None:
    config = Config(
        app="main:app",
        reload_dirs=("a", "b"),
        bind=(":80",),
        limits=Limits(head_size=1),
        uds="x",
        bounds={"body_size": 2},
    )
    assert Config.from_json(config.to_json()) == config
    with pytest.raises(ConfigError, match="another process"):
        Config(app=object()).to_json()


def test_an_error_is_its_details_and_one_line() -> None:
    stream = io.StringIO()
    report(StartupError("no", details="Traceback\n  here\n"), stream)
    report(StartupError("never"), stream)
    assert stream.getvalue() == "Traceback\n  here\nError: no\nError: never\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_banner_is_coloured_in_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(app="main:app", workers=3)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    plain, terminal = io.StringIO(), Terminal()
    banner(config, ["http://127.0.0.1:8000"], plain)
    banner(config, ["http://127.0.0.1:8000"], terminal)
    assert "\x1b" not in plain.getvalue()
    assert "\x1b[" in terminal.getvalue()
    for words in ("http://127.0.0.1:8000", "main:app", "3 workers", "pid ", "Python"):
        assert words in plain.getvalue()
    assert plain.getvalue().count("\n") == 2
    assert "log" not in plain.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    quiet = Terminal()
    banner(config, ["http://127.0.0.1:8000"], quiet)
    assert quiet.getvalue() == plain.getvalue()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"access_log": False}, "1 worker - no access log - "),
        ({"access_log_format": "json"}, "1 worker - access log: json - "),
        ({"access_log_format": "{status}", "access_log_file": "a.log"}, "access log: custom in a.log - "),
        ({"access_log_file": "a.log"}, "access log: a.log - "),
        ({"reload": True}, "1 worker - reload - "),
    ],
)
def test_the_banner_says_what_is_unusual(options: dict[str, Any], words: str) -> None:
    stream = io.StringIO()
    banner(Config(app="main:app", **options), ["http://127.0.0.1:8000"], stream)
    assert words in stream.getvalue()


def test_the_log_goes_to_the_apps_handlers_once_it_has_some(capsys: pytest.CaptureFixture[str]) -> None:
    root, logger = logging.getLogger(), logging.getLogger("fastweb")
    kept, handlers, level = root.handlers[:], logger.handlers[:], logger.level
    try:
        root.handlers.clear()
        configure_logging("info")
        configure_logging("info")
        logging.getLogger("fastweb.server").info("first")
        logging.getLogger("fastweb.server").debug("not this")
        stream = io.StringIO()
        root.addHandler(logging.StreamHandler(stream))
        logging.getLogger("fastweb.server").info("second")
        assert capsys.readouterr().err == "INFO:     first\n"
        assert stream.getvalue() == "second\n"
    finally:
        root.handlers[:], logger.handlers[:] = kept, handlers
        logger.setLevel(level)
