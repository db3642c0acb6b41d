from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from typing import Any

import pytest
from itsdangerous import TimestampSigner

from fastweb import FastWeb, Request
from fastweb.middleware.sessions import Session, SessionMiddleware
from fastweb.testclient import TestClient

KEY = "a key for tests"


def client_of(key: str = KEY, base_url: str = "https://testserver", **options: Any) -> TestClient:
    app = FastWeb()

    @app.get("/")
    async def read(request: Request) -> dict[str, Any]:
        return request.session

    @app.get("/elsewhere")
    async def elsewhere() -> str:
        return "no session is looked at here"

    @app.post("/")
    async def change(request: Request) -> None:
        request.session.update(await request.json())

    @app.delete("/")
    async def clear(request: Request) -> None:
        request.session.clear()

    return TestClient(SessionMiddleware(app, secret_key=key, **options), base_url=base_url)


def cookie_of(value: bytes, key: str = KEY) -> str:
    return TimestampSigner(key).sign(value).decode()


def test_a_session_lives_in_its_cookie() -> None:
    client = client_of()
    assert client.get("/").json() == {}
    written = client.post("/", json={"user": "Zoë"})
    assert written.headers["set-cookie"].endswith("; path=/; Max-Age=1209600; httponly; samesite=lax")
    assert client.get("/").json() == {"user": "Zoë"}
    cleared = client.delete("/")
    assert cleared.headers["set-cookie"].startswith("session=null; path=/; expires=Thu, 01 Jan 1970")
    assert client.get("/").json() == {}


def test_the_cookie_is_set_when_something_changed_only() -> None:
    client = client_of()
    client.post("/", json={"a": 1})
    for answer in (client.get("/"), client.get("/elsewhere"), client_of().delete("/")):
        assert "set-cookie" not in answer.headers
    assert client.get("/").headers["vary"] == "Cookie"
    assert "vary" not in client.get("/elsewhere").headers


@pytest.mark.parametrize(
    ("options", "attributes"),
    [
        ({"max_age": None}, "; path=/; httponly; samesite=lax"),
        ({"max_age": 0}, "; path=/; Max-Age=0; httponly; samesite=lax"),
        ({"path": "/app", "same_site": "strict"}, "; path=/app; Max-Age=1209600; httponly; samesite=strict"),
        (
            {"https_only": True, "domain": ".a.example", "partitioned": True, "same_site": "none"},
            "; path=/; Max-Age=1209600; httponly; samesite=none; secure; domain=.a.example; partitioned",
        ),
    ],
)
def test_the_cookie_s_attributes(options: dict[str, Any], attributes: str) -> None:
    assert client_of(**options).post("/", json={"a": 1}).headers["set-cookie"].endswith(attributes)


def test_the_cookie_s_name() -> None:
    client = client_of(session_cookie="id")
    assert client.post("/", json={"a": 1}).headers["set-cookie"].startswith("id=")
    assert client.get("/").json() == {"a": 1}


GOOD = b64encode(b'{"a": 1}')


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "null",
        ".",
        "a.b.c",
        "\xff\xfe",
        b64encode(b'{"admin": true}').decode(),
        cookie_of(GOOD, key="another key"),
        cookie_of(GOOD)[:-1],
        cookie_of(GOOD)[1:],
        cookie_of(GOOD).rsplit(".", 1)[0] + ".",
        # Signed with our key, and no session.
        cookie_of(b"no base64!"),
        cookie_of(b64encode(b"{")),
        cookie_of(b64encode(b"\xff")),
        cookie_of(b64encode(b"[1]")),
        cookie_of(b64encode(b'"text"')),
        cookie_of(b64encode(b"[" * 100_000)),
    ],
    # Not the cookies themselves: the time is in them.
    ids=range(16),
)
def test_a_cookie_that_is_not_ours_is_no_session(cookie: str) -> None:
    answer = client_of().get("/", headers=[(b"cookie", b"session=" + cookie.encode("latin-1"))])
    assert (answer.status_code, answer.json()) == (200, {})


def test_an_old_cookie_is_no_session() -> None:
    cookie = {"cookie": f"session={cookie_of(GOOD)}"}
    assert client_of().get("/", headers=cookie).json() == {"a": 1}
    assert client_of(max_age=-1).get("/", headers=cookie).json() == {}


def test_who_has_no_key_cannot_change_one_bit() -> None:
    cookie = cookie_of(GOOD)
    client = client_of()
    for place in range(len(cookie)):
        other = chr(ord(cookie[place]) ^ 1)
        if other in ';, "\\' or cookie[place] in "-_" or other in "-_":
            continue
        changed = cookie[:place] + other + cookie[place + 1 :]
        # The last character of base64 has bits that mean nothing.
        if place != len(cookie) - 1:
            assert client.get("/", headers={"cookie": f"session={changed}"}).json() == {}, place


CHANGES: list[tuple[str, bool]] = [
    ("session['b'] = 1", True),
    ("del session['a']", True),
    ("session.clear()", True),
    ("session.pop('a')", True),
    ("session.pop('b', None)", False),
    ("session.popitem()", True),
    ("session.setdefault('a', 2)", False),
    ("session.setdefault('b', 2)", True),
    ("session.update(b=2)", True),
    ("session |= {'b': 2}", True),
    ("session['a']", False),
    ("session.get('a')", False),
]


@pytest.mark.parametrize(("code", "modified"), CHANGES)
def test_a_session_knows_its_changes(code: str, modified: bool) -> None:
    session = Session({"a": 1})
    exec(code, {"session": session})
    assert (session.modified, session.accessed) == (modified, modified)


def test_a_session_is_json() -> None:
    assert json.dumps(Session({"a": 1})) == '{"a": 1}'


def test_without_itsdangerous_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['itsdangerous'] = None\n"
        "from fastweb.middleware.sessions import SessionMiddleware\n"
        "try: SessionMiddleware(None, 'key')\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'fastweb[sessions]'" in done.stdout
