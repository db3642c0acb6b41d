"""starlette-admin: a mounted app with static files, templates and a database."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool
from starlette_admin.contrib.sqla import Admin, ModelView


class Base(DeclarativeBase):
    pass


class Post(Base):
    __tablename__ = "post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Post(title="first"))
        session.commit()
    yield engine
    engine.dispose()


def test_pages(engine: Engine) -> None:
    app = FastAPI()
    admin = Admin(engine, title="Test", secret_key="a secret for these tests")
    admin.add_view(ModelView(Post))
    admin.mount_to(app)
    with TestClient(app) as client:
        page = client.get("/admin/")
        assert page.status_code == 200
        assert "Test" in page.text
        static = re.search(r'"[^"]*(/admin/static/[^"]+\.css)', page.text)
        assert static is not None
        assert client.get(static[1]).status_code == 200
        assert "first" in client.get("/admin/post/list").text
        # Its middleware reads the form before the endpoint does.
        form = {"title": "second", "csrftoken": client.cookies["starlette_admin_csrftoken"]}
        assert client.post("/admin/post/create", data={**form, "csrftoken": "wrong"}).status_code == 403
        assert client.post("/admin/post/create", data=form, follow_redirects=False).status_code == 303
        assert "second" in client.get("/admin/post/list").text
