"""What `pool.get()` gives: awaited on the loop's thread, blocking in others, in transactions, in an app."""

import asyncio
import gc
import threading
import typing
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

import msgspec
import pytest

from fastweb import Depends, FastWeb
from fastweb.dependencies.calls import Kind, kind_of
from fastweb.postgres import Handle, InterfaceError, NoRowError, PgPool, Rollback, UniqueViolationError
from fastweb.resources import ResourceError
from fastweb.testclient import TestClient
from tests.postgres.running import Gate
from tests.postgres.servers import Postgres, wait_until


class User(msgspec.Struct):
    id: int
    name: str


@pytest.fixture
def table(postgres: Postgres) -> Iterator[str]:
    postgres.execute("create table handle_users (id int primary key, name text not null)")
    postgres.execute("insert into handle_users select n, 'user ' || n from generate_series(1, 9) n")
    yield "handle_users"
    postgres.execute("drop table handle_users")


SELECT = "select id, name from handle_users where id = $1"
INSERT = "insert into handle_users values ($1, $2)"
COUNT = "select count(*) from handle_users"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    # The pools of a test end with it, and open with no other test's app. typing keeps what stands in an
    # `Annotated[Handle, Depends(pool.get)]`: it is made to forget as CPython's own tests do it.
    for forget in getattr(typing, "_cleanups", ()):
        forget()
    gc.collect()


def wait_for(postgres: Postgres, name: str, count: int) -> None:
    """Wait until so many of the server's processes have clients of this name: they end in their own time."""
    wait_until(lambda: postgres.connections(name) == count, f"{count} connections of {name}")


def pooled(postgres: Postgres, **options: Any) -> PgPool:
    return PgPool(postgres.dsn, 1, 4, **options)


def test_a_dependency_that_costs_no_thread(postgres: Postgres) -> None:
    assert kind_of(pooled(postgres).get) is Kind.AT_ONCE


@pytest.mark.usefixtures("table")
def test_on_the_loop_everything_is_awaited(postgres: Postgres) -> None:
    async def main() -> None:
        async with pooled(postgres) as pool:
            pg = pool.get()
            assert (await pg.exec(SELECT, 1).one())["name"] == "user 1"
            assert await pg.exec(SELECT, 77).one_or_none() is None
            assert await pg.exec(SELECT, 77).first() is None
            assert len(await pg.exec("select * from handle_users").all()) == 9
            assert await pg.exec(COUNT).scalar() == 9
            assert await pg.exec("select id from handle_users where id < 3 order by id").scalars() == [1, 2]
            assert (await pg.exec("update handle_users set name = name where id < 4")).rowcount == 3
            with pytest.raises(NoRowError):
                await pg.exec(SELECT, 77).one()
            assert [row.id for row in await pg.fetch("select * from handle_users where id < 3")] == [1, 2]
            assert await pg.fetch(User, SELECT, 2) == [User(2, "user 2")]
            assert (await pg.fetch_one(SELECT, 3)).name == "user 3"
            assert await pg.fetch_value(COUNT) == 9
            assert await pg.fetch_json(SELECT, 1) == b'[{"id":1,"name":"user 1"}]'
            assert await pg.execute("delete from handle_users where id = $1", 9) == "DELETE 1"
            await pg.execute_many(INSERT, [(20, "a"), (21, "b")])
            with pytest.raises(UniqueViolationError):
                await pg.execute(INSERT, 20, "again")
            assert await asyncio.gather(*(pg.fetch_value(SELECT, i) for i in range(1, 9))) == [*range(1, 9)]

    asyncio.run(main())


def test_who_forgets_to_await_is_told(postgres: Postgres) -> None:
    async def main() -> None:
        async with pooled(postgres) as pool:
            pg = pool.get()
            found = pg.exec("select 1")
            for misuse in (list, len, bool, lambda it: it[0], lambda it: it.rowcount):
                with pytest.raises(InterfaceError, match="is awaited"):
                    misuse(found)
            await found
            with pytest.raises(InterfaceError, match="awaited before"):
                await found
            with pytest.raises(InterfaceError, match="async with"), pg.transaction():
                pass
            forgotten = pg.exec("select 1")
            with pytest.warns(RuntimeWarning, match="never awaited"):
                del forgotten

    asyncio.run(main())


