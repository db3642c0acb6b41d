"""The contract of the build: what a wheel holds, with a C compiler and without, and what fails.

Each case builds a copy of the tree in a folder of its own. One copy is whole, and is spared where the fastweb
that is tested was installed, compiled, from the very same files: it came out of such a wheel. The others have
nothing but a single small hot module, since what is tested there is setup.py and not fastweb.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from fastweb import _speedups
from fastweb._speedups import _shim

ROOT = Path(__file__).resolve().parent.parent
SPEEDUPS = ROOT / "fastweb" / "_speedups"

TINY = """
try:
    import cython
except ModuleNotFoundError:
    from fastweb._speedups import _shim as cython

@cython.cclass
class Counter:
    count: cython.int

    def __init__(self) -> None:
        self.count = 0

    def up(self) -> cython.int:
        self.count += 1
        return self.count
"""

#: A C compiler that fails. On Windows the compiler is not chosen by CC.
FALSE = shutil.which("false") or "/bin/false"
chosen_by_cc = pytest.mark.skipif(sys.platform == "win32", reason="CC does not choose the compiler")

PURE_LINE = re.compile(r"^\s*fastweb: installed as pure Python, not compiled: \S.*$", re.MULTILINE)

needs_cython = pytest.mark.skipif(find_spec("Cython") is None, reason="Cython is not installed here")


#: Beside the hot modules: what they are without Cython, and what is worked out once for them.
NEVER_COMPILED = ("__init__", "_shim", "_row_classes")


def extensions() -> tuple[str, ...]:
    """EXTENSIONS of setup.py, read and not run."""
    for node in ast.parse((ROOT / "setup.py").read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXTENSIONS":
            names: tuple[str, ...] = ast.literal_eval(node.value)
            return names
    raise AssertionError("setup.py has no EXTENSIONS")


def hot_modules() -> set[str]:
    return {path.stem for path in SPEEDUPS.glob("*.py") if not path.stem.startswith("_")}


def copy_files(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, folder)


def whole_tree(folder: Path) -> Path:
    copy_files(folder)
    built = shutil.ignore_patterns("*.so", "*.pyd", "*.c", "__pycache__", ".*_cache")
    shutil.copytree(ROOT / "fastweb", folder / "fastweb", ignore=built)
    return folder


def small_tree(folder: Path, source: str = TINY) -> Path:
    """A package of one hot module, `tiny`, with the real setup.py and the real head of _speedups."""
    copy_files(folder)
    speedups = folder / "fastweb" / "_speedups"
    speedups.mkdir(parents=True)
    for name in ("__init__.py", "_shim.py"):
        shutil.copy(SPEEDUPS / name, speedups)
    (folder / "fastweb" / "__init__.py").touch()
    (speedups / "tiny.py").write_text(source, "utf-8")
    setup = folder / "setup.py"
    tuple_of_names = re.compile(r"^EXTENSIONS = \(.*?\)$", re.MULTILINE | re.DOTALL)
    setup.write_text(tuple_of_names.sub('EXTENSIONS = ("tiny",)', setup.read_text("utf-8")), "utf-8")
    return folder


def environ(changes: dict[str, str]) -> dict[str, str]:
    """This process's environment without its choice of a mode."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FASTWEB_", "PYTHON"))}
    return kept | changes


