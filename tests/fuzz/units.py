"""Units of several reads, against a server that the input directs, on two connections and a desk before them.

The input is a script: each byte is a choice of what is asked next, and how; how far the server's answer gets;
what the server does at a message. Where it has ended, all is well, and everything is answered. The server
fails where it likes, loses statements, meets others', changes tables, is a pooler, closes connections: that
is honest, and each answer is checked by value. Or it breaks the protocol, and then nobody may wait for ever.
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from tests.postgres import backend as b

__all__ = ["units", "units_seeds"]

#: A table's columns, as they are after so many ALTER TABLEs: other types, other formats, fewer.
VERSIONS = (
    (("a", 23), ("b", 25), ("c", 16), ("d", 701), ("e", 20)),
    (("a", 20), ("b", 25), ("c", 16), ("d", 701), ("e", 20)),
    (("a", 23), ("b", 142), ("c", 16), ("d", 701), ("e", 20)),
    (("a", 23), ("b", 25)),
)
READS = tuple(f"select * from t{number} where a = $1" for number in range(3))
INSERT = "insert into t0 values ($1)"
PACKED = {23: "!i", 20: "!q", 701: "!d", 16: "!?"}


class Thing(msgspec.Struct):
    """What an own row becomes."""

    a: int
    b: str
    c: bool | None = None
    d: float = 0.0
    e: int = 0


class Script:
    """The input's choices."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        self._at += 1
        return 0 if self._at > len(self._data) else self._data[self._at - 1]

    def some(self, most: int) -> bytes:
        size = self.byte() % most
        found = self._data[self._at : self._at + size]
        self._at += size
        return found


