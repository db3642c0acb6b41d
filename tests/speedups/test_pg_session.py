"""The sans-IO half of a connection: what it writes, and what it makes of what comes, cut anywhere."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from fastweb._speedups.pg_batch import NotYet
from fastweb._speedups.pg_codec import Codec
from fastweb._speedups.pg_messages import error_fields
from fastweb._speedups.pg_operation import BATCH, QUERY, SIMPLE, Operation
from fastweb._speedups.pg_rows import TextSink, tuples_sink
from fastweb._speedups.pg_session import BaseSession
from fastweb._speedups.pg_wire import WireError
from fastweb.postgres.types import TypeRegistry
from tests.postgres import backend as b

SQL = "select $1::int4, $2::text"
PREPARED = (
    b.parse_complete()
    + b.parameter_description([b.INT4, b.TEXT])
    + b.row_description([("a", b.INT4), ("b", b.TEXT)])
    + b.ready_for_query()
)
ROW = b.data_row([b"\x00\x00\x00\x05", b"five"])
ANSWER = b.bind_complete() + ROW + b.command_complete("SELECT 1") + b.ready_for_query()


class Loop:
    """A loop that is turned by hand."""

    def __init__(self) -> None:
        self.soon: list[tuple[Callable[..., object], tuple[Any, ...]]] = []

    def time(self) -> float:
        return 1.0

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Any = None) -> None:
        self.soon.append((callback, args))

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What fails for nobody is no matter here."""

    def turn(self) -> None:
        soon, self.soon = self.soon, []
        for callback, args in soon:
            callback(*args)


class Refusal(Exception):
    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(fields.get("M"))
        self.sqlstate = fields.get("C")
        self.where = fields.get("W")


class Session(BaseSession):
    """One with nothing behind it."""

    def __init__(
        self, registry: Any = None, cache_size: int = 256, descriptions: dict[str, Any] | None = None
    ) -> None:
        self.own_loop = Loop()
        self.shared_descriptions = {} if descriptions is None else descriptions
        super().__init__(
            self.own_loop, registry or TypeRegistry(), self.shared_descriptions, cache_size, 1 << 20
        )
        self.written: list[bytes] = []
        self.process_id = 4711
        self.told: list[Any] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def sent(self) -> list[str]:
        """The kinds of the messages that were written, a text for each write."""
        kinds = ["".join(chr(each[0]) for each in b.split(data)) for data in self.written]
        self.written.clear()
        return kinds

    def begin(self) -> Session:
        """Let the question be answered whether there is a pooler."""
        operation = self.ask("begin", SIMPLE, ())
        described = b.row_description([("pg_backend_pid", b.INT4)])
        self.feed(described + b.data_row([b"4711"]) + b.command_complete("SELECT 1") + b.ready_for_query())
        self.feed(b.command_complete("BEGIN") + b.ready_for_query())
        assert operation.result() == "BEGIN"
        self.own_loop.turn()
        self.written.clear()
        return self

    def ask(self, sql: str = SQL, kind: int = QUERY, args: Any = (5, "five")) -> Operation:
        sink: Any = tuples_sink() if kind == QUERY else None
        operation = Operation(self, kind, sql, args, sink)
        self.submit(operation)
        return operation

    def make_error(self, fields: dict[str, str], sql: Any) -> Any:
        return Refusal(fields)

    def lost_error(self, operation: Operation) -> Any:
        return ConnectionError("lost")

    def check(self, sql: str) -> None:
        pass

    def rows_of(self, args: Any) -> Any:
        return iter(args)

    def wrong_count(self, sql: str, expected: int, got: int) -> Any:
        return LookupError(f"{expected} and not {got}")

    def wrong_argument(self, error: Any, place: int, codec: Codec, value: Any) -> Any:
        return type(error)(f"{place}: {error}")

    def only_reads(self, sql: str) -> bool:
        return sql.startswith("select")

    def text_codec(self) -> Codec:
        codec: Codec = self.registry.codec(25)
        return codec

    def noticed(self, fields: dict[str, str]) -> None:
        self.told.append(fields["M"])

    def notified(self, process_id: int, channel: str, payload: str) -> None:
        self.told.append((process_id, channel, payload))

    def parameter_changed(self, name: str) -> None:
        self.told.append((name, self.parameters[name]))

    def abandoned(self, operation: Operation) -> None:
        self.told.append("abandoned")

    def drained(self, operation: Operation) -> None:
        self.told.append("drained")

    def doomed(self) -> None:
        self.lose(ConnectionError("doomed"))


