"""`python -m fastweb.compat`, each case in an interpreter of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastweb import _speedups
from fastweb.compat import environment

ROOT = str(Path(_speedups.__file__).parent.parent.parent)

GENUINE_METADATA = "Metadata-Version: 2.1\nName: fastapi\nVersion: 0.1.0\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where a FastAPI that is installed would be found first."""
    for name in ("fastapi", "starlette"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('the genuine one')")
    (tmp_path / "fastapi-0.1.0.dist-info").mkdir()
    (tmp_path / "fastapi-0.1.0.dist-info" / "METADATA").write_text(GENUINE_METADATA)
    return tmp_path


def python(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join((ROOT, str(directory)))}
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=directory,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run(directory: Path, code: str) -> str:
    done = python(directory, "-m", "fastweb.compat", "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import fastapi; fastapi.FastAPI()",
        "from fastapi import FastAPI, APIRouter; import fastweb; assert issubclass(FastAPI, fastweb.FastWeb)",
        "import starlette.requests, fastapi, fastweb\n"
        "assert starlette.requests.Request is fastapi.Request is fastapi.requests.Request is fastweb.Request",
        "import fastapi.requests, starlette.requests; assert fastapi.requests is starlette.requests",
        "from fastapi import status, requests; from starlette import status as same; assert status is same",
        "from starlette.status import *; assert HTTP_404_NOT_FOUND == 404",
        "from fastapi.params import Query; import fastapi; assert isinstance(fastapi.Query(1), Query)",
        "from starlette.middleware import _MiddlewareFactory; import starlette.types",
        "import fastapi.requests, fastweb.requests\n"
        "assert fastapi.requests.__spec__.name == fastweb.requests.__name__ == 'fastweb.requests'",
        "import pickle, fastapi; assert pickle.loads(pickle.dumps(fastapi.Request)) is fastapi.Request",
        "import fastapi; assert fastapi.__version__ == '0.165.0'; fastapi.applications.FastAPI",
        "from importlib.metadata import version, metadata, distributions\n"
        "assert (version('fastapi'), version('starlette')) == ('0.165.0', '1.10.0')\n"
        "assert metadata('FastAPI')['Name'] == 'fastapi'\n"
        "assert next(d.version for d in distributions() if d.name == 'fastapi') == '0.165.0'",
        "from fastapi import Query, Body; from pydantic import BaseModel\n"
        "class M(BaseModel):\n    a: int = Query(1, ge=1, title='A')\n    b: list[int] = Body(alias='bb')\n"
        "assert M(bb=['2']).model_dump() == {'a': 1, 'b': [2]}\n"
        "assert M.model_json_schema()['properties']['a']['minimum'] == 1",
        "from fastapi._compat import PYDANTIC_VERSION_MINOR_TUPLE as v; assert v >= (2, 7)",
    ],
)
def test_names(directory: Path, code: str) -> None:
    run(directory, code)


@pytest.mark.parametrize(
    ("code", "error", "missing"),
    [
        ("import fastapi.nope", "ModuleNotFoundError", "fastapi.nope"),
        ("import starlette.cache", "ModuleNotFoundError", "starlette.cache"),
        ("from fastapi import nope", "ImportError", "fastapi.nope"),
        ("from fastapi.requests import nope", "ImportError", "fastapi.requests.nope"),
        (
            "import fastapi.requests; from starlette.requests import nope",
            "ImportError",
            "starlette.requests.nope",
        ),
        ("import fastapi; fastapi.nope", "AttributeError", "fastapi.nope"),
        ("import starlette.requests as r; r.nope", "AttributeError", "starlette.requests.nope"),
    ],
)
def test_what_is_missing_is_said_and_reported(directory: Path, code: str, error: str, missing: str) -> None:
    tried = (
        "import fastweb.compat\n"
        f"try:\n    exec({code!r})\nexcept Exception as error:\n    print(type(error).__name__)\n"
        "    print(error)\n"
        "print(*fastweb.compat.report())"
    )
    kind, words, report = run(directory, tried).splitlines()
    assert kind == error
    assert f"fastweb 0.1.0 has no {missing}" in words
    assert report == f"Gap(name={missing!r}, state='missing', words='fastweb 0.1.0 has no {missing}')"


def test_asking_whether_a_name_is_there(directory: Path) -> None:
    assert (
        run(directory, "import fastapi; print(hasattr(fastapi, 'nope'), hasattr(fastapi, '__nope__'))")
        == "False False"
    )
    assert (
        run(
            directory,
            "import fastapi, fastweb.compat; hasattr(fastapi, '__nope__'); print(fastweb.compat.report())",
        )
        == "[]"
    )


def test_subprocesses_inherit_it(directory: Path) -> None:
    inner = "import fastapi; print(fastapi.__version__)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}], check=True)"
    assert run(directory, outer) == "0.165.0"


def test_a_script_with_arguments_and_options_of_python(directory: Path) -> None:
    (directory / "script.py").write_text(
        "import sys, fastapi\n"
        "print(__name__, fastapi.__version__, sys.argv[1:], sys.flags.optimize, sys.path[0] != '')"
    )
    done = python(directory, "-O", "-m", "fastweb.compat", "script.py", "-m", "a")
    assert done.stdout.strip() == "__main__ 0.165.0 ['-m', 'a'] 1 True", done.stderr
    failed = python(directory, "-m", "fastweb.compat", "-c", "import sys; sys.exit(3)")
    assert failed.returncode == 3


def test_a_module(directory: Path) -> None:
    (directory / "package").mkdir()
    (directory / "package" / "__main__.py").write_text("import starlette; print(starlette.__version__)")
    assert python(directory, "-m", "fastweb.compat", "-m", "package").stdout.strip() == "1.10.0"


def test_another_sitecustomize_runs(directory: Path) -> None:
    (directory / "sitecustomize.py").write_text("print('mine')")
    assert python(directory, "-m", "fastweb.compat", "-c", "import fastapi").stdout.split() == [
        "mine",
        "mine",
    ]


def test_help_and_an_interpreter_that_reads_no_environment(directory: Path) -> None:
    assert "python -m fastweb.compat [-m MODULE" in python(directory, "-m", "fastweb.compat", "--help").stdout
    code = f"import sys; sys.path.insert(0, {ROOT!r}); from fastweb.compat.__main__ import main; main()"
    assert "leave out -E, -I and -S" in python(directory, "-I", "-c", code).stderr


def test_install_in_a_running_process(directory: Path) -> None:
    code = (
        "import fastweb.compat; fastweb.compat.install(); fastweb.compat.install()\n"
        "import fastapi, os; print(fastapi.__version__, 'FASTWEB_COMPAT' in os.environ)"
    )
    assert python(directory, "-c", code).stdout.strip() == "0.165.0 True"
    (directory / "fastapi" / "__init__.py").write_text("")
    late = "import fastapi, fastweb.compat; fastweb.compat.install()"
    assert "RuntimeError: fastapi has been imported already" in python(directory, "-c", late).stderr


def test_off_it_costs_nothing_and_answers_nothing(directory: Path) -> None:
    assert "the genuine one" in python(directory, "-c", "import fastweb.compat, fastapi").stderr


def test_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(("/a", "", "/b")))
    variables = environment()
    monkeypatch.setenv("PYTHONPATH", variables["PYTHONPATH"])
    assert environment() == variables
    startup, *others = variables["PYTHONPATH"].split(os.pathsep)
    assert (Path(startup, "sitecustomize.py").is_file(), others) == (True, ["/a", "/b"])
