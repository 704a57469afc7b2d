"""One verb for each container of the pod: report, fetch, preview, analyze.

A fifth, `alive`, is what the kubelet asks the working container where an older operator made the pod; today's asks
the same in the shell.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog

from playerscore import sources
from playerscore.errors import PlayerscoreError, SourceError, VideoError, WorkerError
from playerscore.resources import Result, Weights
from playerscore.tasks import TERMINATION_MESSAGE_BYTES, AnalysisTask, FurtherTask, PodTask, PreviewTask
from playerscore_worker import container, pod, source
from playerscore_worker.cpus import cpu_limit
from playerscore_worker.pod import Pod

SOURCE_PATIENCE_SECONDS = 120.0
STALL_VARIABLE = "PLAYERSCORE_STALL_SECONDS"
STALL_SECONDS = 600.0
"""Between two signs of progress lie seconds, on a busy node a minute or two; after so long nothing will come."""
WEIGHTS_BYTES = 2 * 2**30
WEIGHTS_SECONDS = 1800.0

Offer = dict[str, Any]
"""An address that `report` wrote, or the broker's refusal."""

log = structlog.get_logger("playerscore.worker")


def report(files: Pod) -> None:
    """The sidecar."""
    from playerscore_worker.report import Reporter
    from playerscore_worker.settings import ReportSettings

    # The address comes from the environment, which the type checker cannot see.
    Reporter(pod.task(), files, ReportSettings()).run()  # type: ignore[call-arg]


def fetch(files: Pod) -> None:
    """Download the video, check that it is the pinned one and worth decoding; and the detector's weights."""
    task = pod.task()
    for number, file in enumerate(task.video.files):
        sources.check_allowed(file.uri, task.sources, sources.file_field(number))
    offer = _offer(files)
    if task.detector.weights:
        # First, because their address would not outlive the download of a long match.
        _fetch_weights(task.detector.weights, offer, files)
    limits, size, digests = task.video_limits, 0, []
    end = time.monotonic() + limits.download_seconds
    for number, where in enumerate(offer["files"]):
        field = sources.file_field(number)
        with _of(field if number else ""):
            sha256, more = source.download(
                _address(where),
                files.video(number),
                max_bytes=limits.bytes - size,
                max_seconds=end - time.monotonic(),
                judge=_judge(task, where, field),
            )
        size += more
        digests.append(sha256)
    source.check_digest(task, _footage(files, digests))
    for number in range(len(digests)):
        container.check(files.video(number), limits, sources.file_field(number))
    pod.write(files.fetched, {"sha256": digests, "bytes": size})


@contextmanager
def _of(field: str) -> Iterator[None]:
    """What goes wrong here is told of that field."""
    try:
        yield
    except (SourceError, VideoError) as error:
        if not field:
            raise
        raise type(error)(error.code, f"{field}: {error.message}", field=field) from error


def _footage(files: Pod, digests: list[str]) -> source.Footage:
    return source.Footage(tuple(map(files.video, range(len(digests)))), tuple(digests))


def _fetched(files: Pod) -> source.Footage:
    return _footage(files, pod.read(files.fetched)["sha256"])


def _judge(task: PodTask, offer: Offer, field: str) -> source.Judge:
    """Of the store only the very address that the broker gave; of the rest what the runtime allows."""

    def judge(url: str) -> str | None:
        if not offer.get("store"):
            return source.check_host(url, sources.check_allowed(url, task.sources, field))
        if url != offer["url"]:
            raise SourceError("SOURCE_DENIED", "The store sends elsewhere", field=field)
        return None

    return judge


def _fetch_weights(weights: Weights, offer: Offer, files: Pod) -> None:
    """Named by the platform's runtime, hence of any host, and pinned by digest. Raises WorkerError."""
    out = files.weights(weights.uri)
    try:
        sha256, _ = source.download(
            _address(offer.get("weights") or {"url": weights.uri}),
            out,
            max_bytes=WEIGHTS_BYTES,
            max_seconds=WEIGHTS_SECONDS,
            judge=lambda url: None,
        )
    except PlayerscoreError as error:
        raise WorkerError("WORKER_FAILED", f"The detector's weights: {error.message}") from error
    if sha256 != weights.sha256:
        raise WorkerError("WORKER_FAILED", f"The detector's weights have the sha256 {sha256}")


def _weights(task: PodTask, files: Pod) -> Path | None:
    return files.weights(task.detector.weights.uri) if task.detector.weights else None


def _offer(files: Pod) -> Offer:
    """What `report` wrote. Raises WorkerError when nothing comes."""
    end = time.monotonic() + SOURCE_PATIENCE_SECONDS
    while not files.source.exists():
        if time.monotonic() > end:
            raise WorkerError("SOURCE_UNAVAILABLE", "No address of the video came from the broker")
        time.sleep(0.1)
    offer: Offer = pod.read(files.source)
    return offer