def build(tree: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`pip wheel`, with this environment's setuptools and Cython; the wheel goes to tree/dist."""
    words = [sys.executable, "-m", "pip", "wheel", "-v", "--no-build-isolation", "--no-deps", "--no-index"]
    return subprocess.run(
        [*words, "-w", str(tree / "dist"), str(tree)],
        env=environ(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        timeout=800,
        check=False,
    )


def unpack(tree: Path) -> Path:
    """The folder into which the one wheel of the tree was unpacked."""
    (wheel,) = (tree / "dist").glob("*.whl")
    site = tree / "site"
    shutil.rmtree(site, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def compiled_names(site: Path) -> set[str]:
    return {path.name.partition(".")[0] for path in site.rglob("*") if path.suffix in (".so", ".pyd")}


def run(site: Path, code: str, **environment: str) -> str:
    """What the code prints, with the unpacked wheel before all else."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{code}"],
        env=environ(environment),
        cwd=site,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def installed() -> Path | None:
    """The folder that the tested fastweb was installed into: None where it is the working tree, older than
    that, or not compiled."""
    package = Path(_speedups.__file__).resolve().parent.parent
    files = [path.relative_to(ROOT / "fastweb") for path in (ROOT / "fastweb").rglob("*.py")]
    if package == ROOT / "fastweb" or compiled_names(package / "_speedups") != set(extensions()):
        return None
    for file in files:
        there, here = package / file, ROOT / "fastweb" / file
        if not there.is_file() or there.read_bytes() != here.read_bytes():
            return None
    return package.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole fastweb, compiled and unpacked."""
    if found := installed():
        site = tmp_path_factory.mktemp("site")
        for folder in (found / "fastweb", *found.glob("fastweb-*.dist-info")):
            shutil.copytree(folder, site / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
        return site
    tree = whole_tree(tmp_path_factory.mktemp("whole") / "tree")
    done = build(tree, FASTWEB_REQUIRE_COMPILED="1")
    assert done.returncode == 0, done.stdout
    return unpack(tree)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small tree, built: its copies are what later builds start from."""
    tree = small_tree(tmp_path_factory.mktemp("tiny") / "tree")
    done = build(tree)
    assert done.returncode == 0, done.stdout
    return tree


IS_COMPILED = "from fastweb._speedups import is_compiled; print(is_compiled())"
WHERE = "import fastweb._speedups.{0} as module; print(module.__file__.rpartition('.')[2])"


def test_every_hot_module_is_in_the_tuple() -> None:
    assert set(extensions()) == hot_modules()
    assert list(extensions()) == sorted(extensions())


def names_of_cython(node: ast.AST) -> set[str]:
    """Every X of `cython.X`, but for what only runs compiled."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "cython.compiled":
        return {"compiled"}.union(*map(names_of_cython, node.orelse))
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "cython":
        return {node.attr}
    return set[str]().union(*map(names_of_cython, ast.iter_child_nodes(node)))


def test_the_shim_has_every_name_that_the_hot_modules_use() -> None:
    used = {
        f"{name}: cython.{used}"
        for name in hot_modules()
        for used in names_of_cython(ast.parse((SPEEDUPS / f"{name}.py").read_text("utf-8")))
        if not hasattr(_shim, used)
    }
    assert used == set()


def test_the_oldest_dependencies_are_the_ones_tested() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    wanted = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    tox = (ROOT / "tox.ini").read_text("utf-8")
    pins = re.findall(r"^    ([a-z0-9-]+)(?:\[\w+\])?==([\d.]+)$", tox, re.MULTILINE)
    lowest = dict(pins)
    for requirement in wanted:
        match = re.match(r"([a-z0-9-]+)(?:\[\w+\])?>=([\d.]+)", requirement)
        assert match is not None, requirement
        tested = lowest[match[1]]
        assert (tested + ".0").startswith(match[2] + "."), f"pyproject.toml: {requirement}; tox.ini: {tested}"


def test_the_version_is_one() -> None:
    import fastweb

    with (ROOT / "pyproject.toml").open("rb") as file:
        assert tomllib.load(file)["project"]["version"] == fastweb.__version__


def test_a_child_process_runs_the_same_fastweb() -> None:
    code = "import fastweb._speedups as s; print(s.__file__, s.is_compiled())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split() == [str(_speedups.__file__), str(_speedups.is_compiled())]


@needs_cython
@pytest.mark.timeout(900)  # All is compiled, beside other tests.
class TestWheel:
    def test_holds_source_and_compiled_module_and_types(self, wheel: Path) -> None:
        folder = wheel / "fastweb" / "_speedups"
        assert compiled_names(folder) == set(extensions())
        assert {path.stem for path in folder.glob("*.py")} == {*extensions(), *NEVER_COMPILED}
        assert (wheel / "fastweb" / "py.typed").is_file()

    def test_holds_the_package_and_nothing_else(self, wheel: Path) -> None:
        assert sorted(path.name.partition("-")[0] for path in wheel.iterdir()) == ["fastweb", "fastweb"]
        assert [path.name for path in wheel.rglob("*") if path.suffix in (".c", ".h", ".html", ".o")] == []
        own = {path.relative_to(ROOT) for path in (ROOT / "fastweb").rglob("*.py")}
        assert {path.relative_to(wheel) for path in (wheel / "fastweb").rglob("*.py")} == own

    def test_says_that_it_is_compiled(self, wheel: Path) -> None:
        assert run(wheel, IS_COMPILED) == "True"

    def test_pure_at_run_time_takes_the_plain_files(self, wheel: Path) -> None:
        loaded = "; ".join(WHERE.format(name) for name in extensions())
        assert set(run(wheel, loaded).split()) <= {"so", "pyd"}
        assert set(run(wheel, loaded, FASTWEB_PURE="1").split()) == {"py"}
        assert run(wheel, IS_COMPILED, FASTWEB_PURE="1") == "False"
        assert run(wheel, IS_COMPILED, FASTWEB_PURE="0") == "True"

    def test_public_names_are_the_same_in_both_modes(self, wheel: Path) -> None:
        code = "\n".join(
            f"import fastweb._speedups.{name} as m\n"
            "own = [n for n, v in vars(m).items() if n[0] != '_' and v.__class__ is type]\n"
            "own = [n for n in own if vars(m)[n].__module__ == m.__name__]\n"
            "print(m.__name__, sorted(n for n in getattr(m, '__all__', own) if hasattr(m, n)))"
            for name in extensions()
        )
        assert run(wheel, code) == run(wheel, code, FASTWEB_PURE="1")


@needs_cython
@pytest.mark.timeout(900)
class TestBuild:
    def test_one_module(self, tiny: Path) -> None:
        site = unpack(tiny)
        assert compiled_names(site) == {"tiny"}
        code = "from fastweb._speedups.tiny import Counter; print(Counter().up())"
        assert run(site, code) == run(site, code, FASTWEB_PURE="1") == "1"

    def test_leaves_nothing_in_the_tree(self, tiny: Path) -> None:
        assert {path.suffix for path in (tiny / "fastweb").rglob("*.*")} == {".py"}

    @chosen_by_cc
    def test_without_a_compiler_it_is_pure_and_says_so_in_one_line(self, tiny: Path, tmp_path: Path) -> None:
        tree = shutil.copytree(tiny, tmp_path / "tree")  # with what the compiled build left in build/
        shutil.rmtree(tree / "dist")
        shutil.rmtree(next((tree / "build").glob("temp*")))
        done = build(tree, CC=FALSE)
        assert done.returncode == 0, done.stdout
        (line,) = PURE_LINE.findall(done.stdout)
        assert "not compiled: the C compiler failed (" in line
        assert FALSE in line
        assert len(line) < 150
        assert "Traceback" not in done.stdout
        site = unpack(tree)
        assert compiled_names(site) == set()
        assert run(site, IS_COMPILED) == "False"
        assert run(site, "from fastweb._speedups.tiny import Counter; print(Counter)") != ""

    @chosen_by_cc
    def test_without_a_compiler_that_may_be_an_error(self, tmp_path: Path) -> None:
        done = build(small_tree(tmp_path / "tree"), CC=FALSE, FASTWEB_REQUIRE_COMPILED="1")
        assert done.returncode != 0
        assert "FASTWEB_REQUIRE_COMPILED is set" in done.stdout

    @pytest.mark.parametrize("required", ["0", "1"])
    def test_without_cython(self, required: str, tmp_path: Path) -> None:
        tree = small_tree(tmp_path / "tree")
        setup = tree / "setup.py"
        setup.write_text("import sys; sys.modules['Cython'] = None\n" + setup.read_text("utf-8"), "utf-8")
        done = build(tree, FASTWEB_REQUIRE_COMPILED=required)
        assert (done.returncode == 0) is (required == "0"), done.stdout
        assert "Cython is not installed in the environment of the build" in done.stdout

    @pytest.mark.parametrize("environment", [{}, {"CC": FALSE}], ids=["compiler", "no compiler"])
    def test_a_translation_error_is_fatal(self, environment: dict[str, str], tmp_path: Path) -> None:
        wrong = "def bad():\n    count: cython.int = 'which Python takes and Cython does not'\n"
        tree = small_tree(tmp_path / "tree", f"{TINY}\n{wrong}")
        done = build(tree, **environment)
        assert done.returncode != 0
        assert "CompileError" in done.stdout
        assert PURE_LINE.search(done.stdout) is None

    def test_a_name_without_a_file_is_an_error(self, tmp_path: Path) -> None:
        tree = small_tree(tmp_path / "tree")
        (tree / "fastweb" / "_speedups" / "tiny.py").unlink()
        done = build(tree)
        assert done.returncode != 0
        assert "setup.py has 'tiny' in EXTENSIONS, but there is no fastweb/_speedups/tiny.py" in done.stdout
