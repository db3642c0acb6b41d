"""Servers in processes of their own, and in threads of this one, around an app that is nothing but what the
server asks for (`StreamApp`)."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from bench.soak.load import PROMPT
from fastweb import _speedups
from fastweb._speedups.response import Head
from fastweb.limits import Limits
from fastweb.server.config import Config
from fastweb.server.connections import Connections
from fastweb.server.proxy import Proxies
from fastweb.server.worker import Server, run_server

#: Where the fastweb under test is.
ROOT = str(Path(_speedups.__file__).parent.parent.parent)

APP = """
import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager


def note(words):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "notes"), "a") as file:
        file.write(words + "\\n")


class App:
    async def answer(self, stream):
        body = str(os.getpid())
        if stream.path == "/slow":
            note("slow")
            await asyncio.sleep(0.5)
            body = "slow"
        elif stream.path == "/forever":
            note("forever")
            await asyncio.sleep(3600)
        elif stream.path == "/thread":
            note("thread")
            asyncio.get_running_loop().run_in_executor(None, time.sleep, 3600)
        elif stream.path == "/options":
            body = f"{sys.warnoptions} {sys._xoptions}"
        stream.start(200, [(b"content-length", str(len(body)).encode())])
        await stream.send(body.encode())
        stream.finish()

    def open_stream(self, stream):
        return self.answer(stream)

    def wants_head(self, stream):
        return False

    @asynccontextmanager
    async def lifespan(self):
        task = asyncio.current_task()
        note("up")
        if os.environ.get("APP_FAILS"):
            raise ValueError("no database")
        yield
        assert asyncio.current_task() is task
        if os.environ.get("APP_FAILS_AT_END"):
            raise ValueError("no farewell")
        note("down")


app = App()


def make_app():
    return App()
"""


def until(condition: Callable[[], Any], seconds: float = 100.0, story: Callable[[], str] = str) -> Any:
    """Wait for a condition, however long the machine takes, within reason; what it gave.

    Arguments:
        story: what to say besides, where it does not come.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"it did not come\n{story()}"
        time.sleep(0.005)
    return value


class ServerProcess:
    """A server that a test has started: its output, its answers, its end."""

    def __init__(
        self,
        command: list[str],
        directory: Path,
        number: int,
        pass_fds: tuple[int, ...] = (),
        **environment: str,
    ) -> None:
        self.directory = directory
        self._files = directory / f"stdout{number}", directory / f"stderr{number}"
        variables = {key: value for key, value in os.environ.items() if key != "WEB_CONCURRENCY"}
        with open(self._files[0], "wb") as stdout, open(self._files[1], "wb") as stderr:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                stdout=stdout,
                stderr=stderr,
                stdin=subprocess.DEVNULL,
                env={**variables, "PYTHONPATH": ROOT, **environment},
                start_new_session=True,
                pass_fds=pass_fds,
            )

    @property
    def out(self) -> str:
        return self._files[0].read_text()

    @property
    def err(self) -> str:
        return self._files[1].read_text()

    @property
    def notes(self) -> list[str]:
        """What the app has noted of itself."""
        path = self.directory / "notes"
        return path.read_text().split() if path.exists() else []

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for a condition."""
        return until(condition, story=lambda: f"{self.out}\n{self.err}")

    def ready(self) -> ServerProcess:
        """Wait for the banner."""

        def shown() -> bool:
            assert self.process.poll() is None, f"it ended\n{self.out}\n{self.err}"
            return "fastweb   " in self.err

        self.until(shown)
        return self

    @property
    def port(self) -> int:
        found = re.search(r"http://[^ ]+:(\d+)", self.err)
        assert found is not None
        return int(found[1])

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.connect()
        return connection

    def get(self, path: str = "/") -> str:
        while True:
            since = time.monotonic()
            connection = self.connect()
            try:
                connection.request("GET", path, headers={"connection": "close"})
                return connection.getresponse().read().decode()
            except ConnectionError:
                # Who has connected and then asks for nothing is let go by a worker that leaves.
                if time.monotonic() - since < PROMPT:
                    raise
            finally:
                connection.close()

    def refuses(self) -> bool:
        """Whether nobody listens any more."""
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) != 0

    def wait(self) -> int:
        return self.process.wait(100)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def kill_all(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


@pytest.fixture
def app_dir(tmp_path: Path) -> Path:
    """A directory with main.py, which has an app."""
    (tmp_path / "main.py").write_text(APP)
    return tmp_path


@pytest.fixture
def start(app_dir: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start Python with some arguments beside main.py; what is still there in the end is killed."""
    started: list[ServerProcess] = []

    def start(*arguments: str, pass_fds: tuple[int, ...] = (), **environment: str) -> ServerProcess:
        command = [sys.executable, "-W", "error", *arguments]
        started.append(ServerProcess(command, app_dir, len(started), pass_fds, **environment))
        return started[-1]

    try:
        yield start
    finally:
        for server in started:
            server.kill_all()


