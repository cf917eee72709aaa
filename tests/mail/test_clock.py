"""What is done about letters by the clock."""

from datetime import timedelta

import pytest
from redis.asyncio import Redis
from sqlalchemy import delete, func, select, update

from infra.local.embedded import EmbeddedRedis
from models import everything
from models.base.clock import now
from models.base.db import Database
from models.base.settings import Settings
from models.base.settings.running import DatabaseSettings, RedisSettings
from models.jobs import enqueue
from models.jobs.tables import JobRow
from models.mail.jobs import SCHEDULES, ForgetLetters, SendLetter, SettleLetters
from models.mail.retention import forget_letters
from models.mail.states import EventState
from models.mail.states import LetterState as S
from models.mail.tables import EmailEvent, EmailMessage
from tasks.testing import run_everything
from tasks.world import World
from tests.mail.conftest import letter_of, put_back
from tests.mail.test_feedback import letter


@pytest.fixture
def settings(settings: Settings, database_url: str, redis_server: EmbeddedRedis) -> Settings:
    """Settings with which a whole worker can work."""
    found = {"database": DatabaseSettings(url=database_url), "redis": RedisSettings(url=redis_server.url)}
    return settings.model_copy(update=found)


def test_the_dispatcher_settles_every_minute_and_forgets_every_day() -> None:
    assert set(SCHEDULES) <= set(everything.SCHEDULES)
    assert {type(one.job): one.rhythm for one in SCHEDULES} == {
        SettleLetters: timedelta(minutes=1),
        ForgetLetters: timedelta(days=1),
    }


async def test_settling_sends_a_letter_of_which_nothing_was_heard(
    database: Database, redis: Redis, world: World
) -> None:
    unheard, young = await letter(database, S.UNKNOWN, lost=1), await letter(database, S.UNKNOWN, lost=1)
    await put_back(database, unheard, timedelta(minutes=16))
    async with database.transaction() as session:
        # The jobs that the letters were written with: they could be quicker than settling is.
        await session.execute(delete(JobRow))
        await enqueue(session, SettleLetters())
        about = {
            "public_url": "https://a.example/b",
            "order_url": "https://a.example/o",
            "order_number": "G-1",
        }
        about |= {
            "article_title": "On grinders",
            "site_name": "Kitchen",
            "anchor_text": "a",
            "target_url": "b",
        }
        await session.execute(update(EmailMessage).values(facts=about))
    await run_everything(world)
    one = await letter_of(database, unheard)
    assert (one.state, one.attempts) == (S.SENT, 1)
    assert (await letter_of(database, young)).state is S.UNKNOWN
    async with database.transaction() as session:
        sent = select(func.count()).select_from(JobRow).where(JobRow.kind == SendLetter.kind)
        assert await session.scalar(sent.where(JobRow.unique_key == f"settle/{unheard}")) == 1


async def test_the_text_of_an_old_letter_is_wiped_and_its_fate_is_kept(
    database: Database, redis: Redis, world: World
) -> None:
    old = await letter(database, S.DELIVERED, sealed_mime=b"text", created_at=now() - timedelta(days=91))
    waiting = await letter(database, S.UNKNOWN, sealed_mime=b"text", created_at=now() - timedelta(days=91))
    unheard = await letter(
        database, S.UNKNOWN, lost=2, sealed_mime=b"x", created_at=now() - timedelta(days=91)
    )
    await put_back(database, unheard, timedelta(days=91))
    never_sent = await letter(database, S.WITHHELD, created_at=now() - timedelta(days=91))
    new = await letter(database, S.DELIVERED, sealed_mime=b"text", created_at=now() - timedelta(days=89))
    async with database.transaction() as session:
        await session.execute(update(EmailMessage).values(facts={"title": "On grinders"}))
        for days in (91, 89):
            received = now() - timedelta(days=days)
            kept = {"type": "Delivery", "payload": {}, "state": EventState.PROCESSED, "received_at": received}
            session.add(EmailEvent(id=str(days), **kept))
    # Whoever looks whether a letter is to be sent holds its row, and what is held is forgotten another day.
    await run_everything(world)
    async with database.transaction() as session:
        await enqueue(session, ForgetLetters())
    await run_everything(world)
    one = await letter_of(database, old)
    assert (one.sealed_mime, one.facts, one.state) == (None, {}, S.DELIVERED)
    assert [(await letter_of(database, one)).facts for one in (unheard, never_sent)] == [{}, {}]
    assert (await letter_of(database, waiting)).sealed_mime == b"text"
    assert (await letter_of(database, new)).sealed_mime == b"text"
    async with database.transaction() as session:
        assert (await session.scalars(select(EmailEvent.id))).all() == ["89"]


async def test_forgetting_goes_by_as_much_as_one_transaction_should_hold(database: Database) -> None:
    for _ in range(3):
        await letter(database, S.SENT, sealed_mime=b"text", created_at=now() - timedelta(days=2))
    counts = []
    for _ in range(3):
        async with database.transaction() as session:
            counts.append(await forget_letters(session, timedelta(days=1), now(), limit=2))
    assert counts == [2, 1, 0]
