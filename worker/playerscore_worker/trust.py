"""Whom the pod's connections trust: the public authorities, and those that its runtime adds."""

import os
import ssl

import httpx

from playerscore.errors import WorkerError
from playerscore.tasks import TRUST_VARIABLE


def context() -> ssl.SSLContext:
    """For every connection but the one to the API server. Raises WorkerError for authorities that cannot be read."""
    made = httpx.create_ssl_context(trust_env=False)
    if path := os.environ.get(TRUST_VARIABLE):
        try:
            made.load_verify_locations(cafile=path)
        except OSError as error:
            text = f"The runtime's template.trustedCa cannot be read: {error}"
            raise WorkerError("WORKER_FAILED", text, field="spec.template.trustedCa") from error
    return made