@pytest.fixture
def serve(start: Callable[..., ServerProcess]) -> Callable[..., ServerProcess]:
    """Start `serve(Config(...))` with main:app on a free port; keywords are `Config`'s."""

    def serve(environment: dict[str, str] | None = None, **options: Any) -> ServerProcess:
        options = {"app": "main:app", "app_dir": ".", "port": 0, **options}
        code = f"""
import sys
from fastweb.server.config import Config, StartupError, report
from fastweb.server import serve

options = {options!r}
try:
    sys.exit(serve(Config.from_options(options.pop("app"), options), own_process=True))
except StartupError as error:
    report(error)
    sys.exit(error.exit_code)
"""
        return start("-c", code, **(environment or {}))

    return serve


# A server in a thread of this process, so that a test sees what it holds.


class Handlers:
    """An app that is nothing but functions of a stream: what `StreamApp` asks for.

    Arguments:
        handlers: async functions of the stream, by path; `None` answers the rest.
        heads: paths whose functions are called at the end of the head.
    """

    def __init__(self, handlers: Mapping[str, Callable[[Any], Any]], heads: Collection[str] = ()) -> None:
        self.handlers = dict(handlers)
        self.heads = heads
        self.opened: list[str] = []

    def open_stream(self, stream: Any) -> Any:
        self.opened.append(stream.path)
        handler: Callable[[Any], Any] = self.handlers.get(stream.path, hello)
        return handler(stream)

    def wants_head(self, stream: Any) -> bool:
        return stream.path in self.heads

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        yield


PLAIN = Head(200, ((b"content-type", b"text/plain"),))


async def hello(stream: Any) -> None:
    stream.respond(PLAIN, f"{stream.method} {stream.path} {len(stream.body)}".encode())


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    head: bytes


