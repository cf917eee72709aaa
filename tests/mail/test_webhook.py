"""The door for the provider's messages, with Amazon's side on loopback."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select

from emails.post import OutboxPost
from infra.local.embedded import EmbeddedRedis
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database, new_id
from models.base.settings import Settings
from models.base.settings.working import MailSettings
from models.mail.states import EventState
from models.mail.states import LetterState as S
from models.mail.tables import EmailEvent
from tasks.testing import run_everything
from tasks.world import World
from tests.mail.conftest import letter_of
from tests.mail.signer import PATH, TOPIC, Sns, certificate_of, serving_sns
from tests.mail.test_feedback import BOUNCE, letter
from tests.web.site import Site, lasting_site, settings_for, site
from web.mail.webhook import _certificates

PLAIN = {"Content-Type": "text/plain; charset=UTF-8"}


@pytest.fixture(scope="module")
async def lasting_sns() -> AsyncIterator[Sns]:
    async with serving_sns() as one:
        yield one


@pytest.fixture
def sns(lasting_sns: Sns) -> Sns:
    """SNS as it is at first, and not known to the application."""
    _certificates._kept.clear()
    lasting_sns.begin_anew()
    return lasting_sns


@pytest.fixture
def settings(database_url: str, redis_server: EmbeddedRedis, sns: Sns) -> Settings:
    """Settings of a site whose topic is the one that `sns` speaks for."""
    mail = MailSettings(ses_topic=TOPIC, sns_endpoint_url=sns.url)
    return settings_for(database_url, redis_server.url).model_copy(update={"mail": mail})


@pytest.fixture
async def shop(settings: Settings, database: Database, redis: Redis) -> Site:
    return await lasting_site(settings, database, redis)


@pytest.fixture
def world(settings: Settings, database: Database, redis: Redis) -> World:
    return World(settings, database, redis, Keys.of(settings), OutboxPost())


async def post(shop: Site, payload: bytes) -> int:
    async with shop.browser() as amazon:
        answer: httpx2.Response = await amazon.client.post("/webhooks/ses", content=payload, headers=PLAIN)
        return answer.status_code


async def events(database: Database) -> list[EmailEvent]:
    async with database.transaction() as session:
        return list((await session.scalars(select(EmailEvent).order_by(EmailEvent.received_at))).all())


async def test_a_bounce_comes_in_and_moves_its_letter(
    shop: Site, sns: Sns, database: Database, world: World
) -> None:
    email_id = await letter(database)
    assert await post(shop, sns.event(email_id, "Bounce", **BOUNCE)) == 200
    await run_everything(world)
    assert (await letter_of(database, email_id)).state is S.BOUNCED
    (event,) = await events(database)
    assert (event.type, event.letter_id, event.state) == ("Bounce", email_id, EventState.PROCESSED)


async def test_ten_deliveries_of_one_message_at_once_are_one_row(
    shop: Site, sns: Sns, database: Database, world: World
) -> None:
    email_id = await letter(database)
    payload = sns.event(email_id, "Delivery")
    answers = await asyncio.gather(*(post(shop, payload) for _ in range(10)))
    assert answers == [200] * 10
    await run_everything(world)
    assert len(await events(database)) == 1
    assert (await letter_of(database, email_id)).state is S.DELIVERED


async def test_the_certificate_is_fetched_once(shop: Site, sns: Sns) -> None:
    for version in ("1", "2", "2"):
        assert await post(shop, sns.message("hello", version=version)) == 200
    assert sns.fetched == [PATH]


async def test_nothing_is_fetched_for_a_message_that_is_not_for_us(
    shop: Site, sns: Sns, database: Database
) -> None:
    other = TOPIC.replace("letters", "others")
    late = (now() - timedelta(hours=3)).isoformat()
    for payload in (
        sns.message("x", TopicArn=other),
        sns.message("x", Timestamp=late),
        sns.message("x", SigningCertURL=f"http://127.0.0.1:9{PATH}"),
        b"",
        b"{}",
    ):
        assert await post(shop, payload) == 400
    assert sns.fetched == []
    assert await events(database) == []


async def test_a_forged_signature_is_refused_and_nothing_is_written(
    shop: Site, sns: Sns, database: Database
) -> None:
    assert await post(shop, sns.message("x", signer="eve")) == 400
    assert await events(database) == []


async def test_where_there_is_no_certificate_there_is_no_signature(shop: Site, sns: Sns) -> None:
    missing = sns.url + PATH.replace("0123abc", "4567def")
    assert await post(shop, sns.message("x", SigningCertURL=missing)) == 400
    sns.files[PATH] = b"x" * 100_000
    assert await post(shop, sns.message("x")) == 400
    sns.files[PATH] = certificate_of("sns", ends=timedelta(hours=-1))
    assert await post(shop, sns.message("x")) == 400


async def test_while_the_certificate_is_away_sns_is_told_to_come_again(
    settings: Settings, database: Database, redis: Redis
) -> None:
    away = Sns(url="http://127.0.0.1:1")
    mail = MailSettings(ses_topic=TOPIC, sns_endpoint_url=away.url)
    async with site(settings.model_copy(update={"mail": mail}), database=database, redis=redis) as one:
        assert await post(one, away.message("x")) == 503


async def test_a_message_that_is_too_large_is_not_read(shop: Site) -> None:
    assert await post(shop, b"x" * (512 * 1024 + 1)) == 413


async def test_without_a_topic_the_door_is_closed(
    settings: Settings, database: Database, redis: Redis
) -> None:
    closed = settings.model_copy(update={"mail": MailSettings()})
    async with site(closed, database=database, redis=redis) as one:
        assert await post(one, Sns().message("x")) == 404


async def test_an_invitation_to_our_topic_is_accepted_at_our_own_address(
    shop: Site, sns: Sns, database: Database, world: World
) -> None:
    payload = sns.invitation()
    assert [await post(shop, payload), await post(shop, payload)] == [200, 200]
    await run_everything(world)
    (asked,) = sns.confirmed
    assert (asked["Action"], asked["TopicArn"], asked["Token"]) == ("ConfirmSubscription", TOPIC, "a-token")
    (event,) = await events(database)
    assert (event.type, event.state) == ("SubscriptionConfirmation", EventState.PROCESSED)


async def test_a_confirmation_that_fails_is_tried_again(
    shop: Site, sns: Sns, database: Database, world: World
) -> None:
    sns.status = 500
    await post(shop, sns.invitation())
    await run_everything(world)
    assert [one.state for one in await events(database)] == [EventState.RECEIVED]
    sns.status = 200
    await run_everything(world, hurry=True)
    assert [one.state for one in await events(database)] == [EventState.PROCESSED]


async def test_an_invitation_to_another_topic_is_refused(shop: Site, sns: Sns, world: World) -> None:
    assert await post(shop, sns.invitation(TopicArn=TOPIC.replace("letters", "theirs"))) == 400
    await run_everything(world)
    assert sns.confirmed == []


async def test_an_end_of_the_subscription_is_kept_and_leads_to_nothing(
    shop: Site, sns: Sns, database: Database, world: World
) -> None:
    assert await post(shop, sns.invitation(Type="UnsubscribeConfirmation")) == 200
    await run_everything(world)
    assert sns.confirmed == []
    assert [one.state for one in await events(database)] == [EventState.IGNORED]


async def test_an_event_of_a_letter_that_was_never_ours_ends_ignored(
    shop: Site, sns: Sns, database: Database, world: World
) -> None:
    assert await post(shop, sns.event(new_id(), "Complaint")) == 200
    await run_everything(world)
    assert [one.state for one in await events(database)] == [EventState.IGNORED]
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(EmailEvent)) == 1