class Server:
    """What one connection leads to.

    Arguments:
        script: says what it does at each message of the client.
        tables: the version of each, of all servers.
    """

    def __init__(self, script: Script, tables: list[int]) -> None:
        self.script = script
        self.tables = tables
        #: Name -> its text, and its table's version as it was parsed.
        self.statements: dict[bytes, tuple[str, int]] = {}
        self.bound: tuple[str, int, int, list[int]] = ("", 0, 0, [])
        self.skipping = False
        self.honest = True
        #: It has closed, or is about to.
        self.over = False
        self.said = bytearray()

    def read(self, written: bytes) -> None:
        for message in b.split(written):
            if not self.over:
                self.said += self._spoilt(self._answer(message[:1], message[5:]))

    def _answer(self, kind: bytes, body: bytes) -> bytes:
        if kind == b"Q":
            return self._query(body[:-1].decode())
        if kind == b"S":
            return self._sync()
        if self.skipping:
            return b""
        if kind == b"P":
            return self._parse(body)
        if kind == b"D":
            return self._describe(body[1:-1])
        if kind == b"B":
            return self._bind(body)
        if kind == b"E":
            return self._execute(body)
        if kind == b"C":
            self.statements.pop(body[1:-1], None)
            return b.close_complete()
        return b""

    def _fail(self, code: str, text: str, **more: str) -> bytes:
        self.skipping = True
        return b.error_response(code, text, **more)

    def _parse(self, body: bytes) -> bytes:
        name, sql = body.split(b"\0")[:2]
        choice = self.script.byte()
        if choice == 200:
            self.statements.setdefault(name, ("select 'somebody else''s'", 0))
        elif 201 < choice < 215:
            table = choice % len(self.tables)
            self.tables[table] = (self.tables[table] + 1 + choice % 2) % len(VERSIONS)
        elif choice == 201:
            return self._fail("42601", "what was parsed")
        if name and name in self.statements:
            return self._fail("42P05", "it exists")
        self.statements[name] = (sql.decode(), self._version(sql.decode()))
        return b.parse_complete()

    def _version(self, sql: str) -> int:
        return self.tables[READS.index(sql)] if sql in READS else 0

    def _describe(self, name: bytes) -> bytes:
        sql, version = self.statements[name]
        rows = b.row_description(VERSIONS[version]) if sql in READS else b.no_data()
        return b.parameter_description([b.INT4]) + rows

    def _bind(self, body: bytes) -> bytes:
        _portal, name, _ = body.split(b"\0", 2)
        rest = body[len(name) + 2 :]
        choice = self.script.byte()
        if choice == 200:
            # A pooler has led to another server; or there was a DEALLOCATE ALL.
            self.statements.clear()
        if name not in self.statements:
            return self._fail("26000", "there is none")
        sql, version = self.statements[name]
        if version != self._version(sql):
            return self._fail("0A000", "cached plan must not change result type", R="RevalidateCachedQuery")
        at = 2 + 2 * struct.unpack_from("!H", rest)[0]
        asked = struct.unpack_from("!i", rest, at + 6)[0]
        at += 10
        (count,) = struct.unpack_from("!H", rest, at)
        formats = list(struct.unpack_from(f"!{count}H", rest, at + 2))
        if choice == 201:
            return self._fail("22P03", f"bound [{asked}]")
        self.bound = sql, version, asked, formats
        return b.bind_complete()

    def _execute(self, body: bytes) -> bytes:
        if body[:1] != b"\0":
            return self._fail("34000", "no such portal")
        sql, version, asked, formats = self.bound
        choice = self.script.byte()
        if sql not in READS:
            if 200 <= choice < 206:
                return self._fail("23505", f"executed [{asked}]")
            return b.command_complete(f"INSERT 0 {asked}")
        rows = [self._row(sql, version, asked, formats, number) for number in range(1 + asked % 3)]
        if 200 <= choice < 203:
            return b"".join(rows[: choice % 3]) + self._fail("22012", f"executed [{asked}]")
        return b"".join(rows) + b.command_complete(f"SELECT {len(rows)}")

    def _row(self, sql: str, version: int, asked: int, formats: list[int], number: int) -> bytes:
        values: list[bytes | None] = []
        columns = VERSIONS[version]
        formats = formats * len(columns) if len(formats) == 1 else formats or [0] * len(columns)
        for place, (name, oid) in enumerate(columns):
            value = {"a": asked, "b": f"{sql}:{asked}:{number}", "c": True, "d": asked / 2, "e": -asked}[name]
            if place < len(formats) and formats[place] and oid in PACKED:
                values.append(struct.pack(PACKED[oid], value))
            else:
                values.append(("t" if value is True else str(value)).encode())
        if number and self.script.byte() == 255:
            values[-1] = None
        if self.script.byte() == 254:
            # Sizes that are none of the kind's, or not there; other counts; a text that is none.
            self.honest = False
            place = self.script.byte() % len(values)
            values[place] = self.script.some(12)
            whole = b.data_row(values, self.script.byte() % 3 + len(values) - 1)
            at = whole.find(values[place] or b"") - 4
            if self.script.byte() > 128:
                size = self.script.byte() - 128
                whole = whole[:at] + struct.pack("!i", size) + whole[at + 4 :]
            return whole
        return b.data_row(values)

    def _sync(self) -> bytes:
        self.skipping, before = False, self.skipping
        if self.script.byte() == 200 and not before:
            return b.error_response("40001", "at the sync") + b.ready_for_query()
        return b.ready_for_query()

    def _query(self, sql: str) -> bytes:
        choice = self.script.byte()
        if 200 <= choice < 206:
            return b.error_response("22012", f"asked [{sql.rsplit(maxsplit=1)[-1]}]") + b.ready_for_query()
        value = sql.rsplit(maxsplit=1)[-1]
        if "pg_backend_pid" in sql:
            # Behind a pooler the process is another.
            value = "1" if choice in (206, 207) else "4711"
        row = b.row_description([("v", b.INT4)]) + b.data_row([value.encode()])
        return row + b.command_complete("SELECT 1") + b.ready_for_query()

    def _spoilt(self, answer: bytes) -> bytes:
        """The answer; with what may stand between messages; or broken."""
        choice = self.script.byte()
        if choice < 226:
            return answer
        if choice < 230:
            noise = (b.notice_response(), b.parameter_status("x", "y"), b.notification_response())
            return noise[choice % 3] + answer
        if choice == 230:
            self.over = True
            return b.error_response("57P01", "closed", "FATAL")
        if choice == 231:
            self.over = True
            return answer[: self.script.byte()]
        if choice < 240:
            return answer
        self.honest = False
        messages = b.split(answer)
        if choice < 243:
            return b"".join(messages[:-1])
        if choice < 246:
            return answer + b"".join(messages[-1:])
        if choice < 248:
            return answer + b"".join(reversed(messages))
        if choice < 252:
            at = self.script.byte() % (len(answer) + 1)
            return answer[:at] + self.script.some(8) + answer[at + self.script.byte() % 9 :]
        kinds = b.every_message()
        return answer + kinds[sorted(kinds)[self.script.byte() % len(kinds)]]


