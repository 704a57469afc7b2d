"""ScoringJobs through the Kubernetes API, with the user's own kubeconfig."""

import json
import re
from collections.abc import Callable
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from playerscore import lenient, names
from playerscore.errors import CATALOGUE, PlayerscoreError
from playerscore.flow import Change
from playerscore.resources import ScoringJob, ScoringJobSpec, ScoringJobStatus

Json = dict[str, Any]
Step = Callable[[ScoringJob], Change]
"""A change of a job: one of `flow`'s functions with its arguments filled in."""
WHERE = {"group": names.GROUP, "version": names.VERSION, "plural": names.JOB_PLURAL}
ATTEMPTS = 3
# A policy and a rule of the CRD can say their code only in words: "...: TARGET_MISMATCH: the box ...".
CODE = re.compile(rf"(?:^|[\s:])({'|'.join(CATALOGUE)}): (.+)", re.DOTALL)


class Jobs:
    """The ScoringJobs of one namespace."""

    def __init__(self, namespace: str | None, kubeconfig: str | None = None) -> None:
        try:
            config.load_kube_config(kubeconfig)
            self.namespace = namespace or _context_namespace(kubeconfig)
        except config.ConfigException as error:
            self.namespace = namespace or "default"
            _load_in_cluster(error)
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
            job = parsed(body)
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
        except (OSError, HTTPError) as error:
            raise PlayerscoreError("CLUSTER_UNAVAILABLE", str(error)) from error
        return answer


def parsed(body: Json) -> ScoringJob:
    """A stored object as the models know it; what a newer version added is left out."""
    spec = lenient.read(ScoringJobSpec, body.get("spec") or {}).model
    if spec is None:
        raise PlayerscoreError("INVALID", "The job's spec cannot be read by this version", field="spec")
    status = lenient.read(ScoringJobStatus, body.get("status") or {}).model
    return ScoringJob(metadata=body["metadata"], spec=spec, status=status)


def _load_in_cluster(missing: config.ConfigException) -> None:
    """The pod's own account. Raises PlayerscoreError when this is no pod."""
    try:
        config.load_incluster_config()
    except config.ConfigException as error:
        raise PlayerscoreError("CLUSTER_UNAVAILABLE", f"No usable kubeconfig: {missing}") from error


def _context_namespace(kubeconfig: str | None) -> str:
    _, active = config.list_kube_config_contexts(kubeconfig)
    return str(active.get("context", {}).get("namespace") or "default")


def translated(error: client.ApiException) -> PlayerscoreError:
    """The API server's refusal with our code: the webhook's cause first, then the code in the message, else by
    the HTTP status.
    """
    try:
        status = json.loads(error.body or "{}")
    except (TypeError, ValueError):
        status = {}
    message = str(status.get("message") or error.reason)
    causes = (status.get("details") or {}).get("causes") or []
    for cause in causes:
        if cause.get("reason") in CATALOGUE:
            details = {"field": cause.get("field")}
            return PlayerscoreError(cause["reason"], cause.get("message", message), **details)
    field = causes[0].get("field") if causes else None
    if code := CODE.search(message):
        return PlayerscoreError(code[1], code[2], field=field)
    return PlayerscoreError(_code(error.status, str(status.get("reason"))), message, field=field)


def _code(status: int, reason: str) -> str:
    if status == 409:
        return "ALREADY_EXISTS" if reason == "AlreadyExists" else "CONFLICT"
    known = {400: "INVALID", 401: "UNAUTHENTICATED", 403: "FORBIDDEN", 404: "JOB_NOT_FOUND", 422: "INVALID"}
    return known.get(status, "CLUSTER_UNAVAILABLE")
