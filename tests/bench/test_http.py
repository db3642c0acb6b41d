from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.postgres.ports import ReservedPort

ROOT = Path(__file__).resolve().parents[2]
HTTP = ROOT / "bench" / "http"

if sys.platform == "win32":
    pytest.skip("bench.http needs Linux or macOS", allow_module_level=True)


@pytest.fixture
def port() -> Iterator[int]:
    """The limit, serving."""
    pytest.importorskip("uvloop")
    reserved = ReservedPort()
    reserved.let_listen()
    process = subprocess.Popen([sys.executable, str(HTTP / "apps" / "limit_app.py"), str(reserved.number)])
    end = time.monotonic() + 60
    try:
        while True:
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", reserved.number)):
                    break
            assert process.poll() is None, "it has ended"
            assert time.monotonic() < end, "it does not listen"
            time.sleep(0.02)
        yield reserved.number
    finally:
        process.kill()
        process.wait()
        reserved.close()


def _clients(folder: Path) -> list[list[str]]:
    clients = [[sys.executable, str(HTTP / "client.py")]]
    program = folder / "load"
    try:
        done = subprocess.run(["cc", "-Werror", "-o", str(program), str(HTTP / "load.c")], check=False)
    except FileNotFoundError:
        return clients
    assert done.returncode == 0
    return [*clients, [str(program)]]


def _figures(client: list[str], port: int, words: list[object], request: bytes) -> Any:
    """What a client says; asked again where all stood still for as long as it looked."""
    while True:
        command = [*client, str(port), *map(str, words)]
        done = subprocess.run(command, input=request, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout)
        if found["requests"] or found["errors"]:
            return found


def test_clients(port: int, tmp_path: Path) -> None:
    from bench.http.routes import ROUTES

    for client in _clients(tmp_path):
        for name, rate, spin in (("list", 0, 0), ("post", 400, 0), ("post", 400, 1)):
            found = _figures(client, port, [4, 0.5, rate, spin], ROUTES[name].request(port))
            assert found["errors"] == 0, found
            assert 0 < found["p50"] <= found["p99"] <= found["p999"] <= found["max"], found
            if rate:
                assert found["requests"] <= rate * 0.5 + 4, found
            if spin:
                # As many as were due: none is left out because the server was slow. A client that sleeps
                # leaves out those that it was itself too late for.
                assert found["requests"] >= 0.9 * rate * 0.5, found


def test_clients_tell_of_wrong_answers(port: int, tmp_path: Path) -> None:
    request = b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
    for client in _clients(tmp_path):
        assert _figures(client, port, [2, 0.3, 0, 0], request)["errors"] > 0


@pytest.mark.parametrize(
    ("route", "status", "body", "right"),
    [
        ("plain", 200, b"Hello, World!", True),
        ("plain", 200, b'"Hello, World!"', False),
        ("json", 200, b'{ "message" : "Hello, World!" }', True),
        ("json", 200, b'{"message":', False),
        ("json", 201, b'{"message":"Hello, World!"}', False),
        ("list", 200, b"[]", False),
    ],
)
def test_wrong_answer(route: str, status: int, body: bytes, right: bool) -> None:
    from bench.http.routes import ROUTES, wrong_answer

    assert (wrong_answer(ROUTES[route], status, body) is None) is right


def _results(rates: dict[str, list[float]]) -> Any:
    from bench.http.contenders import CONTENDERS
    from bench.http.load import LoadResult, LoadTools
    from bench.http.measure import Measurement, Plan, Results
    from bench.http.processes import Cores
    from bench.http.routes import ROUTES

    plan = Plan(
        contenders=tuple(CONTENDERS[name] for name in rates),
        routes=(ROUTES["json"],),
        half=(),
        baseline="fastapi",
        rounds=3,
        seconds=1,
        connections=64,
        workers=0,
        cold=0,
        time_limit=None,
    )
    results = Results(plan, LoadTools(None, "", ("client",), True, Cores(0, 1)), rounds=3)
    for name, figures in rates.items():
        for number, rate in enumerate(figures):
            load = LoadResult(rate, 0.0, int(rate), 1e-3, 1e-3, 2e-3, 3e-3, 4e-3, 5e-3)
            results.measurements.setdefault((name, "json"), []).append(
                Measurement(number, load, None, 1 / rate)
            )
    return results


ABOUT = {
    "date": "2026-01-01T00:00:00+00:00",
    "load_average": 0.0,
    "fastweb": "1.0",
    "machine": {"cpu": "a <CPU> & more", "cores": 2, "system": "Linux", "python": "CPython"},
}


def test_ratio_is_of_one_round() -> None:
    results = _results({"fastweb": [200.0, 900.0, 400.0], "fastapi": [10.0, 90.0, 20.0]})
    ratio = results.ratio("fastweb", "json", "fastapi")
    assert (ratio.median, ratio.low, ratio.high) == (20.0, 10.0, 20.0)
    assert results.cpu_ratio("fastweb", "json", "fastapi").median == pytest.approx(20.0)
    assert results.ratio("fastweb", "json", "limit") is None


def test_reports() -> None:
    from bench.http.chart import chart
    from bench.http.environments import Environment
    from bench.http.measure import as_json
    from bench.http.report import markdown_report, text_report

    results = _results({"fastweb": [200.0, 900.0, 400.0], "fastapi": [10.0, 90.0, 20.0], "robyn": []})
    results.problems["robyn"] = "not installed: no wheel"
    for name in ("fastweb", "fastapi"):
        results.environments[name] = Environment(Path("python"), {"fastweb": "1.0"}, 1 << 20)
    for report in (text_report, markdown_report):
        shown = report(results, ABOUT)
        assert "400 20.0×" in shown
        assert "Robyn: not installed: no wheel" in shown
    assert ElementTree.fromstring(chart(results, ABOUT)).tag.endswith("svg")
    assert (
        json.loads(json.dumps(as_json(results)))["contenders"]["robyn"]["problem"]
        == "not installed: no wheel"
    )


def test_command_line() -> None:
    words = [sys.executable, "-m", "bench.http", "--only", "nobody"]
    done = subprocess.run(words, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'nobody' is none of fastweb," in done.stderr
