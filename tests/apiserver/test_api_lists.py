"""Which jobs a list shows: by step, player, score and labels, in one namespace or all; page by page."""

import json
from typing import Any

import pytest

from apilab import SPEC, Lab, error
from builders import make_preview, make_result, manifest
from clidesk import USAGE, Desk
from playerscore.names import frame_key

Json = dict[str, Any]
NAMESPACE, OTHER = "listed", "listed-too"
SCORES = {"a-low": 12, "b-middle": 50, "c-high": 91}


@pytest.fixture(scope="module")
def reader(lab: Lab) -> Any:
    """Whoever may list in one namespace; there lie drafts, and jobs that have ended."""
    for namespace in (NAMESPACE, OTHER):
        lab.plane.kubectl("create", "namespace", namespace)
    client = lab.client(lab.person("lister", ["get", "list", "create"], NAMESPACE))
    for name, score in SCORES.items():
        put(lab, NAMESPACE, name, {"displayName": f"Number {score}"}, {"team": "first"})
        ended(lab, name, score)
    put(lab, NAMESPACE, "d-draft", {"displayName": "Ünal (10)"}, {"team": "second"})
    preview(lab, NAMESPACE, "d-draft")
    put(lab, NAMESPACE, "e-picked", {"player_ref": picked("e-picked"), "target": None}, {"team": "second"})
    preview(lab, NAMESPACE, "e-picked")
    put(lab, OTHER, "elsewhere", {}, {"team": "first"})
    return client


def put(lab: Lab, namespace: str, name: str, spec: Json, labels: Json) -> None:
    body = {
        "apiVersion": "playerscore.dev/v1alpha1",
        "kind": "ScoringJob",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {**SPEC, **{key: value for key, value in spec.items() if value is not None}},
    }
    lab.plane.kubectl("create", "-f", "-", stdin=json.dumps(body))


def picked(name: str) -> Json:
    return {
        "frame_key": frame_key(name, 1),
        "track_id": 7,
        "time_sec": 1.0,
        "bbox": {"x": 0.1, "y": 0.1, "w": 0.1, "h": 0.2},
        "frame_width": 1920,
        "frame_height": 1080,
    }


def status(lab: Lab, namespace: str, name: str, found: Json) -> None:
    patch = [
        "patch",
        "scoringjob",
        name,
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps({"status": found}),
    ]
    lab.plane.kubectl("-n", namespace, *patch)


def preview(lab: Lab, namespace: str, name: str) -> None:
    status(lab, namespace, name, {"preview": manifest(make_preview(name=name))})