def prepared(**arguments: Any) -> Session:
    session = Session(**arguments).begin()
    operation = session.ask()
    session.feed(PREPARED)
    session.feed(ANSWER)
    assert operation.result() == [(5, "five")]
    session.own_loop.turn()
    session.written.clear()
    return session


def test_the_first_write_asks_for_the_process_and_names_nothing_yet() -> None:
    session = Session()
    session.ask()
    session.own_loop.turn()
    data = b"".join(session.written)
    assert session.sent() == ["QPDS"]
    assert b"pg_backend_pid" in data
    assert b"P" + b"\x00\x00\x00\x21" + b"\x00" + SQL.encode() in data


def test_a_statement_is_described_once_and_then_costs_one_round_trip() -> None:
    session = Session().begin()
    first, second = session.ask(), session.ask(args=(6, None))
    session.own_loop.turn()
    assert session.sent() == ["PDS"]
    session.feed(PREPARED)
    assert session.sent() == ["BESBES"]
    session.feed(ANSWER + ANSWER)
    assert first.result() == second.result() == [(5, "five")]
    session.own_loop.turn()
    session.ask()
    assert session.sent() == ["BES"]
    session.ask()
    session.ask()
    assert session.sent() == []
    session.own_loop.turn()
    assert session.sent() == ["BESBES"]


def test_another_connection_of_the_pool_needs_one_round_trip_from_the_start() -> None:
    one = prepared()
    other = Session(descriptions=one.shared_descriptions).begin()
    operation = other.ask()
    assert other.sent() == ["PDBES"]
    other.feed(PREPARED[:-6] + ANSWER)
    assert operation.result() == [(5, "five")]


def test_what_another_connection_was_told_may_be_void() -> None:
    one = prepared()
    other = Session(descriptions=one.shared_descriptions).begin()
    operation = other.ask()
    now = b.parse_complete() + b.parameter_description([b.INT4, b.TEXT])
    now += b.row_description([("c", b.INT4)])
    # It comes in the same formats: nothing has to be asked again.
    row = b.data_row([b"\x00\x00\x00\x07"])
    other.feed(now + b.bind_complete() + row + b.command_complete("SELECT 1") + b.ready_for_query())
    assert operation.result() == [(7,)]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_what_comes_may_be_cut_anywhere(size: int) -> None:
    session = prepared()
    operation = session.ask()
    said = b.notice_response() + b.bind_complete() + ROW * 3 + b.parameter_status("a", "b")
    said += b.command_complete("SELECT 3") + b.notification_response() + b.ready_for_query()
    for at in range(0, len(said), size):
        session.feed(said[at : at + size])
    assert operation.result() == [(5, "five")] * 3
    assert session.told == ["by the way", ("a", "b"), (12, "news", "hello")]


def test_a_wrong_argument_is_taken_back_and_disturbs_nobody() -> None:
    session = prepared()
    good = session.ask()
    bad, short = session.ask(args=("x", "y")), session.ask(args=(1,))
    session.own_loop.turn()
    # The types may have been changed: they are asked for anew, once.
    assert session.sent() == ["BES", "CPDS"]
    session.feed(ANSWER + b.close_complete() + PREPARED)
    assert good.result() == [(5, "five")]
    assert isinstance(bad.exception(), TypeError)
    assert isinstance(short.exception(), LookupError)


def test_one_failure_is_one_operation_s() -> None:
    session = prepared()
    first, second, third = session.ask(), session.ask(), session.ask()
    failed = b.bind_complete() + b.error_response() + b.ready_for_query()
    session.feed(ANSWER + failed + ANSWER)
    assert first.result() == third.result() == [(5, "five")]
    assert isinstance(second.exception(), Refusal)


@pytest.mark.parametrize("first", [["BEGIN"], ["BEGIN", "SAVEPOINT a"]])
def test_who_waits_behind_what_goes_first_is_told_why_the_server_goes(first: list[str]) -> None:
    session = prepared()
    session.first.extend(first)
    operation = session.ask("q")
    session.feed(b.error_response("57P01", severity="FATAL"))
    assert getattr(operation.exception(), "sqlstate", None) == "57P01"


