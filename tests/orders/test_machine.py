"""Everybody at once: random bursts of two to four acts at the same time, and what must hold after each of them.

`--hypothesis-show-statistics` tells how often each act came to what.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, event, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from emails.post import OutboxPost
from infra.sandbox.client import SandboxClient
from models.base.clock import now
from models.base.crypto import Keys
from models.base.errors import Refusal, Temporary
from models.orders.writing.making import Stale
from models.payments.comparison import compare_payments
from models.payments.stripe import PaymentRefused
from tasks.world import World
from tests.orders.holding import broken
from tests.orders.machine import Crowd
from tests.orders.town import Impossible
from tests.web.site import Site

#: What may be done, the more often the more it is done in life.
ACTS: Final = (
    *("works",) * 5,
    *("buys",) * 2,
    "buys_by_bank",
    *("buys_together",) * 2,
    "buys_in_two_tabs",
    "pays_a_second_time",
    "comes_back_from_stripe",
    *("regenerates",) * 2,
    "regenerates_in_vain",
    *("submits",) * 4,
    "submits_an_earlier_version",
    "cancels",
    *("approves",) * 4,
    "sends_back",
    "rejects",
    *("refunds",) * 2,
    "edits",
    "publishes",
    "unpublishes",
    "settles",
    "expires_before_it_settles",
    "tells_again",
    "mixes_its_letters",
    "loses_its_letters",
    "refunds_by_hand",
    "refunds_a_part_by_hand",
    "lets_refunds_wait",
    "lets_a_refund_fail",
    "concludes_a_refund",
    "loses_an_answer",
    *("disputes",) * 2,
    *("decides_a_dispute",) * 2,
    "dies_at_work",
    "takes_up_and_dawdles",
    "hands_in_late",
    "hears_that_it_died",
    "days_pass",
    "reconciles",
)

#: What takes the longest to be told of as wrong.
AFTER_A_WHILE: Final = timedelta(minutes=15)

Burst = Sequence[tuple[str, int]]
BURSTS: Final = st.lists(
    st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 3)), min_size=2, max_size=4),
    min_size=3,
    max_size=9,
)

#: Concurrency does not repeat itself, so a failure is told as it was and not shrunk.
TOLD: Final[dict[str, Any]] = {
    "phases": [Phase.explicit, Phase.generate],
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "report_multiple_bugs": False,
}


@pytest.fixture
async def town(
    storefront: Site, sandbox: SandboxClient, redis: Redis, emptied: Callable[[], Awaitable[None]]
) -> Crowd:
    """An empty town; each story begins it anew. Nobody has to wait before they regenerate."""
    orders = storefront.settings.orders.model_copy(update={"regeneration_wait_seconds": 0})
    settings = storefront.settings.model_copy(update={"orders": orders})
    world = World(settings, storefront.database, redis, Keys.of(settings), OutboxPost())
    return Crowd(world, sandbox, emptied)


async def tell(town: Crowd, bursts: Sequence[Burst]) -> None:
    """Let a story happen in a fresh town, and look at everything after each burst and in the end."""
    await town.sandbox.reset()
    await town.empty()
    town = Crowd(town.world, town.sandbox, town.empty)
    await town.begin()
    story: list[str] = []
    for burst in bursts:
        # Everybody is waited for, also when one fails: nobody acts on into the next story.
        came = await asyncio.gather(
            *(_outcome(town, act, pick) for act, pick in burst), return_exceptions=True
        )
        for fault in came:
            if isinstance(fault, BaseException):
                fault.add_note("\n".join(["after", *story, str(burst)]))
                raise fault
        story += [" | ".join(f"{act}({pick}): {what}" for (act, pick), what in zip(burst, came, strict=True))]
        for (act, _), what in zip(burst, came, strict=True):
            event(f"{act}: {str(what).split(':')[0]}")
        await _look(town, story)
    await town.comes_to_rest()
    await _look(town, [*story, "(comes to rest)"], AFTER_A_WHILE)
    await town.ends_well()
    await _look(town, [*story, "(ends well)"], AFTER_A_WHILE)
    async with town.line() as stripe:
        assert await compare_payments(town.database, stripe, now()) == []


async def _outcome(town: Crowd, act: str, pick: int) -> str:
    """What came of one act. Whatever is no refusal is a fault, and is raised."""
    try:
        await getattr(town, act)(pick)
    except (Refusal, Stale, PaymentRefused, Temporary) as refusal:
        return f"{type(refusal).__name__}: {refusal}"
    except Impossible:
        return "impossible"
    except RuntimeError as refusal:
        if "the pay sandbox refused" not in str(refusal):
            raise
        return "refused by Stripe"
    return "ok"


async def _look(town: Crowd, story: Sequence[str], waited: timedelta = timedelta(minutes=3)) -> None:
    wrong = await broken(town.database, waited)
    assert not wrong, "\n".join(["", *wrong, "after", *story])


@pytest.mark.slow
@given(bursts=BURSTS)
@hypothesis_settings(max_examples=20, **TOLD)
async def test_whatever_happens_at_once_the_money_and_the_texts_stay_true(
    town: Crowd, bursts: Sequence[Burst]
) -> None:
    await tell(town, bursts)