def ended(lab: Lab, name: str, score: int) -> None:
    result = manifest(make_result()) | {"overallScore": score}
    status(lab, NAMESPACE, name, {"result": result, "progress": {"step": "COMPLETED", "percent": 100}})


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [job["id"] for job in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"step": "COMPLETED"}, ["a-low", "b-middle", "c-high"], id="a step"),
        pytest.param({"step": ["COMPLETED", "WAITING_FOR_PLAYER"]}, ["a-low", "b-middle", "c-high", "d-draft"], id="two steps"),
        pytest.param({"minScore": 50}, ["b-middle", "c-high"], id="at least"),
        pytest.param({"maxScore": 50}, ["a-low", "b-middle"], id="at most; a draft has no score"),
        pytest.param({"minScore": 13, "maxScore": 90}, ["b-middle"], id="between"),
        pytest.param({"minScore": 12, "maxScore": 12}, ["a-low"], id="exactly"),
        pytest.param({"player": "ünal"}, ["d-draft"], id="a part of the name in another case"),
        pytest.param({"player": "7"}, ["e-picked"], id="a track"),
        pytest.param({"labelSelector": "team=second"}, ["d-draft", "e-picked"], id="a label"),
        pytest.param({"labelSelector": "team in (first),team!=x", "minScore": 60}, ["c-high"], id="a label and a score"),
        pytest.param({"step": "FAILED"}, [], id="none"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("limit", [100, 2, 1])
def test_filters(reader: Any, query: Json, expected: list[str], limit: int) -> None:
    found, token = [], None
    while True:
        more = {"continue": token} if token else {}
        page = reader.get("/jobs", params={"namespace": NAMESPACE, "limit": limit, **query, **more})
        assert len(ids(page)) <= limit
        found += ids(page)
        if (token := page.json()["next"]) is None:
            break

    assert found == expected


def test_a_page_is_taken_up_in_the_middle_of_kubernetes_own(reader: Any) -> None:
    """After the first page the API fetches many at a time, and has to leave some for the next."""
    seen: list[str] = []
    tokens: list[str | None] = [None]
    while len(tokens) == 1 or tokens[-1] is not None:
        more = {"continue": tokens[-1]} if tokens[-1] else {}
        answer = reader.get("/jobs", params={"namespace": NAMESPACE, "limit": 1, "minScore": 0, **more})
        seen += ids(answer)
        tokens.append(answer.json()["next"])

    assert seen == list(SCORES)
    assert ["~" in (token or "") for token in tokens[1:4]] == [False, True, True]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"step": "NOWHERE"}, "step.0"),
        ({"minScore": 101}, "minScore"),
        ({"minScore": 60, "maxScore": 50}, "minScore"),
        ({"player": ""}, "player"),
        ({"labelSelector": "team=="}, "labelSelector"),
        ({"labelSelector": "team in"}, "labelSelector"),
        ({"continue": "x~abc"}, "continue"),
        ({"continue": "999~abc"}, "continue"),
        ({"continue": "1~"}, "continue"),
        ({"continue": "1~nonsense", "labelSelector": "team=first"}, "continue"),
        ({"allNamespaces": True}, "allNamespaces"),
    ],
)
def test_a_wrong_filter_is_named(reader: Any, query: Json, field: str) -> None:
    answer = reader.get("/jobs", params={"namespace": NAMESPACE, **query})

    if query == {"labelSelector": "team=="}:  # an empty value is one
        assert ids(answer) == []
        return
    assert error(answer) == (422, "INVALID")
    assert answer.json()["error"]["field"] == field


def test_all_namespaces_are_for_who_may_list_them(lab: Lab, reader: Any) -> None:
    admin = lab.client(lab.plane.admin_token)
    everywhere = admin.get(
        "/jobs", params={"allNamespaces": True, "labelSelector": "team=first", "limit": 1000}
    )
    filtered = admin.get("/jobs", params={"allNamespaces": True, "minScore": 90, "labelSelector": "team"})

    assert {(job["namespace"], job["id"]) for job in everywhere.json()["items"]} == {
        *((NAMESPACE, name) for name in SCORES),
        (OTHER, "elsewhere"),
    }
    assert ids(filtered) == ["c-high"]
    assert error(reader.get("/jobs", params={"allNamespaces": True})) == (403, "FORBIDDEN")


# --- the command line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--step", "COMPLETED"], list(SCORES)),
        (["--step", "COMPLETED", "--step", "WAITING_FOR_PLAYER"], [*SCORES, "d-draft"]),
        (["--min-score", "50"], ["b-middle", "c-high"]),
        (["--max-score", "50", "-l", "team=first"], ["a-low", "b-middle"]),
        (["--player", "7"], ["e-picked"]),
        (["--player", "ÜNAL"], ["d-draft"]),
        (["-A", "--min-score", "91"], ["c-high"]),
    ],
)
def test_the_command_line_has_the_same_filters(
    lab: Lab, reader: Any, arguments: list[str], expected: list[str]
) -> None:
    desk = Desk(lab.plane)
    where = [] if "-A" in arguments else ["-n", NAMESPACE]
    table = desk.ok("get", *where, *arguments, "--no-headers").splitlines()
    named = desk.ok("get", *where, *arguments, "-o", "name").split()
    listed = json.loads(desk.ok("get", *where, *arguments, "-o", "json"))

    column = 1 if "-A" in arguments else 0
    assert [line.split()[column] for line in table] == expected
    assert [name.rsplit("/", 1)[1] for name in named] == expected
    assert [item["metadata"]["name"] for item in listed["items"]] == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a-low", "--step", "FAILED"], "names cannot be given together"),
        (["--watch", "--min-score", "3"], "--watch"),
        (["--min-score", "60", "--max-score", "50"], "--min-score"),
        (["--step", "NOWHERE"], "--step"),
    ],
)
def test_filters_that_make_no_sense_are_refused(lab: Lab, arguments: list[str], said: str) -> None:
    done = Desk(lab.plane).run("get", *arguments)

    assert done.returncode == USAGE
    assert said in done.stderr
