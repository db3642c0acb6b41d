"""A real proxy in front: nginx, over TCP and over a Unix socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fastweb._speedups.response import Head

CONFIG = """
daemon off;
user {user};
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream app {{ server {upstream}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""


async def tell(stream: Any) -> None:
    body = f"{stream.client} {stream.scheme} {len(stream.body)}".encode()
    stream.respond(Head(200, ()), body)


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Start nginx in front of an upstream; its port."""
    if shutil.which("nginx") is None:
        pytest.fail("these tests need a proxy: install nginx (Debian: apt-get install nginx-light)")
    import grp  # Windows has neither
    import pwd

    started: list[subprocess.Popen[bytes]] = []

    def nginx(upstream: str) -> int:
        # Its socket is ours, as from an nginx that is replaced: of a port that is merely free now, another
        # might be quicker. Who connects before nginx is up waits in the queue.
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            port, fd = listening.getsockname()[1], listening.fileno()
            path = tmp_path / "nginx.conf"
            me = f"{pwd.getpwuid(os.geteuid()).pw_name} {grp.getgrgid(os.getegid()).gr_name}"
            path.write_text(CONFIG.format(directory=tmp_path, upstream=upstream, port=port, user=me))
            command = ["nginx", "-e", str(tmp_path / "error.log"), "-p", str(tmp_path), "-c", str(path)]
            environment = {**os.environ, "NGINX": f"{fd};"}
            started.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, pass_fds=(fd,))
            )
        return int(port)

    try:
        yield nginx
        assert [process.poll() for process in started] == [None], (tmp_path / "error.log").read_text()
    finally:
        for process in started:
            process.terminate()
            process.wait(60)


def ask(port: int, *fields: str, body: bytes = b"", source: str = "127.0.0.1") -> str:
    with socket.create_connection(("127.0.0.1", port), 20, (source, 0)) as sock:
        lines = ["POST / HTTP/1.1", "Host: a", "Connection: close", f"Content-Length: {len(body)}", *fields]
        sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = b""
        while data := sock.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return answer.partition(b"\r\n\r\n")[2].decode()


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_clients_behind_nginx(
    host: Callable[..., Any], make_app: Any, nginx: Callable[[str], int], tmp_path: Path, unix: bool
) -> None:
    app = make_app({"/": tell})
    if unix:
        path = str(tmp_path / "web.sock")
        host(app, bind=(f"unix:{path}",))
        port = nginx(f"unix:{path}")
    else:
        port = nginx(f"127.0.0.1:{host(app, port=0).port}")
    # Over the same few connections of nginx's, one client after the other; 127.0.0.2 is no listed proxy.
    for _ in range(3):
        assert ask(port, source="127.0.0.2") == "('127.0.0.2', 0) https 0"
        assert ask(port, source="127.0.0.3", body=b"x" * 100_000) == "('127.0.0.3', 0) https 100000"
    # What a client claims stands left of what nginx has seen.
    assert ask(port, "X-Forwarded-For: 6.6.6.6, 127.0.0.1", source="127.0.0.2") == "('127.0.0.2', 0) https 0"
    assert ask(port, "Forwarded: for=6.6.6.6;proto=http", source="127.0.0.2") == "('127.0.0.2', 0) https 0"
