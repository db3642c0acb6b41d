"""COPY and cursors against a real server: what arrives is what was given, and what ends
it early leaves a good connection."""

from __future__ import annotations

import asyncio
import datetime
import io
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvloop

from fastweb.postgres import Rollback
from fastweb.postgres.connection import Connection, connect
from fastweb.postgres.errors import (
    BadCopyFileFormatError,
    DatatypeMismatchError,
    DivisionByZeroError,
    InterfaceError,
    InvalidTextRepresentationError,
    QueryCanceledError,
    UndefinedTableError,
    UniqueViolationError,
)
from tests.postgres.running import run
from tests.postgres.servers import Postgres

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
TABLE = """
CREATE TEMPORARY TABLE t (id int PRIMARY KEY, name text, twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TEMPORARY TABLE "Odd ""name"" x" ("a b" int);
CREATE TEMPORARY TABLE v (a bool, b int8, c float8, d numeric, e text, f bytea, g uuid, h timestamptz,
    i jsonb, j int[])
"""
VALUES = [
    (
        *(True, -(2**63), 1.5, Decimal("1.10"), "a\t\\N\n\r,\"'é😀", b"\x00\xff\\", uuid.UUID(int=5)),
        *(datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC), {"a": [1, "\\", None]}, [1, None, 3]),
    ),
    (False, 2**63 - 1, -0.0, Decimal("NaN"), "", b"", uuid.UUID(int=0), None, {}, []),
    (None,) * 10,
]


@pytest.fixture(params=list(LOOPS))
def on(request: pytest.FixtureRequest, postgres: Postgres) -> Callable[..., Any]:
    def runs(main: Callable[[Connection], Coroutine[Any, Any, Any]]) -> Any:
        async def whole() -> Any:
            async with await connect(postgres.dsn) as connection:
                await connection.execute(TABLE)
                return await main(connection)

        return run(whole(), loop_factory=LOOPS[request.param])

    return runs


async def later(items: Any) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item


class Slow:
    """A file whose read and write are coroutines."""

    def __init__(self, data: bytes = b"") -> None:
        self.file = io.BytesIO(data)

    async def read(self, size: int) -> bytes:
        return self.file.read(min(size, 3))

    async def write(self, data: bytes) -> None:
        self.file.write(data)


def test_values(on: Any) -> None:
    async def main(connection: Connection) -> None:
        for how in ("binary", "text", "csv"):
            await connection.execute("TRUNCATE v")
            for rows in (VALUES, iter(VALUES), later(VALUES)):
                assert await connection.copy_in("v", rows, format=how) == 3
            found = [tuple(row) for row in await connection.fetch("SELECT * FROM v")]
            assert repr(found) == repr(VALUES * 3)
            async with connection.copy_out("v").rows() as copied:
                assert repr([row async for row in copied]) == repr(VALUES * 3)
            for text in ("text", "csv"):
                async with connection.copy_out("v", format=text).rows() as copied:
                    names = [row[4] async for row in copied]
                assert names == [row[4] for row in VALUES] * 3

    on(main)


def test_sources_of_bytes(on: Any, tmp_path: Path) -> None:
    data = b"".join(b"%d\tname\n" % place for place in range(50_000))
    path = tmp_path / "data"
    path.write_bytes(data)

    async def main(connection: Connection) -> None:
        with path.open("rb") as file, path.open() as text:
            sources: list[Any] = [data, bytearray(data), memoryview(data), path, file, text, io.BytesIO(data)]
            sources += [
                [data[:7], data[7:]],
                iter([data]),
                later([data[:7], data[7:].decode()]),
                Slow(data[:889]),
            ]
            for source in sources:
                count = await connection.copy_in("t", source, columns=["id", "name"])
                assert count == await connection.fetch_value("SELECT count(*) FROM t") > 0
                await connection.execute("TRUNCATE t")
        assert await connection.copy_in("t", []) == 0
        assert await connection.copy_in("t", b"") == 0
        assert await connection.copy_in("COPY t (id) FROM STDIN (FORMAT csv)", b"5\n") == 1
        with pytest.raises(InterfaceError, match="a str may be"):
            await connection.copy_in("t", "5\n")
        with pytest.raises(TypeError, match="expected bytes, a path"):
            await connection.copy_in("t", 5)

    on(main)


