"""One timer for all timeouts: each ends in its own time, and nobody else's cancellation is taken for it."""

import asyncio
import time

import pytest

from tasks.timeouts import Timeouts


async def test_each_is_cut_off_in_its_own_time_and_the_others_go_on():
    timeouts = Timeouts()

    async def sleep(seconds: float, within: float) -> float:
        began = time.monotonic()
        with timeouts.within(within):
            await asyncio.sleep(seconds)
        return time.monotonic() - began

    began = time.monotonic()
    found = await asyncio.gather(
        sleep(60, 0.2), sleep(60, 0.05), sleep(0.01, 60), sleep(0.3, 60), return_exceptions=True
    )
    assert [type(one) for one in found] == [TimeoutError, TimeoutError, float, float]
    assert 0.3 <= time.monotonic() - began < 10
    with pytest.raises(
        TimeoutError
    ):  # the timer that was left for the longest does not keep a shorter one waiting
        await asyncio.wait_for(sleep(60, 0.05), 10)


async def test_an_error_of_its_own_and_a_cancellation_from_elsewhere_stay_what_they_are():
    timeouts = Timeouts()

    async def work(seconds: float) -> None:
        try:
            with timeouts.within(seconds):
                await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)  # cleans up without being cancelled again

    cancelled = asyncio.create_task(work(60))
    both = asyncio.create_task(work(0.05))
    await asyncio.sleep(0)
    cancelled.cancel()
    asyncio.get_running_loop().call_later(0.01, time.sleep, 0.1)  # its time is up while it is being cancelled
    asyncio.get_running_loop().call_later(0.01, both.cancel)
    found = await asyncio.gather(cancelled, both, return_exceptions=True)
    assert [type(one) for one in found] == [asyncio.CancelledError] * 2
    with pytest.raises(KeyError), timeouts.within(60):
        raise KeyError
    with timeouts.within(0.01), pytest.raises(asyncio.CancelledError):
        await asyncio.sleep(60)
        # who swallows it has gone on, as with asyncio.timeout
    await asyncio.sleep(0)
