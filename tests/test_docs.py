"""The documentation is true: its Python runs, its shell sessions are what happens, its tables are complete.

- Every ```python block runs; the blocks of a page are one module, in order, in an empty directory. They
  prove what the page says by assertions of their own. `title="main.py"` also puts the block into a file of
  that name. `no-run: why` leaves one out. Those of docs/postgres.md connect to a real server, without a
  word: the PG* variables name a database that is theirs.
- In README.md and docs/running.md, the `fastweb` and `curl` commands behind a `$` are run against a real
  server, with another port, and what they print is compared. `…` stands for anything.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastweb import Limits, _speedups
from fastweb.cli import main
from fastweb.cli.options import size
from fastweb.server.config import Config, option_name

DOCUMENTED = Path(__file__).resolve().parent.parent
#: Where fastweb itself is imported from, which may be an installed one.
IMPORTED = Path(_speedups.__file__).resolve().parent.parent.parent

PAGES = [DOCUMENTED / "README.md", *sorted((DOCUMENTED / "docs").glob("*.md"))]
SESSIONS = [DOCUMENTED / "README.md", DOCUMENTED / "docs" / "running.md"]

Pages = dict[str, Future[subprocess.CompletedProcess[str]]]

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Block:
    """A fenced block: its language, what stands behind it, its lines, and the number of the first of them."""

    language: str
    info: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(match[1], match[2].strip(), match[3], text.count("\n", 0, match.start(3)) + 1)
        for match in _FENCE.finditer(text)
    ]


def read(name: str) -> str:
    return (DOCUMENTED / "docs" / name).read_text(encoding="utf-8")


def environment(directory: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(directory), str(IMPORTED)]),
        "PYTHONUTF8": "1",
        "WEB_CONCURRENCY": "",
        "NO_PROXY": "*",
    }


# --- Python ---


def write_files(page: Path, directory: Path) -> None:
    for block in blocks_of(page):
        if titled := re.search(r'title="([\w./]+)"', block.info):
            path = directory / titled[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def module_of(page: Path) -> str:
    """The page as a module whose lines have the page's numbers."""
    lines: list[str] = []
    for block in blocks_of(page):
        if block.language == "python" and not block.info.startswith("no-run"):
            lines += [""] * (block.line - 1 - len(lines))
            lines += block.text.splitlines()
    return "\n".join(lines) + "\n"


#: Pages whose examples connect to a PostgreSQL, to where the PG* variables say: a database of its own each.
WITH_POSTGRES = {"postgres.md"}


