"""The asyncio shell over `BaseSession`: a transport, timers, and what the rest of the package calls errors.

What is written in a turn of the loop is one write, what is read is fed to the session as it comes; all that
must not fail half-way is there, and in step with what the server says. Here is what needs a loop:
CancelRequests, looking types up, listeners, and the connection's end.

A server that breaks the protocol is left at once (`ProtocolError`); one that goes away, or a network that
does, ends every wait with a `ConnectionLostError` of one line.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_operation import SIMPLE, Operation
from fastweb._speedups.pg_rows import TextSink
from fastweb._speedups.pg_session import BaseSession
from fastweb.postgres.errors import (
    ConnectionLostError,
    InterfaceError,
    PostgresError,
    PostgresLogMessage,
    ProtocolError,
    error_of,
    notice_of,
)
from fastweb.postgres.groups import insert_of
from fastweb.postgres.statements import Kind, kind_of

__all__ = ["Protocol"]

#: Seconds after which a statement that still runs is cancelled once more; twice as many after the next.
CANCEL_AGAIN = 0.5
#: Seconds that the server may take to end what nobody waits for any more. Then it, or the network, is taken
#: for gone: what stands behind, a ROLLBACK say, would wait for as long as TCP does, which is hours.
ENDS_WITHIN = 10.0
#: Seconds that `close` waits for a CancelRequest that is on its way.
CANCEL_WITHIN = 2.0
_SYNTAX_ERROR = "42601"
_UNIQUE_VIOLATION = "23505"
_INTERNAL_ERROR = "XX000"
#: The server's functions that say "tuple concurrently updated", in the server's language.
_OVERTAKEN = {"simple_heap_update", "simple_heap_delete"}
_TWO_AT_ONCE = (
    "another session made or changed the same thing at the same time, and IF NOT EXISTS and OR REPLACE are no"
    " locks: each worker runs the app's start-up. Let it run once, `fastweb run --startup module:function`,"
    " or behind `SELECT pg_advisory_xact_lock(1);` in the same text"
)
#: Parameters as other clients write them, which the server stops at, or behind: operators are in them.
_STOPS_AT = re.compile(r"%s|:[^\W\d]")
_STOPS_BEHIND = re.compile(r"(?:\?|%\(\w{1,63}\))\s{0,20}\Z")
#: Of a COPY, that it is one from or to the client.
_WITH_CLIENT = re.compile(r"\bstd(?:in|out)\b", re.IGNORECASE)


class Protocol(BaseSession):
    """One connection to a server, ready for queries.

    Arguments:
        loop: the event loop.
        registry: the database's types (`fastweb.postgres.types.TypeRegistry`).
        descriptions: SQL text -> what is known of it: of all connections of a pool.
        address: the server, as messages call it.
        cache_size: statements kept.
        max_message: bytes of a message of the server.
        notices: how many notices are kept.
        busy_poll: seconds for which the loop is kept awake for an answer.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        registry: Any,
        descriptions: dict[str, Any],
        *,
        address: str = "the server",
        cache_size: int = 256,
        max_message: int = 1 << 30,
        notices: int = 100,
        busy_poll: float = 0.0,
    ) -> None:
        super().__init__(loop, registry, descriptions, cache_size, max_message)
        self.busy_poll = busy_poll
        self.address = address
        self.notices: deque[PostgresLogMessage] = deque(maxlen=notices)
        self.notice_listener: Callable[[PostgresLogMessage], object] | None = None
        self.notification_listener: Callable[[int, str, str], object] | None = None
        self.parameter_listener: Callable[[str, str], object] | None = None
        #: Called once when the connection has ended.
        self.end_listener: Callable[[Exception], object] | None = None
        #: Sends a CancelRequest, and returns when the server has it.
        self.send_cancel: Callable[[], Awaitable[None]] | None = None
        self.closing = False
        self.closed: asyncio.Future[None] = loop.create_future()
        self._drained: list[asyncio.Future[None]] = []
        self._writable: list[asyncio.Future[None]] = []
        self.tasks: set[asyncio.Task[None]] = set()
        #: Cancels what nobody waits for any more.
        self._canceller: asyncio.Task[None] | None = None

    # What asyncio calls; `data_received` is the session's.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if self.lost is None:
            self.lose(ConnectionLostError(self._why(error)))
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake_all(self._drained)
        self._wake_all(self._writable)
        if self.end_listener is not None:
            listener, self.end_listener = self.end_listener, None
            listener(self.lost)

    def pause_writing(self) -> None:
        self.writing_paused = True

    def resume_writing(self) -> None:
        self.writing_paused = False
        self._wake_all(self._writable)
        self.feed_batch()

    def _why(self, error: Exception | None) -> str:
        if self.closing:
            return f"the connection to {self.address} was closed"
        if self.fatal is not None:
            return f"{self.address} closed the connection: {self.fatal.message}"
        if error is not None:
            return f"the connection to {self.address} was lost: {error}"
        return f"{self.address} closed the connection"

    @staticmethod
    def _wake_all(waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        waiters.clear()

    # The end.

    def broken(self, error: Exception) -> None:
        """What came is not PostgreSQL's protocol."""
        self.lose(ProtocolError(f"{self.address} broke the protocol, and the connection was closed: {error}"))
        self.transport.abort()

    def doomed(self) -> None:
        """The server said FATAL: whether or not it closes, there is nothing more to wait for."""
        self.lose(ConnectionLostError(self._why(None)))
        self.transport.abort()

    def terminate(self) -> None:
        """Close at once: whoever waits gets a ConnectionLostError."""
        self.closing = True
        if self.lost is None:
            self.lose(ConnectionLostError(self._why(None)))
        self.transport.abort()

    def give_up(self, why: str) -> None:
        """Close at once, for a server that is silent."""
        if self.lost is None:
            self.lose(ConnectionLostError(f"{self.address} {why}: the connection was closed"))
            self.transport.abort()

    def end_within(self, seconds: float, sql: str) -> asyncio.TimerHandle:
        """Close where COMMIT or ROLLBACK is not answered in time: it cannot be asked again, and nothing can
        be done behind it."""
        why = f"has not answered {sql} in {seconds:g} s"
        if self._canceller is not None:
            # The statement before it has a time of its own to end in.
            seconds += ENDS_WITHIN
        timer: asyncio.TimerHandle = self.loop.call_later(seconds, self.give_up, why)
        return timer

    def hang_up(self) -> None:
        """Close politely, and wait for nothing: Terminate, Byte1('X'), Int32(4)."""
        if not self.closing:
            self.closing = True
            if self.lost is None:
                self.lose(ConnectionLostError(self._why(None)))
                self.transport.write(b"X\x00\x00\x00\x04")
            self.transport.close()

    async def close(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as everywhere
        *,
        cancel: bool = False,
    ) -> None:
        """Close politely. Whoever waits gets a ConnectionLostError.

        Arguments:
            cancel: whether the server is to end what it does: it sees that the connection is closed when it
                has done that.
        """
        canceller = self._canceller
        if cancel and canceller is None and self.in_flight and self.send_cancel is not None:
            canceller = self._canceller = self.loop.create_task(self._cancel_once(self.send_cancel))
        self.hang_up()
        try:
            async with asyncio.timeout(timeout):
                await asyncio.shield(self.closed)
        finally:
            if not self.closed.done():
                self.transport.abort()
        if canceller is not None:
            # A loop that ends now would take the CancelRequest with it.
            await asyncio.wait((canceller,), timeout=CANCEL_WITHIN)

    # What the session calls.

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def make_error(self, fields: dict[str, str], sql: Any) -> PostgresError:
        error = error_of(fields, sql)
        if error.sqlstate == _SYNTAX_ERROR and _is_at_placeholder(error):
            error.add_note("parameters are written $1, $2 …, and their values given in that order")
        elif _is_of_a_catalog(error):
            error.add_note(_TWO_AT_ONCE)
        return error

    def lost_error(self, operation: Operation) -> Exception:
        error = self.lost
        return type(error)(*error.args) if error is not None else ConnectionLostError(self._why(None))

    def only_reads(self, sql: str) -> bool:
        return kind_of(sql) is Kind.READ

    def changed(self, operation: Operation) -> Exception:
        return InterfaceError(
            "the statement has other columns than when it was last described, and cannot be asked twice;"
            f" it was done: {operation.sql}"
        )

    def wrong_count(self, sql: str, expected: int, got: int) -> Exception:
        have = "no arguments" if not expected else "1 argument" if expected == 1 else f"{expected} arguments"
        return InterfaceError(f"the statement takes {have}, and {got or 'none'} came: {sql}")

    def check(self, sql: str) -> None:
        # The server would wait for data, or send some, where answers to others stand.
        if kind_of(sql) is Kind.COPY and _WITH_CLIENT.search(sql):
            raise InterfaceError(f"COPY talks in its own way: use copy_in and copy_out: {sql:.200}")

    def too_many(self, got: int) -> Exception:
        return InterfaceError(
            f"a statement takes at most 65535 arguments, and {got} came: give arrays (= any($1), unnest($1)),"
            " or use execute_many or copy_in"
        )

    def insert_of(self, sql: str) -> Any:
        # CockroachDB calls itself PostgreSQL 13, and has other catalogs.
        if self._version() < 120000 or "crdb_version" in self.parameters:
            return None
        return insert_of(sql)

    def rows_of(self, args: Any) -> Iterator[Any]:
        try:
            return iter(args)
        except TypeError as error:
            raise TypeError(
                f"execute_many takes rows of arguments, such as a list of tuples: {error}"
            ) from None

    def row_of(self, args: Any) -> tuple[Any, ...]:
        """A row of `execute_many` that is no tuple."""
        if isinstance(args, (str, bytes, bytearray, Mapping, AbstractSet)) or not isinstance(args, Iterable):
            raise TypeError(
                "a row of arguments is a tuple or a list, in the order of $1, $2 …,"
                f" not {type(args).__name__}: {args!r:.100}"
            )
        return tuple(args)

    def wrong_argument(self, error: Exception, place: int, codec: Codec, value: Any) -> Exception:
        for kind in (OverflowError, TypeError, ValueError):
            if isinstance(error, kind):
                text = f"${place + 1} ({codec.name}): {error}"
                if isinstance(value, (tuple, list, dict)) and text.endswith(f"got {type(value).__name__}"):
                    # Other clients take them so.
                    text += "; arguments follow the SQL one by one"
                return kind(text)
        error.add_note(f"this is of ${place + 1} ({codec.name})")
        return error

    def look_up(self, oids: list[int], operation: Operation) -> None:
        def learn(asked: Operation) -> None:
            if asked.done() and not asked.cancelled() and asked.exception() is None:
                self.registry.learn(asked.result(), oids)
            # Else text is what there is.
            self.learned(operation)

        sql = self.registry.introspection_sql(oids, self._version())
        asked = Operation(self, SIMPLE, sql, (), TextSink())
        asked.internal = True
        asked.add_done_callback(learn)
        self.submit(asked)

    def _version(self) -> int:
        """As `server_version_num`, of the major one; of one that cannot be read 15's."""
        text = self.parameters.get("server_version", "").partition(".")[0]
        return int(text) * 10000 if text.isascii() and text.isdigit() and len(text) < 5 else 150000

    def text_codec(self) -> Codec:
        codec: Codec = self.registry.codec(25)
        return codec

    def noticed(self, fields: dict[str, str]) -> None:
        notice = notice_of(fields)
        self.notices.append(notice)
        if self.notice_listener is not None:
            self._tell(self.notice_listener, notice)

    def notified(self, process_id: int, channel: str, payload: str) -> None:
        if self.notification_listener is not None:
            self._tell(self.notification_listener, process_id, channel, payload)

    def parameter_changed(self, name: str) -> None:
        if self.parameter_listener is not None:
            self._tell(self.parameter_listener, name, self.parameters[name])

    def _tell(self, listener: Callable[..., object], *args: object) -> None:
        """Call a listener in the loop's next turn, before the Task goes on whose statement brought this."""
        self.untold += 1
        self.loop.call_soon(self._tell_now, listener, args)

    def _tell_now(self, listener: Callable[..., object], args: tuple[object, ...]) -> None:
        self.untold -= 1
        listener(*args)

    # Those whom nobody waits for.

    def abandoned(self, operation: Operation) -> None:
        if (
            self.shared
            or self._canceller is not None
            or self.send_cancel is None
            or not all(each.dropped or each.internal for each in self.in_flight)
        ):
            return
        # What comes behind must not be hit: it waits until the server has done with this.
        self.hold()
        self._canceller = self.loop.create_task(self._cancel(self.send_cancel))

    async def _cancel(self, send: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(ENDS_WITHIN):
                await self._cancel_until_done(send)
        except TimeoutError:
            self.give_up(f"has not ended a statement that was cancelled {ENDS_WITHIN:g} s ago")
        except InterfaceError:
            # It has given no key to cancel by: the answer is waited for.
            await self.drained_all()
        except ProtocolError as error:
            # Late, it would end what comes next.
            self.broken(error)
        except BaseException:
            # The loop ends, and does not wait for the server.
            self.give_up("was at a statement that nobody waited for when its cancellation was given up")
            raise
        finally:
            self._canceller = None
            if self.lost is None:
                self.unhold()

    @staticmethod
    async def _cancel_once(send: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(OSError, InterfaceError, ProtocolError):
            await send()

    async def _cancel_until_done(self, send: Callable[[], Awaitable[None]]) -> None:
        pause = CANCEL_AGAIN
        while self.in_flight and self.lost is None:
            if self.is_beginning:
                await self._next_drained()
                continue
            # Where it does not come through, the statement may still end by itself.
            with contextlib.suppress(OSError):
                await send()
            # A server that has not begun with the statement yet takes no notice.
            try:
                async with asyncio.timeout(pause):
                    await self.drained_all()
            except TimeoutError:
                pause *= 2

    async def drained_all(self) -> None:
        """Wait until the server has answered all that was sent."""
        while self.in_flight and self.lost is None:
            await self._next_drained()

    async def _next_drained(self) -> None:
        waiter = self.loop.create_future()
        self._drained.append(waiter)
        await waiter

    def drained(self, operation: Operation) -> None:
        if self._drained:
            self._wake_all(self._drained)

    def batch_goes_on(self) -> None:
        self._wake_all(self._writable)

    async def writable(self) -> None:
        """Wait until the transport takes more, and the batch that is being written."""
        while (self.writing_paused or self.is_asking) and self.lost is None:
            waiter = self.loop.create_future()
            self._writable.append(waiter)
            await waiter


def _is_of_a_catalog(error: PostgresError) -> bool:
    """Whether two sessions made the same table, type or extension, or replaced the same function."""
    if error.sqlstate == _UNIQUE_VIOLATION:
        return error.schema_name == "pg_catalog"
    return error.sqlstate == _INTERNAL_ERROR and error.server_source_function in _OVERTAKEN


def _is_at_placeholder(error: PostgresError) -> bool:
    """Whether the server has refused `%s`, `%(id)s`, `:id` or `?`."""
    if error.query is None or error.position is None:
        return False
    at = error.position - 1
    before = error.query[max(at - 100, 0) : at]
    return _STOPS_AT.match(error.query, at) is not None or _STOPS_BEHIND.search(before) is not None
