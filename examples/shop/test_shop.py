"""Tests of the shop: `pytest examples/shop`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastweb import WebSocketDisconnect
from fastweb.testclient import TestClient

from . import database
from .main import ADMIN_PASSWORD, app

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client of a shop that has nothing yet. As a context manager it runs the app's lifespan."""
    monkeypatch.setattr(database, "PATH", str(tmp_path / "shop.db"))
    with TestClient(app) as client:
        yield client


def log_in(client: TestClient, name: str, password: str) -> dict[str, str]:
    answer = client.post("/token", data={"username": name, "password": password})
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
def admin(client: TestClient) -> dict[str, str]:
    return log_in(client, "admin", ADMIN_PASSWORD)


@pytest.fixture
def ada(client: TestClient) -> dict[str, str]:
    user = {"name": "ada", "password": "difference engine"}
    assert client.post("/users", json=user).json() == {"name": "ada", "scopes": []}
    return log_in(client, **user)


def add_product(
    client: TestClient, admin: dict[str, str], name: str, price: int = 250, stock: int = 3
) -> int:
    answer = client.post("/products", json={"name": name, "price": price, "stock": stock}, headers=admin)
    assert answer.status_code == 201
    assert answer.headers["location"] == f"http://testserver/products/{answer.json()['id']}"
    product_id: int = answer.json()["id"]
    return product_id


def test_users(client: TestClient, ada: dict[str, str]) -> None:
    assert client.get("/users/me", headers=ada).json() == {"name": "ada", "scopes": []}
    assert client.get("/users/me").status_code == 401
    forged = {"Authorization": ada["Authorization"][:-1] + "!"}
    assert client.get("/users/me", headers=forged).json() == {"detail": "The token is wrong, or too old"}
    assert client.post("/token", data={"username": "ada", "password": "guess"}).status_code == 400
    assert client.post("/users", json={"name": "ada", "password": "12345678"}).status_code == 409
    assert client.post("/users", json={"name": "Ada!", "password": "12345678"}).status_code == 422


def test_only_an_admin_changes_the_catalogue(
    client: TestClient, admin: dict[str, str], ada: dict[str, str]
) -> None:
    tea = {"name": "Tea", "price": 250}
    assert client.post("/products", json=tea).status_code == 401
    assert client.post("/products", json=tea, headers=ada).status_code == 403
    number = add_product(client, admin, "Tea")
    changed = client.patch(f"/products/{number}", json={"price": 300}, headers=admin)
    assert changed.json() == {"id": number, "name": "Tea", "description": "", "price": 300, "stock": 3}
    assert client.get(f"/products/{number}").json() == changed.json()
    assert client.delete(f"/products/{number}", headers=admin).status_code == 204
    assert client.get(f"/products/{number}").json() == {"detail": f"There is no product {number}"}


def test_a_list_by_pages(client: TestClient, admin: dict[str, str]) -> None:
    for number in range(5):
        add_product(client, admin, f"Tea {number}", price=500 - number)
    add_product(client, admin, "Coffee")
    names = []
    path: str | None = "/products?search=tea&order_by=price&limit=2"
    while path is not None:
        page = client.get(path).json()
        assert page["total"] == 5
        names += [product["name"] for product in page["items"]]
        path = page["next"]
    assert names == ["Tea 4", "Tea 3", "Tea 2", "Tea 1", "Tea 0"]
    assert client.get("/products?limit=0").status_code == 422


def test_an_image(client: TestClient, admin: dict[str, str]) -> None:
    path = f"/products/{add_product(client, admin, 'Tea')}/image"
    assert client.get(path).status_code == 404
    put = client.put(path, data={"caption": "A cup"}, files={"file": ("tea.png", PNG)}, headers=admin)
    assert put.json() == {"caption": "A cup", "media_type": "image/png", "size": len(PNG)}
    image = client.get(path)
    assert (image.headers["content-type"], image.content) == ("image/png", PNG)
    assert client.put(path, files={"file": ("tea.png", b"tea")}, headers=admin).status_code == 415
    assert client.put(path, files={"file": ("tea.png", PNG + bytes(2**20))}, headers=admin).status_code == 413


def test_an_order(client: TestClient, admin: dict[str, str], ada: dict[str, str]) -> None:
    tea = add_product(client, admin, "Tea", price=250, stock=3)
    lines = [{"product_id": tea, "count": 2}]
    order = client.post("/orders", json={"lines": lines}, headers=ada)
    assert order.json() == {"id": 1, "lines": lines, "total": 500, "status": "received"}
    # The test client waits for background tasks.
    assert client.get("/orders/1", headers=ada).json()["status"] == "sent"
    assert client.get("/orders/1/status", headers=ada).text == 'event: status\ndata: "sent"\n\n'
    assert client.get("/orders/1", headers=admin).status_code == 404

    too_much = client.post("/orders", json={"lines": lines}, headers=ada)
    assert (too_much.status_code, too_much.json()) == (409, {"detail": f"Of product {tea}, 1 are left"})
    # One line can be had, the other one cannot: nothing is changed.
    lines = [{"product_id": tea, "count": 1}, {"product_id": tea + 1, "count": 1}]
    assert client.post("/orders", json={"lines": lines}, headers=ada).status_code == 404
    assert client.get(f"/products/{tea}").json()["stock"] == 1
    assert client.get("/orders/2", headers=ada).status_code == 404


def test_the_chat(client: TestClient, admin: dict[str, str], ada: dict[str, str]) -> None:
    urls = [f"/chat?token={user['Authorization'].removeprefix('Bearer ')}" for user in (admin, ada)]
    with client.websocket_connect(urls[0]) as one:
        with client.websocket_connect(urls[1]) as two:
            two.send_text("hello")
            assert one.receive_json() == two.receive_json() == {"from": "ada", "text": "hello"}
        assert one.receive_json() == {"left": "ada"}
    with pytest.raises(WebSocketDisconnect) as refused, client.websocket_connect("/chat?token=guess"):
        pass
    assert refused.value.code == 1008


def test_the_home_page(client: TestClient, admin: dict[str, str]) -> None:
    assert "Nothing yet" in client.get("/").text
    add_product(client, admin, "<Tea>")
    page = client.get("/")
    assert "&lt;Tea&gt;" in page.text
    assert "2.50" in page.text
    assert "x-process-time" in page.headers
    assert client.get("/static/style.css").headers["content-type"] == "text/css; charset=utf-8"
