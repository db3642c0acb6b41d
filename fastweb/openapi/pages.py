"""Where an app serves its document, the pages that show it, and what these pages load."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

from fastweb.openapi.assets import Asset, redoc_assets, swagger_ui_assets
from fastweb.requests import Request
from fastweb.responses import HTMLResponse, JSONResponse, Response

__all__ = ["documentation_pages"]

_Endpoint = Callable[[Request], Any]


def documentation_pages(app: Any) -> Iterator[tuple[str, _Endpoint]]:
    """The paths and endpoints of an app's documentation, as the app's options say.

    Arguments:
        app: a `FastWeb` that has an `openapi_url`; its options are read anew for every request, as far as
            they do not name paths.
    """

    async def openapi(request: Request) -> JSONResponse:
        return JSONResponse(_with_root_path(app, app.openapi(), _root_path(request)))

    yield app.openapi_url, openapi
    if app.docs_url:
        yield from _swagger_ui(app)
    if app.redoc_url:
        yield from _redoc(app)


def _swagger_ui(app: Any) -> Iterator[tuple[str, _Endpoint]]:
    assets = swagger_ui_assets()

    async def swagger_ui_html(request: Request) -> HTMLResponse:
        from fastweb.openapi.docs import get_swagger_ui_html  # here and below: not before they are asked for

        root_path = _root_path(request)
        redirect = app.swagger_ui_oauth2_redirect_url
        urls: dict[str, Any] = {}
        if assets is not None:
            script, style = assets
            urls["swagger_js_url"] = root_path + _below(app.docs_url, script)
            urls["swagger_css_url"] = root_path + _below(app.docs_url, style)
        return get_swagger_ui_html(
            openapi_url=root_path + app.openapi_url,
            title=f"{app.title} - Swagger UI",
            oauth2_redirect_url=root_path + redirect if redirect else redirect,
            init_oauth=app.swagger_ui_init_oauth,
            swagger_ui_parameters=app.swagger_ui_parameters,
            **urls,
        )

    yield app.docs_url, swagger_ui_html
    if app.swagger_ui_oauth2_redirect_url:

        async def swagger_ui_redirect(request: Request) -> HTMLResponse:
            from fastweb.openapi.docs import get_swagger_ui_oauth2_redirect_html

            return get_swagger_ui_oauth2_redirect_html()

        yield app.swagger_ui_oauth2_redirect_url, swagger_ui_redirect
    yield from _served(app.docs_url, assets or ())


def _redoc(app: Any) -> Iterator[tuple[str, _Endpoint]]:
    assets = redoc_assets()

    async def redoc_html(request: Request) -> HTMLResponse:
        from fastweb.openapi.docs import get_redoc_html

        root_path = _root_path(request)
        options: dict[str, Any] = {}
        if assets is not None:
            # Google's fonts would need a network, too.
            options["redoc_js_url"] = root_path + _below(app.redoc_url, assets[0])
            options["with_google_fonts"] = False
        return get_redoc_html(
            openapi_url=root_path + app.openapi_url, title=f"{app.title} - ReDoc", **options
        )

    yield app.redoc_url, redoc_html
    yield from _served(app.redoc_url, assets or ())


def _served(url: str, assets: Sequence[Asset]) -> Iterator[tuple[str, _Endpoint]]:
    for asset in assets:
        yield _below(url, asset), _serve(asset)


def _serve(asset: Asset) -> _Endpoint:
    def asset_file(request: Request) -> Response:
        # A plain function, so that the file is read in a thread.
        headers = {"cache-control": "max-age=3600"}
        return Response(asset.path.read_bytes(), media_type=asset.media_type, headers=headers)

    return asset_file


def _below(url: str, asset: Asset) -> str:
    return f"{url.rstrip('/')}/{asset.name}"


def _root_path(request: Request) -> str:
    """What stands before the app's paths, as a URL has it.

    Where the app is mounted below a parameter, the client chose it: two slashes at its start, or what
    browsers take for them ("/\\", a tab in between), would have the pages load scripts from any host.
    """
    root_path = quote(request.scope.get("root_path", "").rstrip("/"), safe="%/:@!$&'()*+,;=~")
    return f"/%2F{root_path[2:]}" if root_path.startswith("//") else root_path


def _with_root_path(app: Any, document: dict[str, Any], root_path: str) -> dict[str, Any]:
    """The document with the path that a proxy has taken away as the first server."""
    servers = document.get("servers", [])
    if not root_path or not app.root_path_in_servers or any(each.get("url") == root_path for each in servers):
        return document
    return {**document, "servers": [{"url": root_path}, *servers]}
