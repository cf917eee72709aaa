"""Everybody who can touch an order, each with one thing to do: customers, editors, Stripe, workers and the clock.

Every act is a real function of the product in transactions of its own, on the database as it is in that moment. Which
order it is about is chosen by a number, so that a list of (act, number) is a story that can be told again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from infra.sandbox.client import BANK, CARD_PAYS
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import new_id
from models.base.errors import Refusal, Temporary
from models.jobs.store import Store
from models.orders import reviewing
from models.orders.baskets import ask_for_payment
from models.orders.catalogue.editing import editable, save_article, unpublish
from models.orders.deadlines import tend_reviews
from models.orders.states import OrderStatus, RegenerateReason
from models.orders.tables import Article, Draft, Order, Version
from models.orders.writing import making
from models.payments.checkouts import begin_session, open_checkout
from models.payments.inbox import look_up
from models.payments.reconciliation import reconcile_checkouts
from models.payments.states import CheckoutState, RefundState
from models.payments.tables import Checkout, Dispute, Refund, StripeEvent
from tests.orders.builders import draught_of, make_article, make_draft
from tests.orders.town import LONG, Impossible, Late, Town, one_of

S = OrderStatus
SITE: Final = "second-pour"
ENDED: Final = (S.COMPLETED, S.FAILED)


class Crowd(Town):
    """Two customers, two editors, Stripe, the workers and the clock, each with what they may do."""

    async def begin(self) -> None:
        """Two orders, each waiting for its customer."""
        names = (("ada", Role.CUSTOMER), ("bob", Role.CUSTOMER), ("eve", Role.EDITOR), ("ida", Role.ADMIN))
        people = [Person(email=f"{name}@example.com", role=role) for name, role in names]
        async with self.database.transaction() as session:
            session.add_all(people)
            await session.flush()
            self.articles = [await make_article(session, slug, LONG) for slug in ("grinding", "water")]
        self.customers, self.editors = people[:2], people[2:]
        await asyncio.gather(self.buys(0), self.buys(1))
        await self.comes_to_rest()

    # ------------------------------------------------------------ customers
    async def buys(self, pick: int, how: str = CARD_PAYS, count: int = 1) -> None:
        who = self.customers[pick % 2]
        drafts = [await self._draft(who, self.articles[(pick // 2 + one) % 2]) for one in range(count)]
        await self._pays(who, drafts, how)

    async def _draft(self, who: Person, article: Article) -> UUID:
        self.sold += 1
        target, anchor = f"https://shop{self.sold}.example.org/guide", f"guide number {self.sold}"
        async with self.database.transaction() as session:
            return (await make_draft(session, article, who, target, anchor)).id

    async def _pays(self, who: Person, drafts: Sequence[UUID], how: str = CARD_PAYS) -> None:
        async with self.database.transaction() as session:
            found = [await session.get_one(Draft, one) for one in drafts]
            checkout = await ask_for_payment(session, found, who, self.world.settings)
        async with self.line() as stripe:
            url = await open_checkout(self.database, stripe, checkout.id, public_url=self.url)
        await self.sandbox.pay(url, card=how)

    async def buys_by_bank(self, pick: int) -> None:
        await self.buys(pick, BANK, count=1 + pick // 2)

    async def buys_together(self, pick: int) -> None:
        await self.buys(pick, count=2 + pick // 2)

    async def buys_in_two_tabs(self, pick: int) -> None:
        """One draft that is on the page of several, and on a page of its own: who pays both pays one of them twice."""
        who = self.customers[pick % 2]
        drafts = [await self._draft(who, article) for article in self.articles]
        tabs = (self._pays(who, drafts), self._pays(who, drafts[:1]))
        for came in await asyncio.gather(*tabs, return_exceptions=True):
            if isinstance(came, BaseException) and not isinstance(came, Refusal | Temporary):
                raise came

    async def pays_a_second_time(self, pick: int) -> None:
        """On a page that should not be open beside the first one."""
        first = await self.checkout(pick)
        row = {column.name: getattr(first, column.name) for column in Checkout.__table__.columns}
        again = new_id()
        messages = {
            name: row[name] | {"args": row[name]["args"] | {"checkout_id": str(again)}}
            for name in ("when_paid", "when_moved")
        }
        alone = dict.fromkeys(("basket_id", "session_id", "session_url", "payment_intent_id", "charge_id"))
        fresh = {"payment_state": None, "paid_at": None, "captured_cents": 0, "refunded_cents": 0}
        async with self.database.transaction() as session:
            await session.get_one(Checkout, first.id, with_for_update=True)
            query = select(func.max(Checkout.attempt)).where(Checkout.subject == first.subject)
            attempt = (await session.scalar(query) or 0) + 1
            new = {"id": again, "attempt": attempt, "state": CheckoutState.NEW, "created_at": now()}
            second = Checkout(**(row | messages | alone | fresh | new))
            session.add(second)
        async with self.line() as stripe:
            facts = await begin_session(self.database, stripe, [second], public_url=self.url)
        assert facts is not None
        await self.sandbox.pay(str(facts.url))

    @property
    def url(self) -> str:
        return self.world.settings.app.public_url

    async def comes_back_from_stripe(self, pick: int) -> None:
        checkout = await self.checkout(pick)
        if checkout.session_id is None:
            raise Impossible
        async with self.line() as stripe:
            await look_up(self.database, stripe, checkout.session_id)

    async def regenerates(self, pick: int) -> None:
        order = await self.order(pick, S.QUALITY_CHECK)
        who, why = await self.owner(order), list(RegenerateReason)[pick % 3]
        await self.does(lambda s: reviewing.regenerate(s, self.world.settings, order.id, who, [why]))

    async def regenerates_in_vain(self, pick: int) -> None:
        """Every attempt at another version dies: nothing is lost by having asked for it."""
        order = await self.order(pick, S.QUALITY_CHECK)
        who = await self.owner(order)

        async def die(session: AsyncSession) -> None:
            asked = await reviewing.regenerate(session, self.world.settings, order.id, who)
            await making.fail_generation(session, self.world.settings, order.id, asked.generation, "It died.")

        await self.does(die)

    async def submits(self, pick: int) -> None:
        order = await self.order(pick, S.QUALITY_CHECK)
        if order.version_id is None:
            raise Impossible
        await self._submits(order, order.version_id, order.version_id)

    async def submits_an_earlier_version(self, pick: int) -> None:
        order = await self.order(pick, S.QUALITY_CHECK)
        async with self.database.transaction() as session:
            query = select(Version.id).where(Version.order_id == order.id).order_by(Version.number)
            version = one_of((await session.scalars(query)).all(), pick)
        await self._submits(order, version, version if pick % 2 else None)

    async def _submits(self, order: Order, version: UUID, seen: UUID | None) -> None:
        who = await self.owner(order)
        await self.does(
            lambda s: reviewing.submit(s, self.world.settings, order.id, version, who, latest_seen=seen)
        )

    async def cancels(self, pick: int) -> None:
        order = await self.order(pick, S.PROCESSING)
        who = await self.owner(order)
        await self.does(lambda s: reviewing.cancel(s, self.world.settings, order.id, who))

    # ------------------------------------------------------------ editors
    async def approves(self, pick: int) -> None:
        order = await self.order(pick, S.ADMIN_REVIEW)
        seen = order.submitted_version_id if pick % 2 else None
        await self.does(
            lambda s: reviewing.approve(s, self.world.settings, order.id, self.editor(pick), seen=seen)
        )

    async def sends_back(self, pick: int) -> None:
        order = await self.order(pick, S.ADMIN_REVIEW)
        who, words = self.editor(pick), "Look again."
        await self.does(lambda s: reviewing.send_back(s, self.world.settings, order.id, who, words))

    async def rejects(self, pick: int) -> None:
        order = await self.order(pick, S.ADMIN_REVIEW, S.QUALITY_CHECK, S.PROCESSING)
        who, words = self.editor(pick), "Not a fit."
        await self.does(lambda s: reviewing.reject(s, self.world.settings, order.id, who, words))

    async def refunds(self, pick: int) -> None:
        order = await self.order(pick, *ENDED)
        await self.does(lambda s: reviewing.refund(s, order.id, self.editor(pick), "Sorry."))

    async def edits(self, pick: int) -> None:
        await self._saves(pick, f"\nSomething about cups, once more in another {self.sold} words.\n")

    async def publishes(self, pick: int) -> None:
        await self._saves(pick, "")

    async def _saves(self, pick: int, words: str) -> None:
        article, who = self.articles[pick % 2], self.editor(pick)
        async with self.database.transaction() as session:
            there = await editable(session, SITE, article.id)
        facts = replace(there.facts, markdown=there.head.markdown + words)
        await self.does(
            lambda s: save_article(s, SITE, article.id, facts, there.seen, who, publish=not words)
        )

    async def unpublishes(self, pick: int) -> None:
        article = self.articles[pick % 2]
        async with self.database.transaction() as session:
            there = await editable(session, SITE, article.id)
        await self.does(lambda s: unpublish(s, SITE, article.id, there.seen, self.editor(pick)))

    # ------------------------------------------------------------ Stripe
    async def settles(self, pick: int) -> None:
        checkout = await self.checkout(pick, state=CheckoutState.PENDING)
        await self.sandbox.settle(str(checkout.session_id), "failed" if pick % 3 == 1 else "succeeded")

    async def expires_before_it_settles(self, pick: int) -> None:
        checkout = await self.checkout(pick, state=CheckoutState.PENDING)
        late = update(Checkout).where(Checkout.id == checkout.id, Checkout.state == CheckoutState.PENDING)
        await self.does(lambda s: s.execute(late.values(state=CheckoutState.EXPIRED)))
        await self.sandbox.settle(str(checkout.session_id))

    async def tells_again(self, pick: int) -> None:
        async with self.database.transaction() as session:
            query = select(StripeEvent.id).order_by(StripeEvent.received_at.desc())
            events = (await session.scalars(query)).all()
        for one in {one_of(events, pick), one_of(events, pick + 1)}:
            await self.sandbox.resend(one)

    async def mixes_its_letters(self, pick: int) -> None:
        await self.sandbox.trouble_webhooks(duplicate=4, jitter_seconds=0.02 * (pick + 1))

    async def loses_its_letters(self, pick: int) -> None:
        await self.sandbox.trouble_webhooks(
            drop=pick + 1, types=("checkout.session", "refund", "charge.refunded")
        )

    async def refunds_by_hand(self, pick: int) -> None:
        await self.sandbox.refund_by_hand(await self._charge(pick))

    async def refunds_a_part_by_hand(self, pick: int) -> None:
        await self.sandbox.refund_by_hand(await self._charge(pick), amount=900)

    async def _charge(self, pick: int) -> str:
        return str((await self.checkout(pick, state=CheckoutState.PAID)).charge_id)

    async def lets_refunds_wait(self, pick: int) -> None:
        await self.sandbox.order_refunds("pending", pick % 2 + 1)

    async def lets_a_refund_fail(self, pick: int) -> None:
        await self.sandbox.order_refunds("failed")

    async def concludes_a_refund(self, pick: int) -> None:
        async with self.database.transaction() as session:
            pending = await session.scalars(select(Refund).where(Refund.state == RefundState.PENDING))
            refund = one_of(pending.all(), pick)
        await self.sandbox.conclude_refund(str(refund.stripe_id), "failed" if pick == 1 else "succeeded")

    async def loses_an_answer(self, pick: int) -> None:
        path = "/v1/refunds" if pick % 2 else "/v1/checkout/sessions"
        await self.sandbox.order_fault("lost_answer", method="POST", path=path)

    async def disputes(self, pick: int) -> None:
        await self.sandbox.dispute(await self._charge(pick))

    async def decides_a_dispute(self, pick: int) -> None:
        async with self.database.transaction() as session:
            query = select(Dispute.stripe_id).where(Dispute.closed_at.is_(None)).order_by(Dispute.opened_at)
            dispute = one_of((await session.scalars(query)).all(), pick // 2)
        await self.sandbox.decide_dispute(dispute, "lost" if pick % 2 else "won")

    # ------------------------------------------------------------ workers
    async def dies_at_work(self, pick: int) -> None:
        """A worker takes what is there, and is never heard of again. Others are taken for dead with it."""
        doomed = Store(self.world.settings.database.url, new_id(), "doomed")
        await doomed.claim({"orders": pick + 1, "payments": 1, "mail": 1})
        await doomed.close()
        await asyncio.sleep(0.005 * pick)
        await self.rescues()

    async def takes_up_and_dawdles(self, pick: int) -> None:
        order = await self.order(pick, S.PROCESSING)
        async with self.database.transaction() as session:
            brief = await making.take_up(session, order.id, order.generation)
        if (draught := draught_of(brief)) is not None:
            self.late.append(Late(brief, draught))

    async def hands_in_late(self, pick: int) -> None:
        late = one_of(self.late, pick)
        await self.does(lambda s: making.hand_in(s, self.world.settings, late.brief, late.draught))

    async def hears_that_it_died(self, pick: int) -> None:
        order = await self.order(pick, S.PROCESSING)
        number = max(1, order.generation - pick % 2)
        await self.does(
            lambda s: making.fail_generation(
                s, self.world.settings, order.id, number, "Every attempt failed."
            )
        )

    # ------------------------------------------------------------ the clock
    async def days_pass(self, pick: int) -> None:
        at = now() + timedelta(days=(4, 8, 13, 15)[pick % 4])
        await self.does(lambda s: tend_reviews(s, self.world.settings, at))

    async def reconciles(self, pick: int = 0) -> None:
        async with self.line() as stripe:
            await reconcile_checkouts(
                self.database, stripe, now() + timedelta(minutes=20), public_url=self.url
            )

    # ------------------------------------------------------------ the end of the story
    async def ends_well(self) -> None:
        """Banks decide, what was put off is done, and admins do what the truths have told them of."""
        await self.sandbox.trouble_webhooks()
        async with self.database.transaction() as session:
            # Those of a basket share one.
            query = select(Dispute.stripe_id).where(Dispute.closed_at.is_(None)).distinct()
            disputed = (await session.scalars(query)).all()
        for index, dispute in enumerate(disputed):
            await self.sandbox.decide_dispute(dispute, "lost" if index % 2 else "won")
        await self.reconciles()
        await self.comes_to_rest()
        await self.hurries("true")
        await self.comes_to_rest()
        await self._ends_refunds()

    async def _ends_refunds(self) -> None:
        for _ in range(3):
            async with self.database.transaction() as session:
                query = select(Refund.stripe_id).where(Refund.state == RefundState.PENDING).distinct()
                for one in await session.scalars(query):
                    await self.sandbox.conclude_refund(str(one))
            await self.comes_to_rest()
