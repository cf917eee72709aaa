"""A hundred purchases while every twentieth call goes wrong and webhooks come three times, late and in any order."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

import pytest
from sqlalchemy import func, select, text, update

from emails.post import AnswerLost
from infra.sandbox.client import SandboxClient
from models.accounts.tables import Person
from models.base.clock import now
from models.base.crypto import fingerprint
from models.base.db import Database
from models.base.errors import Temporary
from models.mail.actions import settle_letters
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from models.orders.baskets import ask_for_payment
from models.orders.states import OrderStatus
from models.orders.tables import Article, Draft, Order
from models.orders.truths import verdicts
from models.payments.checkouts import open_checkout
from models.payments.states import PaymentState, RefundState
from models.payments.stripe import Stripe
from models.payments.tables import Checkout, Invoice, Refund, StripeEvent
from tasks.testing import working
from tasks.world import World
from tests.orders.selling import ANCHOR, Shop

PAYMENTS: Final = 100
AT_ONCE: Final = 8
#: Of how many calls one goes wrong in this way: primes, so that they do not come together; 5 % in all.
FAULTS: Final = {"rate_limited": 67, "server_error": 73, "lost_answer": 83, "dropped_connection": 89}
DONE: Final = {OrderStatus.QUALITY_CHECK, OrderStatus.ADMIN_REVIEW}
_LEFT: Final = text("select count(*) from jobs where state in ('waiting', 'active', 'scheduled')")
_HURRY: Final = text(
    "update jobs set run_at = now(), rank_at = now(), state = 'waiting' where state = 'scheduled'"
)


@dataclass
class LossyPost:
    """Takes every letter, and loses its answer at every twentieth. Knows how often each was taken."""

    name: str = "lossy"
    taken: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    async def send(self, mime: bytes, *, sender: str, to: str, tag: str) -> str | None:
        del mime, sender, to
        self.taken[tag] += 1
        if self.taken.total() % 20 == 0:
            self.lost[tag] += 1
            raise AnswerLost("the line was cut")
        return None


@asynccontextmanager
async def asking_for_truth(database: Database) -> AsyncIterator[set[str]]:
    """Every truth that was ever found broken while the block lasted, asked for about twice a second."""
    broken: set[str] = set()

    async def ask() -> None:
        while True:
            async with database.transaction() as session:
                broken.update(one.truth for one in await verdicts(session) if not one.is_kept)
            await asyncio.sleep(0.5)

    asking = asyncio.create_task(ask())
    try:
        yield broken
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


@asynccontextmanager
async def trouble(sandbox: SandboxClient) -> AsyncIterator[None]:
    """Each event of a session comes twice and up to two seconds late; one call in twenty goes wrong."""
    await sandbox.trouble_webhooks(duplicate=10_000, jitter_seconds=2, types=("checkout.session",))
    for kind, every in FAULTS.items():
        await sandbox.order_fault(kind, count=100_000, every=every)  # type: ignore[arg-type]
    yield
    await sandbox.trouble_webhooks()


async def make_drafts(shop: Shop) -> list[Draft]:
    async with shop.database.transaction() as session:
        person = Person(email="ada@example.com")
        session.add(person)
        article = (await session.scalars(select(Article).where(Article.slug == "water-for-coffee"))).one()
        await session.flush()
        drafts = [
            Draft(
                browser_hash=fingerprint("browser"),
                person_id=person.id,
                article_id=article.id,
                email=person.email,
                target_url=(url := f"https://shop{number}.example.org/"),
                anchor_text=ANCHOR,
                checked_url=url,
            )
            for number in range(PAYMENTS)
        ]
        session.add_all(drafts)
    return drafts


async def buy(shop: Shop, draft: Draft) -> Checkout:
    """Pay for a draft as a browser would, pressing again whatever failed."""
    async with shop.database.transaction() as session:
        person = await session.get_one(Person, draft.person_id)
        checkout = await ask_for_payment(
            session, [await session.get_one(Draft, draft.id)], person, shop.world.settings
        )
    for _ in range(10):
        try:
            async with Stripe(shop.world.settings.stripe) as stripe:
                url = await open_checkout(shop.database, stripe, checkout.id, public_url=shop.site.base_url)
        except Temporary:
            continue
        paid = await shop.sandbox.pay(url)
        assert paid.is_done
        return checkout
    raise AssertionError("the payment page never opened")


async def come_to_rest(shop: Shop, *, within: float = 240) -> None:
    """Until every event has been taken and every job is done, those that wait for another try without the wait."""
    async with asyncio.timeout(within):
        quiet = 0
        while quiet < 3:
            async with shop.database.transaction() as session:
                await session.execute(_HURRY)
                left = (await session.execute(_LEFT)).scalar_one()
            waiting = (await shop.sandbox.state())["deliveries"]["waiting"]
            quiet = quiet + 1 if left == waiting == 0 else 0
            await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_a_hundred_payments_under_trouble_are_a_hundred_orders_and_nothing_twice(shop: Shop) -> None:
    post = LossyPost()
    troubled = replace(shop, world=replace(shop.world, post=post))
    drafts = await make_drafts(troubled)
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(draft: Draft) -> None:
        async with slots:
            await buy(troubled, draft)

    async with working(troubled.world), asking_for_truth(troubled.database) as broken:
        async with trouble(troubled.sandbox):
            await asyncio.gather(*(one(draft) for draft in drafts))
            await come_to_rest(troubled)
            for each in await paid_events(troubled):
                await troubled.sandbox.resend(each)
            # A tenth of the customers write an angry letter, and are refunded by hand in the Dashboard.
            for charge in await charges(troubled, PAYMENTS // 10):
                await troubled.sandbox.refund_by_hand(charge)
            await come_to_rest(troubled)
        await look_again_for_lost_letters(troubled.world)
        await come_to_rest(troubled)

    await expect_one_of_each(troubled)
    assert broken == set()
    assert (
        len([each for each in await deliveries(troubled) if each.startswith("checkout.session")])
        >= 3 * PAYMENTS
    )
    twice = {tag for tag, count in post.taken.items() if count > 1}
    assert max(post.taken.values()) == 2
    assert twice == {tag for tag in post.lost if post.taken[tag] > 1}


async def deliveries(shop: Shop) -> list[str]:
    """The type of every event, once for each time that it was delivered."""
    return [one["type"] for one in await shop.sandbox.deliveries() for _ in range(one["attempts"])]


async def paid_events(shop: Shop) -> list[str]:
    query = select(StripeEvent.id).where(StripeEvent.type == "checkout.session.completed")
    async with shop.database.transaction() as session:
        return list((await session.scalars(query)).all())


async def charges(shop: Shop, count: int) -> list[str]:
    query = (
        select(Checkout.charge_id).where(Checkout.charge_id.is_not(None)).order_by(Checkout.id).limit(count)
    )
    async with shop.database.transaction() as session:
        return [str(one) for one in (await session.scalars(query)).all()]


async def look_again_for_lost_letters(world: World) -> None:
    """As if the hour were over in which a provider's events may explain a lost answer."""
    async with world.database.transaction() as session:
        unknown = EmailMessage.state == LetterState.UNKNOWN
        await session.execute(
            update(EmailMessage).where(unknown).values(claimed_at=now() - timedelta(days=1))
        )
    async with world.database.transaction() as session:
        await settle_letters(session, now())


async def expect_one_of_each(shop: Shop) -> None:
    """Exactly one order and one invoice for each payment, and for each order a result or its money."""
    async with shop.database.transaction() as session:
        orders = (await session.scalars(select(Order))).all()
        invoices = (await session.scalars(select(Invoice.number).where(Invoice.refund_id.is_(None)))).all()
        given = select(func.count()).select_from(Refund).where(Refund.state == RefundState.SUCCEEDED)
        refunded = await session.scalar(given)
        held = {one.truth: one.breaches for one in await verdicts(session) if not one.is_kept}
    assert len(orders) == len({one.checkout_id for one in orders}) == PAYMENTS
    assert sorted(invoices) == list(range(1, PAYMENTS + 1))
    back = [one for one in orders if one.payment_state is PaymentState.REFUNDED]
    assert len(back) == refunded
    assert all(one.status is OrderStatus.FAILED for one in back)
    assert all(one.status in DONE for one in orders if one not in back)
    assert held == {}
