"""Structured logs: one JSON object a line, Kopf's and the client's included.

Every line that is written while a job is worked on carries `namespace`, `name`, `uid` and `attempt`: they are
bound here, to the task that works on it.
"""

import logging

import structlog

from playerscore import logs


def begin(namespace: str, name: str) -> None:
    """From here on this task works on that job."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(namespace=namespace, name=name)


def add(*, uid: str, attempt: int) -> None:
    """What is known of the job once it has been read."""
    structlog.contextvars.bind_contextvars(uid=uid, attempt=attempt)


def configure(level: str) -> None:
    """As every server; Kopf tells of each event that it passed on, and what came of it the controller tells."""
    logs.configure(level)
    logging.getLogger("kopf").setLevel(logging.WARNING)
