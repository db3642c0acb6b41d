"""The catalogue: everyone may read it, an admin may change it."""

from typing import Annotated

from fastweb import APIRouter, Depends, Form, HTTPException, Path, Query, Request, Response, UploadFile

from .database import Database
from .models import MAX_ID, Image, NewProduct, Problem, Product, ProductPage, ProductPatch, ProductQuery
from .security import Admin

MAX_IMAGE = 1024 * 1024
#: How the files of a type begin: what a client says of its file proves nothing.
IMAGE_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}

# What an endpoint answers beside its result stands in the API's description only if it is declared.
NOT_FOUND = {404: {"model": Problem}}
ADMIN = {401: {"model": Problem}, 403: {"model": Problem}}
BAD_BODY = {400: {"model": Problem}}

router = APIRouter(prefix="/products", tags=["products"])


def product(product_id: Annotated[int, Path(ge=1, le=MAX_ID)], db: Database) -> Product:
    """The product of the path: a dependency, so that every endpoint has the same 404."""
    row = db.execute("SELECT * FROM products WHERE id = ?", (product_id,)).fetchone()
    if row is None:
        raise HTTPException(404, f"There is no product {product_id}")
    return Product(**row)


Found = Annotated[Product, Depends(product)]


@router.get("")
def list_products(request: Request, query: Annotated[ProductQuery, Query()], db: Database) -> ProductPage:
    condition = "instr(lower(name), lower(:search)) AND (:max_price IS NULL OR price <= :max_price)"
    values = query.model_dump()
    (total,) = db.execute(f"SELECT count(*) FROM products WHERE {condition}", values).fetchone()
    # order_by is one of three words: see ProductQuery.
    rows = db.execute(
        f"SELECT * FROM products WHERE {condition} ORDER BY {query.order_by}, id LIMIT :limit OFFSET :offset",
        values,
    )
    items = [Product(**row) for row in rows]
    end = query.offset + len(items)
    following = request.url.include_query_params(offset=end) if items and end < total else None
    return ProductPage(
        items=items, total=total, next=f"{following.path}?{following.query}" if following else None
    )


@router.post("", status_code=201, responses={**ADMIN, **BAD_BODY})
def create_product(
    new: NewProduct, admin: Admin, db: Database, request: Request, response: Response
) -> Product:
    cursor = db.execute(
        "INSERT INTO products (name, description, price, stock) VALUES (:name, :description, :price, :stock)",
        new.model_dump(),
    )
    assert cursor.lastrowid is not None
    response.headers["Location"] = str(request.url_for("read_product", product_id=cursor.lastrowid))
    return Product(id=cursor.lastrowid, **new.model_dump())


@router.get("/{product_id}", responses=NOT_FOUND)
def read_product(found: Found) -> Product:
    return found


@router.patch("/{product_id}", responses={**ADMIN, **BAD_BODY, **NOT_FOUND})
def change_product(found: Found, patch: ProductPatch, admin: Admin, db: Database) -> Product:
    changed = found.model_copy(update=patch.model_dump(exclude_none=True))
    db.execute(
        "UPDATE products SET name = :name, description = :description, price = :price, stock = :stock "
        "WHERE id = :id",
        changed.model_dump(),
    )
    return changed


@router.delete("/{product_id}", status_code=204, responses={**ADMIN, **NOT_FOUND})
def delete_product(found: Found, admin: Admin, db: Database) -> None:
    db.execute("DELETE FROM products WHERE id = ?", (found.id,))
    db.execute("DELETE FROM images WHERE product_id = ?", (found.id,))


@router.put(
    "/{product_id}/image",
    responses={**ADMIN, **BAD_BODY, **NOT_FOUND, 413: {"model": Problem}, 415: {"model": Problem}},
)
def put_image(
    found: Found,
    admin: Admin,
    db: Database,
    file: UploadFile,
    caption: Annotated[str, Form(max_length=200)] = "",
) -> Image:
    """A form with a file. A plain function reads it by `file.file`, an `async def` by `await file.read()`."""
    data = file.file.read(MAX_IMAGE + 1)
    if len(data) > MAX_IMAGE:
        raise HTTPException(413, f"An image has {MAX_IMAGE} bytes at most")
    media_type = next((name for start, name in IMAGE_TYPES.items() if data.startswith(start)), None)
    if media_type is None:
        raise HTTPException(415, "An image is a PNG or JPEG file")
    db.execute("INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?)", (found.id, caption, media_type, data))
    return Image(caption=caption, media_type=media_type, size=len(data))


@router.get(
    "/{product_id}/image",
    response_class=Response,
    responses={200: {"content": {name: {} for name in IMAGE_TYPES.values()}}, **NOT_FOUND},
)
def read_image(found: Found, db: Database) -> Response:
    row = db.execute("SELECT * FROM images WHERE product_id = ?", (found.id,)).fetchone()
    if row is None:
        raise HTTPException(404, f"There is no image of product {found.id}")
    return Response(row["data"], media_type=row["media_type"])
