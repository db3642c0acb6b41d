"""Answer what nothing else has answered: 500, and in debug mode the traceback."""

from __future__ import annotations

import html
import linecache
import traceback

from fastweb.concurrency import call_function, run_in_threadpool
from fastweb.exception_handlers import ExceptionHandler
from fastweb.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY, body_limit_error
from fastweb.requests import Request
from fastweb.responses import HTMLResponse, PlainTextResponse, Response
from fastweb.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ServerErrorMiddleware"]


class ServerErrorMiddleware:
    """Answers any exception with a 500, the outermost of all middleware. The exception is raised again
    afterwards: the server logs it, the test client shows it.

    Arguments:
        app: what raises.
        handler: a function (request, exception) -> response that makes the 500.
        debug: show the traceback to the client instead, as a page where it takes HTML; never in production.
    """

    def __init__(self, app: ASGIApp, handler: ExceptionHandler | None = None, debug: bool = False) -> None:
        self.app = app
        self.handler = handler
        self.debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The app, its exceptions answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception as error:
            if MAX_BODY_SIZE_SCOPE_KEY in scope and body_limit_error(error) is not None:
                raise  # of an app that this one is mounted in, which answers with a 413
            request = Request(scope)
            if self.debug:
                # Finding the source lines reads files.
                response = await run_in_threadpool(self.debug_response, request, error)
            elif self.handler is None:
                response = self.error_response(request, error)
            else:
                response = await call_function(self.handler, request, error)
            if not started:
                await response(scope, receive, send)
            raise

    def debug_response(self, request: Request, exc: Exception) -> Response:
        """The traceback: a page for browsers, text for others."""
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(_encodable(self.generate_html(exc)), status_code=500)
        return PlainTextResponse(_encodable(self.generate_plain_text(exc)), status_code=500)

    def error_response(self, request: Request, exc: Exception) -> Response:
        """What a client sees of an error: nothing."""
        return PlainTextResponse("Internal Server Error", status_code=500)

    def generate_plain_text(self, exc: Exception) -> str:
        """The traceback as Python prints it."""
        return "".join(traceback.format_exception(exc))

    def generate_html(self, exc: Exception, limit: int = 7) -> str:
        """The traceback as a page, the innermost call first.

        Arguments:
            limit: how many lines of source are shown of a call.
        """
        shown = traceback.TracebackException.from_exception(exc)
        title = html.escape("".join(shown.format_exception_only()).strip())
        frames = [_frame(frame, limit, is_open=not at) for at, frame in enumerate(reversed(shown.stack))]
        chain = ""
        if exc.__cause__ is not None or (exc.__context__ is not None and not exc.__suppress_context__):
            text = _text(self.generate_plain_text(exc))
            chain = f"<details><summary>All of it, as text</summary><pre>{text}</pre></details>"
        return _PAGE.format(title=title, frames="\n".join(frames), chain=chain)


_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>500 Internal Server Error</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }}
h1 {{ font-size: 1em; font-weight: normal; color: #777 }}
h2 {{ white-space: pre-wrap; overflow-wrap: anywhere; color: #a00 }}
details {{ border: 1px solid #ccc; margin: .5em 0 }}
summary {{ background: #f2f2f2; padding: .4em .6em; cursor: pointer; overflow-wrap: anywhere }}
pre {{ margin: 0; padding: .4em 0; overflow-x: auto }}
pre span {{ display: block; padding: 0 .6em }}
.at {{ background: #fdd }}
</style>
</head>
<body>
<h1>500 Internal Server Error</h1>
<h2>{title}</h2>
{frames}
{chain}
<p>This page is shown because debug is on.</p>
</body>
</html>
"""


def _frame(frame: traceback.FrameSummary, limit: int, *, is_open: bool) -> str:
    """One call: where, and the lines around it."""
    at = frame.lineno or 1
    first = max(1, at - limit // 2)
    lines = []
    for number in range(first, first + limit):
        line = linecache.getline(frame.filename, number)
        if line:
            mark = ' class="at"' if number == at else ""
            lines.append(f"<span{mark}>{number:5}  {_text(line.rstrip())}</span>")
    where = f"{_text(frame.filename)}, line {at}, in <b>{_text(frame.name)}</b>"
    opened = " open" if is_open else ""
    return f"<details{opened}><summary>{where}</summary><pre>{''.join(lines)}</pre></details>"


# Whatever an app's code, its file names and its errors say is text here, never markup.
_text = html.escape


def _encodable(text: str) -> str:
    """The same, where a lone surrogate, which UTF-8 has no bytes for, is shown as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()
