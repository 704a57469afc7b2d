"""What Kopf is given of ours."""

import json
import time
from pathlib import Path

import pytest

from playerscore_operator import handlers


async def test_credentials_that_were_refused_are_told_again_as_others_and_not_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kopf ends when it is given what it has been refused with; the account may only be away for a while."""
    known = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "same"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(known))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    credentials, settings = handlers.Credentials(), handlers.settings()

    begin = time.monotonic()
    first = await credentials.read(settings)
    at_once = time.monotonic() - begin
    again = await credentials.read(settings)
    waited = time.monotonic() - begin - at_once

    assert first is not None
    assert again is not None
    assert (first.token, again.token) == ("same", "same")
    assert first != again
    assert waited > max(0.3, at_once)
