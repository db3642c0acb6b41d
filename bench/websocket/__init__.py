"""Messages a second and processor time a message of an echo over WebSockets: fastweb compiled and pure,
FastAPI on each of uvicorn's implementations, and picows, which has no framework, as the limit.

`python -m bench.websocket --peers PYTHON`: PYTHON has fastapi, uvicorn, uvloop, websockets, wsproto and
picows installed; fastweb is this checkout's, built in place. Needs Linux and a C compiler (`load.c` is the
client). All servers run at once, each is asked in turn in each round, ratios are taken within a round.
"""
