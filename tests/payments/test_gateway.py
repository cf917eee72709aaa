"""The line to Stripe: what goes wrong on it is either worth another try or it is not."""

import subprocess
import sys

import pytest

from models.base.errors import Temporary
from models.payments.stripe import NoSuchObject, PaymentRefused
from tests.payments.shop import Shop

ALL = "import web.app, web.payments, tasks.payments, models.payments.reconciliation, models.payments.queries, sys"


@pytest.mark.slow
def test_nothing_imports_the_library_before_it_is_needed() -> None:
    check = f"{ALL}; assert not {{'stripe', 'models.payments.transport'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["rate_limited", "server_error", "dropped_connection", "lost_answer"])
async def test_a_stripe_that_does_not_answer_is_worth_another_try(shop: Shop, fault: str) -> None:
    checkout = await shop.opened()
    await shop.sandbox.order_fault(fault, method="GET", count=3)  # type: ignore[arg-type]
    async with shop.line() as stripe:
        with pytest.raises(Temporary):
            await stripe.fetch_session(str(checkout.session_id))


@pytest.mark.parametrize("fault", ["server_error", "dropped_connection", "lost_answer"])
async def test_one_lost_answer_is_not_even_noticed(shop: Shop, fault: str) -> None:
    checkout = await shop.opened()
    await shop.sandbox.order_fault(fault, method="GET", count=1)  # type: ignore[arg-type]
    async with shop.line() as stripe:
        assert (await stripe.fetch_session(str(checkout.session_id))).id == checkout.session_id


async def test_what_stripe_does_not_know_or_will_not_do_is_not_tried_again(shop: Shop) -> None:
    checkout = await shop.bought()
    async with shop.line() as stripe:
        for asking in (stripe.fetch_session, stripe.fetch_refund, stripe.fetch_dispute, stripe.fetch_intent):
            with pytest.raises(NoSuchObject):
                await asking("nothing_of_the_kind")
        with pytest.raises(PaymentRefused):
            await stripe.expire_session(str(checkout.session_id))
        with pytest.raises(PaymentRefused):
            await stripe.create_refund(
                key="k", intent_id=str(checkout.payment_intent_id), amount_cents=999_999, metadata={}
            )


@pytest.mark.slow
async def test_lists_are_read_to_their_end(shop: Shop) -> None:
    checkout = await shop.bought()
    async with shop.line() as stripe:
        for number in range(105):
            await stripe.create_refund(
                key=f"k{number}", intent_id=str(checkout.payment_intent_id), amount_cents=1, metadata={}
            )
        assert len(await stripe.list_refunds(intent_id=checkout.payment_intent_id)) == 105