def test_a_thread_without_a_loop_is_told(postgres: Postgres) -> None:
    pg = pooled(postgres).get()
    with pytest.raises(InterfaceError, match="no event loop"):
        pg.fetch("select 1")


@pytest.mark.usefixtures("table")
def test_in_threads_it_blocks_them_alone(postgres: Postgres) -> None:
    async def main() -> None:
        async with pooled(postgres) as pool:
            pg = pool.get()

            def work(number: int) -> list[Any]:
                found = [pg.exec(SELECT, number).one()["name"], pg.fetch_value(COUNT)]
                found += [pg.fetch(User, SELECT, number), pg.fetch_one(SELECT, number).id]
                with pytest.raises(NoRowError):
                    pg.exec(SELECT, 77).one()
                with pytest.raises(UniqueViolationError):
                    pg.execute(INSERT, number, "again")
                return found

            results = await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(1, 9)))
            for number, found in enumerate(results, 1):
                assert found == [f"user {number}", 9, [User(number, f"user {number}")], number]

            with Gate(postgres) as gate:
                waiting = asyncio.create_task(
                    asyncio.to_thread(lambda: pg.fetch_value(f"select 1 from {gate.sql}"))
                )
                await gate.reached()
                # The loop goes on meanwhile.
                assert await pg.fetch_value("select 2") == 2
                assert not waiting.done()
            assert await waiting == 1
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(lambda: pg.fetch("select pg_sleep(600)", timeout=0.1))
            assert await pg.fetch_value(COUNT) == 9

    asyncio.run(main())


@pytest.mark.usefixtures("table")
def test_transactions_on_the_loop(postgres: Postgres) -> None:
    async def main() -> None:
        async with pooled(postgres) as pool:
            pg = pool.get()
            other = pool.get()
            async with pg.transaction() as same:
                assert same is pg
                await pg.execute(INSERT, 10, "ten")
                assert await pg.exec(COUNT).scalar() == 10
                assert await other.exec(COUNT).scalar() == 9, "another handle is not in it"
                # Tasks that are started within are.
                assert [*await asyncio.gather(pg.fetch_value(COUNT), pg.fetch_value(COUNT))] == [10, 10]
                assert await asyncio.to_thread(lambda: pg.fetch_value(COUNT)) == 10
                with pytest.raises(ValueError, match="back"):
                    async with pg.transaction():
                        await pg.execute(INSERT, 11, "eleven")
                        raise ValueError("back")
                assert await pg.fetch_value(COUNT) == 10
                async with pg.transaction():
                    await pg.execute(INSERT, 12, "twelve")
            assert await other.fetch_value(COUNT) == 11
            with pytest.raises(ValueError, match="back"):
                async with pg.transaction():
                    await pg.execute(INSERT, 13, "thirteen")
                    raise ValueError("back")
            assert await pg.fetch_value(COUNT) == 11
            async with pg.transaction(read_only=True):
                assert await pg.fetch_value("show transaction_read_only") == "on"
            manager = pg.transaction()
            async with manager:
                pass
            with pytest.raises(InterfaceError, match="once"):
                async with manager:
                    pass

    asyncio.run(main())


@pytest.mark.usefixtures("table")
def test_another_task_with_the_same_handle_is_not_in_the_transaction(postgres: Postgres) -> None:
    async def main() -> None:
        async with pooled(postgres) as pool:
            pg = pool.get()
            go, went, left = asyncio.Event(), asyncio.Event(), asyncio.Event()

            async def count() -> int:
                await go.wait()
                found: int = await pg.fetch_value(COUNT)
                went.set()
                return found

            async def after() -> int:
                await left.wait()
                found: int = await pg.fetch_value(COUNT)
                return found

            task = asyncio.create_task(count())
            async with pg.transaction():
                await pg.execute(INSERT, 10, "ten")
                go.set()
                await went.wait()
                late = asyncio.create_task(after())
            left.set()
            assert await task == 9
            assert await late == 10, "who outlives the transaction is back at the pool"

    asyncio.run(main())


