"""A model of the cluster, driven at random: whatever happens in whatever order, DESIGN's promises hold.

The store keeps one ScoringJob with Kubernetes' rules (a resourceVersion that every write moves, conditional
writes, a generation that spec moves), its Jobs and pods. The operator sees it late, twice or not at all, dies
between any two of its writes, and starts again with nothing. People edit, the kubelet and the worker do theirs.
"""

import contextlib
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from builders import (
    ELSEWHERE,
    UID,
    make_frame,
    make_player,
    make_preview,
    make_result,
    make_runtime,
    make_spec,
    make_target,
    make_track,
    manifest,
)
from mergepatch import patched
from playerscore import edits, further, steps
from playerscore.names import FINISHED, ConditionType, Step
from playerscore.resources import Retry, ScoringJob, ScoringJobSpec, ScoringJobStatus
from playerscore_operator.decide import decide
from playerscore_operator.observe import Observed, assemble
from playerscore_operator.outcome import Decision

API = "http://api.example"
BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
Json = dict[str, Any]
ENDED = ("Succeeded", "Failed")
ORDER = {step: number for number, step in enumerate(Step)}


class ConflictError(Exception):
    """The store's 409."""


class DiedError(Exception):
    """The operator was killed between two writes."""


class Store:
    """One ScoringJob and its children, by the API server's rules."""

    def __init__(self, spec: ScoringJobSpec) -> None:
        self.now = BEGIN
        self.version = 100
        self.body: Json = {
            "metadata": {"name": "match-1", "namespace": "default", "uid": UID, "generation": 1},
            "spec": manifest(spec),
            "status": {"observedGeneration": -1},
        }
        self.jobs: dict[str, Json] = {}
        self.pods: list[Json] = []
        self.launched: list[str] = []
        """Every Job that was ever created."""
        self.touch()

    def touch(self) -> None:
        self.version += 1
        self.body["metadata"]["resourceVersion"] = str(self.version)

    @property
    def job(self) -> ScoringJob:
        return ScoringJob.model_validate(self.body)

    def stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def write_status(self, patch: Json, version: str | None = None) -> None:
        if version is not None and version != self.body["metadata"]["resourceVersion"]:
            raise ConflictError
        changed = patched(self.body, {"status": patch})
        ScoringJob.model_validate(changed)
        if changed != self.body:
            self.body = changed
            self.touch()

    def write_spec(self, patch: Json) -> None:
        changed = patched(self.body, {"spec": patch})
        if changed["spec"] != self.body["spec"]:
            changed["metadata"]["generation"] += 1
            self.body = changed
            self.touch()

    def create_job(self, body: Json) -> None:
        name = body["metadata"]["name"]
        if name in self.jobs:
            return
        working = [pod for pod in self.pods_of(name) if pod["status"].get("phase") not in ENDED]
        assert not working, f"{name} is created again beside its own pod"
        metadata = {**body["metadata"], "creationTimestamp": self.stamp()}
        self.jobs[name] = {**body, "metadata": metadata, "status": {"startTime": self.stamp()}}
        self.launched.append(name)

    def delete_job(self, name: str) -> None:
        if name not in self.jobs:
            return
        self.jobs[name]["metadata"].setdefault("deletionTimestamp", self.stamp())
        if not any(pod["metadata"]["labels"]["job-name"] == name for pod in self.pods):
            del self.jobs[name]

    def pods_of(self, name: str) -> list[Json]:
        return [pod for pod in self.pods if pod["metadata"]["labels"]["job-name"] == name]

    def snapshot(self) -> Observed:
        job, jobs, pods = deepcopy((self.job, list(self.jobs.values()), self.pods))
        return assemble(job, jobs, pods, make_runtime(retry=Retry(limit=2)), prepared=True)


