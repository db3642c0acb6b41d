from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest

from fastweb.openapi.docs import (
    get_redoc_html,
    get_swagger_ui_html,
    get_swagger_ui_oauth2_redirect_html,
    swagger_ui_default_parameters,
)

EVIL = "'\"</script><script>alert(1)</script>&\\\n\u2028"


def body(response: Any) -> str:
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return bytes(response.body).decode()


def test_swagger_ui_loads_what_it_is_told() -> None:
    page = body(
        get_swagger_ui_html(
            openapi_url="/api.json",
            title="Mine",
            swagger_js_url="/ui.js",
            swagger_css_url="/ui.css",
            swagger_favicon_url="/icon.png",
            oauth2_redirect_url="/back",
            init_oauth={"clientId": "me"},
            swagger_ui_parameters={"deepLinking": False, "syntaxHighlight": {"theme": "obsidian"}},
        )
    )
    for part in (
        "<title>Mine</title>",
        'src="/ui.js"',
        'href="/ui.css"',
        'href="/icon.png"',
        "url: '/api.json'",
        "oauth2RedirectUrl: window.location.origin + '/back'",
        '"deepLinking": false',
        '"dom_id": "#swagger-ui"',
        '"syntaxHighlight": {"theme": "obsidian"}',
        'ui.initOAuth({"clientId": "me"})',
    ):
        assert part in page
    assert '"deepLinking": true' not in page
    assert swagger_ui_default_parameters["deepLinking"] is True


def test_by_default_the_pages_load_from_the_cdn() -> None:
    for make in (get_swagger_ui_html, get_redoc_html):
        page = body(make(openapi_url="/openapi.json", title="t"))
        for name, parameter in inspect.signature(make).parameters.items():
            if name.endswith(("_js_url", "_css_url", "_favicon_url")):
                assert parameter.default in page


def test_redoc_loads_what_it_is_told() -> None:
    page = body(
        get_redoc_html(openapi_url="/api.json", title="Mine", redoc_js_url="/r.js", redoc_favicon_url="/i")
    )
    for part in (
        "<title>Mine</title>",
        '<script src="/r.js">',
        'href="/i"',
        'spec-url="/api.json"',
        "googleapis",
    ):
        assert part in page
    page = body(get_redoc_html(openapi_url="/", title="t", redoc_js_url="/r.mjs", with_google_fonts=False))
    assert '<script type="module" src="/r.mjs">' in page
    assert "googleapis" not in page


def test_the_way_back_from_an_oauth2_server() -> None:
    page = body(get_swagger_ui_oauth2_redirect_html())
    assert "window.opener.swaggerUIRedirectOauth2" in page
    assert "isValid" in page


@pytest.mark.parametrize("make", [get_swagger_ui_html, get_redoc_html])
def test_whatever_is_given_is_escaped(make: Any) -> None:
    harmless = body(make(**dict.fromkeys(("openapi_url", "title"), "x")))
    names = [
        name
        for name in inspect.signature(make).parameters
        if name.endswith(("_url", "title")) and name != "oauth2_redirect_url"
    ]
    for name in names:
        page = body(make(**{"openapi_url": "x", "title": "x", name: EVIL}))
        assert page.count("<script") == harmless.count("<script")
        assert page.count("</script") == harmless.count("</script")
        assert "alert(1)</" not in page


def test_what_stands_in_a_script_is_escaped() -> None:
    page = body(
        get_swagger_ui_html(
            openapi_url=EVIL,
            title="t",
            oauth2_redirect_url=EVIL,
            init_oauth={EVIL: EVIL},
            swagger_ui_parameters={EVIL: EVIL},
        )
    )
    assert page.count("</script") == 2
    for quoted in re.findall(r"(?:url: |origin \+ )'(.*)'", page):
        assert json.loads(f'"{quoted}"') == EVIL
    oauth = re.search(r"initOAuth\((.*)\)", page)
    assert oauth is not None
    assert json.loads(oauth[1]) == {EVIL: EVIL}