def _address(offer: Offer) -> str:
    """The address in an offer. Raises SourceError for the broker's refusal, and for an unknown scheme."""
    if error := offer.get("error"):
        code = (
            str(error.get("code", "SOURCE_UNAVAILABLE")) if isinstance(error, dict) else "SOURCE_UNAVAILABLE"
        )
        raise SourceError("SOURCE_NOT_FOUND" if code == "NOT_FOUND" else code, str(error))
    url = str(offer["url"])
    if not urlsplit(url).scheme.startswith("http"):
        raise SourceError("SOURCE_DENIED", f"There is no way to fetch {url}")
    return url


def preview(files: Pod) -> None:
    """Sample, detect, track."""
    from playerscore_worker.work import run_further, run_preview

    task = pod.task()
    if isinstance(task, FurtherTask):
        added = run_further(task, _fetched(files), files.frames, _progress(files), _weights(task, files))
        pod.write(files.preview, [frame.model_dump(mode="json", by_alias=True) for frame in added])
        pod.write(files.done, {})
        return
    if not isinstance(task, PreviewTask):
        raise WorkerError("WORKER_FAILED", "preview needs a preview task")
    status = run_preview(task, _fetched(files), files.frames, _progress(files), _weights(task, files))
    pod.write(files.preview, status.model_dump_json(by_alias=True, exclude_none=True))
    pod.write(files.done, {})


def analyze(files: Pod) -> None:
    """Follow, measure, rate; the result also goes into the termination message, which needs no network."""
    from playerscore_worker.work import run_analysis

    task = pod.task()
    if not isinstance(task, AnalysisTask):
        raise WorkerError("WORKER_FAILED", "analyze needs an analysis task")
    _await_checkpoints(files)
    earlier = files.earlier if files.earlier.exists() else None
    analysed = run_analysis(
        task, _fetched(files), _progress(files), _weights(task, files), files.checkpoints, earlier
    )
    text = _text(analysed.result)
    # The score must fit; what to look at only comes by the status.
    fits = len(text.encode()) <= TERMINATION_MESSAGE_BYTES
    files.say(text if fits else _text(analysed.result.model_copy(update={"review": None})))
    pod.write(files.result, text)
    try:
        analysed.write_artifacts(files.artifacts)
    except (PlayerscoreError, OSError, RuntimeError, ValueError):
        log.warning("artifacts not drawn; the result stands without them", exc_info=True)
    pod.write(files.done, {})


def _text(result: Result) -> str:
    return result.model_dump_json(by_alias=True, exclude_none=True)


def _await_checkpoints(files: Pod) -> None:
    """Until `report` has fetched what earlier attempts left; without it, after a while, the work begins anew."""
    end = time.monotonic() + SOURCE_PATIENCE_SECONDS
    while files.fetching_checkpoints.exists() and time.monotonic() < end:
        time.sleep(0.1)


def alive(files: Pod) -> None:
    """Whether the work still moves: the liveness probe. Raises WorkerError, whose words the job will tell."""
    silent = files.silent_seconds(time.time())
    if silent > float(os.environ.get(STALL_VARIABLE, STALL_SECONDS)):
        raise WorkerError("WORKER_FAILED", f"No progress for {silent:.0f} s: the worker hangs")


def _progress(files: Pod) -> Callable[[float, str], None]:
    """Tells the reporter how far it is, at most four times a second."""
    last = 0.0

    def tell(share: float, message: str) -> None:
        nonlocal last
        if time.monotonic() - last >= 0.25 or share >= 1:
            last = time.monotonic()
            pod.write(files.progress, {"percent": round(100 * min(1.0, share)), "message": message})

    return tell


VERBS: dict[str, Callable[[Pod], None]] = {
    "report": report,
    "fetch": fetch,
    "preview": preview,
    "analyze": analyze,
    "alive": alive,
}


def limit_threads() -> None:
    """Tell the numeric libraries, before they load, how many CPUs this container may use."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, str(cpu_limit()))


def main(arguments: list[str]) -> int:
    """The exit code of the contract: 0 done, 42 bad input, 43 out of memory, else the machine's failure."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # The client logs whole addresses, and a presigned one is a credential.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if len(arguments) != 1 or arguments[0] not in VERBS:
        print(f"usage: python -m playerscore_worker {'|'.join(VERBS)}", file=sys.stderr)
        return 2
    limit_threads()
    files = Pod.here()
    try:
        VERBS[arguments[0]](files)
    except Exception as error:  # the edge of the process: every failure becomes words and a code
        code, words = pod.failure(error)
        files.say(words.model_dump_json())
        log.error("failed", code=words.code, message=words.message, exc_info=code == 1)
        return code
    return 0
