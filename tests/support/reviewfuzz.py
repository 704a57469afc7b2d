"""Hostile AdmissionReviews: whole ones, changed where it hurts, by a random generator with a seed.

A change knows the structure (a key doubled, a value of another type, a number that is none, a branch nested a
thousand deep, a list of a hundred thousand) or not (bytes flipped, cut off, of another encoding). Used by a
short test and by `make fuzz-webhook`.
"""

import copy
import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from builders import (
    ELSEWHERE,
    make_frame,
    make_preview,
    make_ready_spec,
    make_run,
    make_runtime,
    make_spec,
    make_status,
    make_target,
    make_track,
    manifest,
)
from playerscore.geometry import Box
from playerscore.names import Step

Json = dict[str, Any]

MEBI = 2**20
ANSWERS = frozenset({200, 408, 413, 415, 422})
"""The statuses that a well-behaved webhook answers with, whatever it is sent."""
LITERALS = (
    *("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e308", "5e-324", "-0", "-0.0", "1E+2", "01", "+1"),
    *("9" * 400, "-" + "9" * 400, "18446744073709551616", "1.", ".5", "0x10", "nan", "None", "True", "''"),
    *(
        '"\\ud800"',
        '"\\u0000"',
        '"\x00"',
        '"\\x41"',
        '"\ufeff"',
        '"\u202e"',
        "null",
        "true",
        "[]",
        "{}",
        '""',
    ),
)
"""JSON that is none, or is but should not be there."""


class Attack(NamedTuple):
    """One request."""

    content: bytes
    content_type: str = "application/json"
    chunked: bool = False


def attack(rng: random.Random) -> Attack:
    """A hostile request."""
    review = copy.deepcopy(rng.choice(REVIEWS))
    for _ in range(rng.choice((0, 1, 1, 2, 4))):
        rng.choice(STRUCTURAL)(review, rng)
    text = json.dumps(review)
    for _ in range(rng.choice((0, 1, 1, 2))):
        text = rng.choice(TEXTUAL)(text, rng)
    content = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.25:
        content = rng.choice(BINARY)(content, rng)
    kind = rng.choice(CONTENT_TYPES) if rng.random() < 0.05 else "application/json"
    return Attack(content, kind, rng.random() < 0.1)


def _review(kind: str, operation: str, new: Any, old: Any = None) -> Json:
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "playerscore.dev", "version": "v1alpha1", "kind": kind},
        "resource": {"group": "playerscore.dev", "version": "v1alpha1", "resource": f"{kind.lower()}s"},
        "name": "match-1",
        "namespace": "default",
        "operation": operation,
        "userInfo": {"username": "ada", "groups": ["system:authenticated"]},
        "object": new,
        "oldObject": old,
        "dryRun": False,
        "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1"},
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def _object(spec: Any, status: Any = None) -> Json:
    whole = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob", "metadata": {"name": "match-1"}}
    return {**whole, "spec": manifest(spec), **({"status": manifest(status)} if status else {})}


def _reviews() -> list[Json]:
    crowd = [make_track(number, Box(0.01 * number, 0.25, 0.1, 0.25)) for number in range(48)]
    full = make_status(preview=make_preview([make_frame(number, crowd) for number in range(1, 17)]))
    draft, ready = make_spec(), make_ready_spec()
    moved = make_ready_spec(target=make_target(ELSEWHERE))
    running, ended = make_status(Step.ANALYZING, run=make_run()), make_status(Step.COMPLETED, run=make_run())
    runtime = manifest(make_runtime())
    return [
        _review("ScoringJob", "CREATE", _object(draft)),
        _review("ScoringJob", "CREATE", _object(make_ready_spec(suspend=False))),
        *(
            _review("ScoringJob", "UPDATE", _object(moved, status), _object(ready, status))
            for status in (None, make_status(), running, ended, full)
        ),
        _review("ScoringRuntime", "CREATE", runtime),
        _review("ScoringRuntime", "UPDATE", runtime, runtime),
    ]


def _slots(node: Any, found: list[tuple[Any, Any]] | None = None) -> list[tuple[Any, Any]]:
    """Every (container, key) of a tree."""
    found = [] if found is None else found
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(pairs):
        found.append((node, key))
        _slots(value, found)
    return found


def _slot(review: Json, rng: random.Random) -> tuple[Any, Any]:
    """One of them; those near the root, which matter most, more often than one of a thousand boxes."""
    slots = _slots(review)
    if not slots:
        review["request"] = {}
        return review, "request"
    return rng.choice(slots[:60] if rng.random() < 0.5 else slots)