@contextmanager
def database_of(page: Path) -> Iterator[dict[str, str]]:
    """The variables that name a page's database; none for most."""
    if page.name not in WITH_POSTGRES:
        yield {}
        return
    from tests.postgres import servers

    server = servers.shared()
    name = f"docs_{page.stem}_{os.getpid()}"
    server.execute(f'create database "{name}"')
    variables = {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": server.user, "PGDATABASE": name}
    try:
        yield {**variables, **({"PGPASSWORD": server.password} if server.password else {})}
    finally:
        server.execute(f'drop database "{name}" with (force)')


def run_page(page: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    directory.mkdir()
    write_files(page, directory)
    name = page.stem.replace("-", "_") + "_md"
    (directory / f"{name}.py").write_text(module_of(page), encoding="utf-8")
    with database_of(page) as variables:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", f"import {name}"],
            cwd=directory,
            env={**environment(directory), **variables},
            text=True,
            capture_output=True,
            timeout=100,
            check=False,
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """All pages, each in a process of its own, some at once."""
    base = tmp_path_factory.mktemp("pages")
    with ThreadPoolExecutor(3) as pool:
        yield {page.name: pool.submit(run_page, page, base / page.stem) for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, runs: Pages) -> None:
    done = runs[page.name].result()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_does_not_run_says_why(page: Path) -> None:
    for block in blocks_of(page):
        if block.language == "python" and block.info:
            assert re.fullmatch(r'title="[\w./]+"|no-run: .+', block.info), f"{page.name}:{block.line}"
            compile(block.text, f"{page.name}:{block.line}", "exec")


# --- Shell sessions ---


@dataclass
class Step:
    """A command, and the lines that it prints."""

    command: str
    output: list[str]
    line: int


def steps_of(page: Path) -> Iterator[Step]:
    """What is behind a `$`; and in a block without any, the one command that serves."""
    for block in blocks_of(page):
        if block.language == "sh" and (served := re.search(r"\bfastweb run (.+)$", block.text, re.MULTILINE)):
            yield Step(f"fastweb run {served[1]}", [], block.line)
        if block.language != "console":
            continue
        step: Step | None = None
        for number, line in enumerate(block.text.splitlines(), block.line):
            if line.startswith("$ "):
                if step is not None:
                    yield step
                step = Step(line[2:], [], number)
            else:
                assert step is not None, f"{page.name}:{number} stands before any command"
                step.output.append(line)
        if step is not None:
            yield step


#: What differs from one machine, mode and moment to the next.
_VARYING = [
    (re.compile(r"\b(compiled|pure)\b"), "MODE"),
    (re.compile(r"\bCPython [\w.]+"), "PYTHON"),
    (re.compile(r"\bfastweb \d[\w.]*"), "VERSION"),
    (re.compile(r"\b(Linux|Darwin|Windows) \w+"), "PLATFORM"),
    (re.compile(r"\bpid \d+"), "PID"),
    (re.compile(r"\b(127\.0\.0\.1|localhost):\d+"), "ADDRESS"),
    (re.compile(r"(?i)\bdate: .+"), "DATE"),
]


def assert_same(found: str, expected: list[str], where: str) -> None:
    wanted = "\n".join(expected)
    for pattern, word in _VARYING:
        found = pattern.sub(word, found)
        wanted = pattern.sub(word, wanted)
    found = "\n".join(line.rstrip() for line in found.strip().splitlines())
    pattern_text = ".*".join(re.escape(part) for part in wanted.strip().split("…"))
    assert re.fullmatch(pattern_text, found, re.DOTALL), f"{where}\nshows\n{wanted}\nbut there is\n{found}"


class Server:
    """A `fastweb run` or `fastweb dev` of a page, on a port of its own."""

    def __init__(self, arguments: list[str], directory: Path) -> None:
        if "--port" in arguments:
            at = arguments.index("--port")
            arguments = [*arguments[:at], *arguments[at + 2 :]]
        if "--uds" not in arguments:
            arguments = [*arguments, "--port", "0"]
        self.log = directory / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-m", "fastweb", *arguments],
                cwd=directory,
                env=environment(directory),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        deadline = time.monotonic() + 60
        while not self.shown().endswith("(Ctrl+C stops)\n"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise AssertionError(f"{arguments} does not serve:\n{self.shown()}")
            time.sleep(0.02)
        found = re.search(r"http://[^\s/]+:(\d+)", self.shown())
        self.port = found[1] if found else ""

    def shown(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            assert self.process.wait(60) == 0, self.shown()
        finally:
            self.process.kill()


@pytest.mark.skipif(os.name != "posix", reason="servers are ended by a signal")
@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("page", SESSIONS, ids=lambda page: page.name)
def test_sessions_are_what_happens(page: Path, tmp_path: Path) -> None:
    write_files(page, tmp_path)
    shutil.copytree(DOCUMENTED / "examples", tmp_path / "examples")
    server: Server | None = None
    ran = 0
    try:
        for step in steps_of(page):
            where = f"{page.name}:{step.line}: {step.command}"
            words = shlex.split(step.command, comments=True)
            fails = bool(step.output) and step.output[0].startswith("Error: ")
            if words[:2] in (["fastweb", "run"], ["fastweb", "dev"]) and not fails:
                if server is not None:
                    server.stop()
                server = Server(words[1:], tmp_path)
                if step.output:
                    assert_same(server.shown(), step.output, where)
            elif words[0] in ("fastweb", "curl"):
                if words[0] == "fastweb":
                    words = [sys.executable, "-W", "error", "-m", *words]
                elif server is not None:
                    words = [word.replace("localhost:8000", f"localhost:{server.port}") for word in words]
                done = subprocess.run(
                    words,
                    cwd=tmp_path,
                    env=environment(tmp_path),
                    text=True,
                    capture_output=True,
                    timeout=60,
                    check=False,
                )
                assert_same(done.stdout + done.stderr, step.output, f"{where} (exit code {done.returncode})")
            else:
                raise AssertionError(f"{where}: a session shows fastweb and curl only")
            ran += 1
    finally:
        if server is not None:
            server.stop()
    assert ran > 1


# --- Completeness ---


def help_of(command: str) -> set[str]:
    shown = CliRunner().invoke(main, [command, "--help"], terminal_width=200).output
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", shown)) | {"--help"}


@pytest.mark.parametrize("command", ["run", "dev", "routes"])
def test_every_option_is_documented(command: str) -> None:
    text = read("running.md")
    missing = {option for option in help_of(command) if not re.search(rf"{option}(?![\w-])", text)}
    assert not missing


def test_no_option_is_documented_that_does_not_exist() -> None:
    known = help_of("run") | help_of("dev") | help_of("routes") | {"--version"}
    for name in ("running.md", "limits.md"):
        text = re.sub(r"^\$ curl.*$", "", read(name), flags=re.MULTILINE)
        shown = re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)
        assert set(shown) <= known, name


def test_every_keyword_of_run_is_documented() -> None:
    text = read("running.md")
    internal = {"app", "app_dir", "script", "bounds", "factory"}
    for item in dataclasses.fields(Config):
        if item.name not in internal:
            assert f"`{item.name}`" in text, item.name


def test_every_limit_is_documented_with_its_default_and_option() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", read("limits.md"), re.MULTILINE))
    assert list(rows) == [item.name for item in dataclasses.fields(Limits)]
    for item in dataclasses.fields(Limits):
        default, option, _ = rows[item.name].split(" | ", 2)
        amount = default.removesuffix(" s").replace(" KiB", "K").replace(" MiB", "M")
        assert item.default == (float(amount) if isinstance(item.default, float) else size(amount)), item.name
        assert option == f"`--{option_name(item.name).replace('_', '-')}`"


def test_every_page_is_in_the_index_and_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
    index = read("index.md")
    for page in PAGES[1:]:
        assert page.name == "index.md" or f"]({page.name})" in index, page.name


def test_every_anchor_is_a_heading() -> None:
    for page in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
            there = page.parent / target if target else page
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{page.name}: {target}#{anchor}"
