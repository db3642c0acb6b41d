# ruff: noqa: E501 - a table
"""What broke the peers, and where it is proven that it does not break fastweb.

One row for each entry of the security bar, on every door that applies: our server (HTTP/1.1), WebSocket, the ASGI
door (any other server), the TestClient. The tests here go through `door`, in both modes; what another file proves
already is named and not repeated.

| what broke | doors | proven by |
|---|---|---|
| malformed Host changes url.path | all | test_targets.py; the forms of a Host: tests/server/test_hostile.py |
| `@evil` target poisons the host name | server | test_targets.py |
| urlencoded and multipart with different limits | all | test_forms.py; tests/test_formparsers.py |
| quadratic Range parsing | all | test_answers.py; tests/responses/test_file.py |
| spool rollover blocks the loop | ASGI | test_forms.py |
| static traversal | all | test_answers.py; links, packages: tests/test_staticfiles.py |
| header-option ReDoS | all | test_forms.py |
| preamble, epilogue CPU | all | test_forms.py |
| unlimited part headers, trailers | all, server | test_forms.py; tests/server/test_hostile.py (head, trailers) |
| upload file name traversal | all | test_forms.py |
| negative Content-Length | server | test_targets.py; tests/server/test_smuggling.py |
| bad chunk terminator; smuggling (CL+TE, TE twice, xchunked, LF in an extension, obs-fold) | server | tests/server/test_smuggling.py, tests/server/test_hostile.py |
| log injection, response splitting | all | test_answers.py; access log: tests/server/test_access_log.py |
| multipart infinite loop | all | test_forms.py |
| a limit reset per field | all | test_forms.py |
| many 1-byte chunks quadratic | server, ASGI | test_forms.py, test_targets.py |
| bad-cookie log storm | all | test_logs.py |
| spoofed X-Forwarded-For | server | test_targets.py; tests/server/test_proxy.py |
| unescaped dot in allowed hosts | all | tests/middleware/test_trustedhost.py |
| a bad header or subprotocol of the app's kills the worker | server, WebSocket | test_answers.py |
| inflate cap off by one | WebSocket | tests/server/test_websocket.py |
| JSON accepted as text/plain | all | test_answers.py |
| slow headers never time out; slow bodies | server | tests/server/test_hostile.py, tests/server/test_smuggling.py |

Not applicable yet: cache-key collisions (cache) · CRLF in HTTP/2 headers, rapid reset, CONTINUATION, SETTINGS and PING
floods, HPACK (HTTP/2) · QUIC memory (HTTP/3) · `crit`, algorithm confusion (JWT) · hostile server lengths (PostgreSQL).
"""
