"""A slot: the place of one worker, with listening sockets that outlive it.

Where the kernel balances connections between sockets of one address (SO_REUSEPORT on Linux, socket(7)), each
slot has a socket of its own: workers do not wake each other for a connection that only one of them gets, and
load spreads evenly. A socket belongs to the supervisor and is inherited by the slot's worker and then by its
successor, so the connections in its queue survive either.

The price is that a queue has one reader. So while a slot has no worker that accepts, the supervisor lends its
sockets to the worker of another slot (`Channel`, "lend" and "return"), and nobody waits for the end of a
crash's back-off.

Elsewhere (Unix sockets, sockets that were inherited, other systems) all slots share the sockets.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

from fastweb.server.sockets import Listeners

__all__ = ["Slot", "Slots"]

#: Seconds before a slot gets another worker: the first pause, which doubles with each death, and the longest.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0


class Slot:
    """The place of one worker.

    Attributes:
        number: its index.
        own: listening sockets that no other slot has.
        shared: those that all slots have.
        failures: deaths, one soon after the other.
        not_before: when it may get a worker, by the monotonic clock.
        lent_to: the pid of the worker that accepts from `own` in the place of its own one.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.own: list[socket.socket] = []
        self.shared: list[socket.socket] = []
        self.failures = 0
        self.not_before = 0.0
        self.lent_to: int | None = None

    def descriptors(self) -> list[int]:
        """Of the sockets that its worker accepts from."""
        return [sock.fileno() for sock in (*self.own, *self.shared)]

    def pause(self) -> None:
        """Wait before the next worker, twice as long as the last time."""
        pause = min(_FIRST_PAUSE * 2.0**self.failures, _LONGEST_PAUSE)
        self.failures = min(self.failures + 1, 16)
        self.not_before = time.monotonic() + pause


class Slots:
    """All slots of a supervisor.

    Arguments:
        listeners: the sockets.
        count: slots.
    """

    def __init__(self, listeners: Listeners, count: int) -> None:
        self._slots = [Slot(number) for number in range(count)]
        for slot in self._slots:
            slot.shared = list(listeners.shared)
            slot.own = list(listeners.own[slot.number]) if listeners.own else []

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    def __getitem__(self, number: int) -> Slot:
        return self._slots[number]
