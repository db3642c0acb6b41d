"""`python -m bench.streaming`: see the package."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.machine import busy, commit, machine, now
from bench.streaming.servers import SIZE
from fastweb import is_compiled

ROOT: Final = Path(__file__).resolve().parents[2]
RESULTS: Final = ROOT / "bench" / "results" / "streaming.json"
ROUTES: Final = ("out", "chunked", "in", "file")
TICK: Final = os.sysconf("SC_CLK_TCK")


class Server:
    """A server in a process of its own."""

    def __init__(self, name: str, file: str) -> None:
        words = [sys.executable, "-m", "bench.streaming.servers", name, file]
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port, self.pid = map(int, self.process.stdout.readline().split())

    def cpu(self) -> float:
        """Seconds of processor time so far (proc_pid_stat(5))."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self, which: str) -> int:
        """Bytes: VmRSS, or VmHWM, its highest so far."""
        text = Path(f"/proc/{self.pid}/status").read_text()
        (line,) = (line for line in text.splitlines() if line.startswith(which))
        return int(line.split()[1]) * 1024

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def servers(file: str) -> Iterator[dict[str, Server]]:
    started: dict[str, Server] = {}
    try:
        for name in ("raw", "fastweb"):
            started[name] = Server(name, file)
        yield started
    finally:
        for server in started.values():
            server.end()


def ask(server: Server, route: str, size: int) -> tuple[float, float]:
    """One body: seconds it took, and seconds of the server's processor."""
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        cpu, began = server.cpu(), time.perf_counter()
        if route == "in":
            sock.sendall(b"POST /in HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            piece = memoryview(bytes(1024 * 1024))
            for _ in range(size // len(piece)):
                sock.sendall(piece)
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        else:
            sock.sendall(b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % route.encode())
            buffer = bytearray(1024 * 1024)
            left = size
            while left > 0:
                count = sock.recv_into(buffer)
                assert count, "the answer was cut"
                left -= count
        return time.perf_counter() - began, server.cpu() - cpu


def measure(rounds: int, routes: tuple[str, ...], file: str) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with servers(file) as started:
        for route in routes:
            names = ["fastweb"] if route == "file" else ["raw", "fastweb"]
            taken: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
            for number in range(rounds):
                for name in names if number % 2 else reversed(names):
                    taken[name].append(ask(started[name], route, SIZE))
            results[route] = {
                name: {
                    "seconds": statistics.median(seconds for seconds, _ in runs),
                    "cpu": statistics.median(cpu for _, cpu in runs),
                }
                for name, runs in taken.items()
            }
            # A file is compared with bytes that are in memory.
            raw = results.get("out" if route == "file" else route, {}).get("raw")
            if raw is not None:
                ours = results[route]["fastweb"]
                results[route]["ratio"] = raw["seconds"] / ours["seconds"]
                results[route]["cpu_ratio"] = raw["cpu"] / ours["cpu"] if ours["cpu"] else None
            results[route]["peak_rss"] = started["fastweb"].memory("VmHWM")
            print(show(route, results[route]), flush=True)
    return results


def show(route: str, result: dict[str, Any]) -> str:
    words = [f"{route:8}"]
    words += [
        f"{name} {SIZE / 2**20 / result[name]['seconds']:6.0f} MiB/s, {result[name]['cpu']:.2f} s CPU;"
        for name in ("raw", "fastweb")
        if name in result
    ]
    if "ratio" in result:
        words.append(f"ratio {result['ratio']:.2f}, of CPU {result['cpu_ratio']:.2f};")
    words.append(f"peak {result['peak_rss'] / 2**20:.1f} MiB")
    return " ".join(words)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.streaming", description="1 GiB out and in.")
    parser.add_argument("--rounds", type=int, default=5, help="bodies of each kind (default: 5)")
    parser.add_argument("--routes", default=",".join(ROUTES), help=f"some of {', '.join(ROUTES)}")
    parser.add_argument("--save", action="store_true", help=f"write {RESULTS.relative_to(ROOT)}")
    options = parser.parse_args()
    before = busy()
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(SIZE)  # nothing but zeros, which take no room
        results = measure(options.rounds, tuple(options.routes.split(",")), file.name)
    if options.save:
        document = {
            "when": now(),
            "commit": commit(ROOT),
            "machine": machine(),
            "busy": before,
            "compiled": is_compiled(),
            "size": SIZE,
            "routes": results,
        }
        RESULTS.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
