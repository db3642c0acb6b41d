"""The app's lifespan: entered and left in one task of its own, as cancel scopes and task groups in it
need."""

from __future__ import annotations

import asyncio

from fastweb.resources import resources
from fastweb.types import StreamApp

__all__ = ["Lifespan"]


class Lifespan:
    """Runs `async with app.lifespan()` beside the requests.

    Arguments:
        app: what has the lifespan.
    """

    def __init__(self, app: StreamApp) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._entered = asyncio.Event()
        self._leave = asyncio.Event()

    async def _run(self) -> None:
        # Here, too, and not in fastweb's apps alone: any app may have a pool.
        async with resources.with_app(), self._app.lifespan():
            self._entered.set()
            await self._leave.wait()

    async def startup(self) -> None:
        """Enter it and return once the app is ready; whatever the app raises comes out. A cancellation is
        passed on."""
        self._task = task = asyncio.create_task(self._run(), name="fastweb lifespan")
        entered = asyncio.create_task(self._entered.wait())
        try:
            await asyncio.wait([task, entered], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.cancel()
            raise
        finally:
            entered.cancel()
        if task.done():
            self._task = None
            task.result()
            # The context manager ate its own error, or never reached its body.
            raise RuntimeError("the app's lifespan ended before it began")

    async def shutdown(self) -> None:
        """Leave it and return once the app is done; whatever the app raises comes out. A cancellation is
        passed on."""
        task, self._task = self._task, None
        if task is None:
            return
        self._leave.set()
        # Cancelling this cancels the task, too: that is what a second SIGINT wants.
        await task

    async def cancel(self) -> None:
        """Give it up, start-up and shut-down alike."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # It was asked for; nobody else will look at it.
