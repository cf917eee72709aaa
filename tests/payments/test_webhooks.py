"""The door that Stripe knocks at: who is let in, what is written down, and what comes of it."""

import asyncio
import time
from datetime import timedelta

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.settings.selling import StripeSettings
from models.payments.inbox import handle_event
from models.payments.rules import UNKNOWN_FOR
from models.payments.states import CheckoutState, EventState
from models.payments.truths import broken_truths
from tests.payments.shop import Shop, body, event, signature
from tests.payments.slice import told
from tests.web.site import site

PATHS = ("/webhooks/stripe", "/api/v1/purchase/webhook")


@pytest.mark.slow
async def test_one_event_fifty_times_at_once_sells_once(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    checkout = await shop.opened()
    await shop.pay(checkout)
    payload = body(event(str(checkout.session_id)))
    answers = await asyncio.gather(*(shop.send(payload) for _ in range(50)))
    assert {one.status_code for one in answers} == {200}
    await shop.work()
    assert [one.state for one in await shop.events()] == [EventState.PROCESSED]
    assert await shop.jobs("payments.handle_stripe_event") == 1
    assert await told(shop.database, "sold") == [("vase", checkout.id)]


async def test_two_kinds_of_event_for_one_payment_sell_once(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    checkout = await shop.opened()
    await shop.pay(checkout)
    kinds = ("checkout.session.completed", "checkout.session.async_payment_succeeded")
    payloads = [body(event(str(checkout.session_id), kind)) for kind in kinds for _ in range(5)]
    await asyncio.gather(*(shop.send(one, path=PATHS[index % 2]) for index, one in enumerate(payloads)))
    await shop.work()
    assert await shop.jobs("payments.handle_stripe_event") == 10
    assert await told(shop.database, "sold") == [("vase", checkout.id)]


async def test_what_stripe_did_not_sign_is_refused_and_not_kept(shop: Shop) -> None:
    payload = body(event("cs_test_1"))
    moment = time.time()
    refused = {
        "": payload,
        "t=1,v1=ab": payload,
        signature(payload, "whsec_wrong"): payload,
        signature(payload, at=moment - 400): payload,
        signature(payload, at=moment + 400): payload,
        signature(payload): payload.replace(b"cs_test_1", b"cs_test_2"),
        signature(b"[]"): b"[]",
        signature(b"\xff\xfe\x00"): b"\xff\xfe\x00",
        signature(b""): b"",
    }
    for path in PATHS:
        answers = [await shop.send(sent, header, path=path) for header, sent in refused.items()]
        assert [one.status_code for one in answers] == [400] * len(refused)
        assert {one.headers["content-type"] for one in answers} == {"application/problem+json"}
    assert await shop.events() == []


async def test_a_replayed_request_is_answered_and_changes_nothing(shop: Shop) -> None:
    payload = body(event("cs_test_1"))
    header = signature(payload)
    assert [(await shop.send(payload, header)).status_code for _ in range(3)] == [200, 200, 200]
    assert len(await shop.events()) == 1


@pytest.mark.parametrize("size", [257 * 1024, 10 * 1024 * 1024])
async def test_a_body_that_no_event_has_is_refused_by_its_size(shop: Shop, size: int) -> None:
    payload = b" " * size
    assert (await shop.send(payload, "t=1,v1=ab")).status_code == 413


async def test_without_a_secret_the_door_does_not_exist(shop: Shop) -> None:
    stripe = StripeSettings(secret_key="sk_test_shop", webhook_secrets="")
    closed = shop.site.settings.model_copy(update={"stripe": stripe})
    alive = site(closed, database=shop.database, redis=shop.world.redis)
    async with alive as one, one.browser() as browser:
        for path in PATHS:
            answer = await browser.client.post(path, content=body(event("cs_test_1")))
            assert answer.status_code == 404


@pytest.mark.parametrize(
    "changes", [{"livemode": True}, {"api_version": "2020-08-27"}, {"data": {"object": {}}}]
)
async def test_an_event_from_another_world_is_kept_told_about_and_not_acted_on(
    shop: Shop, changes: dict[str, object]
) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    checkout = await shop.opened()
    await shop.pay(checkout)
    assert (await shop.send(body(event(str(checkout.session_id)) | changes))).status_code == 200
    await shop.work()
    [kept] = await shop.events()
    assert kept.state is EventState.IGNORED
    assert kept.problem is not None
    assert (await shop.look(checkout)).state is CheckoutState.OPEN
    async with shop.database.transaction() as session:
        broken = await broken_truths(session)
    assert [one.about for one in broken] == [f"stripe_event/{kept.id}"]


async def test_events_that_nothing_follows_from_are_kept_quietly(shop: Shop) -> None:
    await shop.send(body(event("pi_1", "payment_intent.payment_failed")))
    [kept] = await shop.events()
    assert (kept.state, kept.problem) == (EventState.IGNORED, None)
    assert await shop.jobs("payments.handle_stripe_event") == 0


async def test_an_event_about_a_checkout_that_is_not_known_yet_waits_until_it_is(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    checkout = await shop.opened()
    await shop.pay(checkout)
    async with shop.database.transaction() as session:
        await session.execute(text("create table away as select * from payments_checkouts"))
        await session.execute(text("delete from payments_checkouts"))
    await shop.send(body(event(str(checkout.session_id))))
    await shop.work()
    [kept] = await shop.events()
    assert kept.state is EventState.RECEIVED
    async with shop.database.transaction() as session:
        await session.execute(text("insert into payments_checkouts select * from away"))
    await shop.work(hurry=True)
    assert (await shop.look(checkout)).state is CheckoutState.PAID
    assert await told(shop.database, "sold") == [("vase", checkout.id)]
    [kept] = await shop.events()
    assert kept.state is EventState.PROCESSED


async def test_an_event_that_stays_unknown_for_a_day_is_given_to_a_person(shop: Shop) -> None:
    await shop.send(body(event("cs_test_of_nobody")))
    [kept] = await shop.events()
    pauses = []
    for waited in (0, 30, 300, 3600, 80_000):
        async with shop.line() as stripe:
            at = kept.received_at + timedelta(seconds=waited)
            pauses.append(await handle_event(shop.database, stripe, kept.id, at))
    assert pauses == [timedelta(seconds=seconds) for seconds in (2, 10, 60, 600, 600)]
    async with shop.line() as stripe:
        assert await handle_event(shop.database, stripe, kept.id, now() + UNKNOWN_FOR) is None
    [kept] = await shop.events()
    assert kept.state is EventState.STRANDED
    async with shop.database.transaction() as session:
        assert [one.about for one in await broken_truths(session)] == [f"stripe_event/{kept.id}"]


async def test_a_payment_of_something_else_on_the_account_is_left_alone(shop: Shop) -> None:
    await shop.sandbox.trouble_webhooks(drop=100)
    async with shop.line() as stripe:
        foreign = await stripe.create_session(
            key="foreign",
            lines=[("A pizza", 900)],
            currency="usd",
            email="bob@example.com",
            metadata={"checkout_id": "pizza-7"},
            expires_at=now() + timedelta(minutes=40),
            success_url="https://pizza.example/",
            cancel_url="https://pizza.example/",
        )
    await shop.sandbox.pay(str(foreign.url))
    await shop.send(body(event(foreign.id)))
    await shop.work()
    [kept] = await shop.events()
    assert (kept.state, kept.problem) == (EventState.IGNORED, None)
