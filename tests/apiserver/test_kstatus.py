"""Every state of a job, made by the real operator, as Flux, Argo CD and `kubectl wait` see it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controlplane import ROOT, ensure_tools
from flowlab import NAMESPACE, FlowLab
from jobstates import CASES, CONFIG_MAP, HEALTH, HEALTH_KEY, STATES, WATCHED, State, answers, collect
from playerscore.names import ConditionType

Json = dict[str, Any]
RESULTS = ROOT / "examples" / "flux" / "wait-for-results.yaml"
SAME = {
    "Current": {"Healthy", "Suspended"},
    "InProgress": {"Progressing"},
    "Terminating": {"Progressing"},
    "Failed": {"Degraded"},
}
"""Which healths of Argo CD's go with a status of kstatus'."""


class Zoo:
    """The objects, and what each tool says of them."""

    def __init__(self, lab: FlowLab) -> None:
        self.lab = lab
        self.objects = collect(lab)
        found = list(self.objects.values())
        self.kstatus = dict(zip(self.objects, answers("kstatus", found), strict=True))
        self.argo = dict(zip(self.objects, answers("argohealth", found, str(HEALTH)), strict=True))

    def waits(self, name: str, condition: str) -> bool:
        """Whether `kubectl wait` finds it so at once."""
        kubectl = [str(ensure_tools("kubectl") / "kubectl"), f"--kubeconfig={self.lab.plane.kubeconfig}"]
        what = ["-n", NAMESPACE, "wait", f"sj/{name}", f"--for={condition}", "--timeout=0"]
        return subprocess.run([*kubectl, *what], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    with FlowLab() as lab:
        yield Zoo(lab)


def named(states: tuple[State, ...]) -> Any:
    return pytest.mark.parametrize("state", states, ids=lambda state: state.name)


@named(STATES)
def test_kstatus_computes_what_the_table_says(zoo: Zoo, state: State) -> None:
    assert zoo.kstatus[state.name]["status"] == state.kstatus, zoo.kstatus[state.name]["message"]


@named(STATES)
def test_argo_cd_shows_what_the_table_says(zoo: Zoo, state: State) -> None:
    said = zoo.argo[state.name]

    assert said["status"] == state.argo, said["message"]
    assert said["message"]
    assert said["status"] in SAME[zoo.kstatus[state.name]["status"]]


def test_the_expressions_that_wait_for_results_are_done_with_a_result_and_fail_with_a_failure(
    zoo: Zoo,
) -> None:
    expressions = yaml.safe_load(RESULTS.read_text())["spec"]["healthCheckExprs"][0]
    objects = {name: job for name, job in zoo.objects.items() if name != "deleted"}
    said = answers("fluxhealth", {"expressions": expressions, "objects": list(objects.values())})
    found = {name: verdict["status"] for name, verdict in zip(objects, said, strict=True)}

    assert found == {
        name: "Current"
        if name in ("completed", "edited-after-the-end")
        else {"Failed": "Failed"}.get(zoo.kstatus[name]["status"], "InProgress")
        for name in objects
    }


ALWAYS = [kind.value for kind in ConditionType if kind is not ConditionType.PITCH_CALIBRATED]
"""The other one comes with the result of a job that has a pitch."""


@named(WATCHED)
def test_every_condition_is_there_from_the_first_look_on(zoo: Zoo, state: State) -> None:
    job = zoo.objects[state.name]
    conditions = job["status"]["conditions"]

    assert [item["type"] for item in conditions] == ALWAYS
    assert {item["observedGeneration"] for item in conditions} == {job["metadata"]["generation"]}


WAITS = [(state.name, what) for state in STATES for what in state.waits]


@pytest.mark.parametrize(("name", "what"), WAITS, ids=[f"{name} {what}" for name, what in WAITS])
def test_kubectl_wait_finds_the_condition(zoo: Zoo, name: str, what: str) -> None:
    assert zoo.waits(name, what)


def test_each_condition_is_waited_for_in_the_table() -> None:
    waited = {what.split("=")[1] for _, what in WAITS if what.startswith("condition=")}

    assert waited == set(ALWAYS)


def test_kubectl_wait_takes_no_condition_of_an_older_version_for_an_answer(zoo: Zoo) -> None:
    assert zoo.waits("ready", "condition=TargetCoherent")
    assert not zoo.waits("edited", "condition=TargetCoherent")


def test_the_reasons_of_a_refusal_reach_argo_cd(zoo: Zoo) -> None:
    expected = {
        "incoherent-enqueued": "TARGET_MISMATCH: IoU 0.000",
        "unknown-frame-enqueued": "FRAME_NOT_FOUND: ",
        "failed": "VIDEO_TRUNCATED: The video ends",
        "no-runtime": "RUNTIME_NOT_FOUND: There is no ScoringRuntime there-is-none",
        "running": "Analysing: 40 %",
        "waiting-for-quota": "Queued: Queue gpus: the Job is not",
        "incoherent-draft": "TARGET_MISMATCH: IoU 0.000",
    }
    said = {name: zoo.argo[name]["message"][: len(start)] for name, start in expected.items()}

    assert said == expected


# --- Argo CD's own form of test cases -----------------------------------------------------------------------

COMMITTED: list[Json] = yaml.safe_load(CASES.read_text())["tests"]


def test_the_committed_cases_hold() -> None:
    """As Argo CD's own test runs them, so that the folder can be handed upstream."""
    objects = [yaml.safe_load((CASES.parent / case["inputPath"]).read_text()) for case in COMMITTED]

    assert answers("argohealth", objects, str(HEALTH)) == [case["healthStatus"] for case in COMMITTED]


@named(STATES)
def test_the_committed_cases_are_what_the_operator_writes(zoo: Zoo, state: State) -> None:
    case = {Path(case["inputPath"]).stem: case["healthStatus"] for case in COMMITTED}[state.name]

    assert case["status"] == zoo.argo[state.name]["status"]


def test_the_config_map_holds_the_very_script() -> None:
    config_map = yaml.safe_load(CONFIG_MAP.read_text())

    assert config_map["data"][HEALTH_KEY] == HEALTH.read_text()
