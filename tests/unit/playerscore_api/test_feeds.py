"""The line of streams that are being opened, and their number; watches themselves are tested on a real API server."""

import asyncio

import pytest

from playerscore.errors import PlayerscoreError
from playerscore_api.feeds import OPENED_AT_ONCE, Hub


async def test_so_many_are_opened_at_once_and_the_others_wait_for_their_turn() -> None:
    hub, busy, most, done = Hub(500, 0), 0, 0, 0

    async def one() -> None:
        nonlocal busy, most, done
        async with hub.turn():
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.001)
            busy -= 1
            done += 1

    await asyncio.gather(*(one() for _ in range(200)))

    assert (most, done) == (OPENED_AT_ONCE, 200)


async def test_who_waits_too_long_is_refused_and_the_line_goes_on() -> None:
    hub, go_on = Hub(500, 0, line_seconds=0.05), asyncio.Event()

    async def slow() -> None:
        async with hub.turn():
            await go_on.wait()

    waiting = [asyncio.create_task(slow()) for _ in range(OPENED_AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(PlayerscoreError, match="no turn within") as refused:
        async with hub.turn():
            pass
    go_on.set()
    await asyncio.gather(*waiting)
    async with hub.turn():
        pass

    assert refused.value.code == "TOO_MANY_REQUESTS"


async def test_a_place_that_is_given_back_is_free_again() -> None:
    hub = Hub(2, 0)
    first, _ = hub.admit(), hub.admit()
    with pytest.raises(PlayerscoreError, match="2 open event streams"):
        hub.admit()
    first.close()

    hub.admit()
