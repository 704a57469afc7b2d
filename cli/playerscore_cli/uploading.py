"""A video on its way into the store: in one request when it is small, else in parts, which can be taken up again.

What was begun is remembered by the file (its place, size and time of change) and the API's address, so that the
same command goes on where it was cut off. The API says which parts are missing; nothing is trusted from before.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from playerscore.errors import PlayerscoreError
from playerscore_cli import output
from playerscore_cli.console import Tell
from playerscore_cli.rest import Api

Json = dict[str, Any]
PIECE_BYTES: Final = 1 << 20
WHOLE_BYTES: Final = 16 << 20
"""Up to this length a file goes in one request: that is what an interruption of parts would lose too."""
PAUSES_SECONDS: Final = (0.5, 2.0, 5.0)
"""Before a part is sent again."""
PASSING: Final = frozenset({"STORE_UNAVAILABLE", "CLUSTER_UNAVAILABLE", "TOO_MANY_REQUESTS"})


def upload(api: Api, file: Path, namespace: str | None, tell: Tell) -> str:
    """Put a video into the store and return its uri. Raises PlayerscoreError."""
    size = file.stat().st_size
    if size <= WHOLE_BYTES:
        return _whole(api, file, namespace, size, tell)
    memory = _memory(api, file, namespace)
    state, url = _resumed(api, memory) or _begun(api, file, namespace, size, memory)
    while not state["finished"]:
        sent = size - sum(part["bytes"] for part in state["missing"]) if state["parts"] <= 100 else 0
        for part in state["missing"]:
            sent += _send(api, file, state, part)
            tell(sent / size, f"{sent / 1e6:.1f} of {size / 1e6:.1f} MB")
        state = api.again("GET", url)
        if not state["missing"]:
            state = api.again("POST", f"{url}/complete")
    memory.unlink(missing_ok=True)
    return str(state["uri"])


def _whole(api: Api, file: Path, namespace: str | None, size: int, tell: Tell) -> str:
    offer = _offer(api, file, namespace, {"bytes": size})
    target = offer["upload"]
    headers = target["headers"] | {"Content-Length": str(size)}
    api.send(target["method"], target["url"], _pieces(file, 0, size, tell), headers)
    return str(offer["uri"])


def _begun(api: Api, file: Path, namespace: str | None, size: int, memory: Path) -> tuple[Json, str]:
    offer = _offer(api, file, namespace, {"bytes": size, "multipart": True})
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({"url": offer["url"]}))
    return offer["multipart"], offer["url"]


def _resumed(api: Api, memory: Path) -> tuple[Json, str] | None:
    """The upload that was begun before, as the API knows it; None when there is none any more."""
    try:
        url = json.loads(memory.read_text())["url"]
        state = api.again("GET", url)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    except PlayerscoreError as error:
        if error.code != "NOT_FOUND":
            raise
        return None
    if state["finished"]:  # cut off between its end and our hearing of it
        return state, url
    output.note(
        f"going on with an upload that was begun before: {len(state['missing'])} of {state['parts']} parts"
    )
    return state, url


def _offer(api: Api, file: Path, namespace: str | None, more: Json) -> Json:
    query = {"namespace": namespace} if namespace else {}
    return api.json("POST", "/uploads", query, {"filename": file.name} | more)


def _send(api: Api, file: Path, state: Json, part: Json) -> int:
    """Send one part, again when the network breaks; returns its length."""
    begin = (part["number"] - 1) * state["part_bytes"]
    headers = part["headers"] | {"Content-Length": str(part["bytes"])}
    for pause in (*PAUSES_SECONDS, None):
        try:
            content = _pieces(file, begin, part["bytes"], lambda share, message: None)
            api.send(part["method"], part["url"], content, headers)
            break
        except PlayerscoreError as error:
            if pause is None or error.code not in PASSING:
                raise
            time.sleep(pause)
    length: int = part["bytes"]
    return length


def _pieces(file: Path, begin: int, length: int, tell: Tell) -> Iterator[bytes]:
    """So many bytes of a file. Raises PlayerscoreError INVALID when it became shorter."""
    sent = 0
    with file.open("rb") as content:
        content.seek(begin)
        while sent < length:
            piece = content.read(min(PIECE_BYTES, length - sent))
            if not piece:
                raise PlayerscoreError("INVALID", f"{file} became shorter while it was sent", field="bytes")
            yield piece
            sent += len(piece)
            tell(sent / length, f"{sent / 1e6:.1f} MB")


def _memory(api: Api, file: Path, namespace: str | None) -> Path:
    """Where it is remembered how far this file is."""
    stat = file.stat()
    about = [api.url, namespace, str(file.resolve()), stat.st_size, stat.st_mtime_ns]
    name = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:24]
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "playerscore" / "uploads" / f"{name}.json"
