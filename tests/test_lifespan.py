from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from fastweb.lifespan import event_context, lifespan_context

seen: list[Any] = []


async def bare(app: Any) -> AsyncIterator[str]:
    seen.append(app)
    yield "state"
    seen.append("end")


def bare_plain(app: Any) -> Iterator[str]:
    seen.append(app)
    yield "state"
    seen.append("end")


class Context:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __aenter__(self) -> str:
        seen.append(self.app)
        return "state"

    async def __aexit__(self, *error: object) -> None:
        seen.append("end")


@pytest.mark.parametrize("lifespan", [bare, bare_plain, contextlib.asynccontextmanager(bare), Context])
def test_lifespans(lifespan: Any) -> None:
    async def main() -> None:
        async with lifespan_context(lifespan, "app") as state:
            seen.append(state)

    del seen[:]
    anyio.run(main)
    assert seen == ["app", "state", "end"]


def test_events() -> None:
    async def waiting() -> None:
        seen.append("async")

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with event_context(
                [lambda: seen.append("up"), waiting], [waiting, lambda: seen.append("down")]
            ):
                seen.append("in")
                raise ZeroDivisionError

    del seen[:]
    anyio.run(main)
    assert seen == ["up", "async", "in", "async", "down"]


def test_what_did_not_start_is_not_ended() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with event_context([lambda: 1 // 0], [lambda: seen.append("down")]):
                pass

    del seen[:]
    anyio.run(main)
    assert seen == []
