"""FastAPI's and Starlette's own tests, run on fastweb: `python -m tests.conformance`, from the tree's root.

Their sdists carry the tests; pip downloads them into a cache, and nothing of them is kept in this repository.
The genuine package runs first, in an environment of its own, and what passes there is the baseline (kept by
version); then fastweb answers in its place (`fastweb.compat`), in an environment without any genuine copy.

    python -m tests.conformance                                both lists, fastapi.txt and starlette.txt
    python -m tests.conformance starlette --mode pure          one suite, without the compiled modules
    python -m tests.conformance fastapi -k websocket           what pytest's -k selects
    python -m tests.conformance fastapi tests/test_query.py    one file, listed or not, or a folder
    python -m tests.conformance --everything --causes          all files, and why tests fail
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXPECTED_FAILURES = HERE / "expected_failures.toml"

#: What the tests import, in both environments.
TEST_PACKAGES = [
    *("pytest", "pytest-timeout", "pydantic>=2.14,<2.15", "httpx2[zstd]", "httpx", "anyio[trio]", "uvicorn"),
    *("dirty-equals", "inline-snapshot", "flask", "a2wsgi", "jinja2", "itsdangerous", "python-multipart"),
    *(
        "pyyaml",
        "email-validator",
        "pydantic-settings",
        "pydantic-extra-types",
        "sqlmodel",
        "orjson",
        "ujson",
    ),
    *("strawberry-graphql", "pyjwt", "pwdlib[argon2]", "python-slugify", "typer"),
    *("opentelemetry-api", "opentelemetry-sdk"),
]

#: What of an sdist is unpacked: the tests and what they read, and nothing of the package.
UNPACKED = ("tests/", "docs_src/", "docs/en/docs/img/")

#: Seconds that one test may take.
TIMEOUT = 20

#: How many files of tests a process runs.
FILES_A_PROCESS = 40

#: Written beside the tests: without a file of its own, pytest would take the first that it finds above.
PYTEST_INI = "[pytest]\n"


@dataclass(frozen=True)
class Suite:
    name: str
    version: str
    #: Of what passes with the genuine package, so many percent must pass with fastweb.
    min_percent: float

    @property
    def requirement(self) -> str:
        return f"{self.name}=={self.version}"

    def listed(self) -> list[str]:
        return (HERE / f"{self.name}.txt").read_text().split()


SUITES = {suite.name: suite for suite in (Suite("fastapi", "0.165.0", 98), Suite("starlette", "1.10.0", 97))}


@dataclass(frozen=True)
class Result:
    outcome: str
    #: The last line of the error.
    cause: str = ""
    details: str = ""


#: By pytest's node id.
Results = dict[str, Result]


def say(words: str) -> None:
    print(words, flush=True)


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base, "fastweb", "conformance")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unpacked(suite: Suite) -> Path:
    """The folder with the suite's tests and the examples that they import."""
    folder = cache() / f"{suite.name}-{suite.version}"
    if folder.is_dir():
        return folder
    say(f"downloading {suite.requirement} ...")
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        subprocess.run(
            [*pip, "--no-deps", "--no-binary", suite.name, "--dest", scratch, suite.requirement], check=True
        )
        (archive,) = Path(scratch).glob("*.tar.gz")
        target = Path(scratch, "unpacked")
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                _, _, member.name = member.name.partition("/")
                if member.name.startswith(UNPACKED):
                    tar.extract(member, target, filter="data")
        (target / "pytest.ini").write_text(PYTEST_INI)
        target.rename(folder)
    return folder


def python_of(name: str, requirements: Iterable[str]) -> str:
    """The interpreter of an environment with these packages, made where it is not there yet."""
    wanted = sorted({*TEST_PACKAGES, *requirements})
    label = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:8]
    version = f"{sys.implementation.name}{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache() / f"{name}-{version}-{label}"
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    ready = folder / "ready"
    if not ready.exists():
        say(f"making the environment {folder} ...")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, *wanted], check=True)
        ready.touch()
    return python


