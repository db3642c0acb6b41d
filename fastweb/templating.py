"""Pages from Jinja templates; needs `pip install 'fastweb[templates]'`.

Source: https://www.starlette.dev/templates/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike
from typing import Any, overload

try:
    import jinja2
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "fastweb.templating needs Jinja: pip install 'fastweb[templates]'", name="jinja2"
    ) from _error

from fastweb.datastructures import URL
from fastweb.requests import Request
from fastweb.responses import HTMLResponse
from fastweb.types import Receive, Scope, Send, Stream

__all__ = ["Jinja2Templates", "pass_context"]

pass_context = jinja2.pass_context

_ContextProcessor = Callable[[Request], dict[str, Any]]


class _TemplateResponse(HTMLResponse):
    """A rendered template; `template` and `context` are there for tests and debuggers."""

    def __init__(
        self,
        template: jinja2.Template,
        context: dict[str, Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.template = template
        self.context = context
        super().__init__(template.render(context), status_code, headers, media_type, background)

    async def answer(self, stream: Stream) -> None:
        """Send this on a stream."""
        await super().answer(stream)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The answer as an ASGI app, which tells a test client what it was made of."""
        if "http.response.debug" in self.context.get("request", {}).get("extensions", {}):
            info = {"template": self.template, "context": self.context}
            await send({"type": "http.response.debug", "info": info})
        await super().__call__(scope, receive, send)


class Jinja2Templates:
    """Templates, in which `request` and `url_for(name, **path_params)` are known.

        templates = Jinja2Templates(directory="templates")

        @app.get("/")
        async def home(request: Request):
            return templates.TemplateResponse(request, "home.html", {"user": "Ada"})

    Arguments:
        directory: the folder of the templates, or several; values are escaped in HTML and XML files.
        context_processors: plain functions of the request that give more names to every template.
        env: a Jinja environment of one's own, instead of a directory.

    Raises:
        AssertionError: neither a directory nor an environment was given, or both.
    """

    @overload
    def __init__(
        self,
        directory: str | PathLike[str] | Sequence[str | PathLike[str]],
        *,
        context_processors: list[_ContextProcessor] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self, *, env: jinja2.Environment, context_processors: list[_ContextProcessor] | None = None
    ) -> None: ...
    def __init__(
        self,
        directory: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
        *,
        context_processors: list[_ContextProcessor] | None = None,
        env: jinja2.Environment | None = None,
    ) -> None:
        assert bool(directory) != bool(env), "either 'directory' or 'env' arguments must be passed"
        self.context_processors = context_processors or []
        if env is None:
            assert directory is not None
            loader = jinja2.FileSystemLoader(directory)
            env = jinja2.Environment(loader=loader, autoescape=jinja2.select_autoescape())
        self.env = env
        self.env.globals.setdefault("url_for", _url_for)

    def get_template(self, name: str) -> jinja2.Template:
        """The template of a name.

        Raises:
            jinja2.TemplateNotFound: there is none.
        """
        return self.env.get_template(name)

    def TemplateResponse(  # noqa: N802 - Starlette's name for it
        self,
        request: Request,
        name: str,
        context: dict[str, Any] | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> _TemplateResponse:
        """The response of a rendered template.

        Arguments:
            request: what is answered.
            name: the template's.
            context: what is known in it, beside the request.
            status_code, headers, media_type, background: see `Response`.

        Raises:
            jinja2.TemplateError: the template is not there, or cannot be rendered.
        """
        context = {} if context is None else context
        context.setdefault("request", request)
        for processor in self.context_processors:
            context.update(processor(request))
        return _TemplateResponse(
            self.get_template(name), context, status_code, headers, media_type, background
        )


@pass_context
def _url_for(context: Mapping[str, Any], name: str, /, **path_params: Any) -> URL:
    request: Request = context["request"]
    return request.url_for(name, **path_params)
