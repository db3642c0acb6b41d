"""The template of preloaded workers: a process that imports the app once, and forks a worker on command.

It runs no event loop and no threads, since a fork copies neither. What it has imported is shared by all
workers, page by page, until one of them writes to it; `gc.freeze` keeps the garbage collector from writing to
every object's header.

A worker is forked twice: its parent ends at once, so that it becomes a child of the supervisor, which made
itself the one that orphans go to (PR_SET_CHILD_SUBREAPER). So the supervisor learns of every worker's death
from the kernel, also when the template is gone.

    supervisor -> {"fork": {"id": …, "config": …, "row": …}}, with the sockets and the worker's channel
    template   -> {"forked": pid, "id": …}

`python -m fastweb.server.template` is how the supervisor starts one, with an `Order` in the environment; it
ends when its channel does. The supervisor's side is `fastweb.server.preload`.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import select
import signal
import socket
import sys
import threading
import traceback
from typing import Any

from fastweb.server.channel import Channel
from fastweb.server.config import Config, StartupError, configure_logging
from fastweb.server.loading import load_app
from fastweb.server.order import Order
from fastweb.server.worker_process import ignore_signals, tell_error, work

__all__ = ["main"]

logger = logging.getLogger("fastweb.server")


def main() -> int:
    """The process of a template, and then of each worker that it forks. Returns the exit code."""
    order = Order.take()
    if order is None:
        sys.stderr.write("a template is started by a supervisor: use `fastweb run app --preload`\n")
        return 2
    ignore_signals()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for fd in order.descriptors():
        os.set_inheritable(fd, False)
    channel = Channel(socket.socket(fileno=order.channel_fd))
    config = Config.from_json(order.config)
    configure_logging(config.log_level)
    try:
        app = load_app(config)
    except StartupError as error:
        return tell_error(channel, error)
    except SystemExit as error:
        failed = StartupError(f"the app called sys.exit({error.code!r}) as it was imported")
        return tell_error(channel, failed)
    except Exception as error:
        details = traceback.format_exc()
        return tell_error(channel, StartupError(f"the template failed: {error!r}", details=details))
    _import_the_rest(config)
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if threads:
        logger.warning(
            "The app starts threads as it is imported (%s): with --preload no worker has them; "
            "start them in its lifespan",
            ", ".join(threads),
        )
    # Twice: what the first collection finalises may leave more.
    gc.collect()
    gc.collect()
    gc.freeze()
    channel.send({"ready": True})
    worker = _fork_on_command(order, channel)
    if worker is None:
        # Not the interpreter's own end: what the app has registered for its exit is the workers' affair.
        os._exit(0)
    channel.close()
    return work(worker, lambda _: app)


def _import_the_rest(config: Config) -> None:
    """What a worker imports as it starts and serves: once, here."""
    names = ["fastweb.server.acceptor", "fastweb.server.capacity", "fastweb.server.connections"]
    names += ["fastweb.server.counters", "fastweb.server.retirement", "fastweb.server.access_log"]
    names.append("concurrent.futures.thread")
    if config.block_threshold:
        names.append("fastweb.server.watchdog")
    if config.ssl_certfile is not None:
        names.append("fastweb.server.tls")
    if config.loop != "asyncio":
        names.append("uvloop")
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError:
            if name != "uvloop":  # Which a worker may do without.
                raise


def _fork_on_command(order: Order, channel: Channel) -> Order | None:
    """Fork until the supervisor is gone or says no more: None. In a worker: its order."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(order.life_fd, select.POLLIN)
    while True:
        events = poll.poll()
        for message, descriptors in channel.receive():
            if "fork" in message:
                worker = _fork(order, channel, message["fork"], descriptors)
                if worker is not None:
                    return worker
        if channel.ended or any(fd == order.life_fd for fd, _ in events):
            return None


def _fork(order: Order, channel: Channel, wish: dict[str, Any], descriptors: list[int]) -> Order | None:
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid:
            os.write(writer, b"%d" % pid)
            os._exit(0)
        os.close(reader)
        os.close(writer)
        *sockets, channel_fd = descriptors
        return Order(
            config=wish["config"],
            sockets=sockets,
            channel_fd=channel_fd,
            life_fd=order.life_fd,
            counters_fd=order.counters_fd,
            row=wish["row"],
        )
    os.close(writer)
    os.waitpid(between, 0)
    pid = int(os.read(reader, 32) or b"0")
    os.close(reader)
    for fd in descriptors:
        os.close(fd)
    channel.send({"forked": pid, "id": wish["id"]})
    return None


if __name__ == "__main__":
    # Under its own name: `__main__` is to be the user's script.
    sys.exit(importlib.import_module("fastweb.server.template").main())
