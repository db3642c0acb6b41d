"""What goes over the wire. Prices are in cents."""

from typing import Literal

from fastweb.models import BaseModel, Field

MAX_ID = 2**63 - 1  # SQLite's integers are no larger.


class Problem(BaseModel):
    """What every error has, but for 422."""

    detail: str


class NewUser(BaseModel):
    name: str = Field(min_length=1, max_length=40, pattern="^[a-z0-9_]+$")
    password: str = Field(min_length=8, max_length=100)


class User(BaseModel):
    name: str
    scopes: list[str] = Field(default_factory=list)


class Token(BaseModel):
    access_token: str
    token_type: Literal["bearer"] = "bearer"


class NewProduct(BaseModel):
    name: str = Field(min_length=1, max_length=80)
    description: str = Field(default="", max_length=1000)
    price: int = Field(ge=0, le=1_000_000_00)
    stock: int = Field(default=0, ge=0, le=1_000_000)


class Product(NewProduct):
    id: int


class ProductPatch(BaseModel):
    """A field that is absent stays as it is."""

    name: str | None = Field(default=None, min_length=1, max_length=80)
    description: str | None = Field(default=None, max_length=1000)
    price: int | None = Field(default=None, ge=0, le=1_000_000_00)
    stock: int | None = Field(default=None, ge=0, le=1_000_000)


class ProductQuery(BaseModel):
    """The parameters of a list of products, as one."""

    search: str = Field(default="", max_length=80)
    max_price: int | None = Field(default=None, ge=0, le=MAX_ID)
    order_by: Literal["id", "name", "price"] = "id"
    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=MAX_ID)


class ProductPage(BaseModel):
    items: list[Product]
    total: int
    next: str | None = Field(default=None, description="The path of the next page; null on the last one.")


class Image(BaseModel):
    caption: str
    media_type: str
    size: int


class Line(BaseModel):
    product_id: int = Field(ge=1, le=MAX_ID)
    count: int = Field(ge=1, le=100)


class NewOrder(BaseModel):
    lines: list[Line] = Field(min_length=1, max_length=20)


class Order(BaseModel):
    id: int
    lines: list[Line]
    total: int
    status: Literal["received", "packed", "sent"]
