"""Everything that a job may touch, handed over in one piece: no runner reaches for a global."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from emails.post import OutboxPost, Post
from models.base.crypto import Keys
from models.base.db import Database
from models.base.news import Herald, connect
from models.base.settings import Settings
from models.base.settings.working import MailSettings


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What a worker process has: settings, the truth, the news, the keys, and the way to send letters."""

    settings: Settings
    database: Database
    redis: Redis
    keys: Keys
    post: Post


def post_of(mail: MailSettings) -> Post:
    """The way to send that the settings chose. Libraries of the other ways are never imported."""
    if mail.way == "ses":
        from emails.ses import SesPost

        return SesPost(
            region=str(mail.ses_region),
            endpoint_url=mail.ses_endpoint_url,
            configuration_set=mail.ses_configuration_set,
        )
    if mail.way == "smtp":
        from emails.smtp import SmtpPost

        password = mail.smtp_password.get_secret_value() if mail.smtp_password else None
        return SmtpPost(
            host=str(mail.smtp_host),
            port=mail.smtp_port,
            username=mail.smtp_username,
            password=password,
            starttls=mail.smtp_starttls,
        )
    return OutboxPost()


@asynccontextmanager
async def open_world(settings: Settings, *, connections: int, name: str) -> AsyncIterator[World]:
    """Build the world of one process and take it down in order."""
    redis = connect(settings.redis.url)
    herald = Herald(redis)
    database = Database(settings.database.url, pool_size=connections, tell=herald.tell, name=name)
    try:
        yield World(settings, database, redis, Keys.of(settings), post_of(settings.mail))
    finally:
        await database.close()
        await herald.close()