def run(
    suite: Suite, files: list[str], keyword: str | None, jobs: int, *, genuine: bool, mode: str
) -> Results:
    """Run pytest on these files of a suite, and give what became of each test."""
    unpacked(suite)
    python, environment = genuine_python() if genuine else fastweb_python(mode)
    # One process for a few files: what kills it takes no more along.
    count = min(
        len(files), jobs if len(files) < FILES_A_PROCESS * jobs else -(-len(files) // FILES_A_PROCESS)
    )
    found: Results = {}
    with ThreadPoolExecutor(jobs) as pool:
        shares = [files[start::count] for start in range(count)]
        for results in pool.map(lambda share: run_share(suite, share, keyword, python, environment), shares):
            found |= results
    return found


def run_share(
    suite: Suite, files: list[str], keyword: str | None, python: str, environment: dict[str, str]
) -> Results:
    """Run one process of pytest."""
    with tempfile.TemporaryDirectory() as scratch:
        # The tests leave files behind where they run, and read some that lie beside them.
        folder = Path(scratch, "suite")
        shutil.copytree(unpacked(suite), folder)
        path = [environment.get("PYTHONPATH", ""), str(folder)]
        variables = {**environment, "PYTHONPATH": os.pathsep.join(part for part in path if part)}
        report = Path(scratch, "report.xml")
        command = [python, "-m", "pytest", "--quiet", "--timeout", str(TIMEOUT), "-p", "no:cacheprovider"]
        # Snapshots are what they say, and not what fastweb gives.
        command += ["--tb=short", "--continue-on-collection-errors", "--inline-snapshot=disable"]
        command += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
        command += [] if keyword is None else ["-k", keyword]
        done = subprocess.run(
            [*command, *files], cwd=folder, env=variables, capture_output=True, text=True, check=False
        )
        if not report.exists():
            cause = f"pytest ended with exit status {done.returncode}"
            details = f"{done.stdout[-5000:]}{done.stderr[-5000:]}"
            return {f"{file}::{module_of(file)}": Result("failed", cause, details) for file in files}
        found = results_of(report)
        # A test can stop all of pytest, with a mark that it does not know, say.
        reached = {test.partition("::")[0] for test in found}
        for file in files if len(files) > 1 and done.returncode not in (0, 1, 5) else []:
            if file not in reached:
                found |= run_share(suite, [file], keyword, python, environment)
        return found


def module_of(file: str) -> str:
    """tests/a/test_b.py -> tests.a.test_b"""
    return file.removesuffix(".py").replace("/", ".")


def clean_environment() -> dict[str, str]:
    ours = ("PYTEST", "PYTHON", "FASTWEB")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def genuine_python() -> tuple[str, dict[str, str]]:
    """An interpreter with the genuine packages, and its environment variables."""
    return python_of("genuine", [suite.requirement for suite in SUITES.values()]), clean_environment()


def fastweb_python(mode: str) -> tuple[str, dict[str, str]]:
    """An interpreter in which the fastweb of this tree answers, and its environment variables."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    python = python_of("fastweb", project["dependencies"])
    environment = clean_environment()
    # As fastweb.compat.environment() has it.
    environment["FASTWEB_COMPAT"] = str(ROOT)
    environment["PYTHONPATH"] = str(ROOT / "fastweb" / "compat" / "startup")
    if mode == "pure":
        environment["FASTWEB_PURE"] = "1"
    code = "import fastweb; print(fastweb.is_compiled())"
    done = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"fastweb cannot be imported:\n{done.stderr}")
    compiled = done.stdout.strip() == "True"
    if mode == "compiled" and not compiled:
        sys.exit("--mode compiled, but the tree is not compiled for this Python: `make build` first")
    say(f"fastweb: {'compiled' if compiled else 'pure'}, from {ROOT}")
    return python, environment


def results_of(report: Path) -> Results:
    """What a JUnit report says, by node id; a file that cannot be imported is there under its own name."""
    found: Results = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name, path = case.get("name", ""), case.get("file", "")
        inside = case.get("classname", "").removeprefix(module_of(path)).strip(".").replace(".", "::")
        test = "::".join(part for part in (path, inside, name) if part)
        bad = next((child for kind in ("failure", "error") for child in case.findall(kind)), None)
        if bad is not None:
            details = bad.text or ""
            found[test] = Result("failed", cause_of(details, bad.get("message", "")), details)
        else:
            found[test] = Result("passed" if case.find("skipped") is None else "skipped")
    return found


def cause_of(details: str, message: str) -> str:
    """The last line that pytest marks as the error."""
    marked = [line[1:].strip() for line in details.splitlines() if line.startswith("E ")]
    errors = [
        line
        for line in marked
        if line.partition(":")[0].endswith(("Error", "Exception", "Warning", "Undefined"))
    ]
    line = (errors or marked[:1] or message.splitlines()[:1] or [""])[-1]
    # Paths and addresses are of no one's interest, and keep like from like.
    return re.sub(r" ?\(?/[\w./-]+(:\d+)?\)?|fastweb [\d.]+ has no .*", "", line)[:200]


def baseline(suite: Suite, files: list[str], jobs: int) -> dict[str, list[str]]:
    """The tests of each file that pass with the genuine package: from the cache, or run."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    kept = cache() / f"baseline-{suite.name}-{suite.version}-python{version}.json"
    passing: dict[str, list[str]] = json.loads(kept.read_text()) if kept.exists() else {}
    missing = [file for file in files if file not in passing]
    if missing:
        say(f"the baseline: {len(missing)} files with {suite.requirement} ...")
        results = run(suite, missing, None, jobs, genuine=True, mode="")
        for file in missing:
            passing[file] = []
        for test, result in results.items():
            if result.outcome == "passed":
                passing.setdefault(test.partition("::")[0], []).append(test)
        kept.write_text(json.dumps(passing, indent=1))
    return {file: passing[file] for file in files}


def compare(suite: Suite, options: argparse.Namespace) -> bool:
    """Run a suite on fastweb, print how it went, and say whether that is enough."""
    files = files_of(suite, options)
    passing = baseline(suite, files, options.jobs)
    results = run(suite, files, options.k, options.jobs, genuine=False, mode=options.mode)
    if options.k is not None:
        passing = {file: [test for test in tests if test in results] for file, tests in passing.items()}
    expected: dict[str, str] = tomllib.loads(EXPECTED_FAILURES.read_text()).get(suite.name, {})

    failures: list[tuple[str, Result]] = []
    say(f"\n{suite.requirement}: passed with fastweb / passed with the genuine package")
    for file, tests in sorted(passing.items()):
        # A file that cannot be imported has one result, for all of its tests.
        lost = results.get(f"{file}::{module_of(file)}", Result("failed", "the test did not run"))
        bad = [(test, result) for test in tests if (result := results.get(test, lost)).outcome != "passed"]
        failures += bad
        if tests:
            say(f"{len(tests) - len(bad):5} / {len(tests):<5} {file}{'' if not bad else '  <--'}")
    total = sum(len(tests) for tests in passing.values())
    passed = total - len(failures)
    percent = 100 * passed / total if total else 100.0

    unexpected = [(test, result) for test, result in failures if test not in expected]
    if unexpected and not options.quiet:
        say("\nfailed:")
        for test, result in unexpected:
            say(f"  {test}\n      {result.cause}")
            if options.verbose:
                say(result.details)
    if options.causes:
        say("\nby cause:")
        for cause, count in Counter(result.cause for _, result in failures).most_common():
            say(f"{count:5}  {cause}")
    for test in sorted(expected.keys() & {test for tests in passing.values() for test in tests}):
        if results.get(test, Result("failed")).outcome == "passed":
            say(f"passes, though {EXPECTED_FAILURES.name} has it: {test}")
    least = suite.min_percent if options.min_percent is None else options.min_percent
    say(
        f"\n{suite.name}: {passed} of {total} pass ({percent:.2f}%, at least {least}% must);"
        f" {len(failures) - len(unexpected)} failures are expected, {len(unexpected)} are not"
    )
    return percent >= least


def files_of(suite: Suite, options: argparse.Namespace) -> list[str]:
    """The test files to run, as they are named in the sdist."""
    folder = unpacked(suite)
    chosen = ["tests"] if options.everything else options.files
    if not chosen:
        return suite.listed()
    files: list[str] = []
    for name in chosen:
        path = folder / name
        if not path.exists():
            sys.exit(f"{suite.requirement} has no {name}")
        found = sorted(path.rglob("test_*.py")) if path.is_dir() else [path]
        files += [file.relative_to(folder).as_posix() for file in found]
    return [file for file in files if "benchmarks/" not in file]


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.conformance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", nargs="?", choices=[*SUITES, "both"], default="both")
    parser.add_argument("files", nargs="*", help="files or folders of the suite, such as tests/test_query.py")
    parser.add_argument("-k", metavar="EXPRESSION", help="pytest's -k")
    parser.add_argument("-n", "--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="processes")
    parser.add_argument(
        "--mode", choices=("any", "pure", "compiled"), default="any", help="as the tree is, or this"
    )
    parser.add_argument("--min-percent", type=float, help="instead of 98 (fastapi) and 97 (starlette)")
    parser.add_argument(
        "--everything", action="store_true", help="all files of the suite, not only the listed"
    )
    parser.add_argument("--causes", action="store_true", help="count the failures by their error")
    parser.add_argument("-v", "--verbose", action="store_true", help="the failures' tracebacks")
    parser.add_argument("-q", "--quiet", action="store_true", help="no list of the failures")
    return parser


def main() -> int:
    options = parser().parse_args()
    if options.files and options.suite == "both":
        sys.exit("name the suite that the files are of: fastapi or starlette")
    suites = list(SUITES.values()) if options.suite == "both" else [SUITES[options.suite]]
    enough = [compare(suite, options) for suite in suites]
    return 0 if all(enough) else 1


if __name__ == "__main__":
    sys.exit(main())