@pytest.mark.usefixtures("table")
def test_transactions_in_threads(postgres: Postgres) -> None:
    async def main() -> None:
        async with pooled(postgres) as pool:
            pg = pool.get()

            def work(number: int) -> None:
                with pg.transaction() as same:
                    assert same is pg
                    pg.execute(INSERT, number, "new")
                    with pytest.raises(UniqueViolationError), pg.transaction():
                        pg.execute(INSERT, number, "again")
                    assert pg.exec("select name from handle_users where id = $1", number).scalar() == "new"
                with pytest.raises(KeyError), pg.transaction(isolation="serializable"):
                    pg.execute("delete from handle_users")
                    raise KeyError

            await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(100, 108)))
            assert await pg.fetch_value(COUNT) == 17

    asyncio.run(main())


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("min_size", [0, 1])
@pytest.mark.parametrize("start_up", [True, False])
def test_in_an_app(postgres: Postgres, min_size: int, start_up: bool) -> None:
    name = f"handle_app_{min_size}_{start_up}"
    pool = PgPool(postgres.dsn, min_size, 4, application_name=name)
    app = FastWeb()
    Pg = Annotated[Handle, Depends(pool.get)]

    @app.get("/async/{number}")
    async def on_the_loop(number: int, pg: Pg) -> User:
        found: User = await pg.fetch_one(User, SELECT, number)
        return found

    @app.get("/plain/{number}")
    def in_a_thread(number: int, pg: Pg) -> User:
        found: User = pg.exec(User, SELECT, number).one()
        return found

    @app.get("/lambda/{number}")
    async def by_a_lambda(number: int, pg: Annotated[Any, Depends(lambda: pool.get())]) -> Any:
        return await pg.exec(SELECT, number).one()

    @app.get("/lambda-plain/{number}")
    def by_a_lambda_in_a_thread(number: int, pg: Annotated[Any, Depends(lambda: pool.get())]) -> Any:
        return pg.fetch_one(SELECT, number)

    @app.get("/json/{number}")
    async def as_json(number: int, pg: Pg) -> Any:
        return await pg.fetch_json(SELECT, number)

    @app.get("/transaction/{number}")
    def transaction(number: int, pg: Pg) -> Any:
        with pg.transaction():
            return pg.fetch(SELECT, number)

    @app.get("/result/{number}")
    async def result(number: int, pg: Pg) -> Any:
        return await pg.exec(SELECT, number)

    @app.get("/result-plain/{number}")
    def result_in_a_thread(number: int, pg: Pg) -> list[User]:
        found: Any = pg.exec(SELECT, number)
        return cast("list[User]", found)

    ask = TestClient(app)
    one = {"id": 1, "name": "user 1"}

    def check(client: TestClient) -> None:
        for path in ("async", "plain", "lambda", "lambda-plain"):
            assert client.get(f"/{path}/1").json() == one, path
        for path in ("json", "transaction", "result", "result-plain"):
            assert client.get(f"/{path}/1").json() == [one], path
        with ThreadPoolExecutor(8) as threads:
            found = threads.map(lambda n: client.get(f"/plain/{1 + n % 9}").json()["id"], range(40))
            assert [*found] == [1 + n % 9 for n in range(40)]
        assert client.get("/openapi.json").status_code == 200

    if start_up:
        for _ in range(2):
            with ask as client:
                wait_for(postgres, name, min_size)
                check(client)
                assert postgres.connections(name) >= 1
            wait_for(postgres, name, 0)
    else:
        for path in ("async", "plain", "plain", "lambda-plain"):
            assert ask.get(f"/{path}/1").json() == one, path
            wait_for(postgres, name, 0)  # what is opened on a loop is closed on it


def test_an_endpoint_that_forgets_to_await_is_told(postgres: Postgres) -> None:
    pool = pooled(postgres)
    app = FastWeb()

    @app.get("/")
    async def forgetful(pg: Annotated[Handle, Depends(pool.get)]) -> Any:
        return pg.fetch("select 1")

    with TestClient(app) as client, pytest.raises(ValueError, match="await it for what it gives: <Operation"):
        client.get("/")


