"""Batches whose rows go in groups: what is written, what is waited for, and what a hostile server may say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fastweb._speedups.pg_batch import NotYet
from fastweb._speedups.pg_operation import BATCH, Operation
from fastweb._speedups.pg_wire import WireError
from fastweb.postgres.groups import insert_of
from tests.postgres import backend as b
from tests.speedups.test_pg_session import Refusal, Session

SQL = "insert into t values ($1, $2)"
DESCRIBED = b.parse_complete() + b.parameter_description([b.INT4, b.TEXT]) + b.no_data()
DONE = b.bind_complete() + b.command_complete("INSERT 0 1")
GROUP = b.bind_complete() + b.command_complete("INSERT 0 32")
READY = b.ready_for_query()


def answer(text: bytes | None = b"t") -> bytes:
    return b.bind_complete() + b.data_row([text]) + b.command_complete("SELECT 1")


def rows(count: int) -> list[tuple[int, str]]:
    return [(number, "x") for number in range(count)]


class Batches(Session):
    """One whose tables are asked."""

    goes_on = 0

    def insert_of(self, sql: str) -> Any:
        return insert_of(sql)

    def batch_goes_on(self) -> None:
        self.goes_on += 1

    def many(self, args: Any, sql: str = SQL) -> Operation:
        operation = Operation(self, BATCH, sql, args, result_of=lambda _: "done")
        self.submit(operation)
        return operation

    def turns(self) -> str:
        """What is written, as far as it goes."""
        sent = ""
        for _ in range(20):
            self.own_loop.turn()
        while self.written:
            sent += "".join(self.sent())
        return sent


def warm(answered: bytes = b"t", **options: Any) -> Batches:
    """A session that has asked once."""
    session = Batches(**options)
    session.begin()
    operation = session.many(rows(2200))
    session.feed(DESCRIBED + READY)
    sent = session.turns()
    assert sent == "PDS" + "BE" * 2000 + "PBEH" + "BE" * 24
    groups = answered == b"t"
    session.feed(DONE * 2000 + b.parse_complete() + answer(answered))
    sent = session.turns()
    assert sent == ("P" + "BE" * 5 + "BE" * 16 if groups else "BE" * 176) + "S"
    session.feed(DONE * 24)
    session.feed(b.parse_complete() + GROUP * 5 + DONE * 16 if groups else DONE * 176)
    assert not operation.done()
    session.feed(READY)
    assert operation.result() == "done"
    assert session.is_idle
    assert session.goes_on == 1
    return session


def test_who_knows_the_table_does_not_wait() -> None:
    session = warm()
    operation = session.many(rows(200))
    assert session.turns() == "BE" + "BE" + "BE" * 6 + "BE" * 7 + "S"
    session.feed(DONE + answer() + GROUP * 6 + DONE * 7 + READY)
    assert operation.result() == "done"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("unnamed portal parameter $63 = '$5'", "unnamed portal parameter $1 = '$5'"),
        ("unnamed portal parameter $64 = 'a''b\n$63'", "unnamed portal parameter $2 = 'a''b\n$63'"),
        ("JSON data, line 1: $63\nParameter $64: x", "JSON data, line 1: $63\nParameter $2: x"),
        ("function f(integer)\nis called with $64", "function f(integer)\nis called with $2"),
        ("$63\nnothing of it", "$63\nnothing of it"),
        ("costs $123456", "costs $123456"),
        ("\n", "\n"),
    ],
)
def test_a_parameter_of_a_group_is_named_as_its_row_s(where: str, expected: str) -> None:
    session = warm()
    operation = session.many(rows(200))
    session.turns()
    session.feed(DONE + answer() + b.bind_complete() + b.error_response("22P02", W=where) + READY)
    error = operation.exception()
    assert isinstance(error, Refusal)
    assert error.where == expected


def test_rows_that_can_be_read_once_wait() -> None:
    session = warm()
    operation = session.many([iter(row) for row in rows(200)])
    assert session.turns() == "BE" + "BEH" + "BE" * 24
    session.feed(DONE + answer())
    assert session.turns() == "BE" * 5 + "BE" * 15 + "S"
    session.feed(DONE * 24 + GROUP * 5 + DONE * 15 + READY)
    assert operation.result() == "done"


def test_small_batches_do_not_ask() -> None:
    session = warm()
    operation = session.many(rows(127))
    assert session.turns() == "BE" * 127 + "S"
    session.feed(DONE * 127 + READY)
    assert operation.result() == "done"


def test_a_no_is_kept() -> None:
    session = warm(b"f")
    operation = session.many(rows(200))
    assert session.turns() == "BE" * 200 + "S"
    session.feed(DONE * 200 + READY)
    assert operation.result() == "done"


def test_a_no_to_who_did_not_wait() -> None:
    session = warm()
    operation = session.many(rows(200))
    session.turns()
    session.feed(DONE + b.bind_complete() + b.error_response("22012") + READY)
    # The group's statement is closed.
    assert session.turns() == "C" + "BE" * 200 + "S"
    session.feed(b.close_complete() + DONE * 200 + READY)
    assert operation.result() == "done"
    assert session.is_idle
    session.many(rows(200))
    assert session.turns() == "BE" * 200 + "S"


@pytest.mark.parametrize("code", ["42501", "0A000"])
def test_a_server_that_does_not_understand(code: str) -> None:
    session = Batches()
    session.begin()
    operation = session.many(rows(2200))
    session.feed(DESCRIBED + READY)
    session.turns()
    session.feed(DONE * 2000 + b.error_response(code))
    assert session.turns() == "S"
    session.feed(READY)
    assert session.turns() == "BE" * 2200 + "S"
    session.feed(DONE * 2200 + READY)
    assert operation.result() == "done"
    operation = session.many(rows(200), "insert into other values ($1, $2)")
    session.feed(DESCRIBED + READY)
    assert session.turns() == "PDS" + "BE" * 200 + "S"


def test_in_a_transaction_it_waits() -> None:
    session = warm()
    session.ask("begin", 1, ())
    session.turns()
    session.feed(b.command_complete("BEGIN") + b.ready_for_query(b"T"))
    operation = session.many(rows(200))
    assert session.turns() == "BE" + "BEH" + "BE" * 24
    session.feed(DONE * 1 + answer())
    assert session.turns() == "BE" * 5 + "BE" * 15 + "S"
    session.feed(DONE * 24 + GROUP * 5 + DONE * 15 + b.ready_for_query(b"T"))
    assert operation.result() == "done"


def test_an_iterator_waits() -> None:
    session = warm()
    operation = session.many(iter(rows(200)))
    assert session.turns() == "BE" * 64 + "BEH" + "BE" * 24
    assert session.is_asking
    session.feed(DONE * 64 + answer() + DONE * 24)
    assert not session.is_asking
    assert session.turns() == "BE" * 3 + "BE" * 16 + "S"
    session.feed(GROUP * 3 + DONE * 16 + READY)
    assert operation.result() == "done"


def test_rows_that_have_not_come_yet() -> None:
    class Source:
        """Rows that come when they are let."""

        def __init__(self) -> None:
            self.left = rows(200)
            self.may = 0

        def __iter__(self) -> Iterator[Any]:
            return self

        def __next__(self) -> Any:
            if not self.left:
                raise StopIteration
            if not self.may:
                raise NotYet
            self.may -= 1
            return self.left.pop(0)

    session = warm()
    source = Source()
    operation = session.many(source)
    sent = ""
    for may, answered in ((64, b""), (0, DONE * 64), (3, answer()), (31, b""), (1, DONE * 3), (200, b"")):
        source.may = may
        session.feed_batch()
        session.feed_batch()
        session.flush()
        sent += session.turns()
        session.feed(answered)
    sent += session.turns()
    assert sent == "BE" * 64 + "BEH" + "BE" * 3 + "BE" * 4 + "BE" * 5 + "S"
    session.feed(GROUP * 4 + DONE * 5 + READY)
    assert operation.result() == "done"


def test_a_failure_while_it_waits() -> None:
    session = warm()
    operation = session.many(iter(rows(200)))
    session.turns()
    session.feed(DONE * 3 + b.error_response("23505"))
    assert session.turns() == "S"
    assert session.goes_on == 2
    session.feed(READY)
    assert getattr(operation.exception(), "sqlstate", None) == "23505"
    assert session.is_idle
    # The question was skipped; its statement was there before.
    again = session.many(rows(200))
    assert session.turns() == "BE" * 15 + "S"
    session.feed(DONE + answer() + GROUP * 6 + DONE * 7 + READY)
    assert again.result() == "done"


def test_a_parse_that_was_skipped_is_written_again() -> None:
    session = Batches()
    session.begin()
    operation = session.many(rows(2200))
    session.feed(DESCRIBED + READY)
    session.turns()
    session.feed(DONE * 2000 + b.parse_complete() + answer())
    session.turns()
    session.feed(DONE * 23 + b.error_response("23505") + READY)
    assert operation.done()
    again = session.many(rows(200))
    assert session.turns() == "BE" + "BEH" + "BE" * 24
    session.feed(DONE + answer())
    assert session.turns() == "P" + "BE" * 5 + "BE" * 15 + "S"
    session.feed(DONE * 24 + b.parse_complete() + GROUP * 5 + DONE * 15 + READY)
    assert again.result() == "done"


def test_all_rows_are_done_when_the_answer_comes() -> None:
    session = warm()
    operation = session.many(iter(rows(64)))
    # There is none behind it; who has no length has asked all the same.
    assert session.turns() == "BE" * 64 + "BEH" + "S"
    session.feed(DONE * 64)
    session.feed(answer() + READY)
    assert operation.result() == "done"
    assert session.is_idle


def test_nobody_waits_any_more() -> None:
    session = warm()
    operation = session.many(iter(rows(200)))
    session.turns()
    operation.cancel()
    session.feed(DONE * 64 + answer())
    assert session.turns() == "ES"
    session.feed(DONE * 24 + b.error_response("34000") + READY)
    assert operation.cancelled()
    assert session.is_idle


def test_the_connection_ends_while_it_waits() -> None:
    session = warm()
    operation = session.many(iter(rows(200)))
    session.turns()
    session.lose(ConnectionError("gone"))
    assert isinstance(operation.exception(), ConnectionError)
    assert not session.is_asking


def test_the_server_goes_down_amid_the_answer() -> None:
    session = warm()
    operation = session.many(iter(rows(200)))
    session.turns()
    session.feed(DONE * 64 + b.bind_complete() + b.error_response("57P01", severity="FATAL"))
    assert getattr(operation.exception(), "sqlstate", None) == "57P01"


def test_a_text_of_the_users_own() -> None:
    """Who writes a group's text himself has a statement of that name; it stays his."""
    session = warm()
    insert = insert_of(SQL)
    assert insert is not None
    group = insert.group(32)
    session.forget(group)
    operation = session.ask(group, args=tuple(rows(32)[0]) * 32)
    session.turns()
    described = b.parse_complete() + b.parameter_description([b.INT4, b.TEXT] * 32) + b.no_data() + READY
    session.feed(b.close_complete() + described)
    session.turns()
    session.feed(GROUP + READY)
    assert operation.done()
    again = session.many(rows(200))
    assert session.turns() == "BE" + "BEH" + "BE" * 24
    session.feed(DONE + answer())
    assert session.turns() == "BE" * 175 + "S"
    session.feed(DONE * 199 + READY)
    assert again.result() == "done"


