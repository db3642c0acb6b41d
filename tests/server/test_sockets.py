from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastweb.server import addresses, systemd
from fastweb.server.addresses import InheritedAddress, TCPAddress, UnixAddress
from fastweb.server.config import Config, ConfigError
from fastweb.server.sockets import BindError, Listeners, adopt, bind, bind_tcp, bind_unix

needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


def test_a_free_port() -> None:
    with bind(Config(app="a", port=0)) as listeners:
        (sock,) = listeners.sockets
        host, port = sock.getsockname()
        assert (host, listeners.addresses()) == ("127.0.0.1", [f"http://127.0.0.1:{port}"])
        assert not sock.getblocking()
        with socket.create_connection((host, port), 5):
            pass
    assert sock.fileno() == -1


def test_a_name_with_several_addresses_has_one_port() -> None:
    sockets = bind_tcp("", 0)
    try:
        assert len({sock.getsockname()[1] for sock in sockets}) == 1
        for sock in sockets:
            bound = sock.getsockname()
            host = "::1" if sock.family == socket.AF_INET6 else "127.0.0.1"
            with socket.create_connection((host, bound[1]), 5):
                pass
    finally:
        for sock in sockets:
            sock.close()


def test_a_port_in_use_is_one_line_with_the_process() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BindError) as caught:
            bind_tcp("127.0.0.1", port)
    message = caught.value.message
    assert message.startswith(f"127.0.0.1:{port} is in use by ")
    assert message.endswith("choose another port with --port")
    assert "\n" not in message
    if Path("/proc/net/tcp").exists():
        assert f"process {os.getpid()} (" in message


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("203.0.113.7", "no such address"),
        ("no-such-host.invalid", "not known"),
        ("a" * 64 + ".invalid", "not known"),
    ],
)
def test_a_host_that_is_not_ours(host: str, words: str) -> None:
    with pytest.raises(BindError, match=words):
        bind_tcp(host, 0)


@needs_unix
def test_a_unix_socket_comes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    listeners = bind(Config(app="a", uds=str(path), uds_permissions=0o600))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert listeners.addresses() == [f"unix:{path}"]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listeners.close()
    assert not path.exists()
    listeners.close()


@needs_unix
def test_a_dead_servers_socket_is_replaced_and_a_living_ones_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    first = bind_unix(path)
    with pytest.raises(BindError, match="another server listens on it"):
        bind_unix(path)
    first.close()
    assert os.path.exists(path)
    second = bind_unix(path)
    second.close()


@needs_unix
def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    path.write_text("precious")
    with pytest.raises(BindError, match="no socket has that name"):
        bind_unix(str(path))
    assert path.read_text() == "precious"
    link = tmp_path / "link.sock"
    link.symlink_to(path)
    with pytest.raises(BindError, match="no socket has that name"):
        bind_unix(str(link))
    assert link.is_symlink()


@needs_unix
def test_the_socket_of_a_successor_is_not_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    first = Listeners([bind_unix(path)], [path])
    os.unlink(path)
    with Listeners([bind_unix(path)], [path]):
        first.close()
        assert os.path.exists(path)


