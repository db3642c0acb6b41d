"""Plain reads that share a Sync: which do, and what becomes of each where one of them fails."""

from __future__ import annotations

from typing import Any

import pytest

from fastweb._speedups.pg_objects import one_sink
from fastweb._speedups.pg_operation import QUERY, SIMPLE, Operation
from fastweb._speedups.pg_rows import json_sink, records_sink, tuples_sink, value_sink
from fastweb._speedups.pg_wire import WireError
from tests.postgres import backend as b
from tests.speedups.test_pg_session import PREPARED, ROW, SQL, Refusal, Session, prepared

DONE = b.bind_complete() + ROW + b.command_complete("SELECT 1")
READY = b.ready_for_query()
FAILED = b.bind_complete() + ROW + b.error_response()


def read(session: Session, sink: Any = None, args: Any = (5, "five")) -> Operation:
    operation = Operation(session, QUERY, SQL, args, sink or tuples_sink())
    operation.plain_read = True
    session.submit(operation)
    return operation


def quick() -> Session:
    """One that knows its statement, and that it is quick."""
    session = prepared()
    operation = read(session)
    session.feed(DONE + READY)
    assert operation.result() == [(5, "five")]
    session.own_loop.turn()
    session.written.clear()
    return session


def joined(count: int = 16) -> tuple[Session, list[Operation]]:
    """So many reads in one turn: the last of them are units of several."""
    session = quick()
    found = [read(session) for _ in range(count)]
    session.own_loop.turn()
    return session, found


def last_unit() -> tuple[Session, list[Operation]]:
    """The reads of a unit of several that is the last one to be answered."""
    session, found = joined()
    sizes = units(session)
    for size in sizes[:-1]:
        session.feed(DONE * size + READY)
    assert sizes[-1] >= 4
    session.written.clear()
    return session, found[-sizes[-1] :]


