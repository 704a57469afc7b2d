"""The page for people, `/docs` (to which `/` leads): Swagger UI, all of it from here.

People paste a token into it. So nothing of it comes from elsewhere, and by its Content-Security-Policy it can
neither load nor send anything elsewhere, nor be framed. FastAPI's own page loads its script from a public CDN, which
a cluster without egress does not reach either. The files are fastapi-offline's: releases follow Swagger UI's, and
its function is not used, since it makes a plain FastAPI and no policy.
"""

import base64
import hashlib
import re
from pathlib import Path
from typing import Final

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

FILES: Final = Path(fastapi_offline.__file__).parent / "static"
INLINE: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install(app: FastAPI) -> None:
    """Serve `/docs` and its files. Addresses are relative: behind a prefix they are right as well."""
    page = get_swagger_ui_html(
        title=app.title,
        openapi_url="openapi.json",
        swagger_js_url="docs/files/swagger-ui-bundle.js",
        swagger_css_url="docs/files/swagger-ui.css",
        swagger_favicon_url="docs/files/favicon.png",
    )
    html = bytes(page.body).decode()
    headers = {"Content-Security-Policy": _policy(html)}

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> RedirectResponse:
        return RedirectResponse(request.url_for("docs").path)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(html, headers=headers)

    app.mount("/docs/files", StaticFiles(directory=FILES))


def _policy(html: str) -> str:
    """Only what is ours, and the page's one own script. Swagger UI sets styles in its elements."""
    scripts = (hashlib.sha256(text.encode()).digest() for text in INLINE.findall(html))
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in scripts)
    return (
        f"default-src 'self'; script-src 'self' {allowed}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
