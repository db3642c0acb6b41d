"""Clients that never stop asking, and count what went wrong."""

from __future__ import annotations

import http.client
import threading
import time

__all__ = ["Load"]


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
    """

    def __init__(self, port: int, clients: int = 6, pause: float = 0.0) -> None:
        self.port = port
        self.pause = pause
        self.by_pid: dict[str, int] = {}
        self.lost: list[tuple[float, bool, str]] = []
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
        while not self._stopping.is_set():
            try:
                connection.request("GET", "/", headers=headers)
                answer = connection.getresponse()
                body = answer.read().decode()
                if answer.status != 200 or not body.isdigit():
                    raise ValueError(f"{answer.status} {body[:100]!r}")
                with self._lock:
                    self.by_pid[body] = self.by_pid.get(body, 0) + 1
            except (OSError, http.client.HTTPException, ValueError) as error:
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