class Cluster(RuleBasedStateMachine):
    """Everybody's moves."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(make_spec())
        self.old: list[Observed] = []
        self.accepted: dict[int, Any] = {}
        self.ended: Step | None = None
        self.frozen: Json | None = None
        self.highest = (Step.EXTRACTING_PREVIEW, 1)
        self.operator_started = False
        self.frames: list[Json] = []
        self.was_launched = self.was_ready = False

    @initialize(
        enqueued=strategies.booleans(),
        chosen=strategies.booleans(),
        preview=strategies.booleans(),
        shown=strategies.booleans(),
    )
    def applied(self, enqueued: bool, chosen: bool, preview: bool, shown: bool) -> None:
        """A draft, or all of it at once from Git, perhaps with nothing to judge by, or with a preview from before."""
        changes: Json = {"suspend": not enqueued}
        if chosen:
            changes |= {"player_ref": make_player(), "target": make_target()}
        if not preview:
            changes["preview"] = {"disabled": True}
        self.store = Store(make_spec(**changes))
        if preview and shown:
            self.store.write_status({"run": {"previewAttempt": 1}, "preview": manifest(make_preview())})

    # --- the operator ------------------------------------------------------------------------------------

    def carry_out(self, observed: Observed, decision: Decision, deaths: int | None) -> None:
        """As `act` does it: guarded write, creates, deletes; dies after so many writes."""
        left = deaths

        def alive() -> None:
            nonlocal left
            if left is not None:
                if left == 0:
                    raise DiedError
                left -= 1

        if decision.status is not None:
            alive()
            self.store.write_status(decision.status, observed.resource_version)
        for body in decision.creates:
            alive()
            self.store.create_job(body)
        for name in decision.deletes:
            alive()
            job = self.store.jobs.get(name)
            assert job is None or not job["status"].get("conditions"), f"{name} has ended"
            self.store.delete_job(name)

    def look(self, observed: Observed, deaths: int | None = None) -> Decision:
        before = self.store.job
        decision = decide(observed, self.store.now, API)
        if decision.unproven:
            decision = decide(observed := self.store.snapshot(), self.store.now, API)
        with contextlib.suppress(ConflictError, DiedError):
            self.carry_out(observed, decision, deaths)
        self.check_step(before)
        return decision

    @rule()
    def reconciles(self) -> None:
        """An event comes and the world is as it says."""
        self.look(self.store.snapshot())

    @rule(index=strategies.integers(0, 5))
    @precondition(lambda self: self.old)
    def reconciles_what_is_long_past(self, index: int) -> None:
        """An event comes late, or again, or out of order."""
        self.look(self.old[index % len(self.old)])

    @rule(index=strategies.integers(0, 5))
    @precondition(lambda self: self.old)
    def hears_late_of_the_children(self, index: int) -> None:
        """The job is as it is, its children are told of as they were."""
        past = self.old[index % len(self.old)]
        self.look(replace(self.store.snapshot(), jobs=past.jobs, pods=past.pods))

    @rule(jobs=strategies.booleans(), pods=strategies.booleans())
    def starts_with_little_in_its_memory(self, jobs: bool, pods: bool) -> None:
        """Not all watches have told what there is: what is told on the job is true all the same."""
        whole = self.store.snapshot()
        part = replace(whole, jobs=whole.jobs if jobs else {}, pods=whole.pods if pods else [])
        full, decision = decide(whole, self.store.now, API), decide(part, self.store.now, API)
        assert decision.unproven or decision.status in (None, full.status)
        self.look(part)

    @rule(deaths=strategies.integers(0, 3))
    def dies_in_the_midst(self, deaths: int) -> None:
        """It is killed after so many writes; the next one begins with nothing."""
        self.look(self.store.snapshot(), deaths)
        self.old.clear()

    @rule()
    def remembers(self) -> None:
        """What it sees now will be seen again later."""
        self.old = [*self.old[-4:], self.store.snapshot()]

    # --- people, as admission lets them ---------------------------------------------------------------------

    def edit(self, patch: Json) -> None:
        new = ScoringJobSpec.model_validate(patched(self.store.body["spec"], patch))
        if not edits.check(self.store.job.spec, new, self.store.job.status):
            self.store.write_spec(patch)
            self.highest = (Step.EXTRACTING_PREVIEW, self.store.body["metadata"]["generation"])

    @rule(number=strategies.sampled_from([1, 2]), right=strategies.booleans())
    def selects(self, number: int, right: bool) -> None:
        target = make_target(number=number) if right else make_target(ELSEWHERE, number=number)
        self.edit({"player_ref": manifest(make_player()), "target": manifest(target)})

    @rule(suspend=strategies.booleans())
    def suspends(self, suspend: bool) -> None:
        self.edit({"suspend": suspend})

    @rule(
        times=strategies.lists(strategies.sampled_from([2.0, 7.0, 9.0, 11.5, 99.0]), max_size=3, unique=True)
    )
    def looks_elsewhere(self, times: list[float]) -> None:
        """Asks for frames at some times, or takes all of it back."""
        known = self.store.body["spec"].get("preview", {}).get("disabled")
        wanted = {"atSec": times or None} | ({"disabled": True} if known else {})
        self.edit({"preview": wanted})

    @rule(seconds=strategies.integers(1, 900))
    def time_passes(self, seconds: int) -> None:
        self.store.now += timedelta(seconds=seconds)

    @rule(orphan=strategies.booleans())
    def deletes_a_job_by_hand(self, orphan: bool) -> None:
        """In the foreground, or so that its pods outlive it."""
        for name in list(self.store.jobs)[:1]:
            if orphan:
                del self.store.jobs[name]
            else:
                self.store.delete_job(name)

    # --- controllers, kubelet, worker ----------------------------------------------------------------------

    @rule()
    def pods_come(self) -> None:
        """The Job controller makes each active Job's pod."""
        for name, job in self.store.jobs.items():
            ended = job["status"].get("conditions")
            if not ended and "deletionTimestamp" not in job["metadata"] and not self.store.pods_of(name):
                labels = {**job["spec"]["template"]["metadata"]["labels"], "job-name": name}
                metadata = {"name": f"{name}-x", "labels": labels, "creationTimestamp": self.store.stamp()}
                metadata |= {"namespace": "default", "annotations": job["metadata"]["annotations"]}
                spec = {
                    "nodeName": "n",
                    "serviceAccountName": job["spec"]["template"]["spec"]["serviceAccountName"],
                }
                self.store.pods.append({"metadata": metadata, "spec": spec, "status": {}})

    @rule()
    def pods_run(self) -> None:
        for pod in self.store.pods:
            if not pod["status"]:
                running = {"name": "analyze", "state": {"running": {}}}
                pod["status"] = {"phase": "Running", "containerStatuses": [running]}

    @rule(
        code=strategies.sampled_from([0, 0, 1, 42, 43]),
        report=strategies.booleans(),
        words=strategies.booleans(),
    )
    def a_worker_ends(self, code: int, report: bool, words: bool) -> None:
        """It writes what the confinement policy lets it write, and ends; its Job follows."""
        running = [pod for pod in self.store.pods if pod["status"].get("phase") == "Running"]
        if not running:
            return
        pod = running[0]
        name = pod["metadata"]["labels"]["job-name"]
        text = self.report(name, pod) if code == 0 and report else None
        message = text or ""
        if code == 0 and words and not name.startswith(f"sj-{UID}-p"):
            generation = pod["metadata"]["annotations"]["playerscore.dev/generation"]
            message = make_result(generation=int(generation)).model_dump_json(
                by_alias=True, exclude_none=True
            )
        state = {"terminated": {"exitCode": code, "message": message}}
        phase = "Failed" if code else "Succeeded"
        pod["status"] = {"phase": phase, "containerStatuses": [{"name": "analyze", "state": state}]}
        job = self.store.jobs.get(name)
        if job is not None and "deletionTimestamp" not in job["metadata"]:
            kind = "Failed" if code else "Complete"
            at = self.store.stamp()
            job["status"]["conditions"] = [{"type": kind, "status": "True", "lastTransitionTime": at}]

    def report(self, name: str, pod: Json) -> None:
        status = self.store.job.status
        assert status is not None
        run, step = status.run, status.progress.step if status.progress else None
        if run is None or step in FINISHED:
            return
        if name == f"sj-{UID}-p{run.preview_attempt}":
            self.report_preview(status)
        if name == f"sj-{UID}-{run.attempt}":
            generation = int(pod["metadata"]["annotations"]["playerscore.dev/generation"])
            self.store.write_status({"result": manifest(make_result(generation=generation))})

    def report_preview(self, status: ScoringJobStatus) -> None:
        """The preview, or the frames that its run was asked for, behind those that are there."""
        if status.preview is None:
            self.store.write_status({"preview": manifest(make_preview())})
        elif further.open_for(status):
            assert status.run is not None
            asked, frames = status.run.preview_asked or [], status.preview.frames
            more = [
                make_frame(number, [make_track(100 + number)], time_sec=time_sec)
                for number, time_sec in enumerate(asked, start=len(frames) + 1)
            ]
            answered = [*(status.preview.asked_sec or []), *asked]
            update = {"frames": [*frames, *more], "asked_sec": answered}
            self.store.write_status({"preview": manifest(status.preview.model_copy(update=update))})

    @rule()
    def all_goes_well(self) -> None:
        """A pod comes, runs, reports and ends before anybody looks."""
        self.pods_come()
        self.pods_run()
        self.a_worker_ends(code=0, report=True, words=True)

    @rule()
    def terminating_pods_go(self) -> None:
        """The garbage collector and the kubelet finish what was deleted, and what was left behind."""
        self.store.pods = [
            pod for pod in self.store.pods if pod["metadata"]["labels"]["job-name"] in self.store.jobs
        ]
        for name, job in list(self.store.jobs.items()):
            if "deletionTimestamp" in job["metadata"]:
                self.store.pods = [p for p in self.store.pods if p["metadata"]["labels"]["job-name"] != name]
                del self.store.jobs[name]

    # --- promises ------------------------------------------------------------------------------------------

    def check_step(self, before: ScoringJob) -> None:
        """A step never moves backwards but by a person's doing."""
        job = self.store.job
        step = steps.step(job.spec, job.status)
        if self.highest[1] == job.metadata["generation"]:
            assert ORDER[step] >= ORDER[self.highest[0]], f"{self.highest[0]} -> {step}"
        self.highest = (step, job.metadata["generation"])

    @invariant()
    def never_two_live_attempts(self) -> None:
        working = {
            pod["metadata"]["labels"]["job-name"]
            for pod in self.store.pods
            if pod["status"].get("phase") not in ENDED
            and pod["metadata"]["labels"]["playerscore.dev/attempt"] != "preview"
        }
        ended = {name for name, job in self.store.jobs.items() if job["status"].get("conditions")}
        live = {name for name in self.store.jobs if not name.startswith(f"sj-{UID}-p")} - ended
        assert len(working | live) <= 1, working | live

    @invariant()
    def never_two_live_previews(self) -> None:
        """Of one is heard late, another waits for it to be gone."""
        ended = {name for name, job in self.store.jobs.items() if job["status"].get("conditions")}
        live = {name for name in self.store.jobs if name.startswith(f"sj-{UID}-p")} - ended
        assert len(live) <= 1, live

    @invariant()
    def frames_only_come_behind_frames_and_only_before_the_launch(self) -> None:
        preview = self.store.body["status"].get("preview")
        frames = preview["frames"] if preview else []
        assert frames[: len(self.frames)] == self.frames
        assert len(frames) <= 16
        launched = bool((self.store.body["status"].get("run") or {}).get("attempt"))
        assert not (launched and self.was_launched and self.frames and frames != self.frames)
        self.frames, self.was_launched = frames, launched

    @invariant()
    def what_is_ready_stays_ready(self) -> None:
        status = self.store.job.status
        ready = steps.condition(status, ConditionType.PREVIEW_READY)
        was = ready is not None and ready.status == "True"
        assert was or not self.was_ready
        self.was_ready = was

    @invariant()
    def no_end_without_a_result_or_a_reason(self) -> None:
        status = self.store.job.status
        step = status.progress.step if status and status.progress else None
        if step not in FINISHED:
            return
        assert status is not None
        succeeded = steps.condition(status, ConditionType.SUCCEEDED)
        assert succeeded is not None
        if step is Step.COMPLETED:
            assert status.result is not None
            assert status.run is not None
            assert status.result.generation == status.run.generation
            assert succeeded.status == "True"
        else:
            assert succeeded.status == "False"
            assert succeeded.reason

    @invariant()
    def an_end_is_for_ever(self) -> None:
        status = self.store.body["status"]
        if status.get("progress", {}).get("step") not in FINISHED:
            return
        sealed = {key: value for key, value in status.items() if key != "observedGeneration"}
        # Times may be taken back from `spec.preview.atSec` at any time, which the operator acknowledges.
        sealed["conditions"] = [{**item, "observedGeneration": 0} for item in status["conditions"]]
        if self.frozen is None:
            self.frozen = deepcopy(sealed)
            self.at_end = len(self.store.launched)
        assert sealed == self.frozen
        assert len(self.store.launched) == self.at_end

    @invariant()
    def nothing_starts_that_admission_would_refuse(self) -> None:
        job = self.store.job
        if job.spec.player_ref is None or job.spec.target is None or not job.spec.target.confirmed:
            assert not [name for name in self.store.launched if not name.startswith(f"sj-{UID}-p")]

    def teardown(self) -> None:
        """When nobody disturbs it any more, it comes to rest and stays there."""
        for _ in range(12):
            self.terminating_pods_go()
            self.look(self.store.snapshot())
            self.store.now += timedelta(seconds=400)
        before = deepcopy(self.store.body)
        decision = decide(self.store.snapshot(), self.store.now, API)
        assert decision.status is None, decision.status
        assert decision.creates == []
        assert self.store.body == before
        self.terminal_or_waiting()

    def terminal_or_waiting(self) -> None:
        job = self.store.job
        reconciling = steps.condition(job.status, ConditionType.RECONCILING)
        assert reconciling is not None
        assert reconciling.status == "False"
        assert job.status is not None
        assert job.status.observed_generation == job.metadata["generation"]


TestCluster = Cluster.TestCase
TestCluster.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
