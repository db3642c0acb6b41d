from __future__ import annotations

from typing import Any

import pytest

from fastweb import FastWeb, Response
from fastweb.middleware.cors import CORSMiddleware
from fastweb.testclient import TestClient


def client_of(**options: Any) -> TestClient:
    app = FastWeb()

    @app.get("/")
    async def home() -> str:
        return "home"

    @app.get("/varied")
    async def varied(response: Response) -> str:
        response.headers["Vary"] = "Accept"
        response.headers["Access-Control-Allow-Origin"] = "https://wrong.example"
        return "varied"

    return TestClient(CORSMiddleware(app, **options))


ASKED = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize(
    ("options", "origin", "allowed"),
    [
        ({}, "https://a.example", None),
        ({"allow_origins": ["*"]}, "https://a.example", "*"),
        ({"allow_origins": "*"}, "https://a.example", "*"),
        ({"allow_origins": ["*"], "allow_credentials": True}, "https://a.example", "https://a.example"),
        ({"allow_origins": ["https://a.example"]}, "https://a.example", "https://a.example"),
        ({"allow_origins": ["https://a.example"]}, "https://A.example", None),
        ({"allow_origins": ["https://a.example"]}, "http://a.example", None),
        ({"allow_origins": ["https://a.example"]}, "https://a.example.evil.example", None),
        ({"allow_origins": ["https://a.example"]}, "null", None),
        # A string is one origin: no part of it is another.
        ({"allow_origins": "https://a.example"}, "https://a.example", "https://a.example"),
        ({"allow_origins": "https://a.example"}, "https://a", None),
        ({"allow_origin_regex": r"https://.*\.example"}, "https://b.example", "https://b.example"),
        ({"allow_origin_regex": r"https://.*\.example"}, "https://b.example.evil.org", None),
        ({"allow_origin_regex": r"https://.*\.example"}, "evil https://b.example", None),
    ],
)
def test_allowed_origins(options: dict[str, Any], origin: str, allowed: str | None) -> None:
    client = client_of(**options)
    answer = client.get("/", headers={"Origin": origin})
    assert (answer.status_code, answer.json()) == (200, "home")
    assert answer.headers.get("access-control-allow-origin") == allowed
    assert answer.headers["vary"] == "Origin"
    asked = client.options("/", headers={**ASKED, "Origin": origin})
    assert asked.headers.get("access-control-allow-origin") == allowed
    assert asked.status_code == (400 if allowed is None else 200)
    assert asked.text == ("Disallowed CORS origin" if allowed is None else "OK")


def test_without_an_origin_only_vary_is_said() -> None:
    answer = client_of(allow_origins=["*"], expose_headers=["X-A"]).get("/")
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-expose-headers" not in answer.headers


def test_the_app_s_own_fields_give_way() -> None:
    client = client_of(allow_origins=["https://a.example"], expose_headers=["X-A", "X-B"])
    answer = client.get("/varied", headers={"Origin": "https://a.example"})
    assert answer.headers["vary"] == "Accept, Origin"
    assert answer.headers.get_list("access-control-allow-origin") == ["https://a.example"]
    assert answer.headers["access-control-expose-headers"] == "X-A, X-B"


@pytest.mark.parametrize(
    ("options", "headers", "failures"),
    [
        ({}, {}, ""),
        ({}, {"Access-Control-Request-Method": "POST"}, "method"),
        ({"allow_methods": ["*"]}, {"Access-Control-Request-Method": "PATCH"}, ""),
        ({"allow_methods": "POST"}, {"Access-Control-Request-Method": "POST"}, ""),
        ({"allow_methods": "POST"}, {"Access-Control-Request-Method": "POS"}, "method"),
        ({"allow_methods": ["*"]}, {"Access-Control-Request-Method": "get"}, "method"),
        ({}, {"Access-Control-Request-Headers": "Accept, content-TYPE"}, ""),
        ({}, {"Access-Control-Request-Headers": "X-Token"}, "headers"),
        ({"allow_headers": ["X-Token"]}, {"Access-Control-Request-Headers": " x-token ,accept"}, ""),
        ({"allow_headers": ["*"]}, {"Access-Control-Request-Headers": "anything"}, ""),
        ({}, {"Access-Control-Request-Private-Network": "true"}, "private-network"),
        ({"allow_private_network": True}, {"Access-Control-Request-Private-Network": "true"}, ""),
        ({"allow_origins": []}, {"Access-Control-Request-Method": "PUT"}, "origin, method"),
    ],
)
def test_preflight(options: dict[str, Any], headers: dict[str, str], failures: str) -> None:
    client = client_of(**{"allow_origins": ["https://a.example"], **options})
    answer = client.options("/", headers={**ASKED, **headers})
    expected = (400, f"Disallowed CORS {failures}") if failures else (200, "OK")
    assert (answer.status_code, answer.text) == expected


def test_what_a_preflight_is_told() -> None:
    client = client_of(
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["X-Token"],
        allow_credentials=True,
        allow_private_network=True,
        max_age=60,
    )
    headers = client.options("/", headers={**ASKED, "Access-Control-Request-Private-Network": "true"}).headers
    assert {name: value for name, value in headers.items() if name.startswith("access-control")} == {
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-methods": "GET, POST",
        "access-control-allow-headers": "Accept, Accept-Language, Content-Language, Content-Type, X-Token",
        "access-control-allow-credentials": "true",
        "access-control-allow-private-network": "true",
        "access-control-max-age": "60",
    }
    assert "Origin" in headers["vary"]


@pytest.mark.parametrize("missing", ["Origin", "Access-Control-Request-Method"])
def test_options_that_are_no_preflight_reach_the_app(missing: str) -> None:
    headers = {name: value for name, value in ASKED.items() if name != missing}
    assert client_of(allow_origins=["*"]).options("/", headers=headers).status_code == 405


def test_many_requested_headers_cost_no_more_than_their_length() -> None:
    names = ",".join(f"x-{number}" for number in range(20_000))
    answer = client_of(allow_origins=["*"], allow_headers=["x-1"]).options(
        "/", headers={**ASKED, "Access-Control-Request-Headers": names}
    )
    assert (answer.status_code, answer.text) == (400, "Disallowed CORS headers")
