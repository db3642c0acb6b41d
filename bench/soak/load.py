"""Clients that never stop asking, and count what went wrong."""

from __future__ import annotations

import http.client
import threading
import time

__all__ = ["PROMPT", "Load"]

#: Seconds within which a client asks again, from when it began to connect, or asked before. A worker that
#: leaves waits longer than that for it (`fastweb.server.connections.Connections.settle`), and not for ever.
PROMPT = 0.05


class Load:
    """Threads that ask an app for its process id, half of them on connections that they keep.

    Arguments:
        port: of the server, on 127.0.0.1.
        clients: threads.
        pause: seconds between two requests of one.

    Attributes:
        done: answers.
        by_pid: answers of each process.
        lost: what went wrong: (when, the request's connection was kept, the error). Requests of a killed
            process are among them.
        late: connections that were closed to a client who was not prompt: this machine is too busy.
    """

    def __init__(self, port: int, clients: int = 6, pause: float = 0.0) -> None:
        self.port = port
        self.pause = pause
        self.by_pid: dict[str, int] = {}
        self.lost: list[tuple[float, bool, str]] = []
        self.late = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(number % 2 == 0,)) for number in range(clients)
        ]

    @property
    def done(self) -> int:
        """Answers so far."""
        return sum(self.snapshot().values())

    def snapshot(self) -> dict[str, int]:
        """`by_pid` as it is now."""
        with self._lock:
            return dict(self.by_pid)

    def _run(self, keep: bool) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {} if keep else {"connection": "close"}
        since = asked = 0.0
        while not self._stopping.is_set():
            try:
                if connection.sock is None:
                    since = time.monotonic()
                    connection.connect()
                asked = 0.0
                connection.request("GET", "/", headers=headers)
                asked = time.monotonic()
                answer = connection.getresponse()
                body = answer.read().decode()
                # It may have come long before this thread took it.
                since = asked
                if answer.status != 200 or not body.isdigit():
                    raise ValueError(f"{answer.status} {body[:100]!r}")
                with self._lock:
                    self.by_pid[body] = self.by_pid.get(body, 0) + 1
            except (OSError, http.client.HTTPException, ValueError) as error:
                if isinstance(error, ConnectionError) and (asked or time.monotonic()) - since > PROMPT:
                    self.late += 1
                else:
                    self.lost.append((time.monotonic(), keep, repr(error)))
                connection.close()
            if self.pause:
                time.sleep(self.pause)
        connection.close()

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(30)
