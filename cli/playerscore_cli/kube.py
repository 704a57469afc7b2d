"""ScoringJobs through the Kubernetes API, with the user's own kubeconfig."""

import json
from collections.abc import Callable
from typing import Any

from kubernetes import client, config

from playerscore import names
from playerscore.errors import PlayerscoreError
from playerscore.flow import Change
from playerscore.resources import ScoringJob

Json = dict[str, Any]
Step = Callable[[ScoringJob], Change]
"""A change of a job: one of `flow`'s functions with its arguments filled in."""
WHERE = {"group": names.GROUP, "version": names.VERSION, "plural": names.JOB_PLURAL}
ATTEMPTS = 3


class Jobs:
    """The ScoringJobs of one namespace."""

    def __init__(self, namespace: str | None) -> None:
        try:
            config.load_kube_config()
            self.namespace = namespace or _context_namespace()
        except config.ConfigException:
            config.load_incluster_config()
            self.namespace = namespace or "default"
        self.api = client.CustomObjectsApi()

    def get(self, name: str) -> Json:
        """Raises PlayerscoreError JOB_NOT_FOUND and the like."""
        return self._call(self.api.get_namespaced_custom_object, name=name)

    def list(self) -> list[Json]:
        items: list[Json] = self._call(self.api.list_namespaced_custom_object)["items"]
        return items

    def create(self, body: Json) -> Json:
        return self._call(self.api.create_namespaced_custom_object, body=body, field_validation="Strict")

    def delete(self, name: str) -> Json:
        return self._call(self.api.delete_namespaced_custom_object, name=name)

    def change(self, name: str, step: Step) -> tuple[Json, Change]:
        """Read, judge, write with the resourceVersion that was read; judge again when it changed meanwhile.

        Raises PlayerscoreError, of the rule or of the cluster.
        """
        for attempt in range(1, ATTEMPTS + 1):
            body = self.get(name)
            job = ScoringJob.model_validate(body)
            change = step(job)
            if not change.patch:
                return body, change
            patch = change.body(job.metadata["resourceVersion"])
            try:
                return self._call(self.api.patch_namespaced_custom_object, name=name, body=patch), change
            except PlayerscoreError as error:
                if error.code != "CONFLICT" or attempt == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def _call(self, method: Any, **arguments: Any) -> Json:
        try:
            answer: Json = method(**WHERE, namespace=self.namespace, **arguments)
        except client.ApiException as error:
            raise translated(error) from error
        except OSError as error:
            raise PlayerscoreError("CLUSTER_UNAVAILABLE", str(error)) from error
        return answer


def _context_namespace() -> str:
    _, active = config.list_kube_config_contexts()
    return str(active.get("context", {}).get("namespace") or "default")


def translated(error: client.ApiException) -> PlayerscoreError:
    """The API server's refusal with our code: the webhook's cause first, else by the HTTP status."""
    try:
        status = json.loads(error.body or "{}")
    except (TypeError, ValueError):
        status = {}
    message = str(status.get("message") or error.reason)
    causes = (status.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason", "").isupper() and "_" in cause["reason"]:
            return PlayerscoreError(cause["reason"], cause.get("message", message), field=cause.get("field"))
    field = causes[0].get("field") if causes else None
    return PlayerscoreError(_code(error.status, str(status.get("reason"))), message, field=field)


def _code(status: int, reason: str) -> str:
    if status == 409:
        return "ALREADY_EXISTS" if reason == "AlreadyExists" else "CONFLICT"
    known = {400: "INVALID", 401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "JOB_NOT_FOUND", 422: "INVALID"}
    return known.get(status, "CLUSTER_UNAVAILABLE")