@pytest.mark.parametrize(
    "options", [{"cache_size": 4}, {"cache_size": 0}], ids=["few statements", "no statements"]
)
def test_no_room_for_a_groups_statement(options: dict[str, Any]) -> None:
    session = Batches(**options)
    session.begin()
    session.many(rows(2200))
    session.feed(DESCRIBED + READY)
    assert session.turns().endswith("BE" * 2200 + "S")


WRONG = {
    "a row of two": (
        64,
        b.bind_complete() + b.data_row([b"t", b"t"]) * 2 + b.command_complete("SELECT 2"),
        False,
    ),
    "no row": (64, b.bind_complete() + b.command_complete("SELECT 0"), False),
    "NULL": (64, answer(None), False),
    "the row before the question's answer": (63, answer(), True),
    "no BindComplete": (64, b.data_row([b"t"]), True),
    "ready": (64, READY, True),
    "ParseComplete for no Parse": (64, b.parse_complete(), True),
    "an empty query": (64, b.bind_complete() + b.empty_query_response(), True),
    "a portal suspended": (64, b.bind_complete() + b.portal_suspended(), True),
    "a row cut": (64, b.bind_complete() + b.message(b"D", b"\x00\x01\x00\x00\x00\x09a"), True),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_hostile_answer(what: str) -> None:
    done, data, breaks = WRONG[what]
    session = warm()
    operation = session.many(iter(rows(200)))
    session.turns()
    session.feed(DONE * done)
    if breaks:
        with pytest.raises(WireError):
            session.feed(data)
        return
    session.feed(data)
    assert session.turns() == "BE" * (200 - 64 - 24) + "S"
    session.feed(DONE * 136 + READY)
    assert operation.result() == "done"
