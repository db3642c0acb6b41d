"""The compiled half of the build; everything else is said in pyproject.toml.

`EXTENSIONS` names the hot modules. Cython translates each `fastweb/_speedups/<name>.py`, as it stands, to C
in the build folder.
What may go wrong, and what then happens:

    no Cython, no C compiler, not CPython   fastweb installs as plain Python and one line says so
    the same, FASTWEB_REQUIRE_COMPILED=1    an error
    a module that Cython cannot translate   an error: that is our mistake, not a lack of the machine's
    a name whose file does not exist        an error

FASTWEB_BUILD_DEBUG=1 builds for a debugger: -O0 -g, line tracing, every bounds check.
FASTWEB_BUILD_SANITIZE=1 builds with AddressSanitizer, whose library has to be preloaded, and
UndefinedBehaviorSanitizer: see tests/fuzz.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build import build as _build
from setuptools.command.build_ext import build_ext as _build_ext
from setuptools.errors import CCompilerError, ExecError, PlatformError

try:
    from Cython.Build import cythonize
except ImportError:
    HAVE_CYTHON = False
else:
    HAVE_CYTHON = True

#: The hot modules, fastweb/_speedups/<name>.py. The test of the build holds that none is missing here.
EXTENSIONS = (
    "answer",
    "arrival",
    "http1",
    "http1_parser",
    "models",
    "pg_array",
    "pg_batch",
    "pg_codec",
    "pg_container",
    "pg_copy",
    "pg_copy_binary",
    "pg_copy_csv",
    "pg_copy_text",
    "pg_datetime",
    "pg_desk",
    "pg_frontend",
    "pg_geometry",
    "pg_json",
    "pg_lease",
    "pg_messages",
    "pg_network",
    "pg_numeric",
    "pg_objects",
    "pg_operation",
    "pg_outcome",
    "pg_queue",
    "pg_record",
    "pg_rows",
    "pg_scalar",
    "pg_session",
    "pg_slot",
    "pg_wire",
    "plan",
    "request",
    "response",
    "router",
    "runner",
    "serializer",
    "stream",
    "untyped",
    "websocket",
    "websocket_frames",
    "writer",
)

SPEEDUPS = "fastweb/_speedups"
REQUIRE_COMPILED = os.environ.get("FASTWEB_REQUIRE_COMPILED", "") not in ("", "0")
DEBUG = os.environ.get("FASTWEB_BUILD_DEBUG", "") not in ("", "0")
SANITIZE = os.environ.get("FASTWEB_BUILD_SANITIZE", "") not in ("", "0")

DIRECTIVES: dict[str, object] = {"language_level": 3, "binding": True}
if DEBUG:
    DIRECTIVES |= {"linetrace": True, "profile": True, "boundscheck": True, "initializedcheck": True}


def go_pure(reason: str) -> None:
    """Say in one line that fastweb installs as plain Python, or fail where that is not enough."""
    if REQUIRE_COMPILED:
        raise SystemExit(f"fastweb: cannot be compiled, and FASTWEB_REQUIRE_COMPILED is set: {reason}")
    print(f"fastweb: installed as pure Python, not compiled: {reason}", file=sys.stderr, flush=True)


def in_short(error: Exception) -> str:
    """One line of what the compiler's failure was, without its long command line."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, subprocess.CalledProcessError):
        return f"the C compiler failed ({cause.cmd[0]}, exit status {cause.returncode})"
    lines = str(error).strip().splitlines()
    return f"the C compiler failed ({lines[0] if lines else type(error).__name__})"


class build(_build):
    """Starts from an empty build folder, else what an earlier build left there would go into the wheel."""

    def run(self) -> None:
        shutil.rmtree(Path(self.build_lib, "fastweb"), ignore_errors=True)
        super().run()


class build_ext(_build_ext):
    """Translates all modules, then compiles all or none: a half-compiled fastweb is nobody's wish."""

    extensions: list[Extension]
    inplace: bool
    parallel: int | None
    force: bool

    def run(self) -> None:
        if not self.extensions:
            return
        inplace = self.inplace
        self.parallel = self.parallel or os.cpu_count()
        self.force = self.force or DEBUG or SANITIZE
        # Outside the try: a translation error is fatal.
        translated = cythonize(
            self.extensions,
            build_dir=self.build_temp,
            compiler_directives=DIRECTIVES,
            force=self.force,
            quiet=True,
        )
        for extension, in_c in zip(self.extensions, translated, strict=True):
            extension.sources = in_c.sources
        try:
            super().run()
        except (CCompilerError, ExecError, PlatformError) as error:
            go_pure(in_short(error))
            self.inplace = inplace
            for extension in self.extensions:
                Path(self.get_ext_fullpath(extension.name)).unlink(missing_ok=True)
            self.extensions = []

    def build_extensions(self) -> None:
        msvc = self.compiler.compiler_type == "msvc"
        for extension in self.extensions:
            if DEBUG:
                extension.extra_compile_args = ["/Od", "/Zi"] if msvc else ["-O0", "-g"]
                extension.define_macros = [("CYTHON_TRACE", "1")]
            elif SANITIZE and not msvc:
                flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
                extension.extra_compile_args = ["-O1", "-g", "-fno-omit-frame-pointer", *flags]
                extension.extra_link_args = flags
            else:
                extension.extra_compile_args = ["/O2"] if msvc else ["-O3", "-g0"]
        super().build_extensions()


def extensions() -> list[Extension]:
    """The extension modules to build: all of EXTENSIONS, or none where this machine cannot."""
    sources = {name: f"{SPEEDUPS}/{name}.py" for name in EXTENSIONS}
    for name, source in sources.items():
        if not Path(source).is_file():
            raise SystemExit(f"fastweb: setup.py has {name!r} in EXTENSIONS, but there is no {source}")
    if platform.python_implementation() != "CPython":
        go_pure(f"they are for CPython, this is {platform.python_implementation()}")
    elif not HAVE_CYTHON:
        go_pure("Cython is not installed in the environment of the build")
    else:
        return [Extension(f"fastweb._speedups.{name}", [source]) for name, source in sources.items()]
    return []


setup(ext_modules=extensions(), cmdclass={"build": build, "build_ext": build_ext})
