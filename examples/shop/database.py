"""The shop's data: a SQLite file, through the standard library, that all workers share."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

from fastweb import Depends

PATH = os.environ.get("SHOP_DB", "shop.db")

TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY, password TEXT NOT NULL, scopes TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, price INTEGER NOT NULL,
    stock INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS images (
    product_id INTEGER PRIMARY KEY, caption TEXT NOT NULL, media_type TEXT NOT NULL, data BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, user TEXT NOT NULL, status TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS lines (
    order_id INTEGER NOT NULL, product_id INTEGER NOT NULL, count INTEGER NOT NULL, price INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS lines_of_order ON lines (order_id);
"""


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(PATH, timeout=20, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def prepare(admin_password_hash: str) -> None:
    """Make what is not there yet: the tables, the key that signs tokens, and the user "admin"."""
    with closing(connect()) as connection, connection:
        connection.executescript(TABLES)
        connection.execute("INSERT OR IGNORE INTO settings VALUES ('key', ?)", (secrets.token_hex(32),))
        connection.execute("INSERT OR IGNORE INTO users VALUES ('admin', ?, 'admin')", (admin_password_hash,))


@contextmanager
def transaction() -> Iterator[sqlite3.Connection]:
    """A connection; what was done with it is kept where nothing was raised."""
    with closing(connect()) as connection, connection:
        yield connection


def database() -> Iterator[sqlite3.Connection]:
    """A transaction for one request: an endpoint that raises, an HTTPException too, has changed nothing."""
    with transaction() as connection:
        yield connection


#: scope="function": it is committed before the answer is sent, so that whoever has the answer finds the data.
Database = Annotated[sqlite3.Connection, Depends(database, scope="function")]