def test_targets(on: Any, tmp_path: Path) -> None:
    async def main(connection: Connection) -> None:
        await connection.copy_in("t", [(place, "é" * 50) for place in range(5000)], columns=["id", "name"])
        whole = await connection.copy_out("t", columns=["id", "name"])
        assert whole.count(b"\n") == 5000
        path = tmp_path / "out"
        pieces: list[bytes] = []
        slow = Slow()

        async def take(data: bytes) -> None:
            pieces.append(data)

        text = io.StringIO()
        for target in (path, slow, pieces.append, take, text):
            assert await connection.copy_out("t", target, columns=["id", "name"]) == 5000
        assert path.read_bytes() == slow.file.getvalue() == text.getvalue().encode() == whole
        assert b"".join(pieces) == whole * 2
        query = "SELECT id, $1::text, '$1' FROM t WHERE id < $2 /* $3 */ -- '"
        assert await connection.copy_out(query, args=["a'\\", 1]) == b"0\ta'\\\\\t$1\n"
        assert await connection.copy_out(('Odd "name" x',), header=True, format="csv") == b"a b\n"

    on(main)


def test_rows_of_dicts_and_names(on: Any) -> None:
    async def main(connection: Connection) -> None:
        await connection.copy_in("t", [{"name": "a", "id": 1}, {"id": 2, "name": "b"}])
        await connection.copy_in("t", [(3,), [4]], columns=["id"])
        await connection.copy_in(('Odd "name" x',), [(7,)], columns=["a b"])
        assert [
            tuple(row) for row in await connection.fetch("SELECT id, name, twice FROM t ORDER BY id")
        ] == [*((1, "a", 2), (2, "b", 4), (3, None, 6), (4, None, 8))]
        assert await connection.fetch_value('SELECT "a b" FROM "Odd ""name"" x"') == 7

    on(main)


@pytest.mark.parametrize("format_", ["binary", "text", "csv"])
@pytest.mark.parametrize("wrap", [list, iter, later])
def test_dicts_that_have_other_keys(on: Any, format_: Any, wrap: Any) -> None:
    async def main(connection: Connection) -> None:
        one = {"id": 1, "name": "a"}
        columns = ["id", "name"]
        cases: list[tuple[type[Exception], list[Any], Any, str]] = [
            (ValueError, [one, {"id": 2}], None, r"column 'name': expected id, name, got id; NULL is None"),
            (ValueError, [one, {"id": 2, "Name": "b"}], None, r"column 'name': expected id, name, got id, N"),
            (ValueError, [one, {}], None, r"column 'id': expected id, name, got none"),
            (ValueError, [{"id": 1}, one], None, r"that the first row has not: name; it has id; say `col"),
            (ValueError, [{"id": 1}, one], columns, r"column 'name': expected id, name, got id"),
            (TypeError, [one, (2, "b")], None, r"expected a dict, as the first row is one, got tuple"),
            (TypeError, [(2, "b"), one], columns, r"expected a sequence of values, as the first .* got dict"),
        ]
        for error, rows, names, words in cases:
            with pytest.raises(error, match=words) as caught:
                await connection.copy_in("t", wrap(rows), columns=names, format=format_)
            row = 1 if rows[0] == {"id": 1} and names else 2
            assert f"in row {row} of what was to be copied" in caught.value.__notes__
            assert await connection.fetch_value("SELECT count(*) FROM t") == 0
        # Others are left out where the columns are said, and what a dict has by default is there.
        rows = [defaultdict(lambda: "x", id=1), OrderedDict(id=2, name="b", more=3)]
        assert await connection.copy_in("t", wrap(rows), columns=columns, format=format_) == 2
        assert await connection.fetch(tuple, "SELECT id, name FROM t ORDER BY id") == [(1, "x"), (2, "b")]

    on(main)


@pytest.mark.parametrize("wrap", [list, iter, later])
def test_rows_of_no_values(on: Any, wrap: Any) -> None:
    async def main(connection: Connection) -> None:
        for row in (7, object()):
            kind = type(row).__name__
            with pytest.raises(
                TypeError, match=f"^a row that is copied is a tuple, a list or a dict, not {kind}$"
            ):
                await connection.copy_in("t", wrap([row]))
        assert await connection.fetch_value("SELECT count(*) FROM t") == 0

    on(main)


@pytest.mark.parametrize("format_", ["binary", "text", "csv"])
@pytest.mark.parametrize("row", ["1b", {1, "b"}, frozenset((1, "b"))])
def test_rows_whose_values_have_no_order(on: Any, format_: Any, row: Any) -> None:
    """Nor is a text the list of its characters; where it is the first, it is a piece of what is copied."""

    async def main(connection: Connection) -> None:
        for rows in ([(2, "b"), row], [row])[: 1 if row == "1b" else 2]:
            with pytest.raises(
                TypeError, match=f"expected a sequence of values, got {type(row).__name__}"
            ) as caught:
                await connection.copy_in("t", rows, format=format_)
            assert f"in row {len(rows)} of what was to be copied" in caught.value.__notes__
        assert await connection.fetch_value("SELECT count(*) FROM t") == 0

    on(main)


