"""Orders: made in one transaction, packed in the background, followed as they go."""

import asyncio
from collections.abc import AsyncIterable
from typing import Annotated

from fastweb import APIRouter, BackgroundTasks, Depends, HTTPException, Path, Request
from fastweb.concurrency import run_in_threadpool
from fastweb.responses import JSONResponse
from fastweb.sse import EventSourceResponse, ServerSentEvent

from .database import Database, transaction
from .models import MAX_ID, Line, NewOrder, Order, Problem
from .security import CurrentUser

USER = {401: {"model": Problem}, 403: {"model": Problem}}
NOT_FOUND = {404: {"model": Problem}}
#: For a route of events: there a "model" would be described as an event, too.
JSON_PROBLEM = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}

router = APIRouter(prefix="/orders", tags=["orders"])


class OutOfStockError(Exception):
    """Less is there than was ordered. `main.py` registers what answers it."""

    def __init__(self, product_id: int, left: int) -> None:
        super().__init__(f"Of product {product_id}, {left} are left")


async def out_of_stock(request: Request, error: OutOfStockError) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=409)


def read(order_id: int, user: str, db: Database) -> Order | None:
    row = db.execute("SELECT * FROM orders WHERE id = ? AND user = ?", (order_id, user)).fetchone()
    if row is None:
        return None
    lines = db.execute("SELECT * FROM lines WHERE order_id = ?", (order_id,)).fetchall()
    return Order(
        id=order_id,
        lines=[Line(product_id=line["product_id"], count=line["count"]) for line in lines],
        total=sum(line["count"] * line["price"] for line in lines),
        status=row["status"],
    )


def own_order(order_id: Annotated[int, Path(ge=1, le=MAX_ID)], user: CurrentUser, db: Database) -> Order:
    """The order of the path. That of somebody else is a 404, too: nobody learns that it exists."""
    order = read(order_id, user.name, db)
    if order is None:
        raise HTTPException(404, f"You have no order {order_id}")
    return order


def pack_and_send(order_id: int) -> None:
    """What takes its time. The request's transaction is over: this has its own."""
    for status in ("packed", "sent"):
        with transaction() as db:
            db.execute("UPDATE orders SET status = ? WHERE id = ?", (status, order_id))


@router.post(
    "",
    status_code=201,
    responses={**USER, **NOT_FOUND, 400: {"model": Problem}, 409: {"model": Problem}},
)
def create_order(new: NewOrder, user: CurrentUser, db: Database, tasks: BackgroundTasks) -> Order:
    order_id = db.execute("INSERT INTO orders (user, status) VALUES (?, 'received')", (user.name,)).lastrowid
    assert order_id is not None
    for line in new.lines:
        product = db.execute("SELECT * FROM products WHERE id = ?", (line.product_id,)).fetchone()
        if product is None:
            raise HTTPException(404, f"There is no product {line.product_id}")
        if product["stock"] < line.count:
            raise OutOfStockError(line.product_id, product["stock"])
        db.execute("UPDATE products SET stock = stock - ? WHERE id = ?", (line.count, line.product_id))
        db.execute(
            "INSERT INTO lines VALUES (?, ?, ?, ?)", (order_id, line.product_id, line.count, product["price"])
        )
    tasks.add_task(pack_and_send, order_id)
    order = read(order_id, user.name, db)
    assert order is not None
    return order


@router.get("/{order_id}", responses={**USER, **NOT_FOUND})
def read_order(order: Annotated[Order, Depends(own_order)]) -> Order:
    return order


def status_of(order_id: int) -> str:
    with transaction() as db:
        status: str = db.execute("SELECT status FROM orders WHERE id = ?", (order_id,)).fetchone()["status"]
    return status


@router.get(
    "/{order_id}/status",
    response_class=EventSourceResponse,
    responses={401: JSON_PROBLEM, 403: JSON_PROBLEM, 404: JSON_PROBLEM},
)
async def follow_order(order: Annotated[Order, Depends(own_order)]) -> AsyncIterable[ServerSentEvent]:
    """Server-sent events, one a status, until the order is sent."""
    seen = None
    while seen != "sent":
        status = await run_in_threadpool(status_of, order.id)
        if status != seen:
            yield ServerSentEvent(data=status, event="status")
            seen = status
        else:
            await asyncio.sleep(0.1)
