"""`python -m tests.fuzz`: see the package."""

# ruff: noqa: T201 - it prints what it finds
from __future__ import annotations

import argparse
import logging
import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent.parent
FINDINGS = Path("fuzz-findings")


def outcome_of(function: Any, data: bytes) -> bytes:
    try:
        return repr(function(data)).encode("utf-8", "backslashreplace")
    except Exception as error:
        return b"RAISED " + repr(error).encode("utf-8", "backslashreplace")


# --- The compiled process ---


def serve(name: str) -> None:
    """Answer inputs on stdin with outcomes on stdout, each behind its length."""
    from tests.fuzz.targets import TARGETS

    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    function = TARGETS[name].make()
    while head := sys.stdin.buffer.read(4):
        data = sys.stdin.buffer.read(struct.unpack("!I", head)[0])
        found = outcome_of(function, data)
        out.write(struct.pack("!I", len(found)) + found)
        out.flush()


class Compiled:
    """The other process, started again where it has died."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None

    def ask(self, data: bytes) -> bytes:
        if self.process is None:
            variables = {key: value for key, value in os.environ.items() if key != "FASTWEB_PURE"}
            if preload := os.environ.get("FUZZ_PRELOAD"):
                # Python's own arenas would hide what is freed; it leaks at its end, which is no finding.
                variables |= {"LD_PRELOAD": preload, "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1"}
                variables |= {"PYTHONMALLOC": "malloc"}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz", "--serve", self.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=variables,
                cwd=ROOT,
            )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(struct.pack("!I", len(data)) + data)
            self.process.stdin.flush()
            return _exactly(self.process.stdout, struct.unpack("!I", _exactly(self.process.stdout, 4))[0])
        except (OSError, EOFError):
            code = self.process.wait()
            self.process = None
            return f"DIED with {code}".encode()

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


# --- This process ---


def mutated(chance: random.Random, corpus: list[bytes]) -> bytes:
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(6)
        if kind == 0:
            data[at:at] = bytes(chance.randrange(256) for _ in range(chance.choice((1, 1, 2, 9))))
        elif kind == 1:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 2:
            del data[at : at + chance.choice((1, 2, 8))]
        elif kind == 3:
            other = chance.choice(corpus)
            begin = chance.randrange(len(other) + 1)
            data[at:at] = other[begin : begin + chance.randrange(20)]
        elif kind == 4:
            data[at:at] = chance.choice(
                (
                    b"\r\n",
                    b"\r\n\r\n",
                    b"0",
                    b"%",
                    b'"',
                    b"\\",
                    b"\xff\xff",
                    b"\0",
                    b"1e9",
                    b"\xff" * 4,
                    b"\0\0\0\1",
                )
            )
        else:
            data[at:at] = data[at : at + chance.randrange(30)] * chance.choice((1, 2, 20))
    return bytes(data[:5000])


class Fuzzer:
    """One target."""

    def __init__(self, name: str) -> None:
        from tests.fuzz.targets import TARGETS

        self.name = name
        target = TARGETS[name]
        self.function = target.make()
        self.seeds = list(target.seeds() if callable(target.seeds) else target.seeds)
        self.compiled = Compiled(name)
        self.runs = 0
        #: When to tell, where the run cannot do so at its end.
        self.summary_at = float("inf")
        self.findings: dict[bytes, bytes] = {}

    def check(self, data: bytes) -> None:
        self.runs += 1
        if time.monotonic() > self.summary_at:
            self.summary_at = float("inf")
            self.summary()
        pure = outcome_of(self.function, data)
        compiled = self.compiled.ask(data)
        if pure == compiled and not pure.startswith(b"RAISED"):
            return
        kind = b"%b | %b" % (pure[:60], compiled[:60])
        if kind in self.findings or len(self.findings) >= 20:
            return
        self.findings[kind] = data
        FINDINGS.mkdir(exist_ok=True)
        path = FINDINGS / f"{self.name}-{len(self.findings)}"
        path.write_bytes(data)
        print(
            f"{self.name}: {path}: {data[:300]!r}\n  pure     {pure[:600]!r}\n  compiled {compiled[:600]!r}",
            flush=True,
        )

    def run_by_chance(self, seconds: float, seed: int) -> None:
        chance = random.Random(seed)
        corpus = self.seeds
        for data in corpus:
            self.check(data)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check(mutated(chance, corpus))

    def run_by_coverage(self, atheris: Any, seconds: float) -> None:
        folder = FINDINGS / "corpus" / self.name
        folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(self.seeds):
            (folder / f"seed-{number}").write_bytes(seed)
        _instrument(atheris)
        options = [f"-max_total_time={int(seconds)}", "-max_len=5000", "-timeout=20", "-verbosity=0"]
        atheris.Setup([sys.argv[0], *options, str(folder)], self.check)
        self.summary_at = time.monotonic() + seconds - 1.0
        atheris.Fuzz()  # It ends the process itself.

    def summary(self) -> None:
        print(f"{self.name}: {self.runs} inputs, {len(self.findings)} findings", flush=True)


def _instrument(atheris: Any) -> None:
    """Count the branches of the plain files."""
    from types import FunctionType

    from fastweb import _speedups

    for full_name in _speedups.hot_modules():
        module = sys.modules.get(full_name)
        if module is None:
            continue
        holders = [module, *(item for item in vars(module).values() if isinstance(item, type))]
        for holder in holders:
            for item in list(vars(holder).values()):
                if isinstance(item, FunctionType) and item.__module__ == full_name:
                    atheris.instrument_func(item)


def main() -> int:
    if "--serve" not in sys.argv:
        os.environ["FASTWEB_PURE"] = "1"  # before the first import of fastweb
    from tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60, help="for each target")
    parser.add_argument("--seed", type=int, default=0, help="without atheris")
    parser.add_argument("--by-chance", action="store_true", help="even where atheris is")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--serve", metavar="TARGET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    logging.disable()
    if options.serve:
        serve(options.serve)
        return 0
    names = options.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"there is no target {', '.join(unknown)}: there are {', '.join(TARGETS)}")
    if not options.here:
        # A process each: atheris fuzzes once a process.
        failed = 0
        for name in names:
            command = [sys.executable, "-m", "tests.fuzz", name, "--here", *_same(options)]
            failed |= subprocess.run(command, check=False).returncode
        found = [path for path in FINDINGS.glob("*-*") if path.is_file()]
        return 1 if found or failed else 0
    fuzzer = Fuzzer(names[0])
    try:
        if options.by_chance:
            raise ImportError
        import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError:
        fuzzer.run_by_chance(options.seconds, options.seed)
        fuzzer.summary()
        fuzzer.compiled.close()
    else:
        fuzzer.run_by_coverage(atheris, options.seconds)
    return 0


def _same(options: argparse.Namespace) -> list[str]:
    chance = ["--by-chance"] if options.by_chance else []
    return [f"--seconds={options.seconds}", f"--seed={options.seed}", *chance]


if __name__ == "__main__":
    sys.exit(main())
