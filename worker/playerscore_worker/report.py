"""The sidecar that talks to the outside: it alone holds tokens, and it decodes nothing.

It asks the API's broker for the video's short-lived address, carries frames and artifacts to the store, and
patches the job's status: progress now and then, the preview or the result at once. A refusal (403, 404) means
that the attempt is over for the cluster: it stops quietly.
"""

import hashlib
import signal
import ssl
import time
from pathlib import Path
from types import FrameType
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import structlog

from playerscore import names, sources
from playerscore.tasks import GRACE_SECONDS, AnalysisTask, Failure, FurtherTask, PreviewTask
from playerscore_worker import pod, trust
from playerscore_worker.pod import CHECKPOINT_SUFFIX, Pod, checkpoint_file
from playerscore_worker.settings import ReportSettings

log = structlog.get_logger("playerscore.report")

POLL_SECONDS: Final = 0.25
PROGRESS_SECONDS: Final = 5.0
LAST_SECONDS: Final = GRACE_SECONDS - 10.0
"""What a pod that is being stopped has left for reports; the rest is for leaving a word about what was lost."""
MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH: Final = {"Content-Type": "application/json-patch+json"}
RETRYABLE: Final = frozenset({429, 500, 502, 503, 504})
ASKED: Final = "/status/preview/asked_sec"
FRAMES_END: Final = "/status/preview/frames/-"
CONFLICT: Final = frozenset({409})
FENCED: Final = frozenset({401, 403, 404})
INHERIT_SECONDS: Final = 60.0
"""For so long an unwell broker is asked for checkpoints; then the work begins anew."""
INHERIT_AGAIN_SECONDS: Final = 2.0
CARRY_AGAIN_SECONDS: Final = 30.0


class Fenced(Exception):  # noqa: N818 - an outcome, not a failure
    """The cluster does not take this attempt's word any more."""


