"""What a person answers to the moments of a result's `review`, and the job that goes on from it.

An answer becomes an anchor: the box of the candidate who he is, a box of one's own, or that he is not in the picture.
An ended job is never changed; `refined` is the spec of another one.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Self

from pydantic import ConfigDict, Field, model_validator

from playerscore import flow
from playerscore.errors import FlowError
from playerscore.names import NAME_MAX, Step
from playerscore.resources import (
    MAX_ANCHORS,
    MAX_CANDIDATES,
    MAX_REVIEW,
    Anchor,
    BBox,
    Moment,
    PreviewSettings,
    ScoringJobSpec,
    ScoringJobStatus,
    TrackBox,
    Video,
)
from playerscore.schema import FlowModel, rules

FIELD: Final = "answers"
ONE_THING: Final = "an answer has a candidate, a bbox, or absent: true"
LETTERS: Final = "ABCD"
"""What people call the candidates, in their order."""
NUMBERED: Final = re.compile(r"(.+)-(\d{1,4})")
SMALLEST: Final = 1e-4
"""Boxes are told to so much of the picture."""


class Answer(FlowModel):
    """A person's word about one moment of a result's `review`."""

    model_config = FlowModel.model_config | ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.candidate), has(self.bbox), has(self.absent) && self.absent].exists_one(said, said)",
                ONE_THING,
            )
        )
    )

    moment: Annotated[int, Field(ge=1, le=MAX_REVIEW)]
    """Its number."""
    candidate: Annotated[int, Field(ge=1, le=MAX_CANDIDATES)] | None = None
    """Who of its candidates he is, from 1."""
    bbox: BBox | None = None
    """Where he is, when he is none of them."""
    absent: bool | None = None
    """True: he is not in the picture."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if [self.candidate is not None, self.bbox is not None, bool(self.absent)].count(True) != 1:
            raise ValueError(ONE_THING)
        return self


def refined(
    spec: ScoringJobSpec, status: ScoringJobStatus | None, name: str, answers: Sequence[Answer]
) -> ScoringJobSpec:
    """The spec of the job that goes on from the ended job `name`: enqueued, and with what was answered.

    It has no preview of its own: the player stays who he is, and where he was confirmed. Raises FlowError:
    NOT_COMPLETED, INVALID, MOMENT_NOT_FOUND, CANDIDATE_NOT_FOUND, ANCHOR_CONFLICT, ANCHOR_OUTSIDE.
    """
    step = status.progress.step if status and status.progress else None
    if status is None or status.result is None or step is not Step.COMPLETED or spec.target is None:
        raise FlowError("NOT_COMPLETED", f"{name} has no result to go on from")
    said = anchors_of(status.result.review or [], answers)
    if len(spec.anchors or []) + len(said) > MAX_ANCHORS:
        raise FlowError("INVALID", f"a job has at most {MAX_ANCHORS} anchors", field=FIELD)
    target = spec.target.model_copy(update={"time_sec": _target_sec(spec, status)})
    update = {
        "video": _pinned(spec.video, status),
        "preview": PreviewSettings(disabled=True),
        "target": target,
        "refines": name,
        "suspend": True,
    }
    draft = flow.add_anchors(spec.model_copy(update=update), None, said).spec
    return draft.model_copy(update={"suspend": False})


def next_name(name: str, spec: ScoringJobSpec) -> str:
    """A name for the job that refines this one: `match-2` after `match`, and `match-3` after that."""
    base, number = name, 1
    if spec.refines and (found := NUMBERED.fullmatch(name)):
        base, number = found[1], int(found[2])
    ending = f"-{number + 1}"
    return base[: NAME_MAX - len(ending)].rstrip("-.") + ending


def anchors_of(moments: Sequence[Moment], answers: Sequence[Answer]) -> list[Anchor]:
    """What was answered, as anchors. Raises FlowError: INVALID, MOMENT_NOT_FOUND, CANDIDATE_NOT_FOUND."""
    if not answers:
        raise FlowError("INVALID", "at least one answer is needed", field=FIELD)
    if len({answer.moment for answer in answers}) < len(answers):
        raise FlowError("INVALID", "a moment is answered twice", field=FIELD)
    known = {moment.number: moment for moment in moments}
    return [_anchor(known, answer) for answer in answers]


def _anchor(known: dict[int, Moment], answer: Answer) -> Anchor:
    moment = known.get(answer.moment)
    if moment is None:
        text = f"the result has no moment {answer.moment}; there are {len(known)}"
        raise FlowError("MOMENT_NOT_FOUND", text, field=FIELD)
    if answer.absent:
        return Anchor(time_sec=moment.time_sec, absent=True)
    if answer.bbox is not None:
        return Anchor(time_sec=moment.time_sec, bbox=flow.checked(answer.bbox, f"{FIELD}.bbox"))
    number = answer.candidate or 1
    if number > len(moment.candidates):
        text = f"moment {moment.number} has {len(moment.candidates)} candidates"
        raise FlowError("CANDIDATE_NOT_FOUND", text, field=FIELD)
    return Anchor(time_sec=moment.time_sec, bbox=_shown(moment.candidates[number - 1]))


def _shown(candidate: TrackBox) -> BBox:
    """A candidate's box, with an area."""
    box = flow.inside(candidate.box)
    return box.model_copy(update={"w": max(box.w, SMALLEST), "h": max(box.h, SMALLEST)})


def _target_sec(spec: ScoringJobSpec, status: ScoringJobStatus) -> float | None:
    """When he was confirmed: the stored time of that frame, as the analysis began there."""
    frames = status.preview.frames if status.preview else []
    key = spec.target.frame_key if spec.target else ""
    return next(
        (f.time_sec for f in frames if f.frame_key == key), spec.target.time_sec if spec.target else None
    )


def _pinned(video: Video, status: ScoringJobStatus) -> Video:
    """The video with the digests of the bytes that were analysed."""
    made_of = status.result.provenance if status.result else None
    if made_of is None:
        return video
    if not video.parts:
        return video.model_copy(update={"sha256": made_of.video_sha256})
    digests = [part.sha256 for part in made_of.video_parts or []]
    if len(digests) != len(video.files):
        return video
    parts = [
        part.model_copy(update={"sha256": sha256})
        for part, sha256 in zip(video.parts, digests[1:], strict=True)
    ]
    return video.model_copy(update={"sha256": digests[0], "parts": parts})