def test_an_answer_that_nobody_waits_for_is_drained() -> None:
    session = prepared()
    first, second = session.ask(), session.ask(args=(6, "six"))
    first.cancel()
    session.feed(ANSWER)
    assert session.told == ["abandoned", "drained"]
    assert not second.done()
    session.feed(ANSWER)
    assert second.result() == [(5, "five")]
    with pytest.raises(asyncio.CancelledError):
        first.result()


@pytest.mark.parametrize(
    ("code", "routine"),
    [
        ("26000", ""),
        ("0A000", "RevalidateCachedQuery"),
        ("42P05", ""),
        ("XX000", "getTypeBinaryInputInfo"),
        ("XX000", "getTypeInputInfo"),
    ],
)
def test_a_statement_that_is_void_is_prepared_anew_once(code: str, routine: str) -> None:
    session = prepared()
    operation = session.ask()
    session.sent()
    void = b.error_response(code, "void", R=routine) + b.ready_for_query()
    session.feed(void)
    again = session.sent()
    if code in ("0A000", "XX000"):
        # What was known of it is void, too.
        assert again == ["CPDS"]
        session.feed(b.close_complete() + PREPARED)
        assert session.sent() == ["BES"]
        session.feed(ANSWER)
    else:
        assert again == ["PDBES"]
        session.feed(PREPARED[:-6] + ANSWER)
    assert operation.result() == [(5, "five")]
    assert session.named == (code != "42P05")


def test_within_a_transaction_nothing_is_asked_twice() -> None:
    session = prepared()
    operation = session.ask()
    session.sent()
    session.feed(b.error_response("26000", "void") + b.ready_for_query(b"E"))
    assert session.sent() == []
    assert isinstance(operation.exception(), Refusal)


def test_the_least_used_statements_are_closed_with_the_next_write() -> None:
    session = prepared(cache_size=1)
    session.ask("select 2", args=())
    assert session.sent() == ["CPDS"]
    described = b.parse_complete() + b.parameter_description() + b.no_data() + b.ready_for_query()
    session.feed(b.close_complete() + described)
    assert session.sent() == ["BES"]
    assert list(session.statements) == ["select 2"]


def test_a_batch_is_one_unit() -> None:
    session = prepared()
    operation = Operation(session, BATCH, SQL, [(1, "a"), (2, "b"), (3, "c")])
    session.submit(operation)
    behind = session.ask()
    session.own_loop.turn()
    assert "".join(session.sent()) == "BEBEBESBES"
    done = b.bind_complete() + b.command_complete("INSERT 0 1")
    session.feed(done * 3 + b.ready_for_query() + ANSWER)
    assert operation.result() == "INSERT 0 1"
    assert behind.result() == [(5, "five")]


class Rows:
    """The rows of a batch, of which there are one, and more as they come."""

    def __init__(self) -> None:
        self.more: list[tuple[int, str] | None] = [(1, "a")]

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> tuple[int, str]:
        if not self.more:
            raise NotYet
        row = self.more.pop(0)
        if row is None:
            raise StopIteration
        return row


def end_batch(session: Session, rows: Rows) -> None:
    rows.more.append(None)
    session.feed_batch()
    session.own_loop.turn()


BATCH_DONE = b.bind_complete() + b.command_complete("INSERT 0 1") + b.ready_for_query()


def test_a_batch_that_is_held_begins_when_all_before_it_are_written() -> None:
    session = prepared()
    first, second = session.ask(), session.ask()
    void = b.error_response("0A000", "void", R="RevalidateCachedQuery") + b.ready_for_query()
    session.feed(void)
    session.feed(void)
    rows = Rows()
    batch = session.ask(kind=BATCH, args=rows)
    session.own_loop.turn()
    session.sent()
    session.feed(b.close_complete() + PREPARED)
    session.own_loop.turn()
    assert "".join(session.sent()) == "BESBES" + "BE"
    end_batch(session, rows)
    session.feed(ANSWER + ANSWER + BATCH_DONE)
    assert first.result() == second.result() == [(5, "five")]
    assert batch.result() == "INSERT 0 1"
    assert session.is_idle


