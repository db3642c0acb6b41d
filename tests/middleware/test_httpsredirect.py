from __future__ import annotations

import pytest

from fastweb.middleware.httpsredirect import HTTPSRedirectMiddleware
from fastweb.responses import PlainTextResponse
from fastweb.testclient import TestClient


def client_of(base_url: str) -> TestClient:
    return TestClient(HTTPSRedirectMiddleware(PlainTextResponse("secure")), base_url=base_url)


@pytest.mark.parametrize(
    ("base_url", "location"),
    [
        ("http://a.example", "https://a.example/p?q=1"),
        ("http://a.example:80", "https://a.example/p?q=1"),
        ("http://a.example:443", "https://a.example/p?q=1"),
        ("http://a.example:8000", "https://a.example:8000/p?q=1"),
        ("http://[::1]", "https://[::1]/p?q=1"),
        ("http://[::1]:443", "https://[::1]/p?q=1"),
    ],
)
def test_http_is_sent_to_https(base_url: str, location: str) -> None:
    answer = client_of(base_url).get("/p?q=1", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, location)


def test_https_goes_through() -> None:
    assert client_of("https://a.example").get("/").text == "secure"


@pytest.mark.parametrize("host", ["evil.org/path?", "a@evil.org", "evil.org#", "a.example:99999"])
def test_a_host_that_is_none_leads_nowhere_else(host: str) -> None:
    answer = client_of("http://a.example").get("/p", headers={"host": host}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "https://a.example/p")