def units(session: Session) -> list[int]:
    """How many reads each of the units has that were written."""
    kinds = "".join(session.sent())
    assert set(kinds) <= set("BES")
    return [len(unit) // 2 for unit in kinds.split("S")[:-1]]


def test_a_unit_is_at_most_half_of_what_is_in_flight() -> None:
    session, found = joined(100)
    served = session.served
    sizes = units(session)
    assert sum(sizes) == 100
    before = 0
    for size in sizes:
        assert size <= max(1, min(16, (before + size) // 2))
        before += size
    assert 16 in sizes
    for size in sizes:
        session.feed(DONE * size + READY)
    assert all(each.result() == [(5, "five")] for each in found)
    assert session.served == served + 100
    assert session.is_idle


def test_who_is_alone_or_new_or_no_plain_read_has_a_sync_of_its_own() -> None:
    session = quick()
    for _ in range(8):
        session.ask()
    session.own_loop.turn()
    assert units(session) == [1] * 8

    session = prepared()
    for _ in range(8):
        read(session)
    session.own_loop.turn()
    assert units(session) == [1] * 8, "nobody knows yet whether it is quick"

    session = quick()
    session.pooled = True
    for _ in range(4):
        read(session)
    session.own_loop.turn()
    assert units(session) == [1], "behind a pooler one after the other"


def test_a_slow_unit_is_not_made_again_until_its_statement_is_quick() -> None:
    session, found = joined(16)
    time = [1.0]
    session.own_loop.time = lambda: time[0]  # type: ignore[method-assign]
    sizes = units(session)
    for size in sizes:
        time[0] += 0.02
        session.feed(DONE * size + READY)
    assert all(each.done() for each in found)
    found = [read(session) for _ in range(16)]
    session.own_loop.turn()
    assert units(session) == [1] * 16
    session.feed((DONE + READY) * 16)
    session.written.clear()
    found = [read(session) for _ in range(16)]
    session.own_loop.turn()
    assert max(units(session)) > 1


def test_an_answer_that_is_cut_anywhere_is_whole_at_the_ready_for_query() -> None:
    for size in (1, 7, 40):
        session, found = joined()
        sizes = units(session)
        stream = b"".join(DONE * count + READY for count in sizes)
        for at in range(0, len(stream), size):
            session.feed(stream[at : at + size])
            answered = stream[: at + size].count(READY)
            done = sum(sizes[:answered])
            assert [each.done() for each in found] == [True] * done + [False] * (16 - done)
        assert all(each.result() == [(5, "five")] for each in found)


@pytest.mark.parametrize("place", range(4))
def test_one_failure_is_one_operation_s(place: int) -> None:
    session, rest = last_unit()
    session.feed(DONE * place + FAILED + READY)
    assert isinstance(rest[place].exception(), Refusal)
    others = [each for each in rest if each is not rest[place]]
    assert not any(each.done() for each in others)
    # Those behind were skipped, those before undone: each is asked again with a Sync of its own.
    assert units(session) == [1] * len(others)
    for each in others:
        session.feed(DONE + READY)
        assert each.result() == [(5, "five")]
    assert session.is_idle


def test_where_the_end_of_the_unit_fails_all_are_asked_again() -> None:
    session, rest = last_unit()
    session.feed(DONE * len(rest) + b.error_response(code="40001"))
    assert not any(each.done() for each in rest)
    session.feed(READY)
    assert units(session) == [1] * len(rest)
    session.feed((FAILED + READY) * len(rest))
    assert all(isinstance(each.exception(), Refusal) for each in rest), "once, and no more"
    assert session.is_idle


def test_what_had_come_of_a_unit_that_failed_is_forgotten() -> None:
    session = quick()
    sinks: list[Any] = [records_sink(), tuples_sink(), value_sink(), one_sink(), json_sink(False)]
    before = [read(session) for _ in range(11)]
    found = [read(session, sink) for sink in sinks]
    last = read(session)
    session.own_loop.turn()
    sizes = units(session)
    stream = [DONE] * 16 + [FAILED]
    for size in sizes:
        session.feed(b"".join(stream[:size]) + READY)
        del stream[:size]
    assert isinstance(last.exception(), Refusal)
    assert not any(each.done() for each in found)
    for _ in range(sum(units(session))):
        session.feed(DONE + READY)
    assert all(each.result() == [(5, "five")] for each in before)
    records, tuples, value, one, text = (each.result() for each in found)
    assert [tuple(record) for record in records] == tuples == [(5, "five")]
    assert (value, tuple(one), text) == (5, (5, "five"), b'[{"a":5,"b":"five"}]')


def test_who_does_not_wait_any_more_is_not_asked_for_again() -> None:
    session, rest = last_unit()
    session.shared = True
    rest[0].cancel()
    rest[-1].cancel()
    session.feed(DONE + FAILED + READY)
    assert isinstance(rest[1].exception(), Refusal)
    assert units(session) == [1] * (len(rest) - 3)
    session.feed((DONE + READY) * (len(rest) - 3))
    assert all(each.result() == [(5, "five")] for each in rest[2:-1])
    assert session.is_idle


def test_a_wrong_argument_takes_nobody_s_sync() -> None:
    session = quick()
    found = [read(session, args=(5,) if n == 9 else (5, "five")) for n in range(16)]
    session.own_loop.turn()
    sizes = units(session)
    assert sum(sizes) == 15
    assert isinstance(found.pop(9).exception(), LookupError)
    for size in sizes:
        session.feed(DONE * size + READY)
    assert all(each.result() == [(5, "five")] for each in found)


def test_a_statement_that_is_void_is_prepared_anew_for_all_of_a_unit() -> None:
    session, rest = last_unit()
    session.feed(b.error_response(code="26000") + READY)
    assert session.sent()[0].startswith("PDBES")
    described = PREPARED[: -len(READY)]
    session.feed(described + DONE + READY)
    for _ in rest[1:]:
        session.feed(DONE + READY)
    assert all(each.result() == [(5, "five")] for each in rest)
    assert session.is_idle


def test_who_has_his_rows_but_no_ready_for_query_is_told_of_a_lost_connection() -> None:
    session, rest = last_unit()
    session.feed(DONE * 2)
    session.lose(ConnectionError("lost"))
    assert all(isinstance(each.exception(), ConnectionError) for each in rest)


def test_a_plain_read_that_is_a_query_has_no_statement() -> None:
    session = quick()
    before = read(session)
    query = Operation(session, SIMPLE, "select 1")
    query.plain_read = True
    session.submit(query)
    after = read(session)
    session.own_loop.turn()
    assert session.sent() == ["BES", "QBES"]
    session.feed(DONE + READY)
    session.feed(
        b.row_description([("a", b.INT4)]) + b.data_row([b"1"]) + b.command_complete("SELECT 1") + READY
    )
    session.feed(DONE + READY)
    assert query.result() == "SELECT 1"
    assert before.result() == after.result() == [(5, "five")]


def test_who_has_not_been_told_when_a_program_ends_is_told_by_the_connection_s_end() -> None:
    session, rest = last_unit()

    def stop(_operation: Operation) -> None:
        raise KeyboardInterrupt

    rest[1].result_of = stop
    with pytest.raises(KeyboardInterrupt):
        session.feed(DONE * len(rest) + READY)
    session.lose(ConnectionError("lost"))
    assert rest[0].result() == [(5, "five")]
    assert all(isinstance(each.exception(), ConnectionError) for each in rest[1:])


def test_a_pooler_that_shows_in_a_unit_is_asked_one_after_the_other() -> None:
    session = quick()
    described = PREPARED[: -len(READY)]
    for _ in range(2):
        lost = read(session)
        session.feed(b.error_response(code="26000") + READY)
        session.feed(described + DONE + READY)
        assert lost.result() == [(5, "five")]
    session.own_loop.turn()
    session.written.clear()
    found = [read(session) for _ in range(16)]
    session.own_loop.turn()
    for size in units(session)[:-1]:
        session.feed(DONE * size + READY)
    rest = [each for each in found if not each.done()]
    session.feed(b.error_response(code="26000") + READY)
    assert session.pooled is True
    for _ in rest:
        assert session.sent() == ["PDBES"]
        session.feed(described + DONE + READY)
    assert all(each.result() == [(5, "five")] for each in rest)
    assert session.is_idle


def test_other_columns_void_the_units_behind_them() -> None:
    session = quick()
    session.forget_statements()
    found = [read(session) for _ in range(16)]
    session.own_loop.turn()
    data = b"".join(session.written)
    session.written.clear()
    sizes = [len(unit) // 2 for unit in "".join(chr(each[0]) for each in b.split(data)).split("S")[1:-1]]
    assert max(sizes) > 1
    # XML comes as text, and an int4 does not.
    now = b.parse_complete() + b.parameter_description([b.INT4, b.TEXT])
    now += b.row_description([("a", 142), ("b", b.TEXT)])
    done = b.bind_complete() + b.data_row([b"abcd", b"x"]) + b.command_complete("SELECT 1")
    session.feed(now + done + READY)
    for size in sizes:
        session.feed(done * size + READY)
    assert not any(each.done() for each in found)
    assert "".join(session.sent()) == "CPDS"
    session.feed(b.close_complete() + now + READY)
    assert units(session) == [1] * 16
    for each in found:
        session.feed(done + READY)
        assert each.result() == [("abcd", "x")]
    assert session.is_idle


@pytest.mark.parametrize("said", [READY, DONE + READY, FAILED + DONE, FAILED + b.bind_complete()])
def test_what_breaks_the_protocol(said: bytes) -> None:
    session, _rest = last_unit()
    with pytest.raises(WireError):
        session.feed(said)
