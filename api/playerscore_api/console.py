"""The console, `/console/`: the pages on which a person picks a player and reads his score, as built from `console/`.

They are static files with hashed names, so a browser asks for them once; the page that names them is asked for each
time. A person's token is in that page's memory, so by its Content-Security-Policy it runs no script but its own, speaks
to this API (and to the store, where people reach that themselves) and cannot be framed.
"""

import gzip
import mimetypes
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from playerscore.errors import PlayerscoreError

FILES: Final = Path(__file__).parent / "console_files"
PAGE: Final = "index.html"
FOR_EVER: Final = "public, max-age=31536000, immutable"


class File(NamedTuple):
    """A built file, as it is and packed."""

    content: bytes
    packed: bytes
    headers: dict[str, str]


def install(app: FastAPI, store: str | None) -> None:
    """Serve `/console/`. `store` is the address at which browsers reach the store, if they do."""
    files = {path.name: _file(path, policy(store)) for path in FILES.glob("[!.]*")}

    @app.get("/console", include_in_schema=False)
    async def bare(request: Request) -> RedirectResponse:
        return RedirectResponse(request.url_for("console", name="").path)

    @app.get("/console/{name:path}", include_in_schema=False)
    async def console(name: str, request: Request) -> Response:
        file = files.get(name or PAGE)
        if file is None:
            why = f"The console has no {name}" if files else "This API was installed without the console"
            raise PlayerscoreError("NOT_FOUND", why)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.packed, headers=file.headers | {"Content-Encoding": "gzip"})
        return Response(file.content, headers=file.headers)


def policy(store: str | None) -> str:
    """Nothing but what the pages need. Pictures and clips are fetched with the token, and shown as blobs."""
    parts = urlsplit(store or "")
    also = f" {parts.scheme}://{parts.netloc}" if parts.netloc else ""
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'{also}; "
        "img-src 'self' blob: data:; media-src blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _file(path: Path, policy: str) -> File:
    content = path.read_bytes()
    headers = {
        "Content-Type": mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        "Cache-Control": "no-cache" if path.name == PAGE else FOR_EVER,
        "Content-Security-Policy": policy,
        "Vary": "Accept-Encoding",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return File(content, gzip.compress(content, mtime=0), headers)
