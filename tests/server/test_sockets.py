from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from fastweb.server.config import Config
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