def test_nothing_stands_in_the_midst_of_a_batch() -> None:
    session = prepared()
    session.ordered = False
    described = session.ask("select $1::int4, $2::text as b")
    rows = Rows()
    batch = session.ask(kind=BATCH, args=rows)
    session.own_loop.turn()
    assert "".join(session.sent()) == "PDS" + "BE"
    # What was described goes on, and types are looked up, behind it.
    types = Operation(session, SIMPLE, "select types")
    types.internal = True
    session.submit(types)
    session.feed(PREPARED)
    session.own_loop.turn()
    assert session.sent() == []
    end_batch(session, rows)
    assert "".join(session.sent()) == "S" + "QBES"
    session.feed(BATCH_DONE)
    session.feed(b.command_complete("SELECT 0") + b.ready_for_query() + ANSWER)
    assert batch.result() == "INSERT 0 1"
    assert described.result() == [(5, "five")]
    assert session.is_idle


def test_what_a_name_that_is_somebody_else_s_has_answered_is_nobody_s_answer() -> None:
    known = prepared().shared_descriptions
    session = Session(descriptions=known).begin()
    first, second = session.ask(), session.ask()
    session.own_loop.turn()
    assert "".join(session.sent()) == "PDBES" + "BES"
    session.feed(b.error_response("42P05", "it exists") + b.ready_for_query())
    # The second is bound to what has had the name before.
    other = b.data_row([b"something else"])
    session.feed(b.bind_complete() + other + b.command_complete("SELECT 1") + b.ready_for_query())
    assert not second.done()
    assert "".join(session.sent()) == "PDBES"
    session.feed(PREPARED[:-6] + ANSWER)
    assert first.result() == [(5, "five")]
    assert "".join(session.sent()) == "PDS", "what was known of it is void"
    session.feed(PREPARED)
    session.feed(PREPARED[:-6] + ANSWER)
    assert second.result() == [(5, "five")]
    assert session.is_idle


def test_a_batch_with_a_wrong_row_is_undone() -> None:
    session = prepared()
    operation = Operation(session, BATCH, SQL, [(1, "a"), ("x", "b"), (3, "c")])
    session.submit(operation)
    session.own_loop.turn()
    assert "".join(session.sent()) == "BEES"
    done = b.bind_complete() + b.command_complete("INSERT 0 1")
    session.feed(done + b.error_response("34000", "no such portal") + b.ready_for_query())
    assert isinstance(operation.exception(), TypeError)


WRONG = {
    "nothing asked": (0, b.bind_complete()),
    "a row before BindComplete": (1, ROW),
    "ready too early": (1, b.ready_for_query()),
    "the end before BindComplete": (1, b.command_complete("SELECT 1")),
    "BindComplete twice": (1, b.bind_complete() * 2),
    "ParseComplete for no Parse": (1, b.parse_complete()),
    "a second RowDescription": (1, b.row_description([("a", b.INT4)])),
    "CloseComplete for no Close": (1, b.close_complete()),
    "PortalSuspended for all rows": (1, b.bind_complete() + b.portal_suspended()),
    "CopyData": (1, b.bind_complete() + b.copy_data()),
    "CopyInResponse": (1, b.copy_in_response()),
    "a status that there is not": (1, b.bind_complete() + b.command_complete("X") + b.ready_for_query(b"X")),
    "a length of 3": (1, b.message(b"2", length=3)),
    "a negative length": (1, b.message(b"2", length=0x80000000)),
    "a huge length": (1, b.message(b"D", length=1 << 21)),
    "BindComplete with a body": (1, b.message(b"2", b"x")),
    "a row cut": (1, b.bind_complete() + b.message(b"D", b"\x00\x02\x00\x00\x00\x09abc")),
    "a tag that does not end": (1, b.bind_complete() + b.message(b"C", b"SELECT 1")),
    "an error that does not end": (1, b.message(b"E", b"Mhello")),
    "a parameter without value": (1, b.message(b"S", b"a\x00")),
    "a notification cut": (1, b.message(b"A", b"\x00\x00")),
    "a kind that there is not": (1, b.message(b"?", b"")),
}


@pytest.mark.parametrize(("asked", "said"), WRONG.values(), ids=list(WRONG))
def test_what_breaks_the_protocol(asked: int, said: bytes) -> None:
    session = prepared()
    operations = [session.ask() for _ in range(asked)]
    with pytest.raises(WireError):
        session.feed(said)
    session.lose(ConnectionError("over"))
    assert all(isinstance(each.exception(), ConnectionError) for each in operations)
    late = session.ask()
    assert isinstance(late.exception(), ConnectionError)