class _Clock(asyncio.SelectorEventLoop):
    """A loop whose time is the script's, the same for every run."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now


class _Asked:
    """Something asked, by its value, and who waits for it.

    Arguments:
        kind: what becomes of rows; "insert", "batch", "query", "wrong".
        sql, value: what was asked, and its argument.
        waiter: the task, or the operation itself.
    """

    def __init__(self, kind: str, sql: str, value: int, waiter: Any) -> None:
        self.kind = kind
        self.sql = sql
        self.value = value
        self.waiter = waiter

    def check(self, found: Any) -> None:
        """That an answer is this one's."""
        rows = [(self.value, f"{self.sql}:{self.value}:{n}") for n in range(1 + self.value % 3)]
        if self.kind == "value":
            assert int(found) == self.value, (found, self.value)
        elif self.kind in ("tuples", "records"):
            assert [(int(row[0]), row[1]) for row in found] == rows, (found, rows)
        elif self.kind == "one":
            assert (int(found[0]), found[1]) == rows[0], (found, rows)
        elif self.kind == "json":
            assert [(int(row["a"]), row["b"]) for row in json.loads(found)] == rows, (found, rows)
        elif self.kind == "things":
            assert [(thing.a, thing.b) for thing in found] == rows, (found, rows)
        elif self.kind == "insert":
            assert found == f"INSERT 0 {self.value}", (found, self.value)
        elif self.kind == "query":
            assert found == [(str(self.value),)], (found, self.value)
        else:
            assert self.kind == "batch", (self.kind, found)

    def may_fail_with(self, error: BaseException) -> bool:
        """Whether an honest server is a reason for it."""
        from fastweb._speedups.pg_rows import RowError
        from fastweb.postgres import errors as e

        if isinstance(error, e.PostgresError):
            if error.sqlstate in ("22012", "22P03", "23505"):
                values = range(self.value, self.value + (3 if self.kind == "batch" else 1))
                return any(f"[{value}]" in str(error) for value in values)
            return error.sqlstate in ("42601", "42P05", "26000", "0A000", "40001", "57P01")
        if isinstance(error, RowError):
            return self.kind == "things"  # a NULL that it does not take
        return isinstance(error, (e.ConnectionLostError, e.InterfaceError))


SINKS = ("value", "tuples", "records", "one", "json", "things")


