"""Who is measured: what each one needs installed, how its server is started, and what it is made ready
for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from bench.http.routes import APPS

__all__ = ["BASELINE", "CONTENDERS", "FASTWEB", "QUICK", "Contender"]

#: Stands in `requirements` for the wheel that is built from this checkout.
FASTWEB: Final = "fastweb @ checkout"

_UVICORN: Final = ("uvicorn>=0.30,<1", "uvloop>=0.21,<1", "httptools>=0.6.4,<1")
_PYDANTIC: Final = "pydantic>=2.7,<3"


@dataclass(frozen=True, slots=True)
class Contender:
    """One server with one app.

    Arguments:
        name: how it is chosen on the command line.
        title: how it is called in tables.
        environment: the name of its virtual environment; those with the same one share it.
        requirements: what is installed there; `FASTWEB` is the checkout.
        command: the server's arguments, behind the interpreter; {port}, {workers} and {apps} are filled in.
            Access logs are off, all else is as the server has it.
        models: what its models are made with.
        several: its command for more than one worker, as far as that differs; None where there is none.
        cold: the statements that import the framework and make an app object; None where there is no
            framework.
        variables: more for the environment of its processes.
        versions: the distributions whose versions are shown.
        fixed: it has no framework, and answers with bytes that were made beforehand.
    """

    name: str
    title: str
    environment: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]
    models: str = ""
    several: tuple[str, ...] | None = None
    cold: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    versions: tuple[str, ...] = ()
    fixed: bool = False

    def arguments(self, port: int, workers: int = 1) -> list[str] | None:
        """The server's arguments; None where it cannot have so many workers."""
        command = self.command if workers == 1 else self.several
        if command is None:
            return None
        values = {"port": port, "workers": workers, "apps": APPS}
        return [word.format_map(values) for word in command]


def _fastweb(module: str) -> tuple[str, ...]:
    words = [
        "-m",
        "fastweb",
        "run",
        f"{{apps}}/{module}.py:app",
        "--port",
        "{port}",
        "--workers",
        "{workers}",
    ]
    return (*words, "--no-access-log", "--log-level", "warning")


def _uvicorn(module: str) -> tuple[str, ...]:
    words = [
        "-m",
        "uvicorn",
        f"{module}:app",
        "--app-dir",
        "{apps}",
        "--port",
        "{port}",
        "--workers",
        "{workers}",
    ]
    return (*words, "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning")


def _granian(interface: str) -> tuple[str, ...]:
    words = [
        "-m",
        "granian",
        f"{interface}_app:app",
        "--working-dir",
        "{apps}",
        "--port",
        "{port}",
        "--workers",
        "{workers}",
    ]
    return (*words, "--interface", interface, "--loop", "uvloop", "--no-access-log", "--log-level", "warning")


