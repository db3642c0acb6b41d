"""Who is asking: users with passwords, and the signed tokens that they get for them."""

import hashlib
import hmac
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from fastweb import APIRouter, Depends, HTTPException, Security
from fastweb.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm, SecurityScopes

from .database import Database
from .models import NewUser, Problem, Token, User

LIFETIME = 3600  # of a token, in seconds

bearer = OAuth2PasswordBearer(tokenUrl="token", scopes={"admin": "Change the catalogue."})
router = APIRouter(tags=["users"])


def hash_password(password: str, salt: bytes | None = None) -> str:
    salt = salt or secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)
    return f"{salt.hex()}:{digest.hex()}"


def is_password(password: str, hashed: str) -> bool:
    salt = bytes.fromhex(hashed.partition(":")[0])
    return hmac.compare_digest(hash_password(password, salt), hashed)


def signature(payload: str, db: Database) -> str:
    key: str = db.execute("SELECT value FROM settings WHERE name = 'key'").fetchone()["value"]
    return hmac.digest(key.encode(), payload.encode(), "sha256").hex()


def make_token(user: User, db: Database) -> str:
    """Claims that anyone may read and nobody can change. PyJWT makes tokens that others understand, too."""
    claims = {"sub": user.name, "scopes": user.scopes, "exp": time.time() + LIFETIME}
    payload = urlsafe_b64encode(json.dumps(claims).encode()).decode()
    return f"{payload}.{signature(payload, db)}"


def user_of(token: str, db: Database) -> User | None:
    """Whose token it is; None where it is not ours, or too old."""
    payload, _, signed = token.partition(".")
    if not hmac.compare_digest(signature(payload, db).encode(), signed.encode()):
        return None
    claims = json.loads(urlsafe_b64decode(payload))
    if claims["exp"] < time.time():
        return None
    return User(name=claims["sub"], scopes=claims["scopes"])


def current_user(needed: SecurityScopes, token: Annotated[str, Depends(bearer)], db: Database) -> User:
    user = user_of(token, db)
    if user is None:
        raise HTTPException(401, "The token is wrong, or too old", {"WWW-Authenticate": "Bearer"})
    if not set(needed.scopes) <= set(user.scopes):
        raise HTTPException(403, "That is not yours to do")
    return user


CurrentUser = Annotated[User, Security(current_user)]
Admin = Annotated[User, Security(current_user, scopes=["admin"])]


@router.post("/users", status_code=201, responses={400: {"model": Problem}, 409: {"model": Problem}})
def register(new: NewUser, db: Database) -> User:
    inserted = db.execute(
        "INSERT OR IGNORE INTO users (name, password) VALUES (?, ?)", (new.name, hash_password(new.password))
    )
    if inserted.rowcount == 0:
        raise HTTPException(409, f"There is a user {new.name} already")
    return User(name=new.name)


@router.post("/token", responses={400: {"model": Problem}})
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], db: Database) -> Token:
    row = db.execute("SELECT * FROM users WHERE name = ?", (form.username,)).fetchone()
    if row is None or not is_password(form.password, row["password"]):
        raise HTTPException(400, "Wrong name or password")
    return Token(access_token=make_token(User(name=row["name"], scopes=row["scopes"].split()), db))


@router.get("/users/me", responses={401: {"model": Problem}, 403: {"model": Problem}})
def me(user: CurrentUser) -> User:
    return user