def test_what_is_said_before_the_breach_counts() -> None:
    session = prepared()
    good, bad = session.ask(), session.ask()
    with pytest.raises(WireError):
        session.feed(ANSWER + b.ready_for_query())
    session.lose(ConnectionError("over"))
    assert good.result() == [(5, "five")]
    assert isinstance(bad.exception(), ConnectionError)


def test_the_fields_of_an_error() -> None:
    assert error_fields(b"SERROR\x00Mno\x00\x00", 0, 12) == {"S": "ERROR", "M": "no"}
    for data in (b"", b"S", b"Sabc", b"Sabc\x00", b"\x00x"):
        with pytest.raises(WireError):
            error_fields(data, 0, len(data))


def test_rows_of_text() -> None:
    sink = TextSink()
    sink.add(b"\x00\x02\x00\x00\x00\x01a\xff\xff\xff\xff", 0, 11)
    assert sink.finish() == [("a", None)]
    for data in (
        b"\x00",
        b"\x00\x01",
        b"\x00\x01\x00\x00\x00\x05a",
        b"\x00\x00x",
        b"\x00\x01\xff\xff\xff\xfe",
    ):
        with pytest.raises(WireError):
            sink.add(data, 0, len(data))


def test_a_codec_may_not_use_the_connection_that_it_encodes_for() -> None:
    class Meddler(Codec):
        def encode(self, out: Any, value: Any) -> None:
            session.ask()

    registry = TypeRegistry()
    session = prepared(registry=registry)
    description = session.statements[SQL].description
    meddler = Meddler(23, "int4")
    session.statements[SQL].description = type(description)(
        description.oids,
        (meddler, description.parameters[1]),
        description.columns,
        description.row_description,
    )
    assert isinstance(session.ask().exception(), RuntimeError)


def test_an_interrupt_while_tasks_go_on_tells_the_others_all_the_same() -> None:
    """KeyboardInterrupt, in the midst of the answers of one read: the next turn wakes those behind."""
    session = prepared()
    first, second, third = (session.ask() for _ in range(3))
    woken: list[str] = []

    def interrupted(_operation: object) -> None:
        raise KeyboardInterrupt

    first.add_done_callback(interrupted, context=contextvars.copy_context())
    for name, operation in (("second", second), ("third", third)):
        operation.add_done_callback(lambda _operation, name=name: woken.append(name))
    with pytest.raises(KeyboardInterrupt):
        session.feed(ANSWER * 3)
    session.own_loop.turn()
    assert woken == ["second", "third"]
    assert second.result() == third.result() == [(5, "five")]
    assert session.is_idle
    fourth = session.ask()
    session.feed(ANSWER)
    assert fourth.result() == [(5, "five")]


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("42804", True),  # datatype_mismatch
        ("42703", True),  # undefined_column
        ("08P01", True),  # protocol_violation: as many parameters or columns as there are no more
        ("22P03", True),  # invalid_binary_representation
        ("22012", False),  # division_by_zero
        ("22P02", False),  # invalid_text_representation
        ("23505", False),  # unique_violation
        ("40001", False),  # serialization_failure
        ("57014", False),  # query_canceled
    ],
)
def test_what_may_come_of_another_s_description_is_asked_again(code: str, again: bool) -> None:
    """A connection that binds by what another was told, and fails as a wrong description makes it fail."""
    known = prepared().shared_descriptions
    session = Session(descriptions=known).begin()
    operation = session.ask()
    assert session.sent() == ["PDBES"]
    session.feed(b.error_response(code, "no") + b.ready_for_query())
    if again:
        assert session.sent() == ["PDS"]
        session.feed(PREPARED)
        session.feed(ANSWER)
        assert operation.result() == [(5, "five")]
        return
    assert session.sent() == []
    with pytest.raises(Refusal, match="no"):
        operation.result()