def test_an_app_whose_database_is_missing_does_not_start(postgres: Postgres) -> None:
    pool = PgPool(postgres.conninfo(dbname="missing"), 1, 2)
    with pytest.raises(ResourceError, match="missing") as raised, TestClient(FastWeb()):
        pass
    assert "\n" not in str(raised.value)
    assert pool.is_closed is not None


def test_a_pool_that_was_closed_is_not_opened_with_an_app(postgres: Postgres) -> None:
    pool = PgPool(postgres.dsn, 1, 2)

    async def used() -> None:
        async with pool:
            assert await pool.fetch_value("select 1") == 1

    for _ in range(2):
        # It may be another app's; who opens it has it again.
        asyncio.run(used())
        with TestClient(FastWeb()):
            assert pool.is_closed
            assert pool.stats().size == 0


def test_the_lifespan_uses_the_pool_and_closes_what_it_makes(postgres: Postgres) -> None:
    name = "handle_lifespan"
    outer = PgPool(postgres.dsn, 1, 2, application_name=name)
    made: list[PgPool] = []

    @asynccontextmanager
    async def lifespan(app: FastWeb) -> AsyncIterator[None]:
        assert await outer.get().fetch_value("select 1") == 1
        made.append(PgPool(postgres.dsn, 2, 2, application_name=name))
        yield
        assert await outer.get().fetch_value("select 2") == 2

    with TestClient(FastWeb(lifespan=lifespan)):
        wait_for(postgres, name, 3)
    wait_for(postgres, name, 0)


def test_a_thread_whose_loop_ends_is_told(postgres: Postgres) -> None:
    found: list[BaseException] = []

    async def main() -> threading.Thread:
        pool = pooled(postgres)
        await pool.open()
        pg = pool.get()
        with Gate(postgres) as gate:

            def work() -> None:
                try:
                    pg.fetch(f"select {gate.sql}")
                except BaseException as error:
                    found.append(error)

            thread = threading.Thread(target=work)
            thread.start()
            await gate.reached()
            await pool.close(0.05)
        return thread

    thread = asyncio.run(main())
    thread.join(60)
    assert not thread.is_alive()
    assert len(found) == 1
    assert isinstance(found[0], Exception)


def test_a_handle_of_one_connection(postgres: Postgres, table: str) -> None:
    """A test's: what endpoints of both kinds do is undone with the connection's transaction."""
    pool = pooled(postgres)
    app = FastWeb()
    Pg = Annotated[Handle, Depends(pool.get)]

    @app.post("/users/{user_id}")
    async def add(user_id: int, pg: Pg) -> str:
        try:
            async with pg.transaction():
                await pg.execute(INSERT, user_id, "new")
        except UniqueViolationError:
            return "there is one"
        return "added"

    @app.post("/plain/{user_id}")
    def add_plainly(user_id: int, pg: Pg) -> str:
        try:
            with pg.transaction():
                pg.execute(INSERT, user_id, "new")
        except UniqueViolationError:
            return "there is one"
        return "added"

    @app.get("/count")
    def count(pg: Pg) -> int:
        found: int = pg.fetch_value(COUNT)
        assert len(list(pg.iterate(SELECT, 1))) == len(pg.fetch(User, SELECT, 1)) == 1
        return found

    @app.post("/run/{user_id}")
    def run_it(user_id: int, pg: Pg) -> str:
        async def insert(connection: Any) -> str:
            status: str = await connection.execute(INSERT, user_id, "run")
            return status

        found: str = pg.run(insert, retry=2)
        return found

    @asynccontextmanager
    async def undone() -> AsyncIterator[None]:
        async with pool.transaction() as connection:
            app.dependency_overrides[pool.get] = lambda: Handle(pool, connection)
            yield
            raise Rollback

    with TestClient(app) as client:
        assert client.portal is not None
        with client.portal.wrap_async_context_manager(undone()):
            assert client.post("/users/20").json() == client.post("/plain/21").json() == "added"
            assert client.post("/users/21").json() == client.post("/plain/20").json() == "there is one"
            assert client.post("/run/22").json() == "INSERT 0 1"
            assert client.get("/count").json() == 12
            assert postgres.value(COUNT) == 9
        app.dependency_overrides.clear()
        assert client.get("/count").json() == 9
