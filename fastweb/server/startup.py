"""Start-up tasks: functions that run once each time the server starts, and not once a worker.

Migrations are the example. They run in a process of their own, one after the other, when the server has its
sockets and before any worker is started; one that raises ends the server with its traceback. A rolling
restart (SIGHUP) runs none; a new server that takes over (SIGUSR2) does, while the old one serves.

`python -m fastweb.server.startup` is that process, with an `Order` in the environment.
"""

from __future__ import annotations

import importlib
import inspect
import os
import signal
import socket
import sys
from types import FrameType
from typing import Any

from fastweb.server.channel import Channel
from fastweb.server.config import STARTUP_FAILED, Config, ConfigError, StartupError, configure_logging
from fastweb.server.order import Order

__all__ = ["main", "run_startup_tasks"]


def run_startup_tasks(config: Config) -> bool:
    """Run the tasks of a config in a process of their own, and wait for it.

    Returns:
        False if SIGTERM or SIGINT came meanwhile; the process was told to stop.

    Raises:
        StartupError: one of them failed.
    """
    from fastweb.server.processes import how_it_ended, start_module

    if not config.startup_tasks:
        return True
    if os.name != "posix":
        raise StartupError("start-up tasks need a POSIX system: run them before the server here")
    channel, theirs = Channel.pair()
    asked: list[int] = []
    with theirs:
        process = start_module(
            "fastweb.server.startup", Order(config=config.to_json(), channel_fd=theirs.fileno())
        )

    def forward(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        process.send_signal(signal.SIGTERM)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    said = [message for message, _ in channel.receive()]
    channel.close()
    if asked:
        return False
    for message in said:
        if "error" in message:
            raise StartupError(message["error"], details=message["details"], exit_code=message["code"])
    if not said:
        how = how_it_ended(process.returncode or 0)
        raise StartupError(f"a start-up task ended the process: {how}", exit_code=STARTUP_FAILED)
    return True


def main() -> int:
    """The process of the tasks. Returns its exit code."""
    # Here and not above: the supervisor imports this module.
    from fastweb.server.loading import user_error
    from fastweb.server.worker_process import ignore_signals, tell_error

    order = Order.take()
    if order is None:
        sys.stderr.write("start-up tasks are run by the server: fastweb run app --startup module:function\n")
        return 2
    ignore_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.set_inheritable(order.channel_fd, False)
    channel = Channel(socket.socket(fileno=order.channel_fd))
    config = Config.from_json(order.config)
    configure_logging(config.log_level)
    if config.app_dir is not None:
        sys.path.insert(0, os.path.abspath(config.app_dir))
    for task in config.startup_tasks:
        try:
            _run(task)
        except ConfigError as error:
            return tell_error(channel, error)
        except (Exception, SystemExit) as error:
            return tell_error(channel, user_error(error, f"the start-up task {task}", STARTUP_FAILED))
    channel.send({"done": True})
    channel.close()
    return 0


def _run(task: str) -> None:
    name, _, attributes = task.partition(":")
    try:
        found: Any = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        raise ConfigError(f"the start-up task {task}: no module named {error.name!r}") from None
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise ConfigError(f"the start-up task {task}: there is no {attribute!r} in it") from None
    if not callable(found):
        raise ConfigError(f"the start-up task {task} is no function, but {type(found).__name__}")
    result = found()
    if inspect.iscoroutine(result):
        import asyncio

        asyncio.run(result)


if __name__ == "__main__":
    # Under its own name: `__main__` is to be the user's script.
    sys.exit(importlib.import_module("fastweb.server.startup").main())
