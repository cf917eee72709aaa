"""Webhooks from the event to the receiver's verification, and what becomes of those that do not arrive."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from models.accounts.audit import history_of
from models.base.clock import now
from models.base.db import new_id
from models.base.errors import Conflict, Invalid, NotFound
from models.jobs.actions import rescue
from models.jobs.cancelling import cancel
from models.jobs.states import JobState
from models.jobs.tables import GateRow, JobRow
from models.notices.actions import announce, send_again
from models.notices.deliveries import under_way
from models.notices.endpoints import remove_endpoint, rotate_secret, switch
from models.notices.rules import PATIENCE, url_problem
from models.notices.states import MOVES, DeliveryState
from models.notices.tables import Delivery, Endpoint, Notice
from tasks.testing import working
from tests.notices.conftest import Exchange


async def tell(exchange: Exchange, title: str = "Hi") -> int:
    async with exchange.world.database.transaction() as session:
        return await announce(session, "notification.created", {"title": title})


async def only_delivery(exchange: Exchange) -> Delivery:
    async with exchange.world.database.transaction() as session:
        return (await session.scalars(select(Delivery))).one()


async def endpoint_of(exchange: Exchange, endpoint_id: UUID) -> Endpoint:
    async with exchange.world.database.transaction() as session:
        return await session.get_one(Endpoint, endpoint_id)


async def test_an_event_reaches_who_hears_of_it_signed_and_nobody_else(exchange: Exchange):
    _, secret = await exchange.endpoint("notification.created")
    await exchange.endpoint("alert.raised")
    assert await tell(exchange) == 1
    await exchange.work()

    assert len(exchange.receiver.requests) == 1
    told = exchange.receiver.verified(0, secret)
    assert (told["type"], told["data"]) == ("notification.created", {"title": "Hi"})
    sent = await only_delivery(exchange)
    assert exchange.receiver.requests[0][0]["webhook-id"] == str(sent.id)
    assert (sent.state, sent.status, sent.attempts) == (DeliveryState.DELIVERED, 204, 1)


async def test_an_event_that_nobody_has_named_is_a_mistake_of_ours(exchange: Exchange):
    async with exchange.world.database.transaction() as session:
        with pytest.raises(KeyError):
            await announce(session, "notification.creted", {})


@pytest.mark.slow
async def test_a_receiver_that_fails_gets_it_again_under_the_same_id(exchange: Exchange):
    _, secret = await exchange.endpoint()
    exchange.receiver.answers = [("503 Busy", "come back"), ("302 Found", "")]
    await tell(exchange)
    await exchange.work(hurry=True)
    assert len(exchange.receiver.requests) == 3
    assert len({headers["webhook-id"] for headers, _ in exchange.receiver.requests}) == 1
    assert exchange.receiver.verified(2, secret)
    assert (await only_delivery(exchange)).attempts == 3


async def test_one_that_never_arrives_is_given_up_and_can_be_sent_again_by_hand(exchange: Exchange):
    endpoint_id, _ = await exchange.endpoint()
    exchange.receiver.answers = [("500 No", "<b>broken</b>")]
    await tell(exchange)
    async with exchange.world.database.transaction() as session:
        await session.execute(update(JobRow).values(max_attempts=1))
    await exchange.work()
    sent = await only_delivery(exchange)
    assert (sent.state, sent.status, sent.answer) == (DeliveryState.FAILED, 500, "<b>broken</b>")
    assert (await endpoint_of(exchange, endpoint_id)).failing_since is not None

    async with exchange.world.database.transaction() as session:
        delivery, endpoint = await under_way(session, sent.id)
        await send_again(session, delivery, endpoint)
        with pytest.raises(Conflict):
            await send_again(session, delivery, endpoint)
    await exchange.work()
    assert (await only_delivery(exchange)).state is DeliveryState.DELIVERED
    assert (await endpoint_of(exchange, endpoint_id)).failing_since is None


@pytest.mark.parametrize("how", ["cancelled", "dead"])
async def test_one_whose_job_is_no_more_has_failed_and_can_be_sent_again(exchange: Exchange, how: str):
    await exchange.endpoint()
    await tell(exchange)
    async with exchange.world.database.transaction() as session:
        job = (await session.scalars(select(JobRow))).one()
        if how == "cancelled":
            await cancel(session, job.id)
        else:
            job.state, job.worker_id, job.attempt, job.max_attempts = JobState.ACTIVE, new_id(), 1, 1
            await session.flush()
            assert await rescue(session, timedelta(seconds=5)) == [job.id]
    await exchange.work()
    sent = await only_delivery(exchange)
    assert (sent.state, sent.attempts) == (DeliveryState.FAILED, 0)
    async with exchange.world.database.transaction() as session:
        await send_again(session, *await under_way(session, sent.id))
    await exchange.work()
    assert (await only_delivery(exchange)).state is DeliveryState.DELIVERED


async def test_a_host_that_is_asked_too_often_is_left_alone_with_everything(exchange: Exchange):
    await exchange.endpoint()
    exchange.receiver.answers = [("429 Slow down", "")]
    await tell(exchange)
    async with working(exchange.world), asyncio.timeout(10):
        while (await only_delivery(exchange)).attempts == 0 or not await gates(exchange):
            await asyncio.sleep(0.01)
    assert await gates(exchange) == ["limit/host/127.0.0.1"]
    async with exchange.world.database.transaction() as session:
        assert list(await session.scalars(select(JobRow.limit_key))) == ["host/127.0.0.1"]


async def test_a_429_at_the_last_attempt_gives_nothing_up(exchange: Exchange):
    await exchange.endpoint()
    exchange.receiver.answers = [("429 Slow down", "")]
    await tell(exchange)
    async with exchange.world.database.transaction() as session:
        await session.execute(update(JobRow).values(max_attempts=1))
    async with working(exchange.world), asyncio.timeout(10):
        while (await only_delivery(exchange)).attempts == 0 or not await gates(exchange):
            await asyncio.sleep(0.01)
    assert (await only_delivery(exchange)).state is DeliveryState.WAITING


async def gates(exchange: Exchange) -> list[str]:
    async with exchange.world.database.transaction() as session:
        closed = GateRow.closed_until > func.now()
        return list(await session.scalars(select(GateRow.name).where(closed)))


@pytest.mark.parametrize("why", ["gone", "long"])
async def test_an_endpoint_that_takes_nothing_is_switched_off_and_admins_are_told(
    exchange: Exchange, why: str
):
    endpoint_id, _ = await exchange.endpoint()
    exchange.receiver.answers = [("410 Gone" if why == "gone" else "500 No", "")]
    if why == "long":
        async with exchange.world.database.transaction() as session:
            await session.execute(update(Endpoint).values(failing_since=now() - PATIENCE))
    await tell(exchange)
    await exchange.work()
    assert (await only_delivery(exchange)).state is DeliveryState.FAILED
    assert (await endpoint_of(exchange, endpoint_id)).disabled_because is not None
    assert await tell(exchange) == 0
    async with exchange.world.database.transaction() as session:
        notice = (await session.scalars(select(Notice))).one()
        (entry, *_) = await history_of(session, f"webhook/{endpoint_id}")
    assert (notice.person_id, notice.link) == (exchange.admin.id, f"/admin/webhooks/{endpoint_id}")
    assert (entry.action, entry.actor) == ("webhook.disabled", "system")


async def test_a_webhook_never_reaches_a_private_network(exchange: Exchange):
    await exchange.endpoint()
    async with exchange.world.database.transaction() as session:
        await session.execute(update(Endpoint).values(url="http://127.0.0.1:80/"))
    await tell(exchange)
    await exchange.work()
    sent = await only_delivery(exchange)
    assert (sent.status, sent.answer) == (None, "The address leads into a private network.")


async def test_while_a_secret_is_rotated_both_sign_and_a_day_later_the_new_one_alone(exchange: Exchange):
    endpoint_id, old = await exchange.endpoint()
    async with exchange.world.database.transaction() as session:
        new = await rotate_secret(session, exchange.admin, endpoint_id, exchange.world.keys)
    await tell(exchange)
    await exchange.work()
    assert exchange.receiver.verified(0, old) == exchange.receiver.verified(0, new)
    async with exchange.world.database.transaction() as session:
        await session.execute(update(Endpoint).values(old_secret_until=now() - timedelta(seconds=1)))
    await tell(exchange)
    await exchange.work()
    assert exchange.receiver.verified(1, new)
    with pytest.raises(AssertionError):
        exchange.receiver.verified(1, old)


async def test_what_waits_for_an_endpoint_that_is_removed_or_off_is_not_sent(exchange: Exchange):
    endpoint_id, _ = await exchange.endpoint()
    await tell(exchange)
    async with exchange.world.database.transaction() as session:
        await switch(session, exchange.admin, endpoint_id, is_on=False)
    await exchange.work()
    assert (await only_delivery(exchange)).state is DeliveryState.FAILED
    async with exchange.world.database.transaction() as session:
        await switch(session, exchange.admin, endpoint_id, is_on=True)
    await tell(exchange)
    async with exchange.world.database.transaction() as session:
        await remove_endpoint(session, exchange.admin, endpoint_id)
        with pytest.raises(NotFound):
            await remove_endpoint(session, exchange.admin, endpoint_id)
    await exchange.work()
    assert exchange.receiver.requests == []


def test_addresses_that_webhooks_do_not_go_to_are_refused_with_what_to_do():
    for url in (
        "",
        "ftp://a.example/",
        "http://a.example/",
        "https://a.example:8443/",
        "https://u@a.example/",
        "https://[/",
        "https://10.0.0.1/x",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
    ):
        assert url_problem(url, ()), url
    assert url_problem("https://a.example/hooks?x=1", ()) is None
    assert url_problem("http://10.0.0.7:8080/hooks", ("10.0.0.7:8080",)) is None


async def test_an_endpoint_hears_of_events_that_there_are(exchange: Exchange):
    with pytest.raises(Invalid) as refused:
        await exchange.endpoint("moon.full")
    assert set(refused.value.fields) == {"events"}


def test_a_delivery_that_is_done_moves_only_to_be_sent_again():
    assert MOVES[DeliveryState.DELIVERED] == MOVES[DeliveryState.FAILED] == {DeliveryState.WAITING}
