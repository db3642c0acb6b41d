"""What other servers test their parsers with, sent to ours: `python -m tests.server.corpora`, from the root.

gunicorn's, h11's and httptools' sdists carry requests and what is to become of them; pip downloads them into
a cache, and nothing of them is kept in this repository. Each request goes over a socket, whole, in two pieces
and byte by byte; what must be refused is answered with one 4xx and `Connection: close` and reaches no app,
and what must be accepted is answered with 200 and was read as the corpus says.

Where we differ on purpose, exceptions.toml says why, with the section of the RFC. A case that is about a
setting of gunicorn's is counted and not sent.

    python -m tests.server.corpora                  all of them
    python -m tests.server.corpora gunicorn -v      one, and each case
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastweb._speedups import is_compiled
from fastweb._speedups.response import Head
from fastweb.limits import Limits
from tests.server.conftest import LOOPS, Handlers, LoopServer
from tests.server.corpora import gunicorn, h11, httptools
from tests.server.corpora.case import Case, Request

#: Requirements, and what reads their cases.
CORPORA = {
    "gunicorn": ("gunicorn==27.0.1", gunicorn.cases),
    "h11": ("h11==0.16.0", h11.cases),
    "httptools": ("httptools==0.9.0", httptools.cases),
}

EXCEPTIONS = Path(__file__).with_name("exceptions.toml")

#: Seconds that an answer may take.
TIMEOUT = 20


def say(words: str) -> None:
    print(words, flush=True)


def unpacked(requirement: str) -> Path:
    """The folder of an sdist."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(base, "fastweb", "corpora")
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / requirement.replace("==", "-")
    if folder.is_dir():
        return folder
    say(f"downloading {requirement} ...")
    name = requirement.partition("==")[0]
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        wanted = ["--no-deps", "--no-build-isolation", "--no-binary", name, "--dest", scratch, requirement]
        subprocess.run([*pip, *wanted], check=True)
        (archive,) = Path(scratch).glob("*.tar.gz")
        target = Path(scratch, "unpacked")
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                _, _, member.name = member.name.partition("/")
                if member.isfile() and "tests/" in member.name:
                    tar.extract(member, target, filter="data")
        target.rename(folder)
    return folder


@dataclass
class Door:
    """A server of ours, and what its app has seen."""

    server: LoopServer
    seen: list[Request]


def open_door(loop: str) -> Door:
    seen: list[Request] = []

    async def note(stream: Any) -> None:
        version = str(stream.http_version)
        fields = [(name.lower(), value) for name, value in stream.headers]
        seen.append(Request(stream.method.encode(), stream.raw_target, version, fields, bytes(stream.body)))
        stream.respond(Head(200, ()), b"noted")

    app = Handlers({})
    app.open_stream = note  # type: ignore[method-assign]
    return Door(LoopServer(app, loop, Limits()), seen)


def ask(door: Door, pieces: list[bytes]) -> tuple[bytes, list[Request]]:
    """Send these, then no more; what comes back, and what the app has seen."""
    door.seen.clear()
    with door.server.connect() as client:
        client.socket.settimeout(TIMEOUT)
        try:
            client.send(*pieces).half_close()
        except OSError:
            pass  # it was refused before all of it was sent
        try:
            answers = client.rest()
        except ConnectionResetError:
            answers = b""
    door.server.clients.remove(client)
    return answers, list(door.seen)


def cuts(data: bytes, chance: random.Random) -> list[list[bytes]]:
    """The ways in which a request is sent."""
    found = [[data]]
    if len(data) > 1:
        at = chance.randrange(1, len(data))
        found.append([data[:at], data[at:]])
    if len(data) <= 2000:
        found.append([data[at : at + 1] for at in range(len(data))])
    return found


def with_host(data: bytes) -> bytes:
    """The same requests, each of which says a Host: RFC 9112 section 3.2 demands it of HTTP/1.1, and few
    corpora do."""
    blank = b"\r\n" if data.startswith(b"\r\n") else b""
    line, crlf, rest = data.removeprefix(blank).partition(b"\r\n")
    head, end, behind = (crlf + rest).partition(b"\r\n\r\n")
    if b"\r\nhost" not in head.lower() and not line.endswith(b"HTTP/1.0"):
        head = b"\r\nHost: added" + head
    if b"content-length" not in head.lower():
        # Requests that are pipelined behind it.
        found = re.search(rb"(?:^|\r\n)((?:GET|POST) /\S* HTTP/1\.1\r\n)", behind)
        if found is not None:
            behind = behind[: found.start(1)] + with_host(behind[found.start(1) :])
    return blank + line + head + end + behind