def _value(rng: random.Random) -> Any:
    deep: Any = 1
    for _ in range(rng.choice((3, 50, 120))):
        deep = [deep] if rng.random() < 0.5 else {"a": deep}
    values: list[Any] = [None, True, 0, -1, 2**63, 2**64, 10**40, 1e308, 0.1, "", "x", "x" * 100_000, [], {}]
    values += [
        [[]] * 1000,
        {"": ""},
        {str(number): number for number in range(200)},
        deep,
        "\x00",
        "é☃𝒳",
        "NaN",
    ]
    return rng.choice(values)


def _set_value(review: Json, rng: random.Random) -> None:
    container, key = _slot(review, rng)
    container[key] = _value(rng)


def _remove(review: Json, rng: random.Random) -> None:
    container, key = _slot(review, rng)
    del container[key]


def _rename(review: Json, rng: random.Random) -> None:
    container, key = _slot(review, rng)
    if isinstance(container, dict):
        container[rng.choice(("", "\x00", "__proto__", key.upper(), f" {key}", "x" * 5000))] = container.pop(
            key
        )


def _swap(review: Json, rng: random.Random) -> None:
    one, first = _slot(review, rng)
    other, second = _slot(review, rng)
    one[first] = copy.deepcopy(other[second])


def _crowd(review: Json, rng: random.Random) -> None:
    """Very many unknown keys or items in one place."""
    container, _ = _slot(review, rng)
    count = rng.choice((101, 5000, 100_000))
    if isinstance(container, dict):
        container.update({f"key{number}": rng.choice((1, "x", None)) for number in range(count)})
    else:
        container.extend([rng.choice((1, "x", None, {}))] * count)


def _pad(review: Json, rng: random.Random) -> None:
    """An annotation that makes the review as large as is allowed, or larger."""
    request = review.get("request")
    if isinstance(request, dict) and isinstance(request.get("object"), dict):
        size = rng.choice((MEBI, 6 * MEBI, 7 * MEBI, 8 * MEBI, 10 * MEBI))
        request["object"]["padding"] = "<" * (size + rng.randrange(-3000, 3000))


def _literal(text: str, rng: random.Random) -> str:
    """Some number, text or name replaced by what is no JSON, or by a value at an edge."""
    places = [index for index, letter in enumerate(text[:200_000]) if letter in ":,["]
    if not places:
        return text
    at = rng.choice(places) + 1
    end = next((index for index in range(at, min(at + 400, len(text))) if text[index] in ",]}"), at)
    return text[:at] + rng.choice(LITERALS) + text[end:]


def _double(text: str, rng: random.Random) -> str:
    """A key twice in one object."""
    names = (
        "uid",
        "kind",
        "operation",
        "object",
        "oldObject",
        "spec",
        "status",
        "request",
        "target",
        "suspend",
    )
    name = rng.choice(names)
    value = rng.choice(("null", "false", '"x"', "{}", "[]", "7"))
    return text.replace(f'"{name}":', f'"{name}": {value}, "{name}":', rng.choice((1, -1)))


def _deep(text: str, rng: random.Random) -> str:
    depth = rng.choice((200, 1000, 5000, 200_000))
    one = rng.choice(("[", '{"a":'))
    closing = ("]" if one == "[" else "}") * depth if rng.random() < 0.5 else ""
    name = rng.choice(("object", "spec", "status", "preview", "annotations", "request", "extra"))
    return text.replace(f'"{name}":', f'"{name}": {one * depth}1{closing}, "x":', 1)


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content or b" ")
    for _ in range(rng.choice((1, 2, 8, 64))):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def _encode(content: bytes, rng: random.Random) -> bytes:
    """Another encoding, or one that is wrong."""
    text = content.decode("utf-8", "replace")
    ways: list[Callable[[], bytes]] = [
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-32"),
        lambda: b"\xef\xbb\xbf" + content,
        lambda: content.replace(b"match", b"\xff\xfe\xc0\x80"),
        lambda: content.replace(b"a", b"\xed\xa0\x80", 3),
    ]
    return rng.choice(ways)()


def _nothing_like_it(_content: bytes, rng: random.Random) -> bytes:
    others = (b"", b" " * 10_000, b"null", b"[]", b"0", b'"', b"<xml/>", b"a=b", b"\x00" * 5000, b"[" * MEBI)
    return rng.choice((*others, rng.randbytes(rng.choice((1, 100, 10_000))), b"9" * MEBI, b'{"a":' * 100_000))


REVIEWS = _reviews()
STRUCTURAL = (_set_value, _set_value, _set_value, _remove, _rename, _swap, _swap, _crowd, _pad)
TEXTUAL = (_literal, _literal, _double, _deep)
BINARY = (_cut, _flip, _flip, _encode, _nothing_like_it)
CONTENT_TYPES = (
    *("", "text/plain", "application/yaml", "application/json; charset=utf-16", "APPLICATION/JSON"),
    *(
        "application/json;",
        "application/vnd.kubernetes.protobuf",
        "multipart/form-data",
        "application/jsonx",
    ),
)
