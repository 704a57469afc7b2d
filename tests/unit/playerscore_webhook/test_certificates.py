"""The serving certificate: what is loaded, when it is trusted, and what a broken renewal leaves alone."""

import base64
import datetime as dt
from functools import partial
from pathlib import Path

import pytest

import webhooks
from playerscore_operator.certificates import State, write_bundle
from playerscore_webhook.certificates import Store
from webhooks import HOST, mount, secret_data

NOW = dt.datetime.now(dt.UTC)
HOUR = dt.timedelta(hours=1)
issued = partial(webhooks.issued, now=NOW)
"""Long before a test's turn comes, where the level takes long."""


@pytest.fixture
def good() -> State:
    return issued(leaf=HOUR)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, HOST)


def test_without_files_nothing_is_loaded(store: Store) -> None:
    assert not store.refresh(NOW)
    assert store.problem(NOW) == "no certificate is loaded"


def test_a_trusted_certificate_has_no_problem_while_it_is_valid(
    store: Store, tmp_path: Path, good: State
) -> None:
    mount(tmp_path, secret_data(good))

    assert store.refresh(NOW)
    assert store.problem(NOW) is None
    assert store.problem(NOW + 2 * HOUR) == "the certificate has expired"
    assert store.problem(NOW - HOUR) == "the certificate is not valid yet"


def test_the_same_files_are_loaded_once(store: Store, tmp_path: Path, good: State) -> None:
    mount(tmp_path, secret_data(good))
    store.refresh(NOW)

    assert not store.refresh(NOW)


def test_a_bundle_of_another_authority_is_a_problem(store: Store, tmp_path: Path, good: State) -> None:
    mount(tmp_path, secret_data(good) | {"ca.crt": write_bundle(issued().trusted)})
    store.refresh(NOW)

    assert "does not trust" in str(store.problem(NOW))


def test_a_bundle_of_two_authorities_trusts_the_leaf_of_either(
    store: Store, tmp_path: Path, good: State
) -> None:
    both = write_bundle([*issued().trusted, *good.trusted])
    mount(tmp_path, secret_data(good) | {"ca.crt": both})
    store.refresh(NOW)

    assert store.problem(NOW) is None


def test_a_certificate_for_another_service_is_a_problem(store: Store, tmp_path: Path) -> None:
    mount(tmp_path, secret_data(issued(["other.playerscore-system.svc"])))
    store.refresh(NOW)

    assert "ostname mismatch" in str(store.problem(NOW))


def test_without_a_name_of_its_own_any_name_will_do(tmp_path: Path) -> None:
    mount(tmp_path, secret_data(issued(["other.playerscore-system.svc"])))
    store = Store(tmp_path, None)
    store.refresh(NOW)

    assert store.problem(NOW) is None


@pytest.mark.parametrize("broken", ["tls.crt", "tls.key"])
def test_a_broken_renewal_leaves_the_old_certificate(
    store: Store, tmp_path: Path, good: State, broken: str
) -> None:
    mount(tmp_path, secret_data(good))
    store.refresh(NOW)
    served = store.current
    mount(tmp_path, secret_data(issued()) | {broken: base64.b64encode(b"nonsense").decode()})

    assert not store.refresh(NOW)
    assert store.current is served


def test_a_key_of_another_certificate_leaves_the_old_one(store: Store, tmp_path: Path, good: State) -> None:
    mount(tmp_path, secret_data(good))
    store.refresh(NOW)
    mount(tmp_path, secret_data(issued()) | {"tls.key": secret_data(good)["tls.key"]})

    assert not store.refresh(NOW)
    assert store.problem(NOW) is None


def test_an_untrusted_renewal_waits_while_the_old_certificate_is_good(
    store: Store, tmp_path: Path, good: State
) -> None:
    mount(tmp_path, secret_data(good))
    store.refresh(NOW)
    mount(tmp_path, secret_data(issued()) | {"ca.crt": write_bundle(good.trusted)})

    assert not store.refresh(NOW)
    assert store.problem(NOW) is None
    assert store.refresh(NOW + 2 * HOUR), "better one that is not trusted than one that has ended"


def test_a_bundle_alone_can_change(store: Store, tmp_path: Path, good: State) -> None:
    mount(tmp_path, secret_data(good) | {"ca.crt": write_bundle(issued().trusted)})
    store.refresh(NOW)
    mount(tmp_path, secret_data(good))

    assert store.refresh(NOW)
    assert store.problem(NOW) is None


@pytest.mark.parametrize("bundle", [b"", b"nonsense", b"\xff\xfe"])
def test_a_damaged_bundle_is_a_problem(store: Store, tmp_path: Path, good: State, bundle: bytes) -> None:
    mount(tmp_path, secret_data(good) | {"ca.crt": base64.b64encode(bundle).decode()})
    store.refresh(NOW)

    assert "does not trust" in str(store.problem(NOW))