def bad(count: int) -> Iterator[tuple[int, str]]:
    for place in range(count):
        yield place, "x" * 100
    raise KeyError("source")


def refuse(data: bytes) -> None:
    raise KeyError("target")


def test_what_fails(on: Any) -> None:
    async def main(connection: Connection) -> None:
        many = [(place % 49_000, "x" * 50) for place in range(50_000)]
        cases: list[tuple[type[Exception], Any, dict[str, Any]]] = [
            (KeyError, bad(10), {}),
            (KeyError, bad(20_000), {}),
            (KeyError, later(bad(10_000)), {}),
            (TypeError, [(1, "a"), ("b", "c")], {}),
            (ValueError, [(1, "a"), (2,)], {}),
            (UniqueViolationError, many, {}),
            (UniqueViolationError, later(many), {}),
            (InvalidTextRepresentationError, b"a\tb\n", {}),
            (BadCopyFileFormatError, b"1\n", {}),
            (InterfaceError, [(1, "a")], {"encoding": "latin1"}),
        ]
        for error, source, options in cases:
            with pytest.raises(error):
                await connection.copy_in("t", source, columns=["id", "name"], **options)
            assert await connection.fetch_value("SELECT count(*) FROM t") == 0
        with pytest.raises(ValueError, match="expected 2 values") as caught:
            await connection.copy_in("t", [(1, "a"), (2,)], columns=["id", "name"])
        assert "in row 2 of what was to be copied" in caught.value.__notes__
        for rows in ([(1,)], b"1\n"):
            with pytest.raises(UndefinedTableError):
                await connection.copy_in("nowhere", rows)
        with pytest.raises(DivisionByZeroError):
            await connection.copy_out("SELECT 1 / (5000 - i) FROM generate_series(1, 9000) i")
        with pytest.raises(KeyError):
            await connection.copy_out("SELECT generate_series(1, 99999)", refuse)
        assert await connection.fetch_value("SELECT 1") == 1

    on(main)


def test_rows_of_a_type_that_was_altered(on: Any) -> None:
    """It is an error once."""

    async def main(connection: Connection) -> None:
        await connection.execute("create type turn as (a int); create table turns (t turn)")
        try:
            assert await connection.copy_in("turns", [((1,),)]) == 1
            await connection.execute("alter type turn add attribute b text")
            with pytest.raises(ValueError, match="expected 1 values for turn, got 2"):
                await connection.copy_in("turns", [((2, "x"),)])
            assert await connection.copy_in("turns", [((2, "x"),)]) == 1
            await connection.execute("alter type turn drop attribute b")
            with pytest.raises(DatatypeMismatchError):
                await connection.copy_in("turns", [((3, "y"),)])
            assert await connection.copy_in("turns", [((3,),)]) == 1
            assert await connection.fetch("select (t).a from turns") == [(1,), (2,), (3,)]
        finally:
            await connection.execute("drop table turns; drop type turn")

    on(main)


def test_left_before_the_end(on: Any) -> None:
    async def main(connection: Connection) -> None:
        query = "SELECT i, repeat('x', 1000) FROM generate_series(1, 200000) i"
        for _ in range(3):
            async with connection.copy_out(query) as pieces:
                async for piece in pieces:
                    assert piece.startswith(b"1\t")
                    # More than may wait, so that reading stops.
                    await asyncio.sleep(0.02)
                    break
            assert await connection.fetch_value("SELECT 1") == 1
        with pytest.raises(TimeoutError):
            await connection.copy_out(query, lambda _: asyncio.sleep(0.05), timeout=0.1)
        assert await connection.fetch_value("SELECT 1") == 1

    on(main)


def test_cancelled_at_every_turn(on: Any) -> None:
    async def main(connection: Connection) -> None:
        rows = [(place, "x" * 100) for place in range(4000)]

        async def block() -> None:
            await connection.copy_in("t", rows, columns=["id", "name"])

        async def out() -> None:
            await connection.copy_out("SELECT generate_series(1, 30000)")

        for what in (block, out):
            step = idle = 0
            while idle < 2:
                task = asyncio.ensure_future(what())
                for _ in range(step):
                    await asyncio.sleep(0)
                    if task.done():
                        break
                idle += task.done()
                task.cancel()
                await asyncio.wait([task])
                assert await connection.fetch_value("SELECT count(*) FROM t") in (0, 4000)
                await connection.execute("TRUNCATE t")
                step += 1 + step // 4
            assert step > 3

    on(main)


