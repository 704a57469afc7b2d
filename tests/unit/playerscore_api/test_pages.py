"""Where the printed address leads."""

import httpx
from fastapi import FastAPI

from playerscore_api import pages


async def test_the_bare_address_leads_to_the_page_for_people() -> None:
    app = FastAPI()
    pages.install(app)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api", follow_redirects=True) as client:
        answer = await client.get("/")

    assert answer.status_code == 200
    assert answer.url.path == "/docs"
