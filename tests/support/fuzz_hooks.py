"""Loaded by schemathesis: a stream of events ends after a second, so that it can be judged as an answer."""

from typing import Any

import schemathesis


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Shorten what is valid and leave what is not."""
    if case.operation.definition.raw.get("operationId") not in ("watchJob", "watchJobs"):
        return
    query = dict(case.query or {})
    if str(query.get("timeoutSeconds", 2)).isdigit() and 1 <= int(query.get("timeoutSeconds", 2)) <= 86_400:
        case.query = query | {"timeoutSeconds": 1}
