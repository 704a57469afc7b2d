"""The policies by the API server's own CEL library, outside of one: what they cost, and on which version they compile."""

import json
import subprocess
from typing import Any, Final

from builders import (
    ELSEWHERE,
    make_frame,
    make_player,
    make_preview,
    make_ready_spec,
    make_target,
    make_track,
    manifest,
)
from controlplane import ensure_tools
from playerscore.geometry import Box
from playerscore.names import API_VERSION, JOB_KIND
from playerscore.resources import MAX_ASKED, MAX_FRAMES, MAX_TRACKS

Json = dict[str, Any]

OLDEST_KUBERNETES: Final = "1.32"
HIM: Final = Box(0.5, 0.5, 0.1, 0.1)


def costs(policy: Json, reviews: list[Json], kubernetes: str = OLDEST_KUBERNETES) -> Json:
    """Verdict, message and cost of each review (`object`, `oldObject`), compiled as a new policy of that version."""
    done = subprocess.run(
        [str(ensure_tools("celcost") / "celcost"), "-kubernetes", kubernetes],
        input=json.dumps({"policy": policy, "reviews": reviews}),
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: Json = json.loads(done.stdout)
    return found


def job(spec: Json, status: Json | None = None) -> Json:
    """A ScoringJob as a policy sees it."""
    whole = {"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": {"name": "match-1"}, "spec": spec}
    return whole | ({"status": status} if status else {})


def largest(*, coherent: bool, asking: bool = False) -> Json:
    """An enqueue of the largest job: the last track of the last frame is confirmed, on him or elsewhere.

    With `asking` as many further frames as there may be are asked for, for which there is no room.
    """
    tracks = [make_track(number, HIM) for number in range(MAX_TRACKS)]
    frames = [make_frame(number, tracks) for number in range(1, MAX_FRAMES + 1)]
    status = {"preview": manifest(make_preview(frames))}
    spec = manifest(
        make_ready_spec(
            player_ref=make_player(MAX_TRACKS - 1, MAX_FRAMES, box=HIM),
            target=make_target(HIM if coherent else ELSEWHERE, MAX_FRAMES),
        )
    )
    asked: Json = {}
    if asking:
        asked = {"preview": {"atSec": [15.5 - number / 16 for number in range(MAX_FRAMES)]}}
        status["preview"]["asked_sec"] = [100.0 + number for number in range(MAX_ASKED)]
    return {
        "object": job(spec | asked | {"suspend": False}, status),
        "oldObject": job(spec | {"suspend": True}, status),
    }