@pytest.mark.parametrize(
    ("code", "again"),
    [
        ("42804", True),  # datatype_mismatch
        ("42883", True),  # undefined_function
        ("42846", True),  # cannot_coerce
        ("42725", True),  # ambiguous_function
        ("42703", False),  # undefined_column
        ("42501", False),  # insufficient_privilege
        ("22P03", False),  # invalid_binary_representation
    ],
)
@pytest.mark.parametrize("bound", [False, True])
def test_what_this_connection_was_told_is_asked_again_where_types_changed(
    code: str, again: bool, bound: bool
) -> None:
    session = prepared()
    operation = session.ask()
    session.sent()
    session.feed((b.bind_complete() if bound else b"") + b.error_response(code, "no") + b.ready_for_query())
    if bound or not again:
        # It was executed, at least in part, or is no better when it is described anew.
        assert session.sent() == []
        with pytest.raises(Refusal, match="no"):
            operation.result()
        return
    assert session.sent() == ["CPDS"]
    session.feed(b.close_complete() + PREPARED)
    assert session.sent() == ["BES"]
    # Once, and no more.
    session.feed(b.error_response(code, "still no") + b.ready_for_query())
    assert session.sent() == []
    with pytest.raises(Refusal, match="still no"):
        operation.result()


def test_within_a_transaction_changed_types_are_told() -> None:
    session = prepared()
    operation = session.ask()
    session.sent()
    session.feed(b.error_response("42804", "no") + b.ready_for_query(b"E"))
    assert session.sent() == []
    with pytest.raises(Refusal, match="no"):
        operation.result()


def test_a_statement_that_had_no_rows_when_another_was_told_is_asked_again() -> None:
    one = Session().begin()
    operation = one.ask()
    one.feed(
        b.parse_complete() + b.parameter_description([b.INT4, b.TEXT]) + b.no_data() + b.ready_for_query()
    )
    one.feed(b.bind_complete() + b.command_complete("SELECT 0") + b.ready_for_query())
    assert operation.result() == []
    other = Session(descriptions=one.shared_descriptions).begin()
    operation = other.ask()
    other.sent()
    other.feed(PREPARED[:-6] + ANSWER)
    assert other.sent() == ["CPDS"]
    other.feed(b.close_complete() + PREPARED + ANSWER)
    assert operation.result() == [(5, "five")]


def known_of_another() -> Session:
    """One whose pool knows the statement, and whose server has not heard of it."""
    return Session(descriptions=prepared().shared_descriptions).begin()


def test_a_wrong_argument_voids_nothing_that_is_on_its_way() -> None:
    session = known_of_another()
    session.changed = lambda operation: AssertionError("nothing has changed")  # type: ignore[method-assign]
    session.only_reads = lambda sql: False  # type: ignore[method-assign]
    good, bad = session.ask(), session.ask(args=("x", "y"))
    session.own_loop.turn()
    assert session.sent() == ["PDBES", "CPDS"]
    session.feed(PREPARED[:-6] + ANSWER)
    assert good.result() == [(5, "five")]
    session.feed(b.close_complete() + PREPARED)
    assert isinstance(bad.exception(), TypeError)


def test_what_is_asked_while_other_columns_are_on_their_way_has_them_described() -> None:
    session = known_of_another()
    first = session.ask()
    now = b.parse_complete() + b.parameter_description([b.INT4, b.TEXT])
    # XML comes as text, and an int4 does not.
    now += b.row_description([("a", 142), ("b", b.TEXT)])
    session.feed(now)
    session.sent()
    second = session.ask()
    session.own_loop.turn()
    assert session.sent() == ["CPDS"]
    row = (
        b.bind_complete() + b.data_row([b"abcd", b"x"]) + b.command_complete("SELECT 1") + b.ready_for_query()
    )
    session.feed(row)
    session.feed(b.close_complete() + now + b.ready_for_query())
    assert session.sent() == ["BESBES"]
    session.feed(row + row)
    assert first.result() == second.result() == [("abcd", "x")]
    assert session.is_idle


@pytest.mark.parametrize("code", ["0A000", "26000"])
def test_nothing_is_asked_again_amid_a_batch(code: str) -> None:
    session = prepared()
    first = session.ask()
    batch = session.ask(kind=BATCH, args=[(1, "x" * 30000)] * 20)
    session.own_loop.turn()
    session.feed(b.error_response(code=code, R="RevalidateCachedQuery") + b.ready_for_query())
    for _ in range(10):
        session.own_loop.turn()
    sent = "".join(session.sent())
    assert sent == "BES" + "BE" * 20 + "S" + ("CPDS" if code == "0A000" else "PDBES")
    session.feed(b.error_response(code=code, R="RevalidateCachedQuery") + b.ready_for_query())
    if code == "0A000":
        session.feed(b.close_complete() + PREPARED + ANSWER)
    else:
        session.feed(PREPARED[:-6] + ANSWER)
    assert first.result() == [(5, "five")]
    for _ in range(10):
        session.own_loop.turn()
    assert "".join(session.sent()).endswith("BE" * 20 + "S")
    if code == "26000":
        session.feed(PREPARED[:-6])
    session.feed((b.bind_complete() + b.command_complete("INSERT 0 1")) * 20 + b.ready_for_query())
    assert batch.result() == "INSERT 0 1"
    assert session.is_idle


