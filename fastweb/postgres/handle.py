"""What `pool.get()` gives: the pool, as an endpoint uses it, in an `async def` and in a plain `def`.

    @app.get("/users/{user_id}")
    async def user(user_id: int, pg: Annotated[Handle, Depends(pool.get)]):
        return await pg.exec("select * from users where id = $1", user_id).one()

    @app.get("/plain/{user_id}")
    def plain(user_id: int, pg: Annotated[Handle, Depends(pool.get)]):
        return pg.exec("select * from users where id = $1", user_id).one()

A handle holds no connection: each statement borrows one, or shares one, and a handle costs nothing to have.
The same methods give an awaitable where an event loop runs in this thread, and the result itself in any other
thread, which sleeps meanwhile: the statement runs on the loop in either case (`fastweb.postgres.bridge`).

Inside `pg.transaction()` the handle's statements go to the transaction's connection: those of the same task,
and of tasks and threads that were started within. It is a context variable that says so, so another task that
has the same handle is not in the transaction.

A test has a handle of one connection, `Handle(pool, connection)`, take the place of the app's: what the
endpoints do, of either kind, is in that connection's transaction then, and undone with it.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextvars import ContextVar
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from fastweb.concurrency import loop_of_thread
from fastweb.postgres.bridge import bridge_to
from fastweb.postgres.errors import InterfaceError
from fastweb.postgres.other_names import instead_of
from fastweb.resources import resources

__all__ = ["Handle", "HandleTransaction", "PendingResult"]

_running_loop = asyncio._get_running_loop


class _Scope:
    """An open transaction of a handle, and the one around it."""

    __slots__ = ("connection", "handle", "outer")

    def __init__(self, handle: Handle, connection: Any, outer: _Scope | None) -> None:
        self.handle = handle
        #: None when it has ended: tasks that were started within still see it.
        self.connection = connection
        self.outer = outer


_scope: ContextVar[_Scope | None] = ContextVar("fastweb_postgres_transaction", default=None)


class Handle:
    """A pool for one request: see the module, and `fastweb.postgres.PgPool` for what the methods take.

    On an event loop's thread every method gives an awaitable; in others it blocks, and gives the result.

    Arguments:
        pool: whose connections it borrows.
        connection: all statements go to this one, of the same pool, instead: see the module.

    Raises:
        InterfaceError: (every method, in a thread) there is no event loop that could run the statement.
    """

    __slots__ = ("__weakref__", "_connection", "pool")

    def __init__(self, pool: Any, connection: Any = None) -> None:
        self.pool = pool
        self._connection = connection

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(instead_of("handle", self, name), name=name, obj=self)

    def fetch(self, *args: Any, **options: Any) -> Any:
        """The rows, as a list: `fetch(sql, *args)`, or `fetch(User, sql, *args)` as instances of a class."""
        if not self._is_here():
            return self._wait("fetch", args, options)
        return self._source().fetch(*args, **options)

    def fetch_one(self, *args: Any, **options: Any) -> Any:
        """The first row, as a Record or an instance of a class; None where there is none."""
        if not self._is_here():
            return self._wait("fetch_one", args, options)
        return self._source().fetch_one(*args, **options)

    def fetch_value(self, *args: Any, **options: Any) -> Any:
        """The first column of the first row; None where there is none."""
        if not self._is_here():
            return self._wait("fetch_value", args, options)
        return self._source().fetch_value(*args, **options)

    def fetch_json(self, *args: Any, **options: Any) -> Any:
        """The rows as JSON, which an endpoint may return."""
        if not self._is_here():
            return self._wait("fetch_json", args, options)
        return self._source().fetch_json(*args, **options)

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run a statement; the server's words for what it has done, such as "UPDATE 1"."""
        if not self._is_here():
            return self._wait("execute", args, options)
        return self._source().execute(*args, **options)

    def execute_many(self, *args: Any, **options: Any) -> Any:
        """Run a statement once for each of the argument lists."""
        if not self._is_here():
            return self._wait("execute_many", args, options)
        return self._source().execute_many(*args, **options)

    def exec(self, *args: Any, **options: Any) -> Any:
        """Run a statement; a `Result`, which has the rows and more.

        In a thread it has run when this returns. On the loop's thread: `await pg.exec(…)` for the Result,
        `await pg.exec(…).one()` for what the Result's method gives.
        """
        if not self._is_here():
            return self._wait("exec", args, options)
        return PendingResult(partial(self._source().exec, *args, **options))

    def iterate(self, *args: Any, **options: Any) -> Any:
        """The rows of a query a few at a time: `async for`, or in a thread `for`. As `PgPool.iterate`, and in
        a transaction of the handle as `Connection.iterate`."""
        rows = partial(self._source().iterate, *args, **options)
        return rows() if self._is_here() else self._rows_in_thread(rows, options.get("prefetch", 50))

    def copy_in(self, *args: Any, **options: Any) -> Any:
        """Copy rows or bytes into a table; how many rows there were: `PgPool.copy_in`."""
        if not self._is_here():
            return self._wait("copy_in", args, options)
        return self._source().copy_in(*args, **options)

    def copy_out(self, *args: Any, **options: Any) -> Any:
        """Copy a table or a query out: `PgPool.copy_out`. In a thread, what that gives when awaited."""
        if not self._is_here():
            return self._wait("copy_out", args, options)
        return self._source().copy_out(*args, **options)

    def transaction(self, isolation: Any = None, **options: Any) -> HandleTransaction:
        """A transaction, for `async with`, or for `with` in a thread; within another one a savepoint.

        Arguments:
            isolation, options: read_only, deferrable: see `Connection.transaction`.
        """
        return HandleTransaction(self, {"isolation": isolation, **options})

    def run(self, *args: Any, **options: Any) -> Any:
        """Run a function in a transaction, again where it could not be serialized: `PgPool.run`."""
        run = self.pool.run if self._connection is None else self._run_within
        return run(*args, **options) if self._is_here() else self._call(partial(run, *args, **options))

    # What is behind it

    def _is_here(self) -> bool:
        """Whether an event loop runs in this thread: the pool's, nearly always."""
        return self.pool.is_here() or _running_loop() is not None

    def _source(self) -> Any:
        """The transaction's connection, where one is open; else the one that this is of, or the pool."""
        scope = _scope.get()
        while scope is not None:
            if scope.handle is self and scope.connection is not None:
                return scope.connection
            scope = scope.outer
        return self.pool if self._connection is None else self._connection

    async def _run_within(
        self, function: Callable[[Any], Awaitable[Any]], *, retry: Any = None, **options: Any
    ) -> Any:
        """`run` on the connection that this is of: in a savepoint, where it is in a transaction, which no
        other run would help."""
        async with self._connection.transaction(**options):
            return await function(self._connection)

    def _wait(self, name: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """In a thread: have the loop do it."""
        timeout = options.get("timeout")
        return self._call(partial(getattr(self._source(), name), *args, **options), timeout)

    def _rows_in_thread(self, begin: Callable[[], Any], count: int) -> Iterator[Any]:
        """In a thread: have the loop ask for the rows, so many at once."""
        rows: Any = None

        async def some() -> list[Any]:
            nonlocal rows
            if rows is None:
                rows = aiter(begin())
            found = []
            async for row in rows:
                found.append(row)
                if len(found) == count:
                    break
            return found

        try:
            while found := self._call(some):
                yield from found
        finally:
            if rows is not None:
                self._call(rows.aclose)

    def _call(self, function: Callable[[], Awaitable[Any]], timeout: float | None = None) -> Any:
        loop = self._loop()
        if loop is None:
            raise InterfaceError(
                "no event loop runs that could execute this: a handle blocks in a plain `def` endpoint, or "
                "in a thread of a program whose pool is open on a running loop; elsewhere await it"
            )
        return bridge_to(loop).call(function, timeout)

    def _loop(self) -> Any:
        """The pool's own loop, where it is open; else the one that runs this thread's function, or an app."""
        for loop in (getattr(self.pool, "loop", None), loop_of_thread(), resources.loop):
            if loop is not None and not loop.is_closed():
                return loop
        return None

    def __repr__(self) -> str:
        return f"<Handle of {self.pool!r}>"


def _unawaited(words: str) -> NoReturn:
    raise InterfaceError(f"on the event loop's thread {words} is awaited")


class PendingResult:
    """`pg.exec(…)` on the event loop's thread: awaited, a Result; its methods are a Result's, awaited too."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], Awaitable[Any]]) -> None:
        self._function: Callable[[], Awaitable[Any]] | None = function

    def _begin(self) -> Awaitable[Any]:
        function, self._function = self._function, None
        if function is None:
            raise InterfaceError("this statement was awaited before: keep its Result, or run it again")
        return function()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._begin().__await__()

    async def one(self, *args: Any) -> Any:
        """The one row; `NoRowError` and `ManyRowsError` where there is another number of them."""
        return (await self._begin()).one(*args)

    async def one_or_none(self, *args: Any) -> Any:
        """The one row, or None."""
        return (await self._begin()).one_or_none(*args)

    async def first(self, *args: Any) -> Any:
        """The first row, or None."""
        return (await self._begin()).first(*args)

    async def all(self, *args: Any) -> Any:
        """All rows."""
        return (await self._begin()).all(*args)

    async def scalar(self, *args: Any) -> Any:
        """The first column of the first row, or None."""
        return (await self._begin()).scalar(*args)

    async def scalar_one(self, *args: Any) -> Any:
        """The first column of the one row."""
        return (await self._begin()).scalar_one(*args)

    async def scalar_one_or_none(self, *args: Any) -> Any:
        """The first column of the one row, or None."""
        return (await self._begin()).scalar_one_or_none(*args)

    async def mappings(self, *args: Any) -> Any:
        """All rows, as dicts."""
        return (await self._begin()).mappings(*args)

    async def scalars(self, *args: Any) -> Any:
        """The first column of all rows."""
        return (await self._begin()).scalars(*args)

    # What somebody does who forgot to await.

    @property
    def rowcount(self) -> NoReturn:
        _unawaited("`pg.exec(…)`, before its rowcount is asked for,")

    def __iter__(self) -> NoReturn:
        _unawaited("`pg.exec(…)`, before its rows are gone through,")

    def __getitem__(self, key: Any) -> NoReturn:
        _unawaited("`pg.exec(…)`, before its rows are taken,")

    def __len__(self) -> NoReturn:  # noqa: PLE0303
        _unawaited("`pg.exec(…)`, before its rows are counted,")

    def __bool__(self) -> NoReturn:  # noqa: PLE0304
        _unawaited("`pg.exec(…)`, before it is true or false,")

    def __del__(self) -> None:
        if self._function is not None:
            self._function = None
            warnings.warn(
                "pg.exec(…) was never awaited, so its statement did not run",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )

    def __repr__(self) -> str:
        return f"<PendingResult, {'to be awaited' if self._function else 'awaited'}>"


class HandleTransaction:
    """`pg.transaction()`: see `Handle.transaction`. The value is the handle itself."""

    __slots__ = ("_handle", "_manager", "_options", "_scope")

    def __init__(self, handle: Handle, options: dict[str, Any]) -> None:
        self._handle = handle
        self._options = options
        self._manager: Any = None
        self._scope: _Scope | None = None

    async def _enter(self, source: Any) -> Any:
        """Begin it; the connection that it is on."""
        self._manager = source.transaction(**self._options)
        entered = await self._manager.__aenter__()
        return entered if source is self._handle.pool else source

    def _entered(self, connection: Any) -> Handle:
        self._scope = _Scope(self._handle, connection, _scope.get())
        _scope.set(self._scope)
        return self._handle

    def _left(self) -> None:
        scope, self._scope = self._scope, None
        assert scope is not None
        scope.connection = None
        if _scope.get() is scope:
            _scope.set(scope.outer)

    def _check(self) -> None:
        if self._manager is not None:
            raise InterfaceError("a transaction is entered once: call pg.transaction() again")

    async def __aenter__(self) -> Handle:
        self._check()
        return self._entered(await self._enter(self._handle._source()))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._left()
        ended: bool | None = await self._manager.__aexit__(kind, error, traceback)
        return ended

    def __enter__(self) -> Handle:
        if _running_loop() is not None:
            _unawaited("a transaction (`async with pg.transaction():`)")
        self._check()
        source = self._handle._source()
        return self._entered(self._handle._call(lambda: self._enter(source)))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self._left()
        ended: bool | None = self._handle._call(lambda: self._manager.__aexit__(kind, error, traceback))
        return ended
