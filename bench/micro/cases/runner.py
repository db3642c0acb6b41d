"""fastweb/_speedups/runner.py"""

from __future__ import annotations

import asyncio
from typing import Any

from bench.micro.case import Work, case
from fastweb._speedups.runner import Runner


class Stream:
    def ended(self, error: BaseException | None) -> None:
        if error is not None:
            raise error


async def nothing() -> None:
    pass


@case("Runner.run, ends at once", "runner.Runner")
def at_once() -> Work:
    make: Any = Runner
    run = make(asyncio.get_running_loop()).run
    stream = Stream()
    return lambda: run(nothing(), stream), 1
