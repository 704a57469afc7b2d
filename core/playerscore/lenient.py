"""Reading stored objects that the models of this version do not know whole.

A stored object can be older than the CRD's schema, and during an upgrade the schema can be newer than a
program. Such an object is still judged and shown, by the parts that can be read: an unknown field is left
out, and a field with an unreadable value counts as absent. Absent is the safe reading in the three places
that matter: an absent old field differs from any new one, an absent selection is missing, and an absent
`suspend` is true, so that an enqueue is judged.
"""

import copy
import json
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from playerscore.resources import ScoringJobSpec

Model = TypeVar("Model", bound=BaseModel)

PASSES = 3
"""Leaving a field out can bring up another complaint; more rounds than this say that nothing is readable."""
MOST_PROBLEMS = 100
"""An object with more is not one of ours, and describing each would take seconds."""


class Reading(NamedTuple, Generic[Model]):
    """What could be read, and the paths of what could not."""

    model: Model | None
    unread: list[str]


def read(model: type[Model], data: Any) -> Reading[Model]:
    """Parse what can be parsed; the model is None when a required part cannot."""
    unread: list[str] = []
    rest = data
    for _ in range(PASSES):
        try:
            return Reading(model.model_validate(rest), unread)
        except ValidationError as error:
            if error.error_count() > MOST_PROBLEMS:
                unread.append(f"(more than {MOST_PROBLEMS} fields)")
                break
            # Copied only here: almost every object is whole, and a copy costs more than all the rest.
            rest = copy.deepcopy(data) if rest is data else rest
            unread += _leave_out(rest, error)
    return Reading(None, unread)


def read_spec(data: Any, stand_in: str = "unreadable://video") -> Reading[ScoringJobSpec]:
    """A stored job's spec. A video that cannot be read counts as another one, so that all the rest is judged.

    The model is None where there is no spec, or nothing of it can be read.
    """
    found = read(ScoringJobSpec, data)
    if found.model is not None or not isinstance(data, dict):
        return found
    again = read(ScoringJobSpec, data | {"video": {"uri": stand_in}})
    return Reading(again.model, ["video", *again.unread]) if again.model else found


def known(model: type[Model], data: Any) -> Model:
    """Parse it without the fields that a newer version has added. Raises ValidationError for anything else.

    For who acts on an object: a value that cannot be read must not count as absent there.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if any(item["type"] != "extra_forbidden" for item in found):
            raise
    rest = copy.deepcopy(data)
    for item in found:
        _remove(rest, item["loc"])
    return model.model_validate(rest)


def known_json(model: type[Model], text: str) -> Model:
    """The same of JSON, which a program of another version wrote. Raises ValidationError, also for what is no JSON."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        if any(item["type"] == "json_invalid" for item in error.errors(include_url=False)):
            raise
    return known(model, json.loads(text))


def _leave_out(data: Any, error: ValidationError) -> list[str]:
    paths = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        path = item["loc"] if item["type"] == "extra_forbidden" else item["loc"][:1]
        paths += [".".join(str(part) for part in path)] if path else []
        _remove(data, path)
    return paths


def _remove(data: Any, path: tuple[int | str, ...]) -> None:
    for part in path[:-1]:
        try:
            data = data[part]
        except (LookupError, TypeError):
            return  # went with a part that was left out before
    if path and isinstance(data, dict):
        data.pop(path[-1], None)