def test_rows_that_came_before_it_was_asked_again_are_forgotten() -> None:
    session = prepared()
    operation = session.ask()
    session.feed(b.bind_complete() + ROW + b.error_response(code="26000") + b.ready_for_query())
    session.feed(PREPARED[:-6] + ANSWER)
    assert operation.result() == [(5, "five")]


def test_who_waits_already_is_told_that_the_connection_is_lost() -> None:
    session = prepared()
    session.lose(ConnectionError("lost"))
    operation = Operation(session, QUERY, SQL, (5, "five"), tuples_sink())
    told: list[Operation] = []
    operation.add_done_callback(told.append)
    session.submit(operation)
    session.own_loop.turn()
    assert told == [operation]
    assert isinstance(operation.exception(), ConnectionError)


class Clock:
    """Stands still but where it is told to go on, or by so much a look."""

    def __init__(self, step: float = 0.0) -> None:
        self.time = 1000.0
        self.step = step

    def __call__(self) -> float:
        self.time += self.step
        return self.time


def polling(clock: Clock) -> Session:
    """A session that has just got an answer, and may poll for a second."""
    session = prepared()
    session.clock = clock
    session.busy_poll = 1.0
    session.ask()
    session.own_loop.turn()
    assert not session.own_loop.soon
    session.feed(ANSWER)
    return session


def test_the_next_answer_is_polled_for_until_it_has_come() -> None:
    session = polling(Clock())
    asked = session.ask()
    for _ in range(100):
        session.own_loop.turn()
        assert session.own_loop.soon
    session.feed(ANSWER)
    assert asked.result() == [(5, "five")]
    session.own_loop.turn()
    assert not session.own_loop.soon


def test_what_is_asked_when_an_answer_is_told_is_polled_for() -> None:
    session = prepared()
    session.busy_poll = 1.0
    session.ask().add_done_callback(lambda _operation: session.ask())
    session.own_loop.turn()
    assert not session.own_loop.soon
    session.feed(ANSWER)
    session.own_loop.turn()
    for _ in range(10):
        session.own_loop.turn()
        assert session.own_loop.soon


def test_what_is_asked_after_a_pause_is_not_polled_for() -> None:
    clock = Clock()
    session = polling(clock)
    for pause, polls in ((1.5, False), (0.5, True), (100.0, False)):
        clock.time += pause
        session.ask()
        session.own_loop.turn()
        session.own_loop.turn()
        assert bool(session.own_loop.soon) is polls
        session.feed(ANSWER)
        session.own_loop.turn()
        assert not session.own_loop.soon


def test_answers_that_never_come_in_time_are_polled_for_ever_more_rarely() -> None:
    clock = Clock()
    session = polling(clock)
    polled: list[int] = []
    for number in range(3000):
        session.ask()
        session.own_loop.turn()
        if session.own_loop.soon:
            polled.append(number)
            while session.own_loop.soon:
                clock.time += 0.4
                session.own_loop.turn()
        session.feed(ANSWER)
    steps = [after - before - 1 for before, after in itertools.pairwise(polled)]
    assert steps[:4] == [1, 2, 4, 8]
    assert max(steps) == 512


def test_an_answer_in_time_is_worth_polling_for_again() -> None:
    clock = Clock()
    session = polling(clock)
    for _ in range(3):
        session.ask()
        session.own_loop.turn()
        while session.own_loop.soon:
            clock.time += 0.4
            session.own_loop.turn()
        session.feed(ANSWER)
    for _ in range(3):
        session.ask()
        session.own_loop.turn()
        session.feed(ANSWER)
        session.own_loop.turn()
    session.ask()
    for _ in range(10):
        session.own_loop.turn()
        assert session.own_loop.soon


def test_nothing_is_polled_for_where_the_connection_is_lost() -> None:
    session = polling(Clock())
    session.ask()
    session.own_loop.turn()
    assert session.own_loop.soon
    session.lose(ConnectionError("lost"))
    session.own_loop.turn()
    assert not session.own_loop.soon
