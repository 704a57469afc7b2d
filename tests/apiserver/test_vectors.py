"""The table over every gate that is a program: webhook, policy, both, and the REST API, on a real API server.

Everything is asked once, in parallel, by the first test that needs it; each test then reads its own answer.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from admissioncases import CASES, Case, patched
from apilab import Lab
from controlplane import ControlPlane
from gates import JOBS, MODES, Answer, Client, Gates, connected, gathered
from playerscore import refusals
from playerscore.names import IOU_THRESHOLD
from playerscore.resources import ScoringJobSpec

Json = dict[str, Any]
STEPS = [case for case in CASES if case.step]
DENIED = [case for case in CASES if case.deny]
ALLOWED = [case for case in CASES if not case.deny]
SHOWN = [
    "force: a mismatch, not forced",
    "enqueue: no player, no target",
    "frames: a frame that is not in the preview",
    "edits: everything that freezes of a running job",
    "together: a completed job changes everything",
]
"""These also through kubectl, as a person sees them."""
PREFIX = {"webhook": "denied the request: ", "policy": "denied request: ", "both": "denied request: "}
"""In mode both the policy speaks first."""


@dataclass(frozen=True)
class Run:
    """What was stored before, what was answered, and what is stored now, by (namespace, case's name)."""

    plane: ControlPlane
    before: dict[tuple[str, str], Json]
    answers: dict[tuple[str, str], Answer]
    after: dict[str, dict[str, Json]]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Webhook, policy and both over all cases."""
    with ControlPlane() as plane:
        plane.install_crds("scoringjobs")
        gates = Gates(plane, tmp_path_factory.mktemp("gates"))
        before = asyncio.run(_stored(plane, [(mode, case) for mode in MODES for case in CASES]))
        with gates.closed():
            yield asyncio.run(_asked(plane, before))


@pytest.fixture(scope="module")
def rest(lab: Lab) -> Run:
    """The REST API over all cases that are a step of it; no other gate stands behind it."""
    lab.plane.kubectl("create", "namespace", "rest")
    before = asyncio.run(_stored(lab.plane, [("rest", case) for case in STEPS]))
    return asyncio.run(_stepped(lab, before))


async def _stored(plane: ControlPlane, wanted: list[tuple[str, Case]]) -> dict[tuple[str, str], Json]:
    """Every object as it is before, put there while no gate watches."""
    async with connected(plane) as client:
        return await gathered(
            {(place, case.name): partial(client.store, place, case) for place, case in wanted if case.before}
        )


async def _asked(plane: ControlPlane, before: dict[tuple[str, str], Json]) -> Run:
    async with connected(plane) as client:
        answers = await gathered(
            {
                (mode, case.name): partial(client.ask, mode, case, before.get((mode, case.name)))
                for mode in MODES
                for case in CASES
            }
        )
        return Run(plane, before, answers, {mode: await client.jobs(mode) for mode in MODES})


async def _stepped(lab: Lab, before: dict[tuple[str, str], Json]) -> Run:
    async with connected(lab.plane) as client, connected(lab.plane, lab.url) as rest:
        answers = await gathered({("rest", case.name): partial(_step, rest, case) for case in STEPS})
        return Run(lab.plane, before, answers, {"rest": await client.jobs("rest")})


async def _step(rest: Client, case: Case) -> Answer:
    """The case's change as a step of the REST API."""
    if case.step == "jobs":
        return await rest.send("POST", "/jobs?namespace=rest", {"id": case.slug, **case.after})
    body: Json | None = None
    if case.step == "pick-player":
        body = {key: case.after["player_ref"][key] for key in ("frame_key", "track_id")}
    if case.step == "target":
        body = {key: value for key, value in case.after["target"].items() if key != "confirmed"}
    return await rest.send("POST", f"/jobs/{case.slug}/{case.step}?namespace=rest", body)


def each(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@pytest.mark.parametrize("mode", MODES)
@each(DENIED)
def test_a_denial_has_the_tables_code_field_and_words(run: Run, mode: str, case: Case) -> None:
    answer = run.answers[mode, case.name]

    assert answer.status == 403, answer.body
    assert answer.body["message"].partition(PREFIX[mode])[2] == refusals.words(case.deny)
    error = refusals.translated(answer.status, answer.body)
    assert error.body() == refusals.error(case.deny).body()
    if mode == "webhook":
        assert [
            (item["reason"], item["field"], item["message"]) for item in answer.body["details"]["causes"]
        ] == [tuple(item) for item in case.deny]


@pytest.mark.parametrize("mode", MODES)
@each(DENIED)
def test_what_was_denied_is_as_it_was(run: Run, mode: str, case: Case) -> None:
    assert run.after[mode].get(case.slug) == run.before.get((mode, case.name))


@pytest.mark.parametrize("mode", MODES)
@each(ALLOWED)
def test_what_is_allowed_is_stored_and_warned_about(run: Run, mode: str, case: Case) -> None:
    answer = run.answers[mode, case.name]

    assert answer.status in (200, 201), answer.body
    assert [text.partition(": ")[2] if mode == "policy" else text for text in answer.warnings] == (
        [case.warn] if case.warn else []
    )
    stored = run.after[mode][case.slug]
    assert ScoringJobSpec.model_validate(stored["spec"]) == ScoringJobSpec.model_validate(case.after)
    kept = {"observedGeneration": -1, **(case.before["status"] if case.before else {})}
    assert patched(stored.get("status"), kept) == stored["status"], "a status that was sent along is dropped"


@each(STEPS)
def test_the_rest_api_answers_with_the_tables_code_and_words(rest: Run, case: Case) -> None:
    answer = rest.answers["rest", case.name]

    if not case.deny and not case.answer:
        stored = rest.after["rest"][case.slug]["spec"]
        assert answer.status in (200, 201), answer.body
        assert patched(stored, case.sent["spec"]) == stored
        return
    error = answer.body["error"]
    code, message = case.answer or (case.deny[0].reason, case.deny[0].message)
    assert error["code"] == code
    assert answer.status == refusals.CATALOGUE[code].http_status
    assert rest.after["rest"].get(case.slug) == rest.before.get(("rest", case.name))
    if code == "NOT_READY":
        absent = [item.field for item in case.deny if item.reason == "NOT_READY"]
        assert [f"spec.{name}" for name in error["missing"]] == absent
        assert message.startswith(error["message"])
        return
    assert error["message"] == message
    if code == "TARGET_MISMATCH":
        assert (error["iou"], error["threshold"]) == (pytest.approx(case.iou, abs=1e-12), IOU_THRESHOLD)


@pytest.mark.parametrize("mode", MODES)
@each([case for case in CASES if case.name in SHOWN])
def test_kubectl_shows_code_and_words(run: Run, mode: str, case: Case) -> None:
    patch = json.dumps(case.sent)
    said = run.plane.kubectl(
        "-n", mode, "patch", "scoringjob", case.slug, "--type=merge", "-p", patch, check=False
    )

    assert "(Forbidden)" in said or f"({case.deny[0].reason})" in said, said
    assert refusals.words(case.deny) in said


@pytest.mark.parametrize("mode", MODES)
def test_a_dry_run_is_judged_and_writes_nothing(run: Run, mode: str) -> None:
    path = JOBS.format(mode)
    name = next(case.slug for case in CASES if case.name == "enqueue: no player, no target")

    async def dry() -> Answer:
        async with connected(run.plane) as client:
            query = f"{path}/{name}?dryRun=All"
            return await client.send(
                "PATCH", query, {"spec": {"suspend": False}}, "application/merge-patch+json"
            )

    assert "NOT_READY" in asyncio.run(dry()).body["message"]
