"""The whole flow with kubectl alone, and what is refused on the way."""

import json

import pytest

from livecluster import JOBS_NAMESPACE, Cluster, best_track, condition, elsewhere, previewed, step
from playerscore import review
from playerscore.resources import Moment, ScoringJob, TrackBox

Json = dict[str, object]
AXES = {"tracking_quality", "activity_proxy", "visibility", "consistency", "stability"}


def test_a_player_is_scored_by_kubectl_alone(cluster: Cluster, name: str, video_uri: str) -> None:
    """Create, wait, pick, be refused, confirm, enqueue, read the result."""
    job = cluster.create_job(name, {"video": {"uri": video_uri}})
    assert job["spec"]["suspend"] is True
    cluster.job_until(name, lambda job: previewed(job) or step(job) == "FAILED", 180)
    cluster.kubectl("-n", JOBS_NAMESPACE, "wait", "--for=condition=PreviewReady", f"scoringjob/{name}")
    job = cluster.get("scoringjob", name)
    frame, track = best_track(job["status"]["preview"])
    cluster.patch_spec(name, {"player_ref": {"frame_key": frame["frame_key"], "track_id": track["track_id"]}})

    wrong = {"frame_key": frame["frame_key"], "bbox": elsewhere(frame, track), "confirmed": True}
    refusal = cluster.refused_patch(name, {"target": wrong})
    assert "TARGET_MISMATCH" in refusal
    assert "0.2" in refusal
    refusal = cluster.refused_patch(name, {"suspend": False})
    assert "NOT_READY" in refusal
    assert len(cluster.children(job)) == 1, "only the preview's Job may exist"

    target = {"frame_key": frame["frame_key"], "bbox": track["bbox"], "confirmed": True}
    cluster.patch_spec(name, {"target": target})
    cluster.job_until(name, lambda job: step(job) == "READY_TO_ENQUEUE", 30)
    cluster.patch_spec(name, {"suspend": False})
    job = cluster.finished(name)

    assert step(job) == "COMPLETED", job["status"]
    assert condition(job, "Succeeded")["status"] == "True"
    result = job["status"]["result"]
    assert set(result["radar"]) == AXES
    assert all(0 <= score <= 100 for score in [result["overallScore"], *result["radar"].values()])
    assert result["provenance"]["video_sha256"] == job["status"]["preview"]["video"]["sha256"]
    assert result["target_forced"] is False
    assert result["target_iou"] == pytest.approx(1.0, abs=0.01)
    assert {item["name"] for item in job["status"]["artifacts"]}, "an analysis leaves artifacts"
    refusal = cluster.refused_patch(name, {"target": {"confirmed": False}})
    assert "JOB_FINISHED" in refusal


def test_an_ended_job_is_refined(cluster: Cluster, name: str, refined_name: str, video_uri: str) -> None:
    """The new job's pod goes on from the run of the ended one. The moment is put there: where he is followed anyway."""
    cluster.create_job(name, {"video": {"uri": video_uri}})
    job = cluster.job_until(name, previewed, 180)
    frame, track = best_track(job["status"]["preview"])
    key = frame["frame_key"]
    target = {"frame_key": key, "bbox": track["bbox"], "confirmed": True}
    picked = {"player_ref": {"frame_key": key, "track_id": track["track_id"]}, "target": target}
    cluster.patch_spec(name, picked | {"suspend": False})
    ended = ScoringJob.model_validate(cluster.finished(name))
    assert ended.status is not None
    assert ended.status.result is not None
    moment = Moment(
        number=1,
        time_sec=frame["time_sec"] + 0.001,
        kind="crossing",
        doubt=0.5,
        stake_sec=1.0,
        taken=True,
        candidates=[TrackBox(**track["bbox"])],
    )
    asked = ended.status.result.model_copy(update={"review": [moment]})
    status = ended.status.model_copy(update={"result": asked})
    answers = [review.Answer(moment=1, candidate=1)]
    spec = review.refined(ended.spec, status, name, answers)

    cluster.create_job(refined_name, spec.model_dump(mode="json", by_alias=True, exclude_none=True))
    job = cluster.finished(refined_name)

    assert step(job) == "COMPLETED", job["status"]
    assert "preview" not in job["status"], "no second one was made"
    result = job["status"]["result"]
    assert result["anchors"] == 1
    assert result["provenance"]["video_sha256"] == asked.provenance.video_sha256
    (pod,) = cluster.children(job, "pods")
    for container in ("report", "analyze"):
        said = cluster.kubectl("-n", JOBS_NAMESPACE, "logs", pod["metadata"]["name"], "-c", container)
        assert "earlier run not" not in said, said
    same = {"tracking_quality", "visibility"}
    assert {axis: result["radar"][axis] for axis in same} == asked.radar.model_dump(include=same)