class Client:
    """One connection, with nothing between the test and the bytes."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(20)
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def send(self, *pieces: bytes) -> Client:
        for piece in pieces:
            self.socket.sendall(piece)
        return self

    def half_close(self) -> Client:
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def _more(self) -> bool:
        data = self.socket.recv(65536)
        self._read += data
        return bool(data)

    def _until(self, end: bytes) -> bytes:
        while end not in self._read:
            assert self._more(), f"it ended within {self._read!r}"
        found, _, self._read = self._read.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            assert self._more(), f"it ended after {len(self._read)} of {size} bytes"
        found, self._read = self._read[:size], self._read[size:]
        return found

    def interim(self) -> bytes:
        """The head of an answer that is none yet."""
        return self._until(b"\r\n\r\n")

    def answer(self, method: str = "GET") -> Answer:
        """The next answer, read by its own framing."""
        head = self._until(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1"
        headers: dict[str, str] = {}
        for field in fields:
            name, value = field.split(": ", 1)
            assert name not in headers, f"{name} is there twice"
            headers[name] = value
        body = b""
        if method == "HEAD" or status in ("204", "304"):
            pass
        elif headers.get("transfer-encoding") == "chunked":
            assert "content-length" not in headers
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            assert self._exactly(2) == b"\r\n"
        elif "content-length" in headers:
            body = self._exactly(int(headers["content-length"]))
        else:
            body = self.rest()
        return Answer(int(status), headers, body, head)

    def rest(self) -> bytes:
        """All that still comes; the server closes."""
        while self._more():
            pass
        found, self._read = self._read, b""
        return found

    def is_reset(self) -> bool:
        """Whether the server cuts the connection, and does not close it in good order."""
        try:
            self.rest()
        except ConnectionResetError:
            return True
        return False

    def is_open(self) -> bool:
        """Whether it answers one more request."""
        self.send(b"GET /still-there HTTP/1.1\r\nHost: a\r\n\r\n")
        return self.answer().body == b"GET /still-there 0"

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class LoopServer:
    """`Connections` on a loop in a thread."""

    def __init__(self, app: Any, loop: str, limits: Limits, **options: Any) -> None:
        self.app = app
        self.log: list[tuple[Any, ...]] = []
        self.complaints: list[dict[str, Any]] = []
        self.clients: list[Client] = []
        self._arguments = (app, limits)
        self._options = {"access_log": self._note, **options}
        self._factory = asyncio.SelectorEventLoop if loop == "asyncio" else uvloop.new_event_loop
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._up.wait(60)

    def _note(self, stream: Any) -> None:
        self.log.append(
            (stream.client, stream.method, stream.raw_target, stream.http_version, stream.status, stream.sent)
        )

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._factory) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.loop.set_exception_handler(lambda _loop, context: self.complaints.append(context))
        self.connections = Connections(*self._arguments, loop=self.loop, **self._options)
        self.connections.start()
        self._stop = asyncio.Event()
        self.server = await self.loop.create_server(self.connections.make_protocol, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self._up.set()
        await self._stop.wait()
        self.server.close()
        self.connections.abort()
        await self.connections.wait_closed(5)
        self.connections.stop()
        await asyncio.sleep(0)

    def connect(self, **options: Any) -> Client:
        self.clients.append(Client(self.port, **options))
        return self.clients[-1]

    def connect_with(self, *pieces: bytes, **options: Any) -> Client:
        """A client whose first words are there when the server accepts it: between the two, no time limit can
        be over."""
        return cast(Client, self.call(lambda: self.connect(**options).send(*pieces)))

    async def receive(self, client: Client, size: int = 65536) -> bytes:
        """What comes to a client next, taken by the loop itself: no busy machine makes that one slow."""
        client.socket.setblocking(False)
        return await self.loop.sock_recv(client.socket, size)

    def ask(self, *pieces: bytes, half_close: bool = False) -> bytes:
        """Everything that comes back on a connection that the server closes."""
        with self.connect() as client:
            client.send(*pieces)
            if half_close:
                client.half_close()
            answers = client.rest()
        self.clients.remove(client)
        return answers

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in the loop."""

        async def called() -> Any:
            return function(*args)

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(60)

    def wait(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for a condition, asked in the loop."""
        return until(lambda: self.call(condition))

    def settled(self, value: Callable[[], Any]) -> Any:
        """What a value is once it changes no more: a buffer of the kernel's, say, takes more at its second
        thought."""
        seen = [self.call(value)]

        def rests() -> bool:
            self.wait(asyncio.sleep(0.1))
            seen.append(self.call(value))
            return bool(seen[-1] == seen[-2])

        until(rests)
        return seen[-1]

    def is_idle(self) -> bool:
        """Whether nothing is left of any request."""
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        return not len(self.connections) and not self.connections.runner.tasks and len(others) == 1

    def stop(self) -> None:
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(60)
        assert not self._thread.is_alive()


LOOPS = ["asyncio"]
try:
    import uvloop
except ImportError:  # Windows has none.
    pass
else:
    LOOPS.append("uvloop")


@pytest.fixture(params=LOOPS)
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def listen(loop_name: str) -> Iterator[Callable[..., LoopServer]]:
    """Serve an app in a thread, on each kind of loop; keywords are bounds of `Limits`. In the end, nothing
    may be left of any connection, and the loop must have had no complaint."""
    servers: list[LoopServer] = []

    def listen(
        app: Any, *, server_header: bool = True, proxies: Proxies | None = None, **limits: Any
    ) -> LoopServer:
        options = {"server_header": server_header, "proxies": proxies}
        servers.append(LoopServer(app, loop_name, Limits(**limits), **options))
        return servers[-1]

    try:
        yield listen
        for server in servers:
            for client in server.clients:
                client.close()
            server.until(server.is_idle)
    finally:
        for server in servers:
            server.stop()
    for server in servers:
        assert server.complaints == []


class HostedServer:
    """`Server` in a thread: all that a worker has but its process."""

    def __init__(self, app: Any, loop: str, **options: Any) -> None:
        self.config = Config.from_options(app, {"loop": loop, "access_log": False, **options})
        self.server = Server(app, self.config)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        while not self.server.started.wait(0.01):
            if not self._thread.is_alive():
                self._thread.join()
                assert self._error is not None
                raise self._error

    def _run(self) -> None:
        try:
            run_server(self.server)
        except BaseException as error:
            self._error = error

    @property
    def addresses(self) -> list[str]:
        return self.server.addresses

    @property
    def port(self) -> int:
        return int(next(item for item in self.addresses if "://" in item).rpartition(":")[2])

    def stop(self) -> None:
        self.server.stop()
        self._thread.join(60)
        assert not self._thread.is_alive()
        assert self._error is None, self._error


@pytest.fixture
def host(loop_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., HostedServer]]:
    """Serve an app in a thread as a worker would, on each kind of loop; keywords are the options of
    `Config`."""
    # When it stops, nobody is about to ask for more.
    monkeypatch.setattr("fastweb.server.worker._SETTLE_TIME", 0.0)
    servers: list[HostedServer] = []

    def host(app: Any, **options: Any) -> HostedServer:
        servers.append(HostedServer(app, loop_name, **options))
        return servers[-1]

    try:
        yield host
    finally:
        for server in servers:
            server.stop()


@pytest.fixture
def make_app() -> type[Handlers]:
    """Make an app of functions; see `Handlers`."""
    return Handlers