@needs_unix
@pytest.mark.parametrize(("name", "words"), [("a" * 200, "at most"), ("no/such/web.sock", "no directory")])
def test_a_path_that_cannot_be(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(BindError, match=words):
        bind_unix(str(tmp_path / name))


def test_an_inherited_socket() -> None:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        fd = os.dup(given.fileno())
        with bind(Config(app="a", fd=fd)) as listeners:
            assert listeners.addresses() == [f"http://127.0.0.1:{given.getsockname()[1]}"]
            with socket.create_connection(given.getsockname(), 5):
                pass


def test_an_inherited_thing_that_is_no_socket(tmp_path: Path) -> None:
    with open(tmp_path / "file", "w") as file, pytest.raises(BindError, match="is no socket"):
        adopt(file.fileno())
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        with pytest.raises(BindError, match="no stream socket"):
            adopt(udp.fileno())
        assert udp.getsockname()


# --- Addresses ---


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:80", TCPAddress("127.0.0.1", 80)),
        ("localhost:0", TCPAddress("localhost", 0)),
        ("localhost", TCPAddress("localhost", 8000)),
        (":8000", TCPAddress("", 8000)),
        ("0.0.0.0:65535", TCPAddress("0.0.0.0", 65535)),
        ("[::1]:8000", TCPAddress("::1", 8000)),
        ("[::]", TCPAddress("::", 8000)),
        ("[fe80::1%eth0]:80", TCPAddress("fe80::1%eth0", 80)),
        ("unix:/run/web.sock", UnixAddress("/run/web.sock")),
        ("unix:///run/web.sock", UnixAddress("/run/web.sock")),
        ("unix:web.sock", UnixAddress("web.sock")),
        ("fd://3", InheritedAddress(3)),
        ("fd://web", InheritedAddress("web")),
    ],
)
def test_addresses(text: str, address: addresses.Address) -> None:
    assert addresses.parse(text) == address
    assert addresses.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no address"),
        ("::1:8000", "IPv6 address stands in brackets"),
        ("127.0.0.1:65536", "ports go from 0 to 65535"),
        ("127.0.0.1:123456789", "ports go from 0 to 65535"),
        ("127.0.0.1:http", "no address"),
        ("127.0.0.1:-1", "no address"),
        ("[127.0.0.1]:80", "no IPv6 address in its brackets"),
        ("[::1]80", "no address"),
        ("http://localhost:80", "no address"),
        ("a b:80", "no address"),
        ("unix:", "no path"),
        ("unix:a\0b", "no path"),
        ("fd://", "no number"),
    ],
)
def test_what_is_no_address(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Config(app="a", bind=(text,))
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message


def reaches(sock: socket.socket, host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    name = socket.getaddrinfo(host, sock.getsockname()[1], family, socket.SOCK_STREAM)[0][4]
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        return client.connect_ex(name) == 0


def test_several_addresses(tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    binds = ("127.0.0.1:0", "[::1]:0", f"unix:{path}")
    with bind(Config(app="a", bind=binds, port=0)) as listeners:
        kinds = sorted(sock.family.name for sock in listeners.sockets)
        assert kinds == ["AF_INET", "AF_INET", "AF_INET6", "AF_UNIX"]
        shown = listeners.addresses()
        assert len(shown) == 4
        assert any(item.startswith("http://[::1]:") for item in shown)
        assert f"unix:{path}" in shown
    assert not os.path.exists(path)


@contextlib.contextmanager
def kept_port(family: socket.AddressFamily) -> Iterator[int]:
    """A free port that no other process is given meanwhile: bound, and not listened to."""
    with socket.socket(family) as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("::" if family is socket.AF_INET6 else "127.0.0.1", 0))
        yield kept.getsockname()[1]


def test_the_same_address_twice_is_one() -> None:
    with (
        kept_port(socket.AF_INET) as port,
        bind(Config(app="a", bind=(f"127.0.0.1:{port}",), host="127.0.0.1", port=port)) as listeners,
    ):
        assert listeners.addresses() == [f"http://127.0.0.1:{port}"]


def test_nothing_is_left_where_one_of_several_fails(tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BindError, match="choose another port with --bind"):
            bind(Config(app="a", bind=("127.0.0.1:0", f"unix:{path}", f"127.0.0.1:{port}")))
    assert not os.path.exists(path)


def test_ipv6_takes_ipv4_unless_that_has_an_address_of_its_own() -> None:
    with bind(Config(app="a", bind=("[::]:0",))) as listeners:
        (sock,) = listeners.sockets
        assert reaches(sock, "::1")
        assert reaches(sock, "127.0.0.1")
    with (
        kept_port(socket.AF_INET6) as port,
        bind(Config(app="a", bind=(f"[::]:{port}", f"0.0.0.0:{port}"))) as listeners,
    ):
        six, four = listeners.sockets
        assert six.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
        assert reaches(six, "::1")
        assert reaches(four, "127.0.0.1")


def link_local() -> str | None:
    """A link-local address of this machine, with its interface."""
    try:
        lines = Path("/proc/net/if_inet6").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        digits, _, _, scope, _, name = line.split()
        if scope == "20":
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)) + "%" + name
    return None


