"""fastweb's own server: `run(app)` serves an app in this process, or in as many as it is told.

It knows an app as `fastweb.types.StreamApp` and nothing of what is behind it. Nothing is loaded before it is
used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastweb.server.config import Config as Config
    from fastweb.server.config import StartupError as StartupError
    from fastweb.server.worker import Server as Server

__all__ = ["Config", "Server", "StartupError", "run", "run_options", "serve"]


def __getattr__(name: str) -> Any:
    if name in ("Config", "StartupError"):
        from fastweb.server import config

        return getattr(config, name)
    if name == "Server":
        from fastweb.server.worker import Server

        return Server
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def serve(config: Config, *, own_process: bool = False) -> int:
    """Serve what a config says, until told to stop.

    Arguments:
        own_process: this process has no other purpose, and ends afterwards even if threads of the app hang.

    Returns:
        The exit code: 0, or 1 after a forced or failed shut-down.

    Raises:
        StartupError: it cannot start; `fastweb.server.config.report` shows it.
    """
    if config.reload:
        from fastweb.server.reload import run_reloading

        return run_reloading(config)
    if config.needs_supervisor() or "FASTWEB_HAND_OVER" in os.environ:
        from fastweb.server.supervisor import Supervisor

        return Supervisor(config).run()
    from fastweb.server.worker import run_single

    return run_single(config, own_process=own_process)


def run(app: Any, **options: Any) -> None:
    """Serve an app object until SIGINT or SIGTERM: what `app.run()` does.

    With more than one worker, or with `reload`, each worker is a process that runs this script again, as
    multiprocessing does: under the name `__mp_main__`, so not what stands below `if __name__ == "__main__"`.
    The app must be a variable of the script.

    Arguments:
        app: the app, an instance of `fastweb.FastWeb`, or a string that names one.
        options: the fields of `fastweb.server.config.Config` and of `fastweb.limits.Limits`: host, port,
            workers, reload, body_size, keep_alive_timeout ...

    Raises:
        TypeError: there is no such option.
        RuntimeError: it is called while the app is being imported, to be served already.
        SystemExit: the server could not start, or its shut-down failed; what was wrong is on stderr.
    """
    from fastweb.server.config import Config, StartupError, report

    loading = sys.modules.get("fastweb.server.loading")
    if loading is not None and loading.is_loading():
        raise RuntimeError(
            'app.run() is called while the app is being imported: put it below `if __name__ == "__main__":`'
        )
    try:
        config = Config.from_options(app, options)
        if not isinstance(app, str) and (config.needs_supervisor() or config.reload):
            config = Config.from_options(_target_in_main(app), {**options, **_script_options()})
        code = serve(config)
    except StartupError as error:
        report(error)
        sys.exit(error.exit_code)
    if code:
        sys.exit(code)


def run_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those among some options that `run` knows."""
    from dataclasses import fields

    from fastweb.limits import Limits
    from fastweb.server.config import Config

    known = {field.name for cls in (Config, Limits) for field in fields(cls)} - {"app", "limits", "bounds"}
    return {name: value for name, value in given.items() if name in known}


def _target_in_main(app: Any) -> str:
    """Where another process finds an app that this one has as an object."""
    from fastweb.server.config import StartupError

    main = sys.modules["__main__"]
    need = "several workers or reload need an app that other processes can import"
    names = [name for name, value in vars(main).items() if value is app]
    if not names:
        raise StartupError(
            f"{need}: make it a variable of the script that runs, or use `fastweb run module:app`"
        )
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return f"{spec.name}:{names[0]}"
    path = getattr(main, "__file__", None)
    if path is None or not os.path.isfile(path):
        raise StartupError(f"{need}: this one was typed in; put it into a file")
    return f"__mp_main__:{names[0]}"


def _script_options() -> dict[str, str]:
    main = sys.modules["__main__"]
    return (
        {} if getattr(main, "__spec__", None) is not None else {"script": os.path.abspath(str(main.__file__))}
    )
