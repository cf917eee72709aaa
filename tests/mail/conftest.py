"""A worker's world with an inbox at its end, and one delivery of a letter's job at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from redis.asyncio import Redis
from sqlalchemy import text, update

from emails.smtp import SmtpPost
from models.base.crypto import Keys
from models.base.db import Database, new_id
from models.base.settings import Settings
from models.base.settings.running import AppSettings, DatabaseSettings, RedisSettings
from models.base.settings.selling import OrderSettings, StripeSettings
from models.base.settings.working import JobSettings, LlmSettings, MailSettings
from models.jobs.progress import Progress
from models.jobs.store import Fence, Store
from models.mail.jobs import SendLetter
from models.mail.tables import EmailMessage
from tasks.mail import send_letter
from tasks.runs import Attempt, Result, Work
from tasks.world import World
from tests.mail.inbox import Inbox, served

Deliver = Callable[[], Awaitable[Result]]


@pytest.fixture
def keys() -> Keys:
    """The keys of a test's installation."""
    return Keys("a secret key of a test, long enough")


@pytest.fixture
def settings() -> Settings:
    """Settings in which letters are not paced and come from a test's shop."""
    return Settings(
        app=AppSettings(environment="test", public_url="https://shop.example"),
        database=DatabaseSettings(),
        redis=RedisSettings(),
        stripe=StripeSettings(),
        mail=MailSettings(sender="Galley <hello@shop.example>"),
        llm=LlmSettings(),
        orders=OrderSettings(),
        jobs=JobSettings(),
    )


@pytest.fixture
async def inbox() -> AsyncIterator[tuple[Inbox, int]]:
    """An SMTP server and its port."""
    inbox = Inbox()
    async with served(inbox) as port:
        yield inbox, port


@pytest.fixture
def world(
    database: Database, redis: Redis, keys: Keys, settings: Settings, inbox: tuple[Inbox, int]
) -> World:
    """A worker's world that sends through the inbox."""
    post = SmtpPost("127.0.0.1", inbox[1], starttls=False, timeout=timedelta(seconds=5))
    return World(settings, database, redis, keys, post)


@pytest.fixture
async def deliver(world: World, database_url: str) -> AsyncIterator[Deliver]:
    """Claim the next letter's job and run it, as a worker does, without settling what is raised."""
    worker_id = new_id()
    store = Store(database_url, worker_id, "test")

    async def once() -> Result:
        async with world.database.transaction() as session:
            await session.execute(
                text("update jobs set state = 'waiting', run_at = now() where finished_at is null")
            )
        (claim,) = await store.claim({"mail": 1})
        progress = Progress(claim.id, claim.attempt, claim.max_attempts, started_at=claim.started_at)
        work = Work(world, Attempt(claim, Fence(claim.id, claim.attempt, worker_id), progress))
        result = await send_letter(msgspec.json.decode(claim.args, type=SendLetter), work)
        if result is not None:
            await store.complete([(claim.id, claim.attempt, None)])
        return result

    yield once
    await store.close()


async def letter_of(database: Database, email_id: UUID | None) -> EmailMessage:
    """The letter as its row says now."""
    async with database.transaction() as session:
        return await session.get_one(EmailMessage, email_id)


async def put_back(database: Database, email_id: UUID | None, by: timedelta) -> None:
    """Let it be `by` later than it is, for this letter."""
    async with database.transaction() as session:
        moved: dict[str, Any] = {"claimed_at": EmailMessage.claimed_at - by}
        await session.execute(update(EmailMessage).where(EmailMessage.id == email_id).values(**moved))
