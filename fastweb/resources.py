"""What opens and closes with the app: pools and caches say so themselves, when they are made.

    PgPool(...)           -> resources.register(pool)
    the app's start-up    -> pool.open_with_app(), those made first before the others
    the first use         -> the same, where there was no start-up
    opened, on some loop  -> resources.opened(pool), by the pool itself, whichever it was
    the app's shut-down   -> pool.close_with_app(), for all that was opened on this loop, the last one first

Nothing is held alive: a resource that nobody has any more is out of the list. What a template process
registers, nobody has opened there, so each worker that is forked from it opens its own.

An app's lifespan stands within: it may use what is opened, at start-up and at shut-down. What it makes itself
at start-up is opened when it is ready.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

__all__ = ["Resource", "ResourceError", "Resources", "resources"]


class Resource(Protocol):
    """What can be registered. It must be weakly referable."""

    async def open_with_app(self) -> None:
        """Open what is to be open before the first request: nothing, where that is open, or opens lazily.

        Raises:
            Exception: it cannot be; the app then does not start.
        """

    async def close_with_app(self) -> None:
        """Close everything. It may be opened, or used, again: tests start an app up many times."""


class ResourceError(RuntimeError):
    """A resource could not be opened; all of it is said in one line, and nobody needs a traceback."""


class Resources:
    """The resources of a process, and on which event loop each of them was opened."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._registered: list[weakref.ref[Any]] = []
        #: In the order in which they were opened.
        self._opened: list[tuple[weakref.ref[Any], weakref.ref[Any]]] = []
        #: The loops of the apps that are up, the last one last.
        self._loops: list[Any] = []

    def after_fork(self) -> None:
        """Forget in a child what its parent had opened."""
        self._opened = []
        self._loops = []

    def register(self, resource: Resource) -> None:
        """Have a resource opened and closed with the app. From any thread."""
        # Not `list.remove` as the callback, which would compare, and call the `__eq__` of others.
        reference = weakref.ref(resource, self._forget)
        self._registered.append(reference)

    def opened(self, resource: Resource) -> None:
        """Note that a resource was opened on the running loop, however that came."""
        self.closed(resource)
        self._opened.append((weakref.ref(resource), weakref.ref(_running_loop())))

    def closed(self, resource: Resource) -> None:
        """Note that a resource is closed, by whomever."""
        self._opened = [item for item in self._opened if item[0]() not in (None, resource)]

    def __len__(self) -> int:
        """How many are registered."""
        return len(self._registered)

    def _forget(self, reference: weakref.ref[Any]) -> None:
        self._registered = [each for each in self._registered if each is not reference]

    @property
    def loop(self) -> Any:
        """The loop of the app that has started up last, for threads that have none; None where none is up."""
        for loop in reversed(self._loops):
            if not loop.is_closed():
                return loop
        return None

    async def open_all(self) -> None:
        """Open, on the running loop, what is registered, in that order; nothing under trio.

        Raises:
            ResourceError: one of them cannot be opened.
        """
        if _running_loop() is None:  # trio: what can be registered is asyncio's
            return
        for reference in list(self._registered):
            resource = reference()
            if resource is None:
                continue
            try:
                await resource.open_with_app()
            except Exception as error:
                line = " ".join(str(error).split()) or type(error).__name__
                raise ResourceError(f"{resource!r} cannot be opened: {line}") from error

    async def close_all(self) -> None:
        """Close what was opened on the running loop, the last one first, though others fail.

        Raises:
            Exception: what the first of them has raised that could not be closed.
        """
        if not self._opened:
            return
        loop = _running_loop()
        failed: Exception | None = None
        for reference, of in reversed(self._opened):
            resource = reference()
            if resource is None or of() is not loop:
                continue
            try:
                await resource.close_with_app()
            except Exception as error:
                failed = failed or error
            self.closed(resource)
        if failed is not None:
            raise failed

    @asynccontextmanager
    async def with_app(self) -> AsyncIterator[None]:
        """Around an app's lifespan: open before it, close after it.

        Raises:
            ResourceError: something cannot be opened.
        """
        loop = _running_loop()
        if loop is None:
            yield
            return
        first = loop not in self._loops
        self._loops.append(loop)
        try:
            await self.open_all()
            yield
        finally:
            self._loops.remove(loop)
            # Of apps on one loop the one that came first goes last.
            if first:
                await self.close_all()


def _running_loop() -> Any:
    """asyncio's running loop; None where there is none. Whoever runs one has loaded it."""
    asyncio = sys.modules.get("asyncio")
    return None if asyncio is None else asyncio._get_running_loop()


#: Those of this process.
resources: Final = Resources()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=resources.after_fork)
