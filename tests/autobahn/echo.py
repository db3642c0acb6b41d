"""What the Autobahn test suite talks to: `fastweb run tests/autobahn/echo.py --workers 1 --port 9001`."""

from fastweb import FastWeb, WebSocket

app = FastWeb()


@app.websocket("/")
async def echo(websocket: WebSocket) -> None:
    """Send back each message as it came."""
    await websocket.accept()
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        if message.get("text") is not None:
            await websocket.send_text(message["text"])
        else:
            await websocket.send_bytes(message["bytes"])
