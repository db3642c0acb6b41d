"""A server that breaks the protocol: the client never hangs, never crashes, tells what it was, and closes."""

from __future__ import annotations

import asyncio
import time

import pytest

from fastweb.postgres import Connection, PgPool, connect
from fastweb.postgres.errors import (
    ConnectError,
    ConnectionLostError,
    InterfaceError,
    PostgresError,
    ProtocolError,
)
from tests.postgres.hostile import ROWS, SQL, STAGES, Case, Hostile, hostile
from tests.postgres.hostile_cases import CASES, matrix
from tests.postgres.running import run

#: What the client is given where it has to find out by itself that nothing comes: seconds.
SHORT = 0.15
#: For what must end without a time limit.
LONG = 40.0
#: No case may take longer, whatever the machine does.
BOUND = 30.0

KINDS: dict[str, tuple[type[BaseException], ...]] = {
    "protocol": (ProtocolError,),
    "connect": (ConnectError,),
    "lost": (ConnectionLostError,),
    "server": (PostgresError,),
    "interface": (InterfaceError,),
    "timeout": (TimeoutError,),
    "data": (ValueError,),
}


def kind_of(error: BaseException) -> str:
    for kind, classes in KINDS.items():
        if isinstance(error, classes):
            return kind
    return repr(error)


async def ask(connection: Connection | PgPool, seconds: float) -> str:
    """What becomes of the query."""
    try:
        rows = await connection.fetch(SQL, timeout=seconds)
    except Exception as error:
        return kind_of(error)
    found = [tuple(row) for row in rows]
    return "value" if found == ROWS else repr(found)


async def converse(server: Hostile, seconds: float) -> tuple[str, str]:
    """What becomes of the query, and then of the next."""
    # Whose start-up is good has time for it.
    silent = server.case is not None and server.case.at == "startup"
    try:
        connection = await connect(server.dsn, connect_timeout=seconds if silent else LONG)
    except Exception as error:
        return kind_of(error), ""
    try:
        first = await ask(connection, seconds)
        second = ""
        if first in ("value", "server", "data"):
            second = await ask(connection, LONG)
        if first in ("protocol", "lost"):
            assert connection.is_closed
            # It says so at once, and nothing more is sent.
            second = await ask(connection, LONG)
            assert second in ("lost", "interface", "protocol"), second
    finally:
        await connection.close()
    return first, second


async def everyone_has_left(server: Hostile) -> None:
    end = time.monotonic() + BOUND
    while server.open and time.monotonic() < end:  # noqa: ASYNC110 - it has no event for that
        await asyncio.sleep(0.002)
    assert not server.open, "a connection is still open"


async def play(case: Case) -> str:
    """What is wrong with how the client took it."""
    begin = time.monotonic()
    try:
        async with hostile(case) as server:
            first, second = await converse(
                server, SHORT if "timeout" in case.expect or case.expect == "*" else LONG
            )
            await everyone_has_left(server)
    except AssertionError as error:
        return str(error)
    if time.monotonic() - begin > BOUND:
        return "it took too long"
    if case.expect == "*":
        # Whatever it understands may be a value.
        return "" if first in KINDS or first == "value" or first.startswith("[") else first
    if first not in case.expect.split():
        return f"{first}, not {case.expect}"
    if case.then == "on" and first in ("value", "server", "data") and second != "value":
        return f"{second} after {first}"
    return ""


async def play_all(cases: list[Case]) -> None:
    """Some at a time."""
    wrong = []
    for begin in range(0, len(cases), 16):
        some = cases[begin : begin + 16]
        found = await asyncio.gather(*map(play, some))
        wrong += [f"{case.name}: {trouble}" for case, trouble in zip(some, found, strict=True) if trouble]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("family", CASES)
def test_cases(family: str) -> None:
    run(play_all(CASES[family]))


@pytest.mark.parametrize("at", STAGES)
def test_every_message_in_every_place(at: str) -> None:
    """Whatever it does not expect: an error of ours, in time."""
    run(play_all([case for case in matrix() if case.at == at]))


def test_in_any_pieces() -> None:
    async def main() -> None:
        for piece in (1, 2, 3, 7, 64):
            async with hostile(piece=piece) as server:
                assert await converse(server, LONG) == ("value", "value")

    run(main())


@pytest.mark.parametrize("reset", [False, True])
def test_closed_at_every_byte(reset: bool) -> None:
    """The connection ends at each byte of a good conversation."""
    found: dict[int, str] = {}

    async def one(after: int) -> None:
        async with hostile(close_after=after, reset=reset) as server:
            found[after], _ = await converse(server, LONG)
            await everyone_has_left(server)

    async def main() -> None:
        async with hostile() as server:
            await converse(server, LONG)
        whole = server.sent
        # Most of the start-up's bytes are alike.
        sizes = [*range(1, 40), *range(40, 240, 9), *range(240, whole + 1)]
        for begin in range(0, len(sizes), 16):
            await asyncio.gather(*map(one, sizes[begin : begin + 16]))

    run(main())
    allowed = ("connect", "lost", "value")
    assert {after: kind for after, kind in found.items() if kind not in allowed} == {}
    order = [allowed.index(kind) for _, kind in sorted(found.items())]
    # First it never opens, then it is lost, and at last all is said.
    assert order == sorted(order)
    assert set(order) == {0, 1, 2}


def test_a_huge_announcement_reserves_nothing() -> None:
    """A gigabyte is announced and does not come: what is reserved follows what came."""

    def virtual() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * 4096

    case = next(case for case in CASES["ends"] if case.name == "a huge row announced, and silence")
    grown: list[int] = []

    async def main() -> None:
        async with hostile(case) as server:
            connection = await connect(server.dsn)
            before = virtual()
            asked = asyncio.ensure_future(ask(connection, 0.5))
            await asyncio.sleep(0.25)
            grown.append(virtual() - before)
            assert await asked in ("timeout", "protocol")
            await connection.close()

    run(main())
    assert grown[0] < 100_000_000


async def recover(case: Case) -> str:
    """What is wrong with how a pool goes on when its first connection has met with this."""
    hangs = "timeout" in case.expect or case.expect == "*"
    async with hostile(case, times=1) as server:
        # Two: one may hang until the pool is closed.
        pool = PgPool(server.dsn, min_size=0, max_size=2, connect_timeout=1.0 if hangs else LONG)
        try:
            found = [await ask(pool, SHORT if hangs else LONG)]
            found.append(await ask(pool, LONG))
            end = time.monotonic() + BOUND
            # Where this process, which is the server as well, stood still, no connection was made in time.
            while found[-1] != "value" and time.monotonic() < end:
                await asyncio.sleep(0.01)
                found.append(await ask(pool, LONG))
        finally:
            await pool.close(SHORT)
        await everyone_has_left(server)
    if found[0] not in (*case.expect.split(), "value") or found[-1] != "value":
        return f"{case.name}: {found}"
    return ""


@pytest.mark.parametrize("family", CASES)
def test_a_pool_recovers(family: str) -> None:
    async def main() -> None:
        # A flood keeps this process busy, which is the server as well.
        cases = [case for case in CASES[family] if case.then != "flood"]
        wrong: list[str] = []
        for begin in range(0, len(cases), 16):
            wrong += await asyncio.gather(*map(recover, cases[begin : begin + 16]))
        assert not any(wrong), "\n".join(filter(None, wrong))

    run(main())
