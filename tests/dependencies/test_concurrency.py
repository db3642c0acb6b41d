"""`Depends(max_concurrency=...)`: how many calls run at once, counted in the calls themselves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any

import pytest

from fastweb import Depends, FastWeb, Request
from fastweb.dependencies.dependant import dependant_of
from fastweb.dependencies.plan import CallPlan
from fastweb.testclient import TestClient


class Gate:
    """Counts who is inside, and lets nobody out before `release`."""

    def __init__(self) -> None:
        self.inside = self.most = 0
        self.lock = threading.Lock()
        self.release = threading.Event()
        self.two = threading.Event()

    def enter(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == 2:
                self.two.set()

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1


def async_function(gate: Gate) -> Callable[[], Any]:
    async def dependency() -> str:
        gate.enter()
        await asyncio.to_thread(gate.release.wait, 60)
        gate.leave()
        return "value"

    return dependency


def function(gate: Gate) -> Callable[[], Any]:
    def dependency() -> str:
        gate.enter()
        gate.release.wait(60)
        gate.leave()
        return "value"

    return dependency


def async_generator(gate: Gate) -> Callable[[], Any]:
    async def dependency() -> AsyncIterator[str]:
        gate.enter()
        yield "value"
        await asyncio.to_thread(gate.release.wait, 60)
        gate.leave()

    return dependency


def generator(gate: Gate) -> Callable[[], Any]:
    def dependency() -> Iterator[str]:
        gate.enter()
        yield "value"
        gate.release.wait(60)
        gate.leave()

    return dependency


@pytest.mark.parametrize("make", [async_function, function, async_generator, generator])
def test_at_most_so_many_at_once(make: Callable[[Gate], Callable[[], Any]]) -> None:
    gate = Gate()

    def endpoint(value: str) -> str:
        return value

    endpoint.__annotations__["value"] = Annotated[str, Depends(make(gate), max_concurrency=2)]

    async def call(plan: CallPlan) -> Any:
        from contextlib import AsyncExitStack

        request = Request({"type": "http", "method": "GET", "path": "/", "headers": []})
        async with AsyncExitStack() as exits:
            return (await plan.solve(request, None, exits, exits)).values["value"]

    async def run() -> Any:
        plan = CallPlan(dependant_of(endpoint, frozenset()), [], frozenset())
        calls = [asyncio.create_task(call(plan)) for _ in range(6)]
        await asyncio.to_thread(gate.two.wait, 60)
        for _ in range(50):
            await asyncio.sleep(0)
        gate.release.set()
        return await asyncio.gather(*calls)

    assert asyncio.run(run()) == ["value"] * 6
    assert (gate.most, gate.inside) == (2, 0)


def test_what_stands_in_is_bounded_too() -> None:
    gate = Gate()
    gate.release.set()
    original, other = async_function(Gate()), async_function(gate)
    app = FastWeb()

    def endpoint(value: str) -> str:
        return value

    endpoint.__annotations__["value"] = Annotated[str, Depends(original, max_concurrency=1)]
    app.get("/")(endpoint)
    app.dependency_overrides[original] = other
    assert TestClient(app).get("/").json() == "value"
    assert gate.most == 1


def test_an_error_comes_through() -> None:
    closed: list[str] = []

    async def dependency() -> AsyncIterator[str]:
        try:
            yield "value"
        except ValueError as error:
            closed.append(str(error))
            raise

    def endpoint(value: str) -> None:
        raise ValueError("of the endpoint")

    endpoint.__annotations__["value"] = Annotated[str, Depends(dependency, max_concurrency=1)]
    app = FastWeb()
    app.get("/")(endpoint)
    client = TestClient(app, raise_server_exceptions=False)
    assert [client.get("/").status_code for _ in range(3)] == [500] * 3
    assert closed == ["of the endpoint"] * 3