@pytest.mark.skipif(link_local() is None, reason="no link-local address here")
def test_a_link_local_address_has_its_interface() -> None:
    host = link_local()
    assert host is not None
    with bind(Config(app="a", bind=(f"[{host}]:0",))) as listeners:
        (sock,) = listeners.sockets
        assert sock.getsockname()[3] == socket.if_nametoindex(host.partition("%")[2])
        assert reaches(sock, host)
    with pytest.raises(BindError, match=r"needs its interface, as in \[fe80::"):
        bind(Config(app="a", bind=(f"[{host.partition('%')[0]}]:0",)))


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "ports below 1024 need privileges .* choose another with --port"),
        (errno.EADDRNOTAVAIL, "no such address; choose another with --host"),
        (errno.ENOBUFS, "cannot listen on 127.0.0.1:80: "),
    ],
)
def test_what_the_kernel_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(_sock: socket.socket, _name: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(BindError, match=words):
        bind(Config(app="a", port=80))


# --- Slots ---


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over sockets")
def test_each_slot_has_tcp_sockets_of_its_own(tmp_path: Path) -> None:
    path = str(tmp_path / "web.sock")
    with bind(Config(app="a", bind=("localhost:0", "127.0.0.1:0", f"unix:{path}")), slots=3) as listeners:
        slots = [listeners.of_slot(number) for number in range(3)]
        assert len(listeners.sockets) == sum(len(slot) - 1 for slot in slots) + 1
        assert len(listeners.addresses()) == len(slots[0])
        for own in zip(*listeners.own, strict=True):
            assert len({sock.getsockname() for sock in own}) == 1
            assert len({sock.fileno() for sock in own}) == 3
        assert {slot[-1].fileno() for slot in slots} == {listeners.shared[0].fileno()}
        port = listeners.own[0][-1].getsockname()[1]
        # SO_REUSEPORT would let another server of this user in, were it not for the bind without it.
        with pytest.raises(BindError, match="in use"):
            bind(Config(app="a", port=port), slots=2)


# --- Handed over ---


def handed(variables: dict[str, str]) -> tuple[dict[int, str], dict[str, str]]:
    return systemd.inherited_fds(variables), variables


MINE = str(os.getpid())


@pytest.mark.parametrize(
    ("variables", "found", "left"),
    [
        ({}, {}, {}),
        ({"LISTEN_PID": MINE, "LISTEN_FDS": "2"}, {3: "", 4: ""}, {}),
        ({"LISTEN_PID": MINE, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a:b"}, {3: "a", 4: "b"}, {}),
        ({"LISTEN_PID": MINE, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "a"}, {3: "a", 4: ""}, {}),
        ({"LISTEN_PID": MINE, "LISTEN_FDS": "0"}, {}, {}),
        ({"LISTEN_PID": "1", "LISTEN_FDS": "2"}, {}, {"LISTEN_PID": "1", "LISTEN_FDS": "2"}),
        ({"LISTEN_FDS": "2"}, {}, {"LISTEN_FDS": "2"}),
        ({"GUNICORN_FD": "5,7", "GUNICORN_PID": "9", "A": "b"}, {5: "", 7: ""}, {"A": "b"}),
    ],
)
def test_what_is_handed_over(variables: dict[str, str], found: dict[int, str], left: dict[str, str]) -> None:
    assert handed(dict(variables)) == (found, left)


@pytest.mark.parametrize(
    "variables",
    [
        {"LISTEN_PID": MINE},
        {"LISTEN_PID": MINE, "LISTEN_FDS": "-1"},
        {"LISTEN_PID": MINE, "LISTEN_FDS": "99999"},
        {"LISTEN_PID": MINE, "LISTEN_FDS": "²"},
        {"GUNICORN_FD": "a"},
        {"GUNICORN_FD": ""},
        {"GUNICORN_FD": "99999999999"},
    ],
)
def test_what_is_handed_over_and_is_nonsense(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BindError) as caught:
        bind(Config(app="a"))
    assert caught.value.exit_code == 2


#: What systemd does between fork and exec: descriptors from 3 on, and the process's own number.
LAUNCHER = """
import os, sys
fds = [int(item) for item in sys.argv[1].split(",")]
high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.closerange(3 + len(fds), 110)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(fds))
os.execv(sys.executable, [sys.executable, "-W", "error", *sys.argv[2:]])
"""

PRINTS_ENVIRONMENT = """
import os
from main import App as Base

class App(Base):
    async def answer(self, stream):
        body = " ".join(sorted(os.environ)).encode()
        stream.start(200, [(b"content-length", str(len(body)).encode())])
        await stream.send(body)
        stream.finish()

app = App()
"""


@needs_unix
@pytest.mark.parametrize("workers", ["1", "2"])
def test_under_systemd(start: Callable[..., Any], app_dir: Path, workers: str, tmp_path: Path) -> None:
    (app_dir / "env.py").write_text(PRINTS_ENVIRONMENT)
    path = str(tmp_path / "notify")
    web = str(tmp_path / "web.sock")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
    ):
        told.bind(path)
        told.settimeout(20)
        unix.bind(web)
        for sock in (tcp, unix):
            sock.set_inheritable(True)
        port = tcp.getsockname()[1]
        command = ["-m", "fastweb", "run", "env:app", "--workers", workers, "--no-access-log"]
        server = start(
            "-c",
            LAUNCHER,
            f"{tcp.fileno()},{unix.fileno()}",
            *command,
            pass_fds=(tcp.fileno(), unix.fileno()),
            NOTIFY_SOCKET=path,
            LISTEN_FDNAMES="web:unix",
        )
        ready = told.recv(4096).decode()
        assert "READY=1" in ready.splitlines()
        assert f"http://127.0.0.1:{port}  unix:{web}" in server.err
        variables = server.get().split()
        assert not [name for name in variables if name.startswith(("LISTEN_", "NOTIFY_", "GUNICORN_"))]
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(web)
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
        if workers == "2":
            server.process.send_signal(1)  # SIGHUP
            assert told.recv(4096).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert b"READY=1" in told.recv(4096)
        assert server.stop() == 0
        assert b"STOPPING=1" in told.recv(4096)
        # systemd holds it open for who comes next: connections wait, and are not dropped.
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
    assert os.path.exists(web)  # systemd's, not ours


@needs_unix
def test_a_named_socket_and_gunicorns(start: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        fd = tcp.fileno()
        command = ["-m", "fastweb", "run", "main:app", "--workers", "1", "--no-access-log"]
        # One after the other: the queue, and the socket, live on.
        named = start(
            "-c",
            LAUNCHER,
            str(fd),
            *command,
            "--bind",
            "fd://web",
            pass_fds=(fd,),
            LISTEN_FDNAMES="web",
        ).ready()
        assert named.port == tcp.getsockname()[1]
        assert named.get()
        assert named.stop() == 0
        missing = start("-c", LAUNCHER, str(fd), *command, "--bind", "fd://other", pass_fds=(fd,))
        assert missing.wait() == 2
        assert missing.err == "Error: fd://other: no socket of that name was handed over (none)\n"
        gunicorn = start(*command, pass_fds=(fd,), GUNICORN_FD=str(fd)).ready()
        assert gunicorn.port == tcp.getsockname()[1]
        assert gunicorn.get()
        assert gunicorn.stop() == 0


@needs_unix
def test_who_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_notify_socket", None)
    assert not systemd.notify("READY=1")
    assert systemd.environment() == {}
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not systemd.notify("READY=1")
    assert "NOTIFY_SOCKET" not in os.environ
    assert systemd.environment() == {"NOTIFY_SOCKET": str(tmp_path / "gone")}
    if sys.platform == "linux":
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind("")  # an abstract name
            monkeypatch.setenv("NOTIFY_SOCKET", "@" + told.getsockname()[1:].decode())
            assert systemd.notify("READY=1", "STATUS=here")
            assert told.recv(100) == b"READY=1\nSTATUS=here"
