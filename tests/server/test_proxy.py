from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from fastweb._speedups.response import Head
from fastweb.server.config import Config, ConfigError
from fastweb.server.proxy import DEFAULT_PROXIES, Proxies, unmapped

PEER = ("10.0.0.1", 40000)
LISTED = "127.0.0.1, 10.0.0.0/8, fd00::/8, unix:/run/web.sock"


@pytest.mark.parametrize(
    ("listed", "trusted", "not_trusted"),
    [
        (DEFAULT_PROXIES, ["127.0.0.1", "::1", "::ffff:127.0.0.1"], ["127.0.0.2", "10.0.0.1", "nonsense"]),
        ("10.0.0.0/8, 192.0.2.7", ["10.255.0.1", "192.0.2.7", "::ffff:10.0.0.1"], ["11.0.0.1", "192.0.2.8"]),
        ("fe80::/10", ["fe80::1%eth0", "fe80::1"], ["::1", "128.0.0.1"]),
        ("*", ["203.0.113.9", "::1"], []),
        ("", [], ["127.0.0.1", "::1"]),
        (["10.0.0.1", "10.0.0.2"], ["10.0.0.2"], ["10.0.0.3"]),
    ],
)
def test_who_is_a_proxy(listed: Any, trusted: list[str], not_trusted: list[str]) -> None:
    proxies = Proxies(listed)
    for _ in range(2):
        assert [host for host in trusted if not proxies.trusts((host, 1))] == []
        assert [host for host in not_trusted if proxies.trusts((host, 1))] == []


def test_unix_sockets_are_listed_all_or_by_path() -> None:
    assert Proxies("unix:").trusts(None, "/any")
    assert Proxies("unix:/a").trusts(None, "/a")
    assert not Proxies("unix:/a").trusts(None, "/b")
    assert not Proxies("127.0.0.1").trusts(None, "/b")
    assert not Proxies("unix:").trusts(("10.0.0.1", 1), ("10.0.0.2", 80))


@pytest.mark.parametrize("listed", ["localhost", "10.0.0.1/8", "10.0.0.300", "::1]", 7, [7]])
def test_what_is_no_proxy_is_an_error_at_start(listed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="forwarded_allow_ips"):
        Config(app="a", forwarded_allow_ips=listed)
    if isinstance(listed, str):
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", listed)
        with pytest.raises(ConfigError, match="forwarded_allow_ips"):
            Config(app="a")


def test_the_environment_lists_proxies_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "192.0.2.1")
    assert Config(app="a").proxies().trusts(("192.0.2.1", 1))
    assert not Config(app="a", forwarded_allow_ips="192.0.2.2").proxies().trusts(("192.0.2.1", 1))


X_FORWARDED: list[tuple[list[str], list[str], tuple[str, int], str]] = [
    (["203.0.113.9"], [], ("203.0.113.9", 0), "http"),
    (["203.0.113.9"], ["https"], ("203.0.113.9", 0), "https"),
    ([], ["https"], PEER, "https"),
    ([], ["HTTPS "], PEER, "https"),
    ([], ["wss"], PEER, "https"),
    # The right-most that is no proxy; what is left of it may be forged.
    (["6.6.6.6, 203.0.113.9, 10.0.0.2"], [], ("203.0.113.9", 0), "http"),
    (["6.6.6.6", "203.0.113.9", "10.0.0.2"], [], ("203.0.113.9", 0), "http"),
    (["127.0.0.1, 127.0.0.1, 203.0.113.9"], [], ("203.0.113.9", 0), "http"),
    (["10.0.0.3, 10.0.0.2"], [], ("10.0.0.3", 0), "http"),
    # Ports, brackets, IPv6, IPv4 in IPv6.
    (["203.0.113.9:4711"], [], ("203.0.113.9", 4711), "http"),
    (["[2001:DB8::9]:4711"], [], ("2001:db8::9", 4711), "http"),
    (["2001:db8::9"], [], ("2001:db8::9", 0), "http"),
    (["::ffff:203.0.113.9"], [], ("203.0.113.9", 0), "http"),
    (["203.0.113.9, ::ffff:10.0.0.2"], [], ("203.0.113.9", 0), "http"),
    # Garbage ends the walk: what is vouched for is the proxy before it.
    (["garbage"], [], PEER, "http"),
    (["203.0.113.9, garbage"], [], PEER, "http"),
    (["6.6.6.6, garbage, 10.0.0.2"], [], ("10.0.0.2", 0), "http"),
    (["unknown, 10.0.0.2"], [], ("10.0.0.2", 0), "http"),
    ([""], [""], PEER, "http"),
    ([","], [","], PEER, "http"),
    (["203.0.113.9:99999"], [], PEER, "http"),
    (["203.0.113.09"], [], PEER, "http"),
    (["203.0.113.9\xa0"], [], PEER, "http"),
    (["²03.0.113.9"], ["ftp"], PEER, "http"),
    (["fe80::1%eth0"], ["https\x7f"], PEER, "http"),
    (["[203.0.113.9]"], [], PEER, "http"),
    # A list of schemes is one a hop, else the last counts.
    (["203.0.113.9, 10.0.0.2"], ["https, http"], ("203.0.113.9", 0), "https"),
    (["6.6.6.6, 203.0.113.9"], ["https, http"], ("203.0.113.9", 0), "http"),
    (["203.0.113.9"], ["https, http"], ("203.0.113.9", 0), "http"),
]


