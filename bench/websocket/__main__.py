"""`python -m bench.websocket`: see the package."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.http.processes import choose_cores, cpu_seconds, end_session, on_core
from bench.machine import busy, commit, machine, now

ROOT: Final = Path(__file__).resolve().parents[2]
APPS: Final = Path(__file__).resolve().parent / "apps"
RESULTS: Final = ROOT / "bench" / "results" / "websocket.json"
UVICORN: Final = ("websockets-sansio", "websockets", "wsproto")
CONTENDERS: Final = ("picows", "fastweb", "fastweb pure", *(f"uvicorn {name}" for name in UVICORN))


def words(name: str, peers: str, port: int) -> list[str]:
    """How a contender is started."""
    if name == "picows":
        return [peers, "websocket_picows.py", str(port)]
    if name.startswith("fastweb"):
        options = ["--workers", "1", "--port", str(port), "--no-access-log"]
        return [sys.executable, "-m", "fastweb", "run", "websocket_fastweb.py", *options]
    options = ["--port", str(port), "--ws", name.split()[1], "--loop", "uvloop", "--log-level", "warning"]
    return [peers, "-m", "uvicorn", "websocket_fastapi:app", *options]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens at port {port}")


@contextlib.contextmanager
def servers(names: list[str], peers: str, core: int | None) -> Iterator[dict[str, tuple[int, int]]]:
    """All of them, running: port and process."""
    processes = {}
    ports = {}
    try:
        for name in names:
            ports[name] = free_port()
            variables = {**os.environ, "FASTWEB_PURE": "1"} if name == "fastweb pure" else dict(os.environ)
            if name.startswith("fastweb"):
                variables["PYTHONPATH"] = str(ROOT)
            with on_core(core):
                processes[name] = subprocess.Popen(
                    words(name, peers, ports[name]),
                    cwd=APPS,
                    env=variables,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        for port in ports.values():
            wait_for(port)
        yield {name: (ports[name], processes[name].pid) for name in names}
    finally:
        for process in processes.values():
            end_session(process)


def ask(client: str, port: int, arguments: argparse.Namespace, core: int | None) -> float:
    """Messages a second."""
    with on_core(core):
        load = [
            client,
            str(port),
            str(arguments.connections),
            str(arguments.seconds),
            str(arguments.size),
            "/",
        ]
        return float(subprocess.run(load, check=True, capture_output=True, text=True).stdout.split()[0])


def measure(arguments: argparse.Namespace, client: str) -> dict[str, Any]:
    names = [
        name for name in CONTENDERS if arguments.only is None or arguments.only in name or name == "picows"
    ]
    cores = choose_cores()
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with servers(names, arguments.peers, cores.server) as started:
        for _ in range(arguments.rounds):
            for name, (port, pid) in started.items():
                before = cpu_seconds(pid) or 0.0
                rate = ask(client, port, arguments, cores.load)
                used = (cpu_seconds(pid) or 0.0) - before
                runs[name].append((rate, used / (rate * arguments.seconds)))
    results: dict[str, Any] = {}
    for name, found in runs.items():
        pairs = list(zip(found, runs["picows"], strict=True))
        results[name] = {
            "rate": statistics.median(rate for rate, _ in found),
            "cpu": statistics.median(cpu for _, cpu in found),
            "of_picows": statistics.median(ours[0] / limit[0] for ours, limit in pairs),
            "of_picows_by_cpu": statistics.median(limit[1] / ours[1] for ours, limit in pairs),
        }
        result = results[name]
        print(
            f"{name:26}{result['rate']:9.0f} messages/s{result['cpu'] * 1e6:7.1f} µs of CPU a message; "
            f"{result['of_picows']:.2f} of picows, by CPU {result['of_picows_by_cpu']:.2f}",
            flush=True,
        )
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.websocket", description=__doc__)
    parser.add_argument("--peers", required=True, help="an interpreter that has the others installed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--size", type=int, default=64, help="bytes of a message")
    parser.add_argument("--only", help="contenders whose name has this in it, and picows")
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    compiler = shutil.which("cc")
    if compiler is None:
        parser.error("the client needs a C compiler")
    with tempfile.TemporaryDirectory() as folder:
        client = str(Path(folder, "load"))
        subprocess.run([compiler, "-O2", "-o", client, str(APPS.parent / "load.c")], check=True)
        load = busy()
        results = measure(arguments, client)
    report = {
        "benchmark": "websocket",
        "date": now(),
        "machine": machine(),
        "load_average": load,
        "commit": commit(ROOT),
        "plan": {name: getattr(arguments, name) for name in ("rounds", "seconds", "connections", "size")},
        "contenders": results,
    }
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
