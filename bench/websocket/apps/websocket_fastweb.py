"""The echo of fastweb."""

from fastweb import FastWeb, WebSocket, WebSocketDisconnect

app = FastWeb()


@app.websocket("/")
async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass
