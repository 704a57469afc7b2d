"""The page of error codes, from the catalogue in core/playerscore/errors.py."""

from http import HTTPStatus

from playerscore.errors import CATALOGUE

HEAD = """\
<!-- Generated from core/playerscore/errors.py by docs/generate.py; do not edit. -->
# Error codes

A code is stable and means the same through every door. The REST API answers with
`{"error": {"code", "message", ...}}`; the webhook and the policy deny with HTTP 403 and the code as the
cause's `reason` (or first in the message); the operator writes it as the `reason` of a condition; the command
line prints it. `message` is for people and may change. Beside them stand, where they apply, `field` (what is
wrong), `problems` (all of them, each `field` and `message`), `missing` (NOT_READY), `iou` and `threshold`
(TARGET_MISMATCH).

HTTP is the status of the REST API's answer. For a code that only a worker or the operator gives, it tells
whose trouble it is: 4xx the input's or the platform's settings (a retry does not help), 503 the machine's (it
is retried as often as `spec.retry.limit` or the runtime says).

| code | HTTP | meaning | what to do |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The page's text."""
    rows = [
        f'| <a id="{code}"></a>`{code}` | {entry.http_status} {HTTPStatus(entry.http_status).phrase} '
        f"| {entry.meaning} | {entry.todo} |"
        for code, entry in sorted(CATALOGUE.items())
    ]
    return HEAD + "\n".join(rows) + "\n"
