"""Pages from templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest

from fastweb import FastWeb, Request
from fastweb.templating import Jinja2Templates
from fastweb.testclient import TestClient
from tests.responses.sending import messages_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "page.html").write_text("<p>{{ name }} at {{ url_for('page', name='x') }}</p>")
    (tmp_path / "plain.txt").write_text("{{ name }}")
    return tmp_path


def answers(templates: Jinja2Templates, template: str = "page.html", **options: Any) -> Any:
    app = FastWeb()

    @app.get("/pages/{name}", name="page", response_model=None)
    async def page(request: Request, name: str) -> Any:
        return templates.TemplateResponse(request, template, {"name": name}, **options)

    return TestClient(app).get("/pages/<b>")


def test_page(folder: Path) -> None:
    answer = answers(Jinja2Templates(folder), status_code=201, headers={"x-a": "1"})
    assert answer.text == "<p>&lt;b&gt; at http://testserver/pages/x</p>"
    assert (answer.status_code, answer.headers["x-a"]) == (201, "1")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_several_folders(folder: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "plain.txt").write_text("first {{ name }}")
    templates = Jinja2Templates([str(first), folder])
    # Text is no HTML, and nothing in it is escaped.
    answer = answers(templates, "plain.txt", media_type="text/plain")
    assert (answer.text, answer.headers["content-type"]) == ("first <b>", "text/plain; charset=utf-8")
    assert answers(templates).status_code == 200


def test_environment(folder: Path) -> None:
    env = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True)
    env.globals["url_for"] = lambda route, /, **params: "mine"
    assert answers(Jinja2Templates(env=env)).text == "<p>&lt;b&gt; at mine</p>"
    with pytest.raises(AssertionError, match="either 'directory' or 'env'"):
        Jinja2Templates()  # type: ignore[call-overload]
    with pytest.raises(AssertionError, match="either 'directory' or 'env'"):
        Jinja2Templates(folder, env=env)  # type: ignore[call-overload]


def test_context_processors(folder: Path) -> None:
    def more(request: Request) -> dict[str, Any]:
        return {"name": request.url.path}

    assert answers(Jinja2Templates(folder, context_processors=[more]), "plain.txt").text == "/pages/<b>"


def test_no_template(folder: Path) -> None:
    with pytest.raises(jinja2.TemplateNotFound):
        Jinja2Templates(folder).get_template("none.html")


def test_a_test_client_is_told(folder: Path) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [],
        "extensions": {"http.response.debug": {}},
    }
    response = Jinja2Templates(folder).TemplateResponse(Request(scope), "plain.txt", {"name": "x"})
    debug, start, body = messages_of(response)
    assert debug["type"] == "http.response.debug"
    assert debug["info"]["template"].name == "plain.txt"
    assert debug["info"]["context"]["name"] == "x"
    assert (start["status"], body["body"]) == (200, b"x")
