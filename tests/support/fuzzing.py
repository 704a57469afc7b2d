"""schemathesis over the whole OpenAPI document, against the API's process on a real API server and a real store.

While it runs, somebody plays worker and operator: every new job gets a preview, every enqueued one a result, so
that the requests reach all states of the flow. One run has a person's token, a second a pod's for the worker's
routes.
"""

import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from apilab import SPEC, Lab
from builders import make_preview, make_result, manifest

Json = dict[str, Any]
SUPPORT = Path(__file__).parent
NAME = "match-1"
"""The id in the document's examples."""
KIND_PATH = "/apis/playerscore.dev/v1alpha1/namespaces/default/scoringjobs"
LOOK_SECONDS = 0.25
ARTIFACT = {"name": "radar.png", "mediaType": "image/png", "bytes": 3, "sha256": "a" * 64}


class Outcome(NamedTuple):
    """What a run found."""

    operations: int
    cases: int
    failures: list[Json]
    errors: list[Json]
    seconds: float
    output: str

    @property
    def clean(self) -> bool:
        return not self.failures and not self.errors


class Life:
    """Gives jobs previews and results, until the block ends."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        headers = lab.plane.headers() | {"Content-Type": "application/merge-patch+json"}
        self._http = httpx.Client(base_url=lab.plane.url, headers=headers, verify=_context(lab))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._round()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._http.close()

    def _run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self._round()

    def _round(self) -> None:
        jobs = self._http.get(KIND_PATH, params={"limit": 500}).json()["items"]
        if NAME not in [job["metadata"]["name"] for job in jobs]:
            body = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob", "spec": SPEC}
            body["metadata"] = {"name": NAME}
            self._http.post(KIND_PATH, json=body, headers={"Content-Type": "application/json"})
        for job in jobs:
            if (status := _next(job)) is not None:
                path = f"{KIND_PATH}/{job['metadata']['name']}/status"
                self._http.patch(path, content=json.dumps({"status": status}))


def _next(job: Json) -> Json | None:
    """What worker and operator would write next; None when nothing is due."""
    status = job.get("status", {})
    if "preview" not in status:
        return {"preview": manifest(make_preview(name=job["metadata"]["name"])), "run": {"previewAttempt": 1}}
    if job["spec"].get("suspend", True) or "result" in status:
        return None
    return {
        "run": {"attempt": 1},
        "result": manifest(make_result()),
        "artifacts": [ARTIFACT],
        "progress": {"step": "COMPLETED", "percent": 100},
    }


def _context(lab: Lab) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(lab.plane.ca))


def run(lab: Lab, token: str, *, examples: int, seed: int, more: list[str] | None = None) -> Outcome:
    """One run of schemathesis with that token: so many examples per operation and phase."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            str(Path(sys.executable).parent / "schemathesis"),
            f"--config-file={SUPPORT / 'fuzz_api.toml'}",
            "run",
            f"{lab.url}/openapi.json",
            f"--header=Authorization: Bearer {token}",
            f"--max-examples={examples}",
            f"--seed={seed}",
            "--request-timeout=30",
            "--generation-database=none",
            "--continue-on-failure",
            "--report=json",
            f"--report-json-path={folder}/report.json",
            "--no-color",
            *(more or []),
        ]
        environment = {**os.environ, "SCHEMATHESIS_HOOKS": "fuzz_hooks", "PYTHONPATH": str(SUPPORT)}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        report_file = Path(folder) / "report.json"
        if not report_file.exists():
            raise AssertionError(done.stdout[-3000:] + done.stderr[-3000:])
        report = json.loads(report_file.read_text())
    return Outcome(
        report["operations"]["tested"],
        report["test_cases"]["generated"],
        report["failures"],
        report["errors"],
        report["running_time"],
        done.stdout,
    )


def as_person(lab: Lab, examples: int, seed: int) -> Outcome:
    """Every operation, with the token of somebody who may edit jobs."""
    with Life(lab):
        return run(lab, lab.editor_token, examples=examples, seed=seed)


def as_pod(lab: Lab, examples: int, seed: int) -> Outcome:
    """The worker's routes, with the token of the pod that makes the preview of the job in the examples."""
    uid = lab.created(NAME, preview=False) if lab.editor.get(f"/jobs/{NAME}").is_error else _uid(lab)
    lab.status(NAME, {"preview": None, "result": None, "progress": None, "run": {"previewAttempt": 1}})
    token = lab.pod_token(f"sj-{uid}-p1-fuzz")
    return run(
        lab,
        token,
        examples=examples,
        seed=seed,
        more=["--include-tag=worker", "--phases=examples,coverage,fuzzing"],
    )


def _uid(lab: Lab) -> str:
    return str(lab.stored(NAME)["metadata"]["uid"])