@pytest.mark.parametrize(("fors", "schemes", "client", "scheme"), X_FORWARDED)
def test_x_forwarded(fors: list[str], schemes: list[str], client: tuple[str, int], scheme: str) -> None:
    headers = [(b"x-forwarded-for", item.encode("latin-1")) for item in fors]
    headers += [(b"x-forwarded-proto", item.encode("latin-1")) for item in schemes]
    headers += [(b"forwarded", b"for=6.6.6.6;proto=https"), (b"x-forwarded-host", b"evil")]
    proxies = Proxies(LISTED)
    for _ in range(2):  # from the memory, too
        assert proxies.forwarded(headers, PEER, "http") == (client, scheme)


FORWARDED: list[tuple[list[str], tuple[str, int], str]] = [
    (["for=203.0.113.9"], ("203.0.113.9", 0), "http"),
    (["For=203.0.113.9;Proto=https;by=10.0.0.1"], ("203.0.113.9", 0), "https"),
    (['for="[2001:db8:cafe::17]:4711"'], ("2001:db8:cafe::17", 4711), "http"),
    (['for="203.0.113.9:_port"; proto=https'], ("203.0.113.9", 0), "https"),
    (["for=6.6.6.6;proto=https, for=203.0.113.9, for=10.0.0.2"], ("203.0.113.9", 0), "http"),
    (["for=6.6.6.6", "for=203.0.113.9;proto=https"], ("203.0.113.9", 0), "https"),
    (['for="203.0.113\\.9"'], ("203.0.113.9", 0), "http"),
    (["for=_hidden"], PEER, "http"),
    (["for=203.0.113.9, for=unknown"], PEER, "http"),
    (["proto=https"], PEER, "https"),
    ([""], PEER, "http"),
    ([",;,"], PEER, "http"),
    # Malformed anywhere: none of it counts.
    (['for="6.6.6.6', "for=203.0.113.9"], PEER, "http"),
    (['for=6.6.6.6;a="', 'for="[2001:db8::1]"'], PEER, "http"),
    (["for=6.6.6.6;for=7.7.7.7, for=203.0.113.9"], PEER, "http"),
    (["for = 203.0.113.9"], PEER, "http"),
    (["for=203.0.113.9:80"], PEER, "http"),
    (['for="203.0.113.9"x'], PEER, "http"),
    (["for"], PEER, "http"),
    (["\x00"], PEER, "http"),
]


@pytest.mark.parametrize(("values", "client", "scheme"), FORWARDED)
def test_forwarded(values: list[str], client: tuple[str, int], scheme: str) -> None:
    headers = [(b"forwarded", item.encode("latin-1")) for item in values]
    headers += [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-proto", b"https")]
    assert Proxies(LISTED, "forwarded").forwarded(headers, PEER, "http") == (client, scheme)


def test_everyone_is_a_proxy_but_not_every_address() -> None:
    headers = [(b"x-forwarded-for", b"6.6.6.6, 203.0.113.9, 10.0.0.2")]
    assert Proxies("*").forwarded(headers, PEER, "http")[0] == ("10.0.0.2", 0)
    assert Proxies("*, 10.0.0.0/8").forwarded(headers, PEER, "http")[0] == ("203.0.113.9", 0)


@pytest.mark.parametrize(
    "value",
    [b" " * 60_000 + b"x", b"," * 60_000, b"10.0.0.1," * 6_000, b'for="' + b"\\a" * 30_000, b"a=b;" * 15_000],
)
@pytest.mark.parametrize("field", ["forwarded", "x-forwarded-for"])
def test_a_hostile_field_takes_linear_time(field: str, value: bytes) -> None:
    start = time.process_time()
    Proxies(LISTED, field).forwarded([(field.encode(), value)], PEER, "http")
    assert time.process_time() - start < 2  # quadratic is minutes


@pytest.mark.parametrize(
    ("host", "same"),
    [("::ffff:1.2.3.4", "1.2.3.4"), ("::FFFF:102:304", "1.2.3.4"), ("::1", "::1"), ("1.2.3.4", "1.2.3.4")],
)
def test_ipv4_in_ipv6(host: str, same: str) -> None:
    assert unmapped(host) == same


async def tell(stream: Any) -> None:
    stream.respond(Head(200, ()), f"{stream.client} {stream.scheme}".encode())


def test_a_request_tells_of_its_own_client(listen: Callable[..., Any], make_app: Any) -> None:
    server = listen(make_app({"/": tell}), proxies=Proxies())
    with server.connect() as client:
        head = b"GET / HTTP/1.1\r\nHost: a\r\n"
        peer = client.socket.getsockname()
        # Pipelined: each has its own, and the next has none.
        client.send(
            head + b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n\r\n",
            head + b"X-Forwarded-For: 203.0.113.10\r\n\r\n" + head + b"\r\n",
        )
        assert client.answer().body == b"('203.0.113.9', 0) https"
        assert client.answer().body == b"('203.0.113.10', 0) http"
        assert client.answer().body == f"{peer} http".encode()
    server.until(lambda: len(server.log) == 3)
    assert [entry[0] for entry in server.log] == [("203.0.113.9", 0), ("203.0.113.10", 0), peer]


@pytest.mark.parametrize("proxies", [None, Proxies("10.0.0.1"), Proxies("")])
def test_others_are_not_believed(listen: Callable[..., Any], make_app: Any, proxies: Proxies | None) -> None:
    server = listen(make_app({"/": tell}), proxies=proxies)
    with server.connect() as client:
        client.send(
            b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\r\n"
        )
        assert client.answer().body == f"{client.socket.getsockname()} http".encode()
