"""fastapi-pagination: pages of lists, their parameters, their schema."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from fastapi_pagination import Page, add_pagination, paginate
from fastapi_pagination.limit_offset import LimitOffsetPage
from fastapi_pagination.utils import disable_installed_extensions_check
from pydantic import BaseModel

# It finds SQLAlchemy, which other tests here use.
disable_installed_extensions_check()


class Item(BaseModel):
    number: int


app = FastAPI()


@app.get("/items")
def items() -> Page[Item]:
    return paginate([Item(number=number) for number in range(7)])


@app.get("/others", response_model=LimitOffsetPage[Item])
async def others() -> Any:
    return paginate([Item(number=number) for number in range(7)])


add_pagination(app)


def test_pages() -> None:
    with TestClient(app) as client:
        answer = client.get("/items", params={"page": 2, "size": 3}).json()
        assert answer == {
            "items": [{"number": 3}, {"number": 4}, {"number": 5}],
            "total": 7,
            "page": 2,
            "size": 3,
            "pages": 3,
        }
        assert client.get("/items", params={"size": 0}).status_code == 422
        answer = client.get("/others", params={"limit": 2, "offset": 6}).json()
        assert answer == {"items": [{"number": 6}], "total": 7, "limit": 2, "offset": 6}


def test_its_schema() -> None:
    schema = TestClient(app).get("/openapi.json").json()
    names = [parameter["name"] for parameter in schema["paths"]["/items"]["get"]["parameters"]]
    assert names == ["page", "size"]
    assert "Page_Item_" in schema["components"]["schemas"]
