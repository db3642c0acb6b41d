"""Where each contender lives: a virtual environment of its own, outside the checkout, made once and kept
until what it needs changes.

$XDG_CACHE_HOME/fastweb-bench/3.11-cpython/    (~/.cache where that is not set)
    wheels/<hash of the sources>/    fastweb, built of this checkout
    <environment>/                   python -m venv, and pip
    <environment>/bench.json         what was asked for, and what that came to
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.http.contenders import FASTWEB

__all__ = [
    "ROOT",
    "Environment",
    "InstallError",
    "cache_folder",
    "make_environment",
    "make_wheel",
    "tools",
]

ROOT: Final = Path(__file__).resolve().parents[2]

#: Seconds that pip may take for one environment, and the build of the wheel.
PIP_TIMEOUT: Final = 900

#: In every virtual environment, and no part of what a contender needs.
_TOOLS: Final = ("pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")

_ASK: Final = """
import importlib.metadata, json, sysconfig
found = {each.name.lower(): each.version for each in importlib.metadata.distributions()}
print(json.dumps([found, sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})]))
"""


class InstallError(Exception):
    """An environment cannot be made; the message says why, in a line."""


@dataclass(frozen=True, slots=True)
class Environment:
    """A virtual environment that is ready.

    Attributes:
        python: its interpreter.
        versions: of all that is installed, by name.
        size: bytes that it takes, without bytecode, pip and setuptools.
    """

    python: Path
    versions: dict[str, str]
    size: int


def cache_folder() -> Path:
    """Where environments, wheels and the compiled client are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    name = f"{sys.version_info[0]}.{sys.version_info[1]}-{platform.python_implementation().lower()}"
    return Path(base, "fastweb-bench", name)


def child_variables() -> dict[str, str]:
    """This process's environment without what would change how another Python runs."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(
            ("PYTHON", "FASTWEB_", "UVICORN_", "GRANIAN_", "SANIC_", "ROBYN_", "LITESTAR_")
        )
        and name not in ("VIRTUAL_ENV", "WEB_CONCURRENCY", "APP_ENV", "__PYVENV_LAUNCHER__")
    }
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _run(words: list[str], what: str, **variables: str) -> str:
    """Run a command; what it prints.

    Raises:
        InstallError: it failed.
    """
    try:
        done = subprocess.run(
            words,
            env={**child_variables(), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PIP_TIMEOUT,
            text=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InstallError(f"{what}: not done within {PIP_TIMEOUT} seconds") from None
    except OSError as error:
        raise InstallError(f"{what}: {error}") from None
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")]
        raise InstallError(f"{what}: {(errors or lines or ['exit code ' + str(done.returncode)])[-1][:300]}")
    return done.stdout


@contextlib.contextmanager
def _whole_or_not(folder: Path) -> Iterator[None]:
    """What fails half-way leaves nothing behind."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _source_hash() -> str:
    digest = hashlib.sha256()
    files = [ROOT / "setup.py", ROOT / "pyproject.toml"]
    files += [path for path in (ROOT / "fastweb").rglob("*") if path.suffix in (".py", ".pxd", ".typed")]
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def make_wheel() -> Path:
    """fastweb as it stands in this checkout, as a wheel; built anew where a source has changed.

    Raises:
        InstallError: it cannot be built.
    """
    folder = cache_folder() / "wheels" / _source_hash()
    found = sorted(folder.glob("fastweb-*.whl"))
    if found:
        return found[0]
    with _whole_or_not(folder):
        shutil.rmtree(folder.parent, ignore_errors=True)
        # A copy: the build leaves nothing in the checkout, and takes nothing stale from it.
        copy = folder / "source"
        copy.mkdir(parents=True)
        for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
            if (ROOT / name).exists():
                shutil.copy2(ROOT / name, copy)
        shutil.copytree(
            ROOT / "fastweb",
            copy / "fastweb",
            ignore=shutil.ignore_patterns("*.so", "*.pyd", "*.c", "__pycache__"),
        )
        builder = make_environment("builder", (), None)
        words = [
            str(builder.python),
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(folder),
            str(copy),
        ]
        _run(words, "fastweb's wheel")
        shutil.rmtree(copy)
    return next(folder.glob("fastweb-*.whl"))


def make_environment(name: str, requirements: tuple[str, ...], wheel: Path | None) -> Environment:
    """A virtual environment with these requirements, made where there is none or other things are asked for.

    Arguments:
        requirements: as pip takes them; `FASTWEB` is the wheel.

    Raises:
        InstallError: it cannot be made.
    """
    folder = cache_folder() / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    asked = [f"{wheel}" if word == FASTWEB else word for word in requirements]
    wanted = {"python": sys.version, "requirements": asked}
    note = folder / "bench.json"
    with contextlib.suppress(OSError, ValueError, KeyError):
        read = json.loads(note.read_text())
        if read["wanted"] == wanted and python.exists():
            return Environment(python, read["versions"], read["size"])
    with _whole_or_not(folder):
        _run([sys.executable, "-m", "venv", str(folder)], f"the virtual environment {name}")
        if asked:
            _run(
                [str(python), "-m", "pip", "install", "--quiet", *asked],
                f"pip install {' '.join(requirements)}",
            )
        versions, folders = json.loads(_run([str(python), "-c", _ASK], f"the environment {name}"))
        size = sum(_size(Path(each)) for each in folders)
        note.write_text(json.dumps({"wanted": wanted, "versions": versions, "size": size}))
    return Environment(python, versions, size)


def _size(folder: Path) -> int:
    total = 0
    for entry in folder.iterdir():
        if entry.name in _TOOLS or entry.name.startswith(("pip-", "setuptools-", "wheel-")):
            continue
        files: list[Any] = (
            [entry] if entry.is_file() else [path for path in entry.rglob("*") if path.is_file()]
        )
        total += sum(path.stat().st_size for path in files if path.suffix != ".pyc")
    return total


def tools() -> Path:
    """A folder for what is made by compiling."""
    folder = cache_folder() / "tools"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
