"""The chart's CEL on objects that no CRD bounds: whole jobs, status included, judged in one dry run each.

A kind of the lab's own has a ScoringJob's spec and status, no schema and no status subresource, so that one
request carries a box and a preview of any size. The policies are the chart's, pointed at that kind; `telling`
replaces what is validated by what is to be read.
"""

import asyncio
import copy
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from typing import Any, Final

from controlplane import ControlPlane
from gates import Answer, connected, gathered, rendered
from playerscore.geometry import Box

Json = dict[str, Any]

GROUP: Final = "lab.playerscore.dev"
KEY: Final = "jobs/match-1/frames/frame_{:04d}.jpg"
TRACK: Final = 7
ANYTHING: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
PATIENCE_SECONDS: Final = 30.0
TOLD: Final = "string(variables.iou) + ' ' + variables.verdict"


class CelLab:
    """Asks the API server's CEL; one event loop and one connection pool for all questions."""

    def __init__(self, plane: ControlPlane) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._client = self._runner.run(self._stack.enter_async_context(connected(plane)))

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def judged(self, kind: str, jobs: Sequence[Json]) -> list[Answer]:
        """What the API server answers to the dry-run creation of each."""
        path = f"/apis/{GROUP}/v1/namespaces/default/{kind}?dryRun=All"
        return list(self._runner.run(self._all(path, [_object(kind, job) for job in jobs])).values())

    async def _all(self, path: str, bodies: list[Json]) -> dict[int, Answer]:
        return await gathered(
            {index: partial(self._client.send, "POST", path, body) for index, body in enumerate(bodies)}
        )

    def overlaps(self, pairs: Sequence[tuple[Any, Any]]) -> list[tuple[float, str]]:
        """(IoU to the last bit, verdict) of each pair of confirmed box and track's box."""
        answers = self.judged("pairs", [job(box, [[his]]) for box, his in pairs])
        said = [answer.body["message"].rpartition("denied request: ")[2] for answer in answers]
        assert all(text.count(" ") == 1 for text in said), said
        return [(float(text.split()[0]), text.split()[1]) for text in said]


def job(box: Any, frames: Sequence[Sequence[Any]], *, frame: int = 1, track: int = TRACK) -> Json:
    """Spec and status of a job: `frames` holds the boxes of each frame's tracks, numbered from TRACK."""
    return {
        "spec": {
            "video": {"uri": "s3://a/b"},
            "player_ref": {"frame_key": KEY.format(1), "track_id": track},
            "target": {"frame_key": KEY.format(frame), "bbox": _bbox(box), "confirmed": True},
        },
        "status": {
            "preview": {
                "frames": [
                    {
                        "frame_key": KEY.format(number),
                        "tracks": [
                            {"track_id": TRACK + index, "bbox": _bbox(his), "score": 0.9}
                            for index, his in enumerate(tracks)
                        ],
                    }
                    for number, tracks in enumerate(frames, 1)
                ]
            }
        },
    }


def _bbox(box: Any) -> Json:
    return dict(zip("xywh", box, strict=True))


def _object(kind: str, body: Json) -> Json:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind.title(), "metadata": {"generateName": "x-"}, **body}


def floats(box: Any) -> Box:
    """A box as the models read it."""
    return Box(*(float(value) for value in box))


@contextmanager
def running_cel_lab(plane: ControlPlane) -> Iterator[CelLab]:
    """`pairs` are told their overlap by a denial; `whole` are judged by the chart's policy as it is."""
    policy, binding = _chart_policy()
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(_list([_crd("pairs"), _crd("whole")])))
    plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=20s")
    telling = _pointed(policy, "pairs")
    telling["spec"]["validations"] = [{"expression": "false", "messageExpression": TOLD}]
    items = [_pointed(policy, "whole"), telling]
    items += [_bound(binding, item["metadata"]["name"]) for item in items]
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(_list(items)))
    lab = CelLab(plane)
    try:
        _until_denied(lab)
        yield lab
    finally:
        lab.close()


def _chart_policy() -> tuple[Json, Json]:
    items = [item for item in rendered("policy") if item["metadata"]["name"].endswith("-selection")]
    policy, binding = sorted(items, key=lambda item: item["kind"])
    return policy, binding


def _pointed(policy: Json, kind: str) -> Json:
    pointed = copy.deepcopy(policy)
    pointed["metadata"] = {"name": f"lab-{kind}"}
    rule = {"apiGroups": [GROUP], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [kind]}
    pointed["spec"]["matchConstraints"] = {"resourceRules": [rule]}
    return pointed


def _bound(binding: Json, policy: str) -> Json:
    return {**binding, "metadata": {"name": policy}, "spec": {**binding["spec"], "policyName": policy}}


def _crd(plural: str) -> Json:
    schema = {"type": "object", "properties": {"spec": ANYTHING, "status": ANYTHING}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": plural, "kind": plural.title(), "singular": plural}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def _list(items: list[Json]) -> Json:
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _until_denied(lab: CelLab) -> None:
    apart = job((0, 0, 0.1, 0.1), [[(0.5, 0.5, 0.1, 0.1)]])
    end = time.monotonic() + PATIENCE_SECONDS
    while {lab.judged(kind, [apart])[0].status for kind in ("pairs", "whole")} != {403, 422}:
        assert time.monotonic() < end, "the policies are not enforced"
        time.sleep(0.1)
