"""The connections of one worker: what they share, and the one timer that watches over them all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from fastweb._speedups.http1 import IDLE, BaseHub
from fastweb._speedups.response import HAS_DATE, HAS_SERVER
from fastweb._speedups.runner import Runner
from fastweb.limits import Limits
from fastweb.server.capacity import SPARE
from fastweb.server.http1 import HTTP1Connection
from fastweb.server.proxy import Proxies
from fastweb.types import StreamApp

__all__ = ["Connections"]

#: Seconds between two sweeps, at most: the resolution of the time limits, and of the Date field.
SWEEP: Final = 1.0

#: Connections that are looked at in one turn of the loop: about 0.2 ms. PERF: 10,000 at once
#: would be 13, every second, for whoever is waiting just then.
SLICE: Final = 128


class Connection(Protocol):
    """What a hub calls of a connection, whatever its protocol is."""

    def sweep(self, now: float) -> None:
        """Enforce the time limits."""

    def drain(self) -> None:
        """The worker is about to stop: end in good order, after what is asked already."""

    def abort(self) -> None:
        """Cut it at once."""


class Connections(BaseHub):
    """All connections of a worker, and what a connection needs beside its own state.

    Arguments:
        app: what answers the requests.
        limits: the bounds of every connection.
        loop: the loop that all of this runs in.
        access_log: called with each stream that was answered (`fastweb.server.access_log.AccessLog`); None
            logs nothing.
        server_header: whether answers say "server: fastweb".
        proxies: those who are believed what they say of their clients; None believes nobody.
        websocket_compression: agree to compress the messages of WebSockets where clients ask for it.

    Attributes:
        interval: seconds between two sweeps: less than `SWEEP` where a time limit is that short.
        now: the coarse clock, in seconds; the sweep sets it. While something blocks the loop it stands
            still, so that no client is punished for it.
        draining: connections close after the answers they are at.
        leaving: they close, where there is none to wait for.
        streams_until: when, by this clock, answers of unknown length are ended.
        aborting: the requests that still run have been cancelled.
        most: connections that may be open at once: `Limits.connections`, or fewer where the process may not
            have as many files.
        spare: how many above it are told 503; the next ones are cut at once.
        requests_total: answers since the start.
        errors_total: those of status 500 and above.
        connections_total: clients that have connected.
        on_sweep: called after each sweep.
        own_lines: the Date and Server fields as they are sent now.
    """

    def __init__(
        self,
        app: StreamApp,
        limits: Limits,
        *,
        loop: asyncio.AbstractEventLoop,
        access_log: Callable[..., None] | None = None,
        server_header: bool = True,
        proxies: Proxies | None = None,
        websocket_compression: bool = True,
    ) -> None:
        self.proxies = proxies
        self.app = app
        #: `WebSocketApp.open_websocket`, None where the app has none.
        self.open_websocket: Callable[[Any], Any] | None = getattr(app, "open_websocket", None)
        self.websocket_compression = websocket_compression
        self.limits = limits
        self.loop = loop
        self.access_log = access_log
        self.runner = Runner(loop)
        self.interval = min(
            SWEEP,
            limits.header_timeout / 4,
            limits.body_timeout / 4,
            limits.keep_alive_timeout / 4,
            limits.write_timeout / 4,
            limits.linger_timeout / 4,
            limits.websocket_ping_interval / 4,
            limits.websocket_ping_timeout / 4,
            limits.websocket_close_timeout / 4,
        )
        self.now = self._swept = loop.time()
        self.draining = self.leaving = False
        self.streams_until = float("inf")
        self.aborting = False
        self.requests_total = 0
        self.errors_total = 0
        self._server_line = b"server: fastweb\r\n" if server_header else b""
        self._date_line = b""
        self.own_lines = b""
        self._set_date()
        self.most = limits.connections
        self.spare = min(SPARE, max(limits.connections // 8, 1))
        #: Who was idle at the last sweep, the idlest last; only kept while there are nearly too many.
        self._idle: list[HTTP1Connection] = []
        self._all: set[Any] = set()  # of `Connection`
        self._timer: asyncio.TimerHandle | None = None
        self.on_sweep: Callable[[], None] | None = None
        self.connections_total = 0
        #: Those that this sweep has still to look at, and when it will.
        self._unswept: list[HTTP1Connection] = []
        self._slice_timer: asyncio.TimerHandle | None = None
        self._slice_delay = 0.0
        self._empty: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._all)

    def make_protocol(self) -> HTTP1Connection:
        """What `loop.create_server` calls for each client."""
        return HTTP1Connection(self)

    def add(self, connection: Connection) -> None:
        """A client has connected."""
        self.connections_total += 1
        self._all.add(connection)

    def discard(self, connection: Connection) -> None:
        """A connection is gone."""
        self._all.discard(connection)
        self._check_empty()

    def make_room(self) -> bool:
        """Close a connection that waits for a request; False where there is none. It has been idle since the
        last sweep, at least: one that became so just now may be asking again."""
        while self._idle:
            connection = self._idle.pop()
            if connection.since < self.now and connection.close_idle():
                return True
        return False

    def lines_beside(self, flags: int) -> bytes:
        """The Date and Server fields, without those that the answer has itself (`Head.flags`)."""
        if not flags & (HAS_DATE | HAS_SERVER):
            return bytes(self.own_lines)
        date = b"" if flags & HAS_DATE else self._date_line
        return date if flags & HAS_SERVER else date + self._server_line

    def start(self) -> None:
        """Begin to sweep."""
        self._sweep()

    def stop(self) -> None:
        """End sweeping."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._slice_timer is not None:
            self._slice_timer.cancel()
            self._slice_timer = None
        self.runner.close()
        if self.on_sweep is not None:
            self.on_sweep()

    async def settle(self, least: float, most: float) -> None:
        """From now on connections close with their next answer; wait for what is about to come, from who has
        just connected, or just got an answer. Closed at once, a busy keep-alive client would lose a request.

        Arguments:
            least: seconds in which who has just connected asks.
            most: seconds in which who got an answer a moment ago asks again, however busy his machine is.
        """
        self.draining = True
        end = self.loop.time() + most
        await asyncio.sleep(least)
        while self.loop.time() < end and self._expects():  # noqa: ASYNC110 - a short while, once
            await asyncio.sleep(least)

    def _expects(self) -> bool:
        connections = (each for each in self._all if isinstance(each, HTTP1Connection))
        return any(connection.is_expected(self.now) for connection in connections)

    def drain(self, stream_timeout: float = float("inf")) -> None:
        """Close what is idle, and the rest after the answer it is at.

        Arguments:
            stream_timeout: seconds that answers of unknown length may go on; server-sent events end now.
        """
        self.draining = self.leaving = True
        self.streams_until = self.now + stream_timeout
        for connection in list(self._all):
            connection.drain()

    async def wait_closed(self, timeout: float) -> bool:  # noqa: ASYNC109
        """Wait until every connection is gone and every request's coroutine has ended.

        Arguments:
            timeout: seconds.

        Returns:
            True when they are, False when the time was up.
        """
        deadline = self.loop.time() + timeout
        while self._all or self.runner.tasks:
            left = deadline - self.loop.time()
            if left <= 0:
                return False
            if self.runner.tasks:
                await asyncio.wait(list(self.runner.tasks), timeout=min(left, SWEEP))
            else:
                self._empty = self.loop.create_future()
                await asyncio.wait([self._empty], timeout=left)
        return True

    def abort(self) -> None:
        """Cancel what runs and cut every connection."""
        self.aborting = True
        for task in list(self.runner.tasks):
            task.cancel("the server is stopping")
        for connection in list(self._all):
            connection.abort()

    def _check_empty(self) -> None:
        if self._empty is not None and not self._all and not self._empty.done():
            self._empty.set_result(None)

    def _set_date(self) -> None:
        self._date_line = f"date: {_imf_fixdate(time.time())}\r\n".encode()
        self.own_lines = self._date_line + self._server_line

    def _sweep(self) -> None:
        now = self.loop.time()
        self.now += min(now - self._swept, 2 * self.interval)
        self._swept = now
        self._timer = self.loop.call_later(self.interval, self._sweep)
        self._set_date()
        if not self._unswept:
            self._unswept = list(self._all)
            # Over the first half of the interval, so that the next sweep finds this one ended.
            self._slice_delay = self.interval * SLICE / (2 * len(self._unswept) + 1)
            self._sweep_some()
        if self.on_sweep is not None:
            self.on_sweep()
        self._idle.clear()
        if len(self._all) > self.most * 3 // 4:
            # A WebSocket, which is none of these, has no such phase.
            idle = (item for item in self._all if getattr(item, "phase", None) == IDLE)
            self._idle += sorted(idle, key=lambda item: -item.since)

    def _sweep_some(self) -> None:
        """Look at some of the connections, then let others have their turn."""
        self._slice_timer = None
        unswept, connections = self._unswept, self._all
        for connection in unswept[-SLICE:]:
            if connection in connections:
                connection.sweep(self.now)
        del unswept[-SLICE:]
        if unswept:
            self._slice_timer = self.loop.call_later(self._slice_delay, self._sweep_some)


def _imf_fixdate(seconds: float) -> str:
    """A time since the epoch as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7), in any locale.

    email.utils.formatdate is the same, and loads random, calendar and much of email.
    """
    year, month, day, hour, minute, second, weekday, _, _ = time.gmtime(seconds)
    date = f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04}"
    return f"{date} {hour:02}:{minute:02}:{second:02} GMT"


_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