def _all() -> list[Contender]:
    fastweb, fastweb_pydantic = _fastweb("fastweb_app"), _fastweb("fastweb_pydantic_app")
    pure = {"FASTWEB_PURE": "1"}
    import_fastweb = "import fastweb; fastweb.FastWeb()"
    import_pydantic = "import pydantic, fastweb; fastweb.FastWeb()"
    return [
        Contender(
            "fastweb",
            "fastweb",
            "fastweb",
            (FASTWEB,),
            fastweb,
            models="fastweb",
            several=(*fastweb, "--preload"),
            cold=import_fastweb,
            versions=("fastweb", "msgspec", "uvloop"),
        ),
        Contender(
            "fastweb-pydantic",
            "fastweb, pydantic models",
            "fastweb-pydantic",
            (FASTWEB, _PYDANTIC),
            fastweb_pydantic,
            models="pydantic",
            several=(*fastweb_pydantic, "--preload"),
            cold=import_pydantic,
            versions=("fastweb", "pydantic"),
        ),
        Contender(
            "fastweb-pure",
            "fastweb, pure Python",
            "fastweb",
            (FASTWEB,),
            fastweb,
            models="fastweb",
            several=(*fastweb, "--preload"),
            cold=import_fastweb,
            variables=pure,
            versions=("fastweb",),
        ),
        Contender(
            "fastweb-pure-pydantic",
            "fastweb, pure, pydantic models",
            "fastweb-pydantic",
            (FASTWEB, _PYDANTIC),
            fastweb_pydantic,
            models="pydantic",
            several=(*fastweb_pydantic, "--preload"),
            cold=import_pydantic,
            variables=pure,
            versions=("fastweb", "pydantic"),
        ),
        Contender(
            "fastapi",
            "FastAPI + uvicorn",
            "fastapi",
            ("fastapi>=0.115,<1", _PYDANTIC, *_UVICORN),
            _uvicorn("fastapi_app"),
            models="pydantic",
            several=_uvicorn("fastapi_app"),
            cold="import fastapi; fastapi.FastAPI()",
            versions=("fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools"),
        ),
        Contender(
            "starlette",
            "Starlette + uvicorn",
            "starlette",
            ("starlette>=0.40,<2", _PYDANTIC, *_UVICORN),
            _uvicorn("starlette_app"),
            models="pydantic, by hand",
            several=_uvicorn("starlette_app"),
            cold="from starlette.applications import Starlette; Starlette()",
            versions=("starlette", "pydantic", "uvicorn"),
        ),
        Contender(
            "blacksheep",
            "BlackSheep + uvicorn",
            "blacksheep",
            ("blacksheep>=2,<3", _PYDANTIC, *_UVICORN),
            _uvicorn("blacksheep_app"),
            models="pydantic",
            several=_uvicorn("blacksheep_app"),
            cold="import blacksheep; blacksheep.Application()",
            versions=("blacksheep", "pydantic", "uvicorn"),
        ),
        Contender(
            "litestar",
            "Litestar + uvicorn",
            "litestar",
            ("litestar>=2.12,<3", *_UVICORN),
            _uvicorn("litestar_app"),
            models="msgspec",
            several=_uvicorn("litestar_app"),
            cold="import litestar; litestar.Litestar()",
            versions=("litestar", "msgspec", "uvicorn"),
        ),
        Contender(
            "sanic",
            "Sanic",
            "sanic",
            ("sanic>=24.6", _PYDANTIC),
            (
                "-m",
                "sanic",
                "sanic_app:app",
                "--host",
                "127.0.0.1",
                "--port",
                "{port}",
                "--single-process",
                "--no-access-logs",
                "--no-motd",
            ),
            models="pydantic, by hand",
            several=(
                "-m",
                "sanic",
                "sanic_app:app",
                "--host",
                "127.0.0.1",
                "--port",
                "{port}",
                "--workers",
                "{workers}",
                "--no-access-logs",
                "--no-motd",
            ),
            cold="import sanic; sanic.Sanic('bench')",
            versions=("sanic", "pydantic", "uvloop", "httptools"),
        ),
        Contender(
            "robyn",
            "Robyn",
            "robyn",
            ("robyn>=0.60,<1", _PYDANTIC),
            (
                "{apps}/robyn_app.py",
                "--processes",
                "1",
                "--workers",
                "1",
                "--log-level",
                "WARN",
                "--disable-openapi",
                "{port}",
            ),
            models="pydantic, by hand",
            cold="import robyn; robyn.Robyn('bench')",
            versions=("robyn", "pydantic", "uvloop"),
        ),
        Contender(
            "granian-rsgi",
            "Granian, RSGI, no framework",
            "granian",
            ("granian>=2,<3", "uvloop>=0.21,<1"),
            _granian("rsgi"),
            several=_granian("rsgi"),
            versions=("granian", "uvloop"),
            fixed=True,
        ),
        Contender(
            "granian-asgi",
            "Granian, ASGI, no framework",
            "granian",
            ("granian>=2,<3", "uvloop>=0.21,<1"),
            _granian("asgi"),
            several=_granian("asgi"),
            versions=("granian", "uvloop"),
            fixed=True,
        ),
        Contender(
            "uvicorn",
            "uvicorn, ASGI, no framework",
            "uvicorn",
            _UVICORN,
            _uvicorn("asgi_app"),
            several=_uvicorn("asgi_app"),
            versions=("uvicorn", "uvloop", "httptools"),
            fixed=True,
        ),
        Contender(
            "limit",
            "the limit: uvloop + httptools",
            "uvicorn",
            _UVICORN,
            ("{apps}/limit_app.py", "{port}"),
            versions=("uvloop", "httptools"),
            fixed=True,
        ),
    ]


CONTENDERS: Final = {contender.name: contender for contender in _all()}

#: What the ratios are ratios to.
BASELINE: Final = "fastapi"

#: What --quick measures.
QUICK: Final = ("fastweb", "fastweb-pure", "fastapi", "limit")
