"""The pages that show an API: Swagger UI, ReDoc, and where an OAuth2 server sends the browser back to.

Source: https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/ and …/usage/oauth2/,
https://redocly.com/docs/redoc/deployment/html
"""

from __future__ import annotations

import html
import json
from typing import Any, Final

from fastweb.encoders import jsonable_encoder
from fastweb.responses import HTMLResponse

__all__ = [
    "get_redoc_html",
    "get_swagger_ui_html",
    "get_swagger_ui_oauth2_redirect_html",
    "swagger_ui_default_parameters",
]

#: What Swagger UI is configured with where the app does not say otherwise.
swagger_ui_default_parameters: dict[str, Any] = {
    "dom_id": "#swagger-ui",
    "layout": "BaseLayout",
    "deepLinking": True,
    "showExtensions": True,
    "showCommonExtensions": True,
}

#: No icon, and no request for one.
_NO_ICON: Final = "data:,"


def get_swagger_ui_html(
    *,
    openapi_url: str,
    title: str,
    swagger_js_url: str = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui-bundle.js",
    swagger_css_url: str = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/swagger-ui.css",
    swagger_favicon_url: str = _NO_ICON,
    oauth2_redirect_url: str | None = None,
    init_oauth: dict[str, Any] | None = None,
    swagger_ui_parameters: dict[str, Any] | None = None,
) -> HTMLResponse:
    """A page of Swagger UI. Everything given is escaped.

    Arguments:
        openapi_url: of the document.
        title: of the page.
        swagger_js_url, swagger_css_url, swagger_favicon_url: of what the page loads.
        oauth2_redirect_url: of the page that `get_swagger_ui_oauth2_redirect_html` gives.
        init_oauth: what `initOAuth` is called with.
        swagger_ui_parameters: configuration, beside and before `swagger_ui_default_parameters`.
    """
    parameters = {**swagger_ui_default_parameters, **(swagger_ui_parameters or {})}
    options = [f"url: {_string(openapi_url)}"]
    options += [f"{_json(name)}: {_json(value)}" for name, value in parameters.items()]
    if oauth2_redirect_url:
        options.append(f"oauth2RedirectUrl: window.location.origin + {_string(oauth2_redirect_url)}")
    options.append(
        "presets: [\n"
        "        SwaggerUIBundle.presets.apis,\n"
        "        SwaggerUIBundle.SwaggerUIStandalonePreset\n"
        "    ]"
    )
    joined = ",\n    ".join(options)
    oauth = f"\nui.initOAuth({_json(init_oauth)})" if init_oauth else ""
    return HTMLResponse(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="stylesheet" href="{html.escape(swagger_css_url)}">
<link rel="icon" href="{html.escape(swagger_favicon_url)}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{html.escape(swagger_js_url)}"></script>
<script>
const ui = SwaggerUIBundle({{
    {joined},
}}){oauth}
</script>
</body>
</html>
""")


def get_redoc_html(
    *,
    openapi_url: str,
    title: str,
    redoc_js_url: str = "https://cdn.jsdelivr.net/npm/redoc@2/bundles/redoc.standalone.js",
    redoc_favicon_url: str = _NO_ICON,
    with_google_fonts: bool = True,
) -> HTMLResponse:
    """A page of ReDoc. Everything given is escaped.

    Arguments:
        openapi_url: of the document.
        title: of the page.
        redoc_js_url, redoc_favicon_url: of what the page loads; a script in ".mjs" is loaded as a module.
        with_google_fonts: load the fonts that ReDoc is made for from Google.
    """
    kind = ' type="module"' if redoc_js_url.endswith(".mjs") else ""
    fonts = ""
    if with_google_fonts:
        url = "https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700"
        fonts = f'\n<link rel="stylesheet" href="{url}">'
    return HTMLResponse(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>{fonts}
<link rel="icon" href="{html.escape(redoc_favicon_url)}">
<style>body {{ margin: 0; }}</style>
</head>
<body>
<noscript>This page needs JavaScript.</noscript>
<redoc spec-url="{html.escape(openapi_url)}"></redoc>
<script{kind} src="{html.escape(redoc_js_url)}"></script>
</body>
</html>
""")


def get_swagger_ui_oauth2_redirect_html() -> HTMLResponse:
    """The page that hands the OAuth2 server's answer to the Swagger UI that asked for it, and closes."""
    return HTMLResponse(_OAUTH2_REDIRECT)


#: Swagger UI keeps what it asked for in `swaggerUIRedirectOauth2`: auth, state, redirectUrl, callback, errCb.
#: The answer stands behind "#" (RFC 6749 section 4.2.2) or "?" (section 4.1.2).
_OAUTH2_REDIRECT: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Swagger UI: OAuth2 Redirect</title>
</head>
<body>
<script>
"use strict";
(function () {
    const asked = window.opener.swaggerUIRedirectOauth2;
    const inFragment = /(^|[#&?])(code|access_token|token|error)=/.test(window.location.hash);
    const text = (inFragment ? window.location.hash : window.location.search).slice(1);
    const answer = Object.fromEntries(new URLSearchParams(text));
    const isValid = answer.state === asked.state;
    const auth = asked.auth;
    const fail = (message) =>
        asked.errCb({authId: auth.name, source: "auth", level: "error", message: message});
    const withCode = ["accessCode", "authorizationCode", "authorization_code"];
    if (withCode.includes(auth.schema.get("flow")) && !auth.code) {
        if (!isValid) {
            // RFC 6749 section 10.12: this is the answer to somebody else's question.
            fail("Authorization failed: the state that came back is not the one that was sent.");
        } else if (answer.code) {
            delete asked.state;
            auth.code = answer.code;
            asked.callback({auth: auth, redirectUrl: asked.redirectUrl});
        } else {
            const why = [answer.error, answer.error_description, answer.error_uri].filter(Boolean);
            fail("Authorization failed: " + (why.join(". ") || "no code came back."));
        }
    } else {
        asked.callback({auth: auth, token: answer, isValid: isValid, redirectUrl: asked.redirectUrl});
    }
    window.close();
})();
</script>
</body>
</html>
"""


def _json(value: Any) -> str:
    """A value as JavaScript that can stand within a <script> element."""
    return _within_script(json.dumps(jsonable_encoder(value)))


def _string(value: str) -> str:
    """A string as JavaScript, in single quotes."""
    text = json.dumps(value)[1:-1].replace("'", "\\u0027")
    return f"'{_within_script(text)}'"


def _within_script(text: str) -> str:
    # HTML ends a script where it sees "</script", whatever the JavaScript is.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
