"""The process of a worker: takes its order, serves, and tells the supervisor what it has to know.

`python -m fastweb.server.worker_process` is how the supervisor starts one, with an `Order` in the
environment; a template forks and calls `work` (see `fastweb.server.template`).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastweb.server.channel import Channel
from fastweb.server.config import Config, StartupError, configure_logging, report
from fastweb.server.counters import Counters, make_current
from fastweb.server.interface import interface_name
from fastweb.server.loading import load_app
from fastweb.server.order import Order
from fastweb.server.retirement import Retirement, memory_in_use
from fastweb.server.sockets import Listeners
from fastweb.server.worker import Server, exit_later, loop_factory, run_single
from fastweb.types import StreamApp

if TYPE_CHECKING:
    from fastweb.server.connections import Connections

__all__ = ["ignore_signals", "main", "tell_error", "work"]

logger = logging.getLogger("fastweb.server")

#: Characters of a traceback that are sent to the supervisor: a socket's buffer takes as many at once.
_DETAILS = 60_000


def main() -> int:
    """The process of a worker. Returns its exit code."""
    order = Order.take()
    if order is None:
        report(StartupError("a worker is started by a supervisor: use `fastweb run module:app`"))
        return 2
    if order.channel_fd < 0:
        return _alone(order)
    ignore_signals()
    for fd in order.descriptors():
        os.set_inheritable(fd, False)
    return work(order, load_app)


def _alone(order: Order) -> int:
    try:
        return run_single(Config.from_json(order.config), own_process=True)
    except StartupError as error:
        report(error)
        return error.exit_code


def ignore_signals() -> None:
    """Heed neither the terminal's SIGINT, which goes to all of its processes, since here it is the supervisor
    that decides, nor SIGUSR1, with which others are told to open their logs again."""
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, _ignore)


def _ignore(_number: int, _frame: object) -> None:
    """Not SIG_IGN, which the user's subprocesses would inherit."""


def tell_error(channel: Channel, error: StartupError) -> int:
    """Say why this process cannot go on. Returns its exit code."""
    details = error.details[-_DETAILS:]
    channel.send({"error": error.message, "details": details, "code": error.exit_code})
    channel.close()
    return error.exit_code


def work(order: Order, load: Callable[[Config], StreamApp]) -> int:
    """Serve until the supervisor says otherwise, in a process that came with SIGINT blocked, so that it could
    not hit before there was a handler.

    Arguments:
        load: gives the app.

    Returns:
        The exit code.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    channel = Channel(socket.socket(fileno=order.channel_fd))
    try:
        code = _serve(order, load, channel)
    except StartupError as error:
        code = tell_error(channel, error)
    except SystemExit as error:
        tell_error(channel, StartupError(f"the app called sys.exit({error.code!r}) as it started"))
        code = error.code if isinstance(error.code, int) else 1
    except Exception as error:
        details = traceback.format_exc()
        logger.error("%s", details)
        code = tell_error(channel, StartupError(f"the worker failed: {error!r}", details=details))
    channel.close()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    exit_later(code)
    return code


def _counters(order: Order) -> Counters | None:
    try:
        return Counters(order.counters_fd) if order.counters_fd >= 0 else None
    except ValueError:
        return None


def _serve(order: Order, load: Callable[[Config], StreamApp], channel: Channel) -> int:
    config = Config.from_json(order.config)
    configure_logging(config.log_level)
    sockets = [socket.socket(fileno=fd) for fd in order.sockets]

    counters = _counters(order)
    row = counters.row(order.row) if counters is not None and order.row >= 0 else None
    make_current(counters)
    retirement = Retirement(config)
    retired = False

    def swept(connections: Connections) -> None:
        nonlocal retired
        memory = memory_in_use()
        if row is not None:
            row.write(
                {
                    "requests": connections.requests_total,
                    "errors": connections.errors_total,
                    "connections": connections.connections_total,
                    "open_connections": len(connections),
                    "in_flight": len(connections.runner.tasks),
                    "memory": memory,
                }
            )
        if not retired and (why := retirement.why(connections.requests_total, memory)):
            retired = channel.send({"retire": why})

    def started(server: Server) -> None:
        loop = asyncio.get_running_loop()

        def supervisor_gone() -> None:
            loop.remove_reader(order.life_fd)
            if not channel.ended:
                hear()  # "keep" may have come in the same turn of the loop
            server.last = not kept
            server.stop()

        kept = False

        def hear() -> None:
            nonlocal kept
            for message, descriptors in channel.receive():
                if "lend" in message:
                    server.borrow(message["lend"], [socket.socket(fileno=fd) for fd in descriptors])
                elif "return" in message:
                    server.give_back(message["return"])
                elif "keep" in message:
                    kept = message["keep"]
            if channel.ended:
                loop.remove_reader(channel.fileno())
                server.stop()

        loop.add_reader(order.life_fd, supervisor_gone)
        loop.add_reader(channel.fileno(), hear)
        channel.send({"ready": True, "interface": interface_name(server.app), "pid": os.getpid()})

    def stopping(_: Server) -> None:
        # Whoever told it to: from now on, its slot is another's.
        channel.send({"leaving": True})

    with Listeners(sockets):
        server = Server(
            load(config),
            config,
            sockets=sockets,
            on_started=started,
            on_stopping=stopping,
            on_sweep=swept,
        )
        server.last = False
        # Not `run_server`'s: SIGINT stays as it is.
        signal.signal(signal.SIGTERM, lambda _number, _frame: server.stop())
        with asyncio.Runner(loop_factory=loop_factory(config.loop)) as runner:
            runner.run(server.serve())
            exit_later(server.exit_code)
        return server.exit_code


if __name__ == "__main__":
    # Under its own name: `__main__` is to be the user's script.
    sys.exit(importlib.import_module("fastweb.server.worker_process").main())
