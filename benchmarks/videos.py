"""How the kinds of videos that people have are handled, and what an hour of damaged ones does.

`make bench-videos` tries every kind of tests/support/videokinds.py and writes `results/videos.json`;
`make fuzz-videos` damages those that play (SECONDS, SEED) and adds what it found to the same file.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import machine

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from videofuzz import damaged, fault  # tests/support is on the path only now
from videokinds import CASES, Right, judged

RESULT = ROOT / "benchmarks" / "results" / "videos.json"
FUZZED_BYTES = 4 << 20
"""A larger file is not damaged: copying it would be all that is done."""
Json = dict[str, Any]


def kinds() -> Json:
    """Every kind, tried once."""
    verdicts = {}
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            verdicts[name] = judged(case, Path(folder))
    wrong = {name: verdict.wrong for name, verdict in verdicts.items() if verdict.wrong}
    figures = {
        "kinds": len(verdicts),
        "kinds_that_play": sum(isinstance(case.right, Right) for case in CASES.values()),
        "right": round(1 - len(wrong) / len(verdicts), 4),
        "silent_or_traceback": sum(verdict.silent for verdict in verdicts.values()),
    }
    return {
        "command": "make bench-videos",
        "machine": machine.described(),
        "figures": figures,
        "wrong": wrong,
        "names": list(CASES),
    }


def fuzz(seconds: float, seed: int) -> Json:
    """Kinds that play, damaged at random until the time is up."""
    dice, told, faults = random.Random(seed), Counter[str](), []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        corpus = [
            (name, _content(name, folder)) for name, case in CASES.items() if isinstance(case.right, Right)
        ]
        corpus = [(name, content) for name, content in corpus if len(content) < FUZZED_BYTES]
        path, begin, slowest = folder / "damaged", time.monotonic(), 0.0
        while time.monotonic() < begin + seconds:
            name, content = dice.choice(corpus)
            path.write_bytes(damaged(content, dice))
            began = time.monotonic()
            code, wrong = fault(path)
            slowest = max(slowest, time.monotonic() - began)
            told[code or "decoded"] += 1
            if wrong:
                faults.append({"number": told.total(), "kind": name, "fault": wrong})
        spent = round(time.monotonic() - begin)
    figures = {
        "fuzz_seconds": spent,
        "fuzz_faults": len(faults),
        "fuzz_files": told.total(),
        "fuzz_seed": seed,
    }
    return {"figures": figures, "fuzz": {"corpus": len(corpus), "told": dict(told), "machine": machine.described(), "slowest_seconds": round(slowest, 1), "faults": faults}}  # fmt: skip


def _content(name: str, folder: Path) -> bytes:
    file = CASES[name].make(folder)
    content = file.read_bytes() if file.stat().st_size < FUZZED_BYTES else bytes(FUZZED_BYTES)
    file.unlink()
    return content


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fuzz", type=float, metavar="SECONDS", help="damage videos for so long instead")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    made = kinds() if chosen.fuzz is None else fuzz(chosen.fuzz, chosen.seed)
    before: Json = json.loads(RESULT.read_text()) if RESULT.exists() else {"figures": {}}
    written = {
        **before,
        **made,
        "figures": before["figures"] | made["figures"],
    }
    RESULT.write_text(json.dumps(written, indent=1) + "\n")
    print(json.dumps(written["figures"], indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