class Reporter:
    """One pod's way outside."""

    def __init__(
        self, task: PreviewTask | FurtherTask | AnalysisTask, files: Pod, settings: ReportSettings
    ) -> None:
        self.task = task
        self.files = files
        self.settings = settings
        self.kube = httpx.Client(
            base_url=settings.kube_url, verify=_trust(settings.kube_ca_file), timeout=15, trust_env=False
        )
        self.api = httpx.Client(
            base_url=settings.api_url,
            verify=trust.context(),
            timeout=httpx.Timeout(20, connect=5),
            trust_env=False,
        )
        self.stop_at: float | None = None
        self._told = (-PROGRESS_SECONDS, "")
        self._carried: dict[str, int] = {}
        """The checkpoints that the store has, by name: when each was written, in ns."""
        self._carry_at = 0.0
        self._inherit_until: float | None = None
        """Until when an unwell broker is asked; None when nothing is to be fetched any more."""
        self._inherit_at, self._inherit_number = 0.0, 1

    def run(self) -> None:
        """Until the pod ends; by then everything is reported, or this attempt was fenced off.

        A native sidecar that ends by itself is started again, so it waits to be told.
        """
        signal.signal(signal.SIGTERM, self._stopping)
        try:
            self._prepare()
            self._follow()
        except Fenced as refusal:
            log.info("fenced", reason=str(refusal))
        except httpx.HTTPError as error:
            log.error("not reported within the pod's grace", error=str(error))
            self._lost("CLUSTER_UNAVAILABLE", f"The API server does not answer: {error}")
        while self.stop_at is None:
            time.sleep(POLL_SECONDS)

    def _stopping(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_at = time.monotonic() + LAST_SECONDS

    # --- before the download ----------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Say where the video is; what earlier attempts left is fetched while it is downloaded."""
        if isinstance(self.task, AnalysisTask):
            pod.write(self.files.fetching_checkpoints, {})
            self._inherit_until = time.monotonic() + INHERIT_SECONDS
        self._offer_sources()

    def _offer_sources(self) -> None:
        """Write the addresses that `fetch` downloads from: the video's, and the weights' of the detector."""
        files = enumerate(self.task.video.files)
        # The first is asked for as it was before there were several: an API of the release before knows no other.
        asked = [self._offer(f"source?file={k}" if k else "source", file.uri) for k, file in files]
        offer: dict[str, Any] = {"files": asked}
        weights = self.task.detector.weights
        if weights:
            offer["weights"] = self._offer("weights", weights.uri)
        pod.write(self.files.source, offer)

    def _offer(self, what: str, uri: str) -> dict[str, Any]:
        """The address of one file: its own, or what the broker answers for a file of the store."""
        if urlsplit(uri).scheme != sources.STORE_SCHEME:
            return {"url": uri, "store": False}
        answer = self._broker("POST", what)
        try:
            said = answer.json()
        except ValueError:
            said = {}
        if answer.is_success and "url" in said:
            return {"url": said["url"], "store": True}
        unknown = {"code": "SOURCE_UNAVAILABLE", "message": f"The broker answers {answer.status_code}"}
        return {"error": said.get("error", unknown)}

    # --- while the work goes on -------------------------------------------------------------------------

    def _follow(self) -> None:
        """Report what appears, until the work is done or the pod ends; what is there by then is reported."""
        sent = ended = False
        while not ended:
            ended = self.files.done.exists() or self.stop_at is not None
            if not ended and self.files.progress.exists():
                self._progress(pod.read(self.files.progress))
            if not ended:
                self._inherit()
                self._carry()
            sent = sent or self._outcome()
            if not ended:
                time.sleep(POLL_SECONDS)
        if sent and isinstance(self.task, AnalysisTask):
            self._artifacts()
        if self.files.done.exists():
            self._forget()
        else:
            self._carry(last=True)

    def _outcome(self) -> bool:
        """Report the preview or the result once it is there; a preview only with all of its pictures."""
        if not isinstance(self.task, AnalysisTask):
            if not self.files.preview.exists():
                return False
            if self._frames():
                self._previewed(pod.read(self.files.preview))
            return True
        if not self.files.result.exists():
            return False
        self._patch({"result": pod.read(self.files.result)})
        log.info("result written")
        return True

    def _previewed(self, made: Any) -> None:
        """Write the preview; further frames come behind those that are there, once, even if an answer is lost."""
        if not isinstance(self.task, FurtherTask):
            self._patch({"preview": made})
            return
        before, asked = [_plain(times) for times in (self.task.asked_sec, self.task.at_sec)]
        operations = [{"op": "test", "path": ASKED, "value": before or None}]
        operations += [{"op": "add", "path": FRAMES_END, "value": frame} for frame in made]
        operations += [{"op": "add", "path": ASKED, "value": before + asked}]
        self._send_status("further frames", operations, JSON_PATCH)
        log.info("further frames written", count=len(made))

    def _progress(self, progress: dict[str, Any]) -> None:
        """At most every five seconds, and only when it says something new. Of further frames none is told."""
        at, text = self._told
        if isinstance(self.task, FurtherTask):
            return
        if time.monotonic() - at < PROGRESS_SECONDS or str(progress) == text:
            return
        self._told = (time.monotonic(), str(progress))
        self._patch({"progress": progress}, patient=False)

    # --- the store --------------------------------------------------------------------------------------

    def _frames(self) -> bool:
        """Whether all frames are stored: they come before the preview that names them. Raises Fenced."""
        for path in sorted(self.files.frames.glob("frame_*.jpg")):
            if why := self._put(f"frames/{names.frame_number(path.name)}", path, "image/jpeg"):
                self._lost(why.code, f"The preview's pictures are not stored. {path.name}: {why.message}")
                return False
        return True

    def _artifacts(self) -> None:
        """Artifacts come after the result, which stands without them. Raises Fenced."""
        stored, lost = [], {}
        for path in sorted(self.files.artifacts.glob("*")):
            media = sources.media_type(path.name)
            if why := self._put(f"artifacts/{path.name}", path, media):
                lost[path.name] = why
            else:
                stored.append(_described(path, media))
        if stored:
            self._patch({"artifacts": stored})
        if lost:
            last = list(lost.values())[-1]
            self._lost(last.code, f"Artifacts are not stored: {', '.join(lost)}. {last.message}")

    def _put(self, what: str, path: Path, media: str) -> Failure | None:
        """Why the broker did not take the file; None when it did. Raises Fenced."""
        try:
            answer = self._broker("PUT", what, path, media)
        except httpx.HTTPError as error:
            return Failure(code="STORE_UNAVAILABLE", message=f"The broker does not answer: {error}")
        if answer.status_code in FENCED:
            raise Fenced(f"{answer.status_code}: {answer.text[:300]}")
        if not answer.is_error:
            return None
        code = "STORE_UNAVAILABLE" if answer.status_code in RETRYABLE else "WORKER_FAILED"
        return Failure(code=code, message=f"The broker answers {answer.status_code}: {answer.text[:300]}")

    def _lost(self, code: str, message: str) -> None:
        """Leave a word that the operator reads once this container has ended: the outside did not take it."""
        log.error("lost", code=code, message=message)
        self.files.say(Failure(code=code, message=message).model_dump_json())

    def _broker(self, method: str, what: str, path: Path | None = None, media: str = "") -> httpx.Response:
        """One request to the broker, repeated while it is unavailable."""
        return self._patiently(lambda: self._asked(method, what, path, media))

    def _asked(self, method: str, what: str, path: Path | None = None, media: str = "") -> httpx.Response:
        """One request to the broker."""
        url = f"/worker/jobs/{self.task.namespace}/{self.task.name}/{what}"
        headers = {"Authorization": f"Bearer {self.settings.api_token_file.read_text().strip()}"}
        if path is not None:
            headers["Content-Type"] = media
        content = path.read_bytes() if path is not None else None
        return self.api.request(method, url, content=content, headers=headers)

    # --- checkpoints ------------------------------------------------------------------------------------

    def _inherit(self) -> None:
        """Fetch how far earlier attempts came; while the broker is unwell, again a moment later, and not for ever."""
        if self._inherit_until is None or time.monotonic() < self._inherit_at:
            return
        try:
            self._inherit_run()
            while (content := self._left(f"checkpoints/{self._inherit_number}")) is not None:
                self._keep(checkpoint_file(self.files.checkpoints, self._inherit_number), content)
                self._inherit_number += 1
        except httpx.HTTPError as error:
            if time.monotonic() < self._inherit_until:
                self._inherit_at = time.monotonic() + INHERIT_AGAIN_SECONDS
                return
            log.warning("checkpoints not fetched", reason=str(error))
        log.info("checkpoints fetched", count=self._inherit_number - 1)
        self._inherit_until = None
        self.files.fetching_checkpoints.unlink(missing_ok=True)

    def _inherit_run(self) -> None:
        """Fetch the run that this one refines; an empty file stands for one that cannot be had any more."""
        if not isinstance(self.task, AnalysisTask) or not self.task.refines or self.files.earlier.exists():
            return
        content = self._left("earlier")
        if content is None:
            log.warning("earlier run not there", job=self.task.refines)
        pod.write_bytes(self.files.earlier, content or b"")

    def _left(self, what: str) -> bytes | None:
        """What an earlier attempt, or job, left; None when there is nothing. Raises httpx.HTTPError."""
        answer = self._asked("GET", what)
        if answer.status_code in RETRYABLE:
            answer.raise_for_status()
        return answer.content if answer.is_success else None

    def _keep(self, file: Path, content: bytes) -> None:
        """Put a fetched one there, unless this container was started again and the attempt's own is there."""
        if not file.exists():
            pod.write_bytes(file, content)
            self._carried[file.name] = file.stat().st_mtime_ns

    def _carry(self, last: bool = False) -> None:
        """Bring new checkpoints to the store. One that is not taken now is tried again later: the work goes on.

        An attempt that is over learns that from its other reports.
        """
        for file in sorted(self.files.checkpoints.glob(f"*{CHECKPOINT_SUFFIX}")):
            written = file.stat().st_mtime_ns
            if self._carried.get(file.name) == written or (time.monotonic() < self._carry_at and not last):
                continue
            why = self._refused(f"checkpoints/{int(file.stem)}", file)
            if why is None:
                self._carried[file.name] = written
                continue
            log.warning("checkpoint not stored", file=file.name, reason=why)
            self._carry_at = time.monotonic() + CARRY_AGAIN_SECONDS
            return

    def _refused(self, what: str, file: Path) -> str | None:
        """Why the broker did not take a checkpoint; None when it did."""
        try:
            answer = self._asked("PUT", what, file, "application/octet-stream")
        except httpx.HTTPError as error:
            return str(error)
        return None if answer.is_success else f"{answer.status_code}: {answer.text[:300]}"

    def _forget(self) -> None:
        """Remove them from the store: all is done. What stays is swept later."""
        if not isinstance(self.task, AnalysisTask):
            return
        try:
            answer = self._asked("DELETE", "checkpoints")
        except httpx.HTTPError as error:
            log.warning("checkpoints not removed", reason=str(error))
            return
        if answer.is_error:
            log.warning("checkpoints not removed", reason=str(answer.status_code))

    # --- the status -------------------------------------------------------------------------------------

    def _patch(self, status: dict[str, Any], *, patient: bool = True) -> None:
        """Merge-patch the job's status. Raises Fenced; a lost progress is not worth waiting for."""
        self._send_status(", ".join(status), {"status": status}, MERGE_PATCH, patient=patient)

    def _send_status(self, what: str, body: Any, kind: dict[str, str], *, patient: bool = True) -> None:
        """Patch the status subresource. Raises as `_patch`."""
        url = (
            f"/apis/{names.API_VERSION}/namespaces/{self.task.namespace}/"
            f"{names.JOB_PLURAL}/{self.task.name}/status"
        )
        headers = {
            "Authorization": f"Bearer {self.settings.kube_token_file.read_text().strip()}",
            **kind,
        }

        def send() -> httpx.Response:
            return self.kube.patch(url, json=body, headers=headers)

        if patient:
            answer = self._patiently(send, RETRYABLE | CONFLICT)
        else:
            try:
                answer = send()
            except httpx.HTTPError as error:
                log.warning("progress not written", error=str(error))
                return
            if answer.is_error and answer.status_code not in FENCED:
                log.warning("progress not written", status=answer.status_code, answer=answer.text[:300])
                return
        if answer.status_code in FENCED:
            raise Fenced(f"{answer.status_code}: {answer.text[:300]}")
        if answer.is_error:
            code = "CLUSTER_UNAVAILABLE" if answer.status_code in RETRYABLE else "WORKER_FAILED"
            text = f"The API server does not take {what}: {answer.status_code} {answer.text[:300]}"
            self._lost(code, text)

    def _patiently(self, send: Any, retried: frozenset[int] = RETRYABLE) -> httpx.Response:
        """Repeat with a growing delay while the other side is unwell; at the pod's end, no longer."""
        delay = 0.2
        while True:
            try:
                answer: httpx.Response = send()
                if answer.status_code not in retried or self._out_of_time():
                    return answer
            except httpx.HTTPError as error:
                if self._out_of_time():
                    raise
                log.warning("not reached", error=str(error))
            time.sleep(delay)
            delay = min(5.0, delay * 2)

    def _out_of_time(self) -> bool:
        return self.stop_at is not None and time.monotonic() > self.stop_at


def _plain(times: list[float]) -> list[float]:
    """Whole numbers as the API server stores them: a JSON patch's `test` compares what is written."""
    return [int(time_sec) if time_sec == int(time_sec) else time_sec for time_sec in times]


def _described(path: Path, media: str) -> dict[str, Any]:
    content = path.read_bytes()
    return {
        "name": path.name,
        "mediaType": media,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _trust(ca_file: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(ca_file))
