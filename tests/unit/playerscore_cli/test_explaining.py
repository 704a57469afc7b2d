"""`playerscore explain`, as a person types it."""

from pathlib import Path

import pytest

from playerscore.decisions import Decision, DecisionLog, Kind
from playerscore.errors import PlayerscoreError
from playerscore.resources import TrackBox
from playerscore_cli import explaining
from playerscore_cli.app import app

HIS = TrackBox(x=0.4, y=0.4, w=0.05, h=0.2)
OTHERS = TrackBox(x=0.5, y=0.4, w=0.05, h=0.2)
LOG = DecisionLog(
    width=1000,
    height=500,
    begin_sec=0,
    end_sec=20,
    confirmed_sec=5,
    confirmed=HIS,
    decisions=[
        Decision(
            number=1,
            kind=Kind.CROSSING,
            begin_sec=8,
            end_sec=9,
            backwards=False,
            certainty_before=1.0,
            certainty_after=0.88,
            margin=2.0,
            chosen=HIS,
            rival=OTHERS,
            pictured=True,
        ),
        Decision(
            number=2, kind=Kind.LOST, begin_sec=12, end_sec=20, backwards=False, reason="cut, ambiguous"
        ),
    ],
)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "decisions.json").write_text(LOG.model_dump_json(exclude_none=True))
    return tmp_path


def test_every_decision_has_a_row_with_time_reason_likelihood_and_rival() -> None:
    crossing, lost = (explaining.cells(decision, LOG) for decision in LOG.decisions)

    assert crossing[1:3] == ("8.00 to 9.00 s", "encounter")
    assert crossing[4] == "88% (2.0 nats), he 100% > 88%"
    assert crossing[5] == "the man 1.0 heights right, at x 0.53, y 0.50"
    assert lost[2:4] == ("lost", "a cut to another shot, then several could be he")


@pytest.mark.parametrize(
    ("at_sec", "number"), [(0, 1), (8.5, 1), (10, 1), (11, 2), (15, 2), (30, 2)], ids=str
)
def test_a_moment_is_explained_by_the_decision_nearest_to_it(at_sec: float, number: int) -> None:
    found = explaining.nearest(LOG, at_sec)

    assert found is not None
    assert found.number == number


def test_the_table_names_the_pictures(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["explain", str(out)], standalone_mode=False)
    said = capsys.readouterr().out

    assert "2 decisions" in said
    assert "encounter" in said
    assert str(out / "decisions.jpg") in said


def test_one_moment_alone(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["explain", str(out / "decisions.json"), "--at", "14"], standalone_mode=False)
    said = capsys.readouterr().out

    assert "another shot" in said
    assert "encounter" not in said


@pytest.mark.parametrize(("content", "code"), [(None, "NOT_FOUND"), ('{"version": 2}', "INVALID")], ids=str)
def test_what_is_no_log_is_refused(tmp_path: Path, content: str | None, code: str) -> None:
    if content is not None:
        (tmp_path / "decisions.json").write_text(content)

    with pytest.raises(PlayerscoreError) as refused:
        app(["explain", str(tmp_path)], standalone_mode=False)

    assert refused.value.code == code
