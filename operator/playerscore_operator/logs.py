"""Structured logs: one JSON object a line, Kopf's and the client's included.

Every line that is written while a job is worked on carries `namespace`, `name`, `uid` and `attempt`: they are
bound here, to the task that works on it.
"""

import logging

import structlog


def begin(namespace: str, name: str) -> None:
    """From here on this task works on that job."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(namespace=namespace, name=name)


def add(*, uid: str, attempt: int) -> None:
    """What is known of the job once it has been read."""
    structlog.contextvars.bind_contextvars(uid=uid, attempt=attempt)


def configure(level: str) -> None:
    """Send every record of this process through structlog's JSON renderer to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    rendered: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=rendered))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    # Kopf tells of every event that it passed on; what came of it is told by the controller.
    logging.getLogger("kopf").setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
