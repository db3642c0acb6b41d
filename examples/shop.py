"""A larger API: two routers, an API key, filters as a model, nested models, every answer documented.

    fastweb run examples/shop.py --workers 1     serves on http://127.0.0.1:8000, its docs on /docs

The catalogue is in memory, so each worker has its own. `curl -H "X-API-Key: secret" …` may change it.
"""

import os
import secrets
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID, uuid4

from fastweb import APIRouter, Depends, FastWeb, Header, HTTPException, Path, Query, Response
from fastweb.models import BaseModel, Field
from fastweb.security import APIKeyHeader

API_KEY = os.environ.get("SHOP_API_KEY", "secret")
MAX_PRODUCTS = 1000


class Problem(BaseModel):
    detail: str


class Category(StrEnum):
    books = "books"
    tools = "tools"
    food = "food"


class NewProduct(BaseModel):
    name: str = Field(min_length=1, max_length=80)
    category: Category
    price: Decimal = Field(ge=0, max_digits=10, decimal_places=2)
    tags: list[Annotated[str, Field(max_length=20)]] = Field(default_factory=list, max_length=5)
    available_from: date | None = None


class Product(NewProduct):
    id: int
    created: datetime


class ProductPatch(BaseModel):
    name: str | None = Field(default=None, min_length=1, max_length=80)
    price: Decimal | None = Field(default=None, ge=0, max_digits=10, decimal_places=2)


class Filters(BaseModel):
    category: Category | None = None
    tag: str | None = None
    max_price: Decimal | None = Field(default=None, ge=0)
    order_by: Literal["id", "name", "price"] = "id"
    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0)


class Line(BaseModel):
    product_id: int = Field(ge=1)
    count: int = Field(ge=1, le=100)


class NewOrder(BaseModel):
    lines: list[Line] = Field(min_length=1, max_length=20)
    note: str | None = Field(default=None, max_length=200)


class Order(NewOrder):
    id: UUID
    total: Decimal


products: dict[int, Product] = {}
orders: dict[UUID, Order] = {}


async def writer(key: Annotated[str, Depends(APIKeyHeader(name="X-API-Key"))]) -> None:
    """Only who has the key may change things."""
    if not secrets.compare_digest(key.encode(), API_KEY.encode()):
        raise HTTPException(401, "Wrong key", {"WWW-Authenticate": "APIKey"})


async def product(product_id: Annotated[int, Path(ge=1)]) -> Product:
    if product_id not in products:
        raise HTTPException(404, f"There is no product {product_id}")
    return products[product_id]


async def new_product_id() -> int:
    if len(products) >= MAX_PRODUCTS:
        raise HTTPException(409, f"The shop is full: it has {MAX_PRODUCTS} products")
    return max(products, default=0) + 1


Found = Annotated[Product, Depends(product)]
UNKNOWN: dict[int | str, dict[str, object]] = {404: {"model": Problem}}
#: Of what reads a body: a key that is wrong, a body that is no text.
WRITING: dict[int | str, dict[str, object]] = {400: {"model": Problem}, 401: {"model": Problem}}

catalogue = APIRouter(prefix="/products", tags=["products"])
ordering = APIRouter(prefix="/orders", tags=["orders"])


@catalogue.get("")
async def list_products(filters: Annotated[Filters, Query()]) -> list[Product]:
    found = [
        item
        for item in products.values()
        if (filters.category is None or item.category == filters.category)
        and (filters.tag is None or filters.tag in item.tags)
        and (filters.max_price is None or item.price <= filters.max_price)
    ]
    found.sort(key=lambda item: getattr(item, filters.order_by))
    return found[filters.offset : filters.offset + filters.limit]


@catalogue.post(
    "", status_code=201, dependencies=[Depends(writer)], responses={**WRITING, 409: {"model": Problem}}
)
async def create_product(
    new: NewProduct, response: Response, product_id: Annotated[int, Depends(new_product_id)]
) -> Product:
    made = Product(id=product_id, created=datetime.now(UTC), **new.model_dump())
    products[product_id] = made
    response.headers["Location"] = app.url_path_for("read_product", product_id=product_id)
    return made


@catalogue.get("/{product_id}", responses=UNKNOWN)
async def read_product(found: Found, if_none_match: Annotated[str | None, Header()] = None) -> Product:
    return found


@catalogue.put("/{product_id}", dependencies=[Depends(writer)], responses={**WRITING, **UNKNOWN})
async def replace_product(found: Found, new: NewProduct) -> Product:
    products[found.id] = Product(id=found.id, created=found.created, **new.model_dump())
    return products[found.id]


@catalogue.patch("/{product_id}", dependencies=[Depends(writer)], responses={**WRITING, **UNKNOWN})
async def change_product(found: Found, patch: ProductPatch) -> Product:
    changes = patch.model_dump(exclude_none=True)
    products[found.id] = found.model_copy(update=changes)
    return products[found.id]


@catalogue.delete(
    "/{product_id}", status_code=204, dependencies=[Depends(writer)], responses={**WRITING, **UNKNOWN}
)
async def delete_product(found: Found) -> None:
    del products[found.id]


@ordering.post("", status_code=201, responses={400: {"model": Problem}, **UNKNOWN})
async def create_order(new: NewOrder) -> Order:
    total = Decimal(0)
    for line in new.lines:
        total += line.count * (await product(line.product_id)).price
    made = Order(id=uuid4(), total=total, lines=new.lines, note=new.note)
    while len(orders) >= MAX_PRODUCTS:
        del orders[next(iter(orders))]
    orders[made.id] = made
    return made


@ordering.get("/{order_id}", responses=UNKNOWN)
async def read_order(order_id: UUID) -> Order:
    if order_id not in orders:
        raise HTTPException(404, f"There is no order {order_id}")
    return orders[order_id]


app = FastWeb(title="Shop", version="1.0.0")
app.include_router(catalogue)
app.include_router(ordering)

if __name__ == "__main__":
    app.run()
