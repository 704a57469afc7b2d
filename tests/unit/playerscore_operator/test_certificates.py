"""The built-in certificate: what is new is trusted before it is used, what is old until nothing uses it."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from playerscore_operator.certificates import (
    Lifetimes,
    Pair,
    State,
    plan,
    read_bundle,
    read_pair,
    write_bundle,
    write_pair,
)

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOSTS = ["webhook.playerscore-system.svc", "webhook.playerscore-system.svc.cluster.local"]
DAY = dt.timedelta(days=1)
MINUTE = dt.timedelta(minutes=1)
LIVES = Lifetimes(leaf=90 * DAY, authority=730 * DAY, settle=MINUTE, overlap=10 * MINUTE)
EMPTY = State((), (), None, None)


def settled(state: State, now: dt.datetime, lives: Lifetimes = LIVES) -> State:
    """The state when nothing is left to do at that moment."""
    for _ in range(5):
        new = plan(state, HOSTS, lives, now)
        if new == state:
            return state
        state = new
    raise AssertionError("the plan does not come to rest")


@pytest.fixture(scope="module")
def fresh() -> State:
    return settled(EMPTY, NOW)


def leaf_of(state: State) -> Pair:
    assert state.leaf is not None
    return state.leaf


def chains(state: State) -> bool:
    """Whether the API server would trust what the webhook serves."""
    leaf = leaf_of(state).certificate
    for authority in state.trusted:
        try:
            leaf.verify_directly_issued_by(authority)
        except (ValueError, InvalidSignature):
            continue
        return True
    return False


def test_an_empty_cluster_gets_authority_bundle_and_certificate_at_once(fresh: State) -> None:
    names = leaf_of(fresh).certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value

    assert names.get_values_for_type(x509.DNSName) == HOSTS
    assert fresh.trusted == (fresh.authorities[0].certificate,)
    assert chains(fresh)


def test_what_is_good_is_kept(fresh: State) -> None:
    assert plan(fresh, HOSTS, LIVES, NOW + 30 * DAY) == fresh


def test_a_certificate_is_renewed_after_two_thirds_of_its_life_by_the_same_authority(fresh: State) -> None:
    later = settled(fresh, NOW + 61 * DAY)

    assert later.trusted == fresh.trusted
    assert leaf_of(later).ends == NOW + 151 * DAY
    assert chains(later)


def test_another_service_name_means_another_certificate(fresh: State) -> None:
    assert leaf_of(plan(fresh, ["other.svc"], LIVES, NOW)) != fresh.leaf


def test_a_nodes_late_clock_is_allowed_for(fresh: State) -> None:
    assert leaf_of(fresh).certificate.not_valid_before_utc < NOW - dt.timedelta(minutes=5)


def test_a_certificate_does_not_outlive_its_authority() -> None:
    short = LIVES._replace(authority=30 * DAY)

    assert leaf_of(settled(EMPTY, NOW, short)).ends == NOW + 30 * DAY


BEGIN = NOW + 490 * DAY
"""When the authority is old enough to be replaced."""


@pytest.fixture(scope="module")
def before(fresh: State) -> State:
    return settled(fresh, BEGIN - 20 * DAY)


@pytest.fixture(scope="module")
def published(before: State) -> State:
    return settled(before, BEGIN)


@pytest.fixture(scope="module")
def used(published: State) -> State:
    return settled(published, BEGIN + MINUTE)


def test_first_both_are_trusted_and_the_old_one_is_used(before: State, published: State) -> None:
    assert len(published.trusted) == 2
    assert before.trusted[0] in published.trusted
    assert published.leaf == before.leaf


def test_nothing_happens_until_it_settled(published: State) -> None:
    assert plan(published, HOSTS, LIVES, BEGIN + MINUTE / 2) == published


def test_then_the_new_one_is_used_and_both_are_trusted(published: State, used: State) -> None:
    assert used.trusted == published.trusted
    assert leaf_of(used).issued_by(used.authorities[0])


def test_the_old_one_goes_when_every_pod_had_the_time_to_load_it(used: State) -> None:
    assert plan(used, HOSTS, LIVES, BEGIN + 10 * MINUTE) == used

    after = settled(used, BEGIN + 12 * MINUTE)

    assert after.trusted == (used.authorities[0].certificate,)
    assert after.leaf == used.leaf


def test_a_bundle_that_somebody_emptied_starts_the_waiting_again(published: State) -> None:
    emptied = published._replace(trusted=(), trusted_since=None)
    later = BEGIN + 5 * MINUTE

    put_back = plan(emptied, HOSTS, LIVES, later)

    assert put_back.trusted == published.trusted
    assert put_back.trusted_since == later
    assert put_back.leaf == published.leaf


def test_at_every_moment_of_a_life_what_pods_may_serve_is_trusted() -> None:
    """Ten minutes of one-minute certificates, looked at every second; pods are up to 20 s behind."""
    second = dt.timedelta(seconds=1)
    lives = Lifetimes(leaf=MINUTE, authority=150 * second, settle=5 * second, overlap=20 * second)
    state, served = EMPTY, []
    authorities = set()
    for passed in range(600):
        now = NOW + passed * second
        state = plan(state, HOSTS, lives, now)
        served.append(leaf_of(state))
        authorities.add(state.authorities[0].certificate.serial_number)
        for behind in (0, 10, 19):
            leaf = served[max(0, passed - behind)]
            assert leaf.ends > now, (passed, behind)
            assert chains(state._replace(leaf=leaf)), (passed, behind)

    assert len(authorities) >= 5
    assert len({leaf.certificate.serial_number for leaf in served}) >= 12


def test_a_lost_authority_is_replaced_while_the_old_certificate_stays_trusted(fresh: State) -> None:
    lost = plan(fresh._replace(authorities=()), HOSTS, LIVES, NOW + DAY)

    assert lost.leaf == fresh.leaf
    assert fresh.trusted[0] in lost.trusted
    assert chains(lost)
    assert leaf_of(settled(lost, NOW + DAY + MINUTE)).issued_by(lost.authorities[0])


def test_a_certificate_that_ended_while_nobody_looked_is_replaced_at_once(fresh: State) -> None:
    late = settled(fresh, NOW + 2000 * DAY)

    assert chains(late)
    assert leaf_of(late).ends > NOW + 2000 * DAY


@pytest.mark.parametrize("damage", ["bm9uc2Vuc2U=", "not base64", ""])
def test_a_damaged_secret_reads_as_absent(fresh: State, damage: str) -> None:
    data = write_pair(leaf_of(fresh))

    read = read_pair(data)
    assert read is not None
    assert write_pair(read) == data
    assert read_pair(data | {"tls.crt": damage}) is None
    assert read_pair(data | {"tls.key": damage}) is None
    assert read_pair({}) is None


def test_a_key_of_another_certificate_reads_as_absent(fresh: State) -> None:
    other = write_pair(leaf_of(settled(EMPTY, NOW)))

    assert read_pair(write_pair(leaf_of(fresh)) | {"tls.key": other["tls.key"]}) is None


def test_a_bundle_survives_being_stored(fresh: State) -> None:
    assert tuple(read_bundle(write_bundle(fresh.trusted))) == fresh.trusted
    assert read_bundle("") == []
    assert read_bundle("bm9uc2Vuc2U=") == []
