"""One server: started on its core, waited for, checked, held still while others are measured, and ended."""

from __future__ import annotations

import contextlib
import http.client
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Final

from bench.http.contenders import Contender
from bench.http.environments import Environment, child_variables
from bench.http.processes import end_session, on_core, signal_session
from bench.http.routes import APPS, ROUTES, Route, wrong_answer

__all__ = ["Server", "ServerError"]

#: Seconds that a server may take until it answers.
START_TIMEOUT: Final = 30.0


class ServerError(Exception):
    """A server cannot be measured; the message says why, in a line."""


class Server:
    """A contender's server, running.

    Raises:
        ServerError: it cannot be started, or does not answer.
    """

    def __init__(
        self, contender: Contender, environment: Environment, core: int | None, workers: int = 1
    ) -> None:
        self.contender = contender
        self.port = _free_port()
        arguments = contender.arguments(self.port, workers)
        if arguments is None:
            raise ServerError("has no way to run several workers here")
        self._folder = tempfile.TemporaryDirectory(prefix="fastweb-bench-")
        self._log: IO[bytes] = (Path(self._folder.name) / "log").open("w+b")
        variables = child_variables()
        # The apps' own imports; no bytecode is written into the checkout.
        variables |= {"PYTHONPATH": str(APPS), "PYTHONDONTWRITEBYTECODE": "1", **contender.variables}
        try:
            with on_core(core):
                self.process = subprocess.Popen(
                    [str(environment.python), *arguments],
                    cwd=self._folder.name,
                    env=variables,
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            self._log.close()
            self._folder.cleanup()
            raise ServerError(f"cannot be started: {error}") from None
        try:
            self._wait()
        except BaseException:
            self.end()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            if self.process.poll() is not None:
                raise ServerError(f"ended with exit code {self.process.returncode}: {self._last_words()}")
            try:
                self._ask(ROUTES["plain"])
                return
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > deadline:
                    why = (
                        f"does not answer within {START_TIMEOUT:.0f} seconds ({error}): {self._last_words()}"
                    )
                    raise ServerError(why) from None
            time.sleep(0.02)

    def _last_words(self) -> str:
        self._log.flush()
        self._log.seek(0)
        lines = [
            line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()
        ]
        errors = [line for line in lines if "Error" in line]
        return (errors or lines or ["it has said nothing"])[-1][:300]

    def _ask(self, route: Route) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            headers = {"Content-Type": "application/json"} if route.body is not None else {}
            connection.request(route.method, route.target, route.payload or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def check(self, route: Route) -> str | None:
        """What is wrong with the answer to a route; None where nothing is."""
        try:
            return wrong_answer(route, *self._ask(route))
        except (OSError, http.client.HTTPException) as error:
            return f"{route.method} {route.target} was not answered: {error!r}"

    def hold(self) -> None:
        """Stop running until `go_on`, so that nobody else's measurement is disturbed."""
        signal_session(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Run again.

        Raises:
            ServerError: it has ended meanwhile.
        """
        signal_session(self.process.pid, signal.SIGCONT)
        if self.process.poll() is not None:
            raise ServerError(f"has ended: {self._last_words()}")

    def end(self) -> None:
        """End it, and all that it has started; what it wrote is gone, too."""
        end_session(self.process)
        self._log.close()
        with contextlib.suppress(OSError):
            self._folder.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
