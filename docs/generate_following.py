"""The page on following: what its benchmark measures, and what it found last and first."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "following.json"
WORST = 8
HEAD = """\
<!-- Generated from benchmarks/results/following.json by docs/generate.py; do not edit. -->
# Following, measured

`make bench-following` asks of the product what an analyst would: is the man whom I confirmed the one who is
followed, through duels, cuts and absences, and does it say so when it does not know? It runs the real follower and
the real preview, in one process and one thread for each clip, and adds a row to
[benchmarks/results/following.json](../benchmarks/results/following.json).

## On what

- **Rendered scenes** of `playerscore_clips.scenes`: duels, knots, absences, cuts and more, with the truth of every
  frame. Who is confirmed follows from a rule: of the people who go through the most (overlapped, lying, away and
  back) some are drawn by the clip's seed, and the last pick is somebody who goes through the least; each from a
  drawn frame on which more than .9 of him is seen.
- **Real clips**, where they lie beside the checkout in `../shared/data/matches`. The numbers are committed, the
  footage never. Where it is absent, the figures that end in `_real` are null.

There are three sets of rendered seeds, and none is used for another's purpose: `train` (to train with), `choose` (to
choose constants by) and `report` (what the table below shows; looked at, never tuned on). The real clips are for
development, so a figure on them is an optimistic one.

    make bench-following                                   # report set, real clips, every detector that runs here
    .venv/bin/python benchmarks/following.py --set choose --no-real --scenes duel-mates --out /tmp/try.json
    .venv/bin/python benchmarks/following.py --set none --trackers none --detector embedded --out /tmp/try.json

`--seeds N` and `--picks N` widen the rendered part, `--jobs N` runs clips side by side without changing a figure,
`--before REF` times following against another commit, in turns. The followed paths stay in `out/following`, and
`--no-again` judges them again. Rendered clips are kept in `$PLAYERSCORE_CACHE` until the code that draws them
changes. `ultralytics` is measured where its environment is (`make test-ultralytics` makes it) and its weights lie
beside the checkout.

## Definitions

A pick is one person, confirmed on one frame. A frame is *judged* where the truth is known; he is *seen* where he is
in the picture and more than .35 of him is visible (a real clip's box says that he is). Overlap is IoU.

| figure | what it is |
| --- | --- |
| `coverage` | mean over picks of: frames on which the box overlaps his by at least .5, of the frames on which he is seen, over the whole clip, before the confirmed frame too |
| `coverage_after` | the same from the confirmed frame on |
| `coverage_loose` | as `coverage` at .3: a wrong size rather than a wrong place |
| `wrong_share` | frames with the box on somebody else (at least .5 with him, and more than with the target), of all frames on which targets are seen |
| `wrong_kit_frames` | those of them on which that person is known to wear another kit; real clips know the kits of people with checked identities, rendered ones of everybody |
| `nobody_frames` | boxes on nobody: below .3 with him (*off*), or while he is not in the picture (*ghost*) |
| `refound_share` | absences (at least 5 frames, or a cut), met walking away from the confirmed frame in either direction and followed by frames on which he is seen, after which the box is his again; `refound_in_1_sec_share` within a second |
| `after_cut_wrong_share` | of the shots other than the confirmed one in which a box was given for at least .2 s: those with more frames on others or on nobody than on him. Where his own place is unknown, a box on somebody with a checked identity counts as wrong. `after_cut` has the counts, `none` where no answer was given |
| `lost_rightly_share` | of the frames without a box: those on which he is not seen, or half covered by another's box |
| `spearman_tracking_quality` | rank correlation of `tracking_quality` with the true coverage over picks; `spearman_overall` of `overallScore` |
| `hota`, `idf1` | TrackEval's, on the path as a single track against his, mean over picks |
| `preview_precision` | boxes of preview frames that match (at least .5, one to one) a person on the pitch; `preview_recall` the share of these people who are matched; `_loose` at .3 |
| `best_pick_is_a_player` | of the preview frames that offer anybody: those whose best track is (at least .3) a person on the pitch |
| `coverage_vs_best_tracker` | coverage against ByteTrack's or BoT-SORT's (the better of both) on the same detections of the whole frame at 1280 pixels, with the id held that the tracker gives to the pick |
| `time_of_before` | processor time of following, of that before; the quicker of two rounds in turns |

"""
FIGURES = (
    "coverage", "coverage_after", "hota", "idf1", "wrong_share", "wrong_kit_frames", "nobody_frames", "refound_share",
    "refound_in_1_sec_share", "after_cut_wrong_share", "lost_rightly_share", "spearman_tracking_quality",
    "preview_precision", "preview_recall", "best_pick_is_a_player",
)  # fmt: skip


def page() -> str:
    """The page's text."""
    rows = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    if not rows:
        return HEAD + "Nothing was measured yet.\n"
    columns = _columns(rows)
    return HEAD + "## Found\n\n" + _table(columns) + _worst(rows[-1])


def _columns(rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The first row and the last, a column for each detector."""
    shown = [rows[0], rows[-1]] if len(rows) > 1 else rows
    return [
        (f"{name}, {row['commit']}", told) for row in shown for name, told in row["detectors"].items()
    ]  # fmt: skip


def _table(columns: list[tuple[str, dict[str, Any]]]) -> str:
    lines = ["| figure | " + " | ".join(f"{name}: rendered, real" for name, _ in columns) + " |"]
    lines.append("| --- |" + " --- |" * len(columns))
    for figure in FIGURES:
        cells = [
            f"{_told(told['figures'].get(f'{figure}_rendered'))}, {_told(told['figures'].get(f'{figure}_real'))}"
            for _, told in columns
        ]
        lines.append(f"| `{figure}` | " + " | ".join(cells) + " |")
    for ratio in ("coverage_vs_best_tracker", "time_of_before"):
        lines.append(
            f"| `{ratio}` | " + " | ".join(_told(told["ratios"].get(ratio)) for _, told in columns) + " |"
        )
    return "\n".join(lines) + "\n"


def _told(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _worst(row: dict[str, Any]) -> str:
    """The picks of the newest row that are followed worst, so that a reader sees where it fails."""
    name, told = next(iter(row["detectors"].items()))
    picks = [dict(zip(told["pick_columns"], pick, strict=True)) for pick in told["picks"]]
    known = sorted(
        (pick for pick in picks if pick["coverage"] is not None), key=lambda pick: pick["coverage"]
    )
    shown = ("clip", "target", "start", "coverage", "wrong", "wrong_kit", "off", "ghost", "tracking_quality")
    lines = [f"\nFollowed worst ({name}, {row['commit']}); all picks stand in the JSON:\n"]
    lines.append("| " + " | ".join(shown).replace("_", " ") + " |")
    lines.append("|" + " --- |" * len(shown))
    lines += ["| " + " | ".join(str(pick[key]) for key in shown) + " |" for pick in known[:WORST]]
    return "\n".join(lines) + "\n"