class _Run:
    """One input: two connections, their servers, and what is asked."""

    def __init__(self, loop: _Clock, data: bytes) -> None:
        from fastweb._speedups.pg_desk import BaseDesk
        from fastweb._speedups.pg_slot import BaseSlot
        from tests.fuzz.postgres import ready_connection

        class Desk(BaseDesk):
            """Nobody waits: the first connection takes what is too much for all."""

            def enter(self) -> None:
                pass

            def grow(self) -> None:
                pass

            def wait_to_read(self, operation: Any) -> None:
                operation.session = self.free[0].session
                operation.session.submit(operation)

        class Slot(BaseSlot):
            def is_slow(self, now: float) -> bool:
                return False

        self.loop = loop
        self.script = Script(data)
        tables = [0, 0, 0]
        pairs = [ready_connection(loop) for _ in range(2)]
        self.connections = [connection for connection, _ in pairs]
        self.transports = [transport for _, transport in pairs]
        self.servers = [Server(self.script, tables) for _ in pairs]
        for connection in self.connections:
            connection.protocol.shared = True
        self.desk = Desk(dict.fromkeys(READS, 1), 1, None)
        self.desk.home, self.desk.thread = loop, 0
        self.desk.reading = _Line()
        self.desk.free = [Slot(self.desk, each, each.protocol, 1e9) for each in self.connections]
        self.asked: list[_Asked] = []

    # What is asked.

    def ask(self, choice: int) -> None:
        script = self.script
        connection = self.connections[script.byte() % 2]
        value = len(self.asked)
        sql = READS[script.byte() % len(READS)]
        operation: Any = None
        if choice < 12:
            kind = SINKS[script.byte() % len(SINKS)]
            operation = self._read(kind, sql, value, None if choice < 6 else connection)
        elif choice == 12:
            kind, sql = "insert", INSERT
            operation = connection.execute(INSERT, value)
        elif choice == 13:
            kind, sql = "query", f"select {value}"
            operation = self._query(connection, sql)
        elif choice == 14:
            kind = "wrong"
            operation = self._read("tuples", sql, "none", connection)
        else:
            kind, sql = "batch", INSERT
            rows = [(value,), (value + 1,), (value + 2,)]
            if script.byte() % 2:
                operation = connection.execute_many(sql, rows)
            else:
                task = self.loop.create_task(connection.execute_many(sql, _later(rows, script.byte() % 3)))
                self.asked.append(_Asked(kind, sql, value, task))
                return
        waits = script.byte() % 3
        waiter = operation
        if waits == 1:
            waiter = self.loop.create_task(_answer(operation))
        elif waits == 2:
            waiter = self.loop.create_task(operation)
        self.asked.append(_Asked(kind, sql, value, waiter))

    def _read(self, kind: str, sql: str, value: object, connection: Any) -> Any:
        from fastweb._speedups import pg_objects, pg_rows
        from fastweb._speedups.pg_operation import QUERY, Operation

        makers: dict[str, Callable[[], Any]] = {
            "value": pg_rows.value_sink,
            "tuples": pg_rows.tuples_sink,
            "records": pg_rows.records_sink,
            "one": pg_objects.one_sink,
            "json": pg_rows.json_sink,
            "things": lambda: pg_objects.class_sink(Thing),
        }
        operation = Operation(None, QUERY, sql, (value,), makers[kind]())
        if connection is None:
            return self.desk.ask(operation, None, None)
        operation.plain_read = True
        operation.session = connection.protocol
        connection.protocol.submit(operation)
        return operation

    def _query(self, connection: Any, sql: str) -> Any:
        from fastweb._speedups.pg_operation import SIMPLE, Operation
        from fastweb._speedups.pg_rows import TextSink

        sink = TextSink()
        operation = Operation(connection.protocol, SIMPLE, sql, (), sink, lambda _operation: sink.rows)
        operation.plain_read = True
        connection.protocol.submit(operation)
        return operation

    # What comes.

    def feed(self, which: int, size: int) -> None:
        """So many bytes of the server; 0 for all that there are."""
        server, transport = self.servers[which], self.transports[which]
        protocol = self.connections[which].protocol
        written = b"".join(transport.written)
        transport.written.clear()
        server.read(written)
        if protocol.lost is not None:
            return
        size = size or len(server.said)
        data = bytes(server.said[:size])
        del server.said[:size]
        if data:
            protocol.data_received(data)
        if protocol.lost is None and server.over and not server.said:
            protocol.connection_lost(None)

    async def main(self) -> None:
        from threading import get_ident

        self.desk.thread = get_ident()
        script = self.script
        while not script.ended:
            choice = script.byte()
            if choice < 112:
                self.ask(choice % 16)
            elif choice < 144:
                for _ in range(choice - 108):
                    self.ask(script.byte() % 12)
            elif choice < 200:
                self.feed(choice % 2, script.byte() if choice < 172 else 0)
            elif choice < 230:
                await _turns()
            elif choice < 235:
                self.loop.now += 0.02
            elif choice < 245 and self.asked:
                self.asked[script.byte() % len(self.asked)].waiter.cancel()
            else:
                protocol = self.connections[choice % 2].protocol
                (protocol.resume_writing if protocol.writing_paused else protocol.pause_writing)()
        await self._rest()

    async def _rest(self) -> None:
        """Until all is answered that an honest server answers."""
        for connection in self.connections:
            connection.protocol.resume_writing()
        for _ in range(60 + 6 * len(self.asked)):
            await _turns()
            for which in (0, 1):
                self.feed(which, 0)
        await _turns()

    def outcome(self) -> list[object]:
        """What each has got; where it cannot be, an AssertionError."""
        from tests.fuzz.postgres import error_of

        protocols = [connection.protocol for connection in self.connections]
        for server, protocol in zip(self.servers, protocols, strict=True):
            if server.honest and protocol.lost is None:
                assert protocol.is_idle, (list(protocol.in_flight), list(protocol.held), protocol.holds)
                assert not protocol.unit
                assert not protocol.out.size
            protocol.connection_lost(None)
        self.loop.run_until_complete(_turns())
        found: list[object] = []
        honest = all(server.honest for server in self.servers)
        for each in self.asked:
            assert each.waiter.done(), (each.kind, each.value)
            if each.waiter.cancelled():
                found.append("cancelled")
                continue
            error = each.waiter.exception()
            if error is None:
                result = each.waiter.result()
                if honest:
                    each.check(result)
                found.append(repr(result))
            elif each.kind == "wrong" and isinstance(error, TypeError):
                found.append(str(error))
            else:
                assert not honest or each.may_fail_with(error), (each.kind, each.value, error)
                found.append(error_of(error))
        self.loop.run_until_complete(_turns())
        return found


class _Line:
    """Nobody waits in it."""

    count = 0


async def _answer(operation: Any) -> Any:
    return await operation


async def _later(rows: list[Any], turns: int) -> Any:
    for row in rows:
        for _ in range(turns):
            await asyncio.sleep(0)
        yield row


async def _turns() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


def units() -> Callable[[bytes], object]:
    """See the module."""
    loop = _Clock()
    asyncio.set_event_loop(loop)
    raised: list[object] = []
    loop.set_exception_handler(lambda _loop, context: raised.append(context))

    def run(data: bytes) -> object:
        loop.now = 0.0
        raised.clear()
        one = _Run(loop, data)
        loop.run_until_complete(one.main())
        found = one.outcome()
        assert not raised, raised
        return found

    return run


def units_seeds() -> Iterator[bytes]:
    """Scripts by chance: most of what happens is well, so that there are units at all."""
    chance = random.Random(7)
    for rare in (0.0, 0.0005, 0.002, 0.01):
        for size in (100, 300, 600, 1200, 2500) * 4:
            odd = [chance.random() < rare for _ in range(size)]
            yield bytes(chance.randrange(230, 256) if each else chance.randrange(230) for each in odd)
