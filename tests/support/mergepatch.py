"""The merge patch as an API server applies it: what tests hold the project's own patches against."""

from copy import deepcopy
from typing import Any


def patched(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2; nothing is shared with what came in."""
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result
