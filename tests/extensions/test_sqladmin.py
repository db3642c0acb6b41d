"""sqladmin: a mounted Starlette app with forms and templates."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqladmin import Admin, ModelView
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class PostAdmin(ModelView, model=Post):
    column_list = ["id", "title"]


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_pages(engine: Engine) -> None:
    app = FastAPI()
    admin = Admin(app, engine)
    admin.add_view(PostAdmin)
    with TestClient(app) as client:
        assert client.get("/admin/").status_code == 200
        assert client.get("/admin/statics/css/main.css").status_code == 200
        created = client.post("/admin/post/create", data={"title": "a title"}, follow_redirects=False)
        assert created.status_code == 302
        page = client.get("/admin/post/list")
        assert page.status_code == 200
        assert "a title" in page.text
