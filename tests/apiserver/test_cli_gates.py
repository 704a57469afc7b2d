"""The command line behind the real webhook: its refusals and warnings arrive with code, field and words."""

import json
import time
from collections.abc import Iterator

import pytest

from builders import VIDEO_URI, make_player, make_spec, make_target, manifest
from clidesk import DONE, REFUSED, Completed, Desk
from controlplane import ControlPlane
from webhooks import Keeper, WebhookProcess, register


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("certificates")
    with ControlPlane() as plane, WebhookProcess(folder) as webhook:
        plane.install_crds()
        register(plane, webhook.port)
        with Keeper(plane, folder, sync_seconds=0.3, certificate_check_seconds=0.3):
            webhook.until_ready()
            desk, end = Desk(plane), time.monotonic() + 30
            while "NOT_READY" not in enqueued(desk, {}).stderr:
                assert time.monotonic() < end, "the API server never came to trust the webhook"
                time.sleep(0.3)
            yield desk


def enqueued(desk: Desk, selection: dict[str, object], name: str = "gated", *more: str) -> Completed:
    spec = {**selection, "suspend": False}
    return desk.run("create", name, "--video", VIDEO_URI, "-f", "-", *more, stdin=json.dumps(spec))


def test_a_denial_of_the_webhook_is_the_flows_own_error(desk: Desk) -> None:
    """The same line as from `enqueue`, whose rule runs here, before anything is sent."""
    desk.ok("create", "drafted", "--video", VIDEO_URI)
    ours = desk.run("enqueue", "drafted")

    theirs = enqueued(desk, {})

    assert theirs.stderr == ours.stderr
    assert theirs.returncode == ours.returncode == REFUSED
    assert (
        desk.run("enqueue", "drafted", "-o", "json").stderr
        == enqueued(desk, {}, "gated", "-o", "json").stderr
    )


def test_a_warning_of_the_webhook_is_told_as_kubectl_tells_it(desk: Desk) -> None:
    spec = make_spec(player_ref=make_player(name="warned"), target=make_target(name="warned"), suspend=False)
    body = {"apiVersion": "playerscore.dev/v1alpha1", "kind": "ScoringJob", "spec": manifest(spec)}
    tried = {**body, "metadata": {"name": "tried"}}
    theirs = desk.execute(
        [str(desk.kubectl_program), "create", "--dry-run=server", "-f", "-"], json.dumps(tried), {}
    )

    ours = desk.run("create", "warned", "-f", "-", stdin=json.dumps({**body, "metadata": {}}))

    assert ours.returncode == DONE, ours.stderr
    assert ours.stderr.startswith("Warning: PreviewPending: ")
    assert ours.stderr == theirs.stderr
