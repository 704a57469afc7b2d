"""What the console says that other parts of the project say already: codes, signals, axes, the threshold."""

import json

from playerscore.errors import CATALOGUE
from playerscore.names import IOU_THRESHOLD
from playerscore.rating import Radar, Signals


def page() -> str:
    """JSON, for `console/src/texts.ts`."""
    told = {
        "iouThreshold": IOU_THRESHOLD,
        "codes": {code: [entry.meaning, entry.todo] for code, entry in sorted(CATALOGUE.items())},
        "radar": _meanings(Radar),
        "signals": _meanings(Signals),
    }
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def _meanings(model: type[Radar] | type[Signals]) -> dict[str, str]:
    return {name: field.description or "" for name, field in model.model_fields.items()}
