"""The app: its parts put together.

    pip install 'fastweb[all]'
    fastweb run examples/shop/main.py              serves on http://127.0.0.1:8000, its docs on /docs
    uvicorn --app-dir examples shop.main:app       the same with the chat: WebSockets need another server yet

The data is in shop.db, or what SHOP_DB says. The user "admin", whose password is "change-me" or what
SHOP_ADMIN_PASSWORD says at the first start, may fill the catalogue. The rooms:

    database.py   tables, and a transaction for each request, as a dependency with yield
    models.py     what goes over the wire
    security.py   registration, OAuth2's password flow, signed tokens, scopes
    products.py   a router: a list by pages, a form with a file, images
    orders.py     a router: background tasks, an error of its own, server-sent events
    chat.py       WebSockets
    test_shop.py  how to test it
"""

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastweb import FastWeb, Request, Response
from fastweb.middleware.cors import CORSMiddleware
from fastweb.responses import HTMLResponse
from fastweb.staticfiles import StaticFiles
from fastweb.templating import Jinja2Templates

from . import chat, database, orders, products, security

HERE = Path(__file__).parent
ADMIN_PASSWORD = os.environ.get("SHOP_ADMIN_PASSWORD", "change-me")


@asynccontextmanager
async def lifespan(app: FastWeb) -> AsyncIterator[None]:
    """Before the first request; behind the `yield`, what is to be done after the last one would stand."""
    database.prepare(security.hash_password(ADMIN_PASSWORD))
    yield


app = FastWeb(title="Shop", version="1.0.0", lifespan=lifespan, compression=True)
app.include_router(security.router)
app.include_router(products.router)
app.include_router(orders.router)
app.include_router(chat.router)
app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
app.add_exception_handler(orders.OutOfStockError, orders.out_of_stock)
app.add_middleware(CORSMiddleware, allow_origins=["https://shop.example"], allow_headers=["Authorization"])

templates = Jinja2Templates(directory=HERE / "templates")


@app.middleware("http")
async def add_process_time(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    start = time.perf_counter()
    response = await call_next(request)
    response.headers["X-Process-Time"] = f"{time.perf_counter() - start:.6f}"
    return response


@app.get("/", response_class=HTMLResponse, include_in_schema=False)
def home(request: Request, db: database.Database) -> Response:
    rows = db.execute("SELECT * FROM products ORDER BY name LIMIT 100").fetchall()
    return templates.TemplateResponse(request, "home.html", {"products": rows})
