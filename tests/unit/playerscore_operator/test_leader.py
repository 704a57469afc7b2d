"""A leader that cannot renew its Lease falls silent and waits; it ends when another leads."""

import asyncio
import time
from typing import Any

import pytest
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord

from playerscore_operator.cluster import ApiError, Cluster
from playerscore_operator.leader import Election
from playerscore_operator.term import Term

LEASE, DEADLINE, RETRY = 0.6, 0.3, 0.05


class Paper:
    """A Lease on paper, which several read; `away` and `hangs` are troubles of whoever reads through this one."""

    name, namespace = "lease", "default"

    def __init__(self, identity: str, sheet: dict[str, Any]) -> None:
        self.identity = identity
        self.sheet = sheet
        self.answered = True
        self.away = self.hangs = False

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        self.answered = False
        if self.hangs:
            await asyncio.sleep(3600)
        if self.away:
            return False, ApiException(status=0, reason="away")
        self.answered = True
        return True, self.sheet.get("record")

    async def update(self, name: str, namespace: str, record: LeaderElectionRecord) -> bool:
        self.sheet["record"] = record
        return True

    create = update


def replica(identity: str, sheet: dict[str, Any]) -> tuple[Election, Paper, Term, list[str]]:
    told: list[str] = []

    async def started() -> None:
        told.append("started")

    async def lost() -> None:
        told.append("lost")

    lock, term = Paper(identity, sheet), Term()
    config = Config(lock, 15, 10, 2, onstarted_leading=started, onstopped_leading=lost)
    # The client takes nothing under a second; tests do not wait that long.
    config.lease_duration, config.renew_deadline, config.retry_period = LEASE, DEADLINE, RETRY
    return Election(config, term), lock, term, told


async def until(what: Any) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("trouble", ["away", "hangs"])
async def test_through_an_outage_it_stays_silent_and_goes_on_after_it(trouble: str) -> None:
    election, lock, term, told = replica("one", {})
    running = asyncio.create_task(election.run())
    await until(lambda: told == ["started"])
    setattr(lock, trouble, True)
    await until(lambda: term.over)
    await asyncio.sleep(2 * LEASE)

    assert term.over
    assert not running.done()

    setattr(lock, trouble, False)
    await asyncio.wait_for(term.runs(), 20)

    assert told == ["started"]
    running.cancel()


async def test_it_ends_when_another_leads() -> None:
    sheet: dict[str, Any] = {}
    election, _, _, told = replica("one", sheet)
    running = asyncio.create_task(election.run())
    await until(lambda: told == ["started"])
    old = sheet["record"]
    sheet["record"] = LeaderElectionRecord("two", str(LEASE), old.acquire_time, "later")
    await asyncio.wait_for(running, 20)

    assert told == ["started", "lost"]


async def test_an_outage_does_not_count_against_the_holder() -> None:
    sheet = {"record": LeaderElectionRecord("one", str(LEASE), "then", "then")}
    election, lock, _, _ = replica("two", sheet)

    assert not await election.try_acquire_or_renew()

    lock.away = True
    await asyncio.sleep(2 * LEASE)

    assert not await election.try_acquire_or_renew()

    lock.away = False

    assert not await election.try_acquire_or_renew()

    await asyncio.sleep(1.1 * LEASE)

    assert await election.try_acquire_or_renew()


class Deaf(Cluster):
    """Can be asked nothing: whatever passes the term's gate fails loudly."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type] # never used


async def test_a_write_in_a_term_that_is_over_never_leaves() -> None:
    cluster = Deaf()
    cluster.term.extend(time.monotonic() - 1)
    with pytest.raises(ApiError, match="NotLeading"):
        await cluster.delete_job("default", "sj-1")
    with pytest.raises(AttributeError):
        await cluster.find("/api/v1/namespaces/default")


async def test_without_an_election_a_term_has_no_end() -> None:
    term = Term()
    await asyncio.wait_for(term.runs(), 1)

    assert not term.over
