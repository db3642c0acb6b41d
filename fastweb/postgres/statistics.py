"""What a pool has done, and does: numbers for a dashboard, and the words of its errors."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["PoolStatistics"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStatistics:
    """One look at a pool (`PgPool.stats`). Times are seconds; counts are since the pool was made.

    Arguments:
        min_size, max_size: as the pool was made.
        size: connections that are open.
        connecting: connections that are being opened.
        idle: open ones with nothing to do.
        shared: those that plain reads of several tasks are on their way on.
        held: those that one task, or one statement, has for itself.
        in_flight: statements on their way on the shared ones.
        waiting: statements and tasks that wait for a connection.
        reads: statements that shared a connection.
        statements: statements that had one for themselves.
        leases: connections that were borrowed by `acquire`.
        waits: how many of all of these had to wait; wait_time: for how long, all together.
        longest_wait: of the longest of them.
        timeouts: how many waited in vain.
        opened, closed, lost: connections: opened, closed by the pool, ended by somebody else.
        connect_failures: attempts to open one that failed.
        rollbacks: connections that came back with a transaction open.
        resets: connections that came back with something set.
        acquired_per_second: reads, statements and leases a second, on an average since the last look.
    """

    min_size: int
    max_size: int
    size: int
    connecting: int
    idle: int
    shared: int
    held: int
    in_flight: int
    waiting: int
    reads: int
    statements: int
    leases: int
    waits: int
    wait_time: float
    longest_wait: float
    timeouts: int
    opened: int
    closed: int
    lost: int
    connect_failures: int
    rollbacks: int
    resets: int
    acquired_per_second: float

    def as_dict(self) -> dict[str, float]:
        """The same, by name."""
        return asdict(self)
