"""A chat of all who are logged in, over WebSockets."""

from typing import Annotated

from fastweb import APIRouter, Depends, Query, WebSocket, WebSocketDisconnect, WebSocketException, status

from .database import transaction
from .models import User
from .security import user_of

router = APIRouter()


class ConnectionManager:
    """The sockets of this worker's users; several workers would each have a chat of their own."""

    def __init__(self) -> None:
        self.active: list[WebSocket] = []

    async def connect(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active.append(websocket)

    def disconnect(self, websocket: WebSocket) -> None:
        self.active.remove(websocket)

    async def broadcast(self, message: dict[str, str]) -> None:
        # A copy: the list may change while a message is being sent.
        for websocket in list(self.active):
            await websocket.send_json(message)


manager = ConnectionManager()


def chat_user(token: Annotated[str, Query()]) -> User:
    """A browser's WebSocket has no Authorization field, so the token is in the query."""
    with transaction() as db:
        user = user_of(token, db)
    if user is None:
        raise WebSocketException(status.WS_1008_POLICY_VIOLATION, "The token is wrong, or too old")
    return user


@router.websocket("/chat")
async def chat(websocket: WebSocket, user: Annotated[User, Depends(chat_user)]) -> None:
    await manager.connect(websocket)
    try:
        while True:
            await manager.broadcast({"from": user.name, "text": await websocket.receive_text()})
    except WebSocketDisconnect:
        manager.disconnect(websocket)
        await manager.broadcast({"left": user.name})