def test_others_wait_for_a_copy(on: Any) -> None:
    async def main(connection: Connection) -> None:
        copying = asyncio.ensure_future(
            connection.copy_in("t", later([(place, "a") for place in range(100)]), columns=["id", "name"])
        )
        await asyncio.sleep(0.01)
        counts = await asyncio.gather(*(connection.fetch_value("SELECT count(*) FROM t") for _ in range(3)))
        assert await copying == 100
        assert counts == [100] * 3 or counts == [0] * 3

    on(main)


# --- Cursors ---


def test_cursor(on: Any) -> None:
    async def main(connection: Connection) -> None:
        with pytest.raises(InterfaceError, match="lives in a transaction"):
            await anext(connection.iterate("SELECT 1"))
        for prefetch in (0, -1, True, 2**31):
            with pytest.raises(InterfaceError, match="above zero"):
                connection.iterate("SELECT 1", prefetch=prefetch)
        async with connection.transaction():
            for prefetch in (1, 3, 10, 11):
                found = [
                    row[0]
                    async for row in connection.iterate(
                        "SELECT generate_series(1, $1)", 10, prefetch=prefetch
                    )
                ]
                assert found == list(range(1, 11))
            async with connection.iterate("SELECT generate_series(1, 10)") as cursor:
                assert [row[0] for row in await cursor.fetch(2)] == [1, 2]
                assert await cursor.forward(3) == 3
                assert (await cursor.fetch_one() or [0])[0] == 6
                assert await cursor.forward(10) == 4
                assert await cursor.fetch(5) == []
            async with connection.iterate("SELECT generate_series(1, 10)") as cursor:
                assert await cursor.forward(4) == 4
                portals = await connection.fetch_value("SELECT count(*) FROM pg_cursors")
            assert await connection.fetch_value("SELECT count(*) FROM pg_cursors") == portals - 1
            async for row in connection.iterate(tuple, "SELECT 1, 'a'"):
                assert row == (1, "a")
            with pytest.raises(DivisionByZeroError):
                async with connection.transaction():
                    async for _ in connection.iterate(
                        "SELECT 1 / (5 - i) FROM generate_series(1, 9) i", prefetch=2
                    ):
                        pass
        assert await connection.fetch_value("SELECT 1") == 1

    on(main)


def test_a_cursor_is_asked_by_one_at_a_time(on: Any) -> None:
    async def main(connection: Connection) -> None:
        sql = "SELECT generate_series(1, 10)"
        async with connection.transaction():
            async with connection.iterate(sql) as cursor:
                # None before the portal is there, and none when it is.
                for expected in ([(1,), (2,)], [(3,), (4,)]):
                    answers = await asyncio.gather(cursor.fetch(2), cursor.fetch(2), return_exceptions=True)
                    assert isinstance(answers[0], list)
                    assert [tuple(row) for row in answers[0]] == expected
                    assert isinstance(answers[1], InterfaceError)
                assert await cursor.fetch(1) == [(5,)]
                task = asyncio.ensure_future(cursor.fetch(1))
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                # A row may be lost, so that there is no next one.
                with pytest.raises(InterfaceError, match="make another"):
                    await cursor.fetch(1)
            raise Rollback
        async with connection.transaction():
            cursor = connection.iterate("SELECT $1::int", "x")
            with pytest.raises(TypeError, match=r"\$1"):
                await cursor.fetch(1)
            with pytest.raises(InterfaceError, match="make another"):
                await cursor.fetch(1)
        assert await connection.fetch_value("SELECT 1") == 1

    on(main)


def test_texts_that_are_not_one_copy(on: Any) -> None:
    """They end, whatever the server says to them, and leave a good connection."""

    async def main(connection: Connection) -> None:
        out, into = "COPY (SELECT 1) TO STDOUT", "COPY v (b) FROM STDIN"
        for sql, error, words in (
            (f"{out}; SELECT 1", ValueError, "rows beside"),
            (into, ValueError, "copy_out is of COPY … TO STDOUT"),
            (f"{out}; {into}", QueryCanceledError, "takes data"),
            (f"COPY v TO PROGRAM 'cat >&2'; SELECT 1; {into}", ValueError, "rows beside"),
        ):
            with pytest.raises(error, match=words):
                await connection.copy_out(sql)
            assert await connection.fetch_value("SELECT 1") == 1
        assert await connection.copy_out(f"{out}; {out}") == b"1\n1\n"
        for sql, error, words in (
            (f"{into}; SELECT 1", ValueError, "rows beside"),
            (out, ValueError, "copy_in is of COPY … FROM STDIN"),
            (f"{into}; {into}", QueryCanceledError, "takes data"),
        ):
            for data in (b"1\n", [b"1\n"] * 2):
                with pytest.raises(error, match=words):
                    await connection.copy_in(sql, data)
                assert await connection.fetch_value("SELECT 1") == 1

    on(main)