def test_deleting_a_job_removes_its_pods(cluster: Cluster, name: str, video_uri: str) -> None:
    """Owner references do it; no finalizer waits for the operator."""
    job = cluster.create_job(name, {"video": {"uri": video_uri}})
    cluster.job_until(name, lambda job: bool(cluster.children(job)), 30)
    assert "finalizers" not in cluster.get("scoringjob", name)["metadata"]

    cluster.kubectl("-n", JOBS_NAMESPACE, "delete", "scoringjob", name, "--timeout=20s")

    selector = f"playerscore.dev/uid={job['metadata']['uid']}"
    for kind in ("job", "pod"):
        cluster.kubectl("-n", JOBS_NAMESPACE, "wait", "--for=delete", kind, "-l", selector, "--timeout=60s")
    assert cluster.children(job) == cluster.children(job, "pods") == []


NOT_ADMITTED = {
    "enqueued without selections": ({"suspend": False}, "NOT_READY"),
    "enqueued with a draft target": (
        {
            "suspend": False,
            "player_ref": {"frame_key": "jobs/NAME/frames/frame_0001.jpg", "track_id": 1},
            "target": {
                "frame_key": "jobs/NAME/frames/frame_0001.jpg",
                "bbox": {"x": 0.1, "y": 0.1, "w": 0.1, "h": 0.2},
            },
        },
        "NOT_READY",
    ),
    "a field that does not exist": ({"suspended": False}, "spec.suspended"),
    "a box without an area": (
        {
            "target": {
                "frame_key": "jobs/NAME/frames/frame_0001.jpg",
                "bbox": {"x": 0.1, "y": 0.1, "w": 0.0, "h": 0.2},
            }
        },
        "spec.target.bbox",
    ),
}


@pytest.mark.parametrize(("spec", "said"), NOT_ADMITTED.values(), ids=NOT_ADMITTED)
def test_what_is_not_admitted_leaves_nothing(
    cluster: Cluster, name: str, video_uri: str, spec: Json, said: str
) -> None:
    metadata = {"name": name, "namespace": JOBS_NAMESPACE}
    body = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob", "metadata": metadata}
    filled = json.loads(json.dumps(spec).replace("NAME", name))
    manifest = json.dumps({**body, "spec": {"video": {"uri": video_uri}, **filled}})

    assert said in cluster.refusal("create", "-f", "-", stdin=manifest)
    assert cluster.get("scoringjob", name) == {}


def test_a_manifest_with_an_incoherent_target_is_judged_after_the_preview(
    cluster: Cluster, name: str, video_uri: str
) -> None:
    """Git applies everything at once: admitted, previewed, never launched."""
    key = f"jobs/{name}/frames/frame_0001.jpg"
    nowhere = {"x": 0.0, "y": 0.0, "w": 0.01, "h": 0.01}
    spec = {
        "video": {"uri": video_uri},
        "suspend": False,
        "player_ref": {"frame_key": key, "track_id": 0},
        "target": {"frame_key": key, "bbox": nowhere, "confirmed": True},
    }
    cluster.create_job(name, spec)
    job = cluster.job_until(name, previewed, 180)
    tracks = {frame["frame_key"]: frame["tracks"] for frame in job["status"]["preview"]["frames"]}
    assert tracks[key], "the clip shows people on its first preview frame"

    job = cluster.job_until(name, lambda job: condition(job, "Stalled").get("status") == "True", 30)

    assert condition(job, "TargetCoherent")["reason"] == "TARGET_MISMATCH"
    names = {child["metadata"]["name"] for child in cluster.children(job)}
    assert names == {f"sj-{job['metadata']['uid']}-p1"}
