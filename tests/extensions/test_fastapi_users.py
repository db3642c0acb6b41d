"""fastapi-users: register, log in with a bearer token, read and change oneself."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, CookieTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET = "a secret that is long enough for HMAC with SHA-256"


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


class UserRead(schemas.BaseUser[uuid.UUID]):
    pass


class UserCreate(schemas.BaseUserCreate):
    pass


class UserUpdate(schemas.BaseUserUpdate):
    pass


def make_app(database: Path) -> FastAPI:
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}")
    sessions = async_sessionmaker(engine, expire_on_commit=False)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield
        await engine.dispose()

    async def get_user_db() -> AsyncIterator[Any]:
        async with sessions() as session:
            yield SQLAlchemyUserDatabase(session, User)

    async def get_user_manager(user_db: Any = Depends(get_user_db)) -> AsyncIterator[UserManager]:
        yield UserManager(user_db)

    def get_strategy() -> JWTStrategy[User, uuid.UUID]:
        return JWTStrategy(secret=SECRET, lifetime_seconds=60)

    bearer = AuthenticationBackend("jwt", BearerTransport(tokenUrl="auth/jwt/login"), get_strategy)
    cookie = AuthenticationBackend("cookie", CookieTransport(cookie_secure=False), get_strategy)
    users = FastAPIUsers[User, uuid.UUID](get_user_manager, [bearer, cookie])
    current = users.current_user(active=True)

    app = FastAPI(lifespan=lifespan)
    app.include_router(users.get_auth_router(bearer), prefix="/auth/jwt", tags=["auth"])
    app.include_router(users.get_auth_router(cookie), prefix="/auth/cookie", tags=["auth"])
    app.include_router(users.get_register_router(UserRead, UserCreate), prefix="/auth", tags=["auth"])
    app.include_router(users.get_reset_password_router(), prefix="/auth", tags=["auth"])
    app.include_router(users.get_users_router(UserRead, UserUpdate), prefix="/users", tags=["users"])

    @app.get("/hello")
    async def hello(user: User = Depends(current)) -> dict[str, str]:
        return {"message": f"hello {user.email}"}

    return app


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(make_app(tmp_path / "users.db")) as client:
        yield client


LOGIN = {"username": "a@example.com", "password": "secret"}


def register(client: TestClient) -> Any:
    return client.post("/auth/register", json={"email": LOGIN["username"], "password": LOGIN["password"]})


def test_register(client: TestClient) -> None:
    answer = register(client)
    assert answer.status_code == 201
    assert answer.json()["email"] == "a@example.com"
    assert "hashed_password" not in answer.json()
    again = register(client)
    assert (again.status_code, again.json()) == (400, {"detail": "REGISTER_USER_ALREADY_EXISTS"})
    assert client.post("/auth/register", json={"email": "nobody"}).status_code == 422


def test_a_bearer_token(client: TestClient) -> None:
    register(client)
    assert client.get("/hello").status_code == 401
    assert client.post("/auth/jwt/login", data={**LOGIN, "password": "wrong"}).status_code == 400
    token = client.post("/auth/jwt/login", data=LOGIN).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/hello", headers=headers).json() == {"message": "hello a@example.com"}
    changed = client.patch("/users/me", headers=headers, json={"password": "another"})
    assert changed.status_code == 200
    assert client.post("/auth/jwt/login", data=LOGIN).status_code == 400


def test_a_cookie(client: TestClient) -> None:
    register(client)
    login = client.post("/auth/cookie/login", data=LOGIN)
    assert login.status_code == 204
    assert client.get("/hello").json() == {"message": "hello a@example.com"}


def test_its_schema(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert {"/auth/jwt/login", "/auth/register", "/users/me", "/users/{id}"} <= schema["paths"].keys()
    assert schema["components"]["securitySchemes"]["OAuth2PasswordBearer"]["type"] == "oauth2"