def verdict(case: Case, answers: bytes, seen: list[Request]) -> str:
    """What is wrong; nothing, where all is right."""
    found = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
    closed = b"\r\nconnection: close\r\n" in answers
    if case.expected is None:
        if seen and not case.first_is_valid:
            return f"accepted: {seen}"
        if not found or not 400 <= found[-1] < 500 or not closed:
            return f"not refused: {found} {answers[:100]!r}"
        return ""
    if not found or set(found) != {200} or len(found) != len(seen):
        return f"refused: {found} {answers[-100:]!r}"
    if len(seen) < len(case.expected) and not closed:
        return f"{len(seen)} of {len(case.expected)} requests were answered"
    for got, wanted in zip(seen, case.expected, strict=False):
        fields = [field for field in got.headers or () if field != (b"host", b"added")]
        if (got.method, got.target, got.version, got.body) != (
            wanted.method,
            wanted.target,
            wanted.version,
            wanted.body,
        ) or (wanted.headers is not None and fields != wanted.headers):
            return f"read as {got}, and not as {wanted}"
    return ""


def run(name: str, door: Door, verbose: bool) -> int:
    """Send a corpus; how many cases went wrong."""
    requirement, read = CORPORA[name]
    exceptions: dict[str, str] = tomllib.loads(EXCEPTIONS.read_text()).get(name, {})
    unused = set(exceptions)
    chance = random.Random(name)
    wrong = 0
    counts = {"refused": 0, "accepted": 0, "excepted": 0, "settings": 0}
    for case in read(unpacked(requirement)):
        if case.setting:
            counts["settings"] += 1
            if verbose:
                say(f"  {case.name}: not sent, it is about a setting: {case.setting}")
            continue
        problems = []
        ways = {"as it is": case.data, "with a Host": with_host(case.data)}
        for way, data in ways.items():
            if case.expected is not None and data != ways["with a Host"] and b"HTTP/1.1" in data:
                # RFC 9112 section 3.2: the last, at least, of these is to be refused.
                answers, _ = ask(door, [data])
                if b"HTTP/1.1 400 " not in answers and b"connection: close" not in answers:
                    problems.append(f"{way}: accepted without a Host")
                continue
            for pieces in cuts(data, chance):
                answers, seen = ask(door, pieces)
                if problem := verdict(case, answers, seen):
                    problems.append(f"{way}, in {len(pieces)} pieces: {problem}")
        kind = "refused" if case.expected is None else "accepted"
        if case.name in exceptions:
            unused.discard(case.name)
            if problems:
                counts["excepted"] += 1
                continue
            problems = ["it is as the corpus says: exceptions.toml need not except it"]
        if problems:
            wrong += 1
            say(f"  {case.name}: to be {kind}: {case.data[:200]!r}")
            for problem in problems:
                say(f"    {problem}")
        else:
            counts[kind] += 1
            if verbose:
                say(f"  {case.name}: {kind}")
    for gone in sorted(unused):
        wrong += 1
        say(f"  {gone}: exceptions.toml has it, the corpus has not")
    words = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    say(f"{requirement}: {words}, {wrong} wrong")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", nargs="*", choices=[[], *CORPORA], help="which; by default all")
    parser.add_argument("-v", "--verbose", action="store_true", help="name each case")
    arguments = parser.parse_args()
    say(f"fastweb is {'compiled' if is_compiled() else 'pure'}")
    wrong = 0
    for loop in LOOPS:
        say(f"on {loop}:")
        door = open_door(loop)
        try:
            for name in arguments.corpus or CORPORA:
                wrong += run(name, door, arguments.verbose)
        finally:
            door.server.stop()
        for complaint in door.server.complaints:
            wrong += 1
            say(f"the loop complained: {complaint}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
