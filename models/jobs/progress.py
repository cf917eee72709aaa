"""How far a running job is, as people see it: in Redis while it runs, in the job's row every second and at the end."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.news import CHANNEL

log = structlog.get_logger(__name__)

KEPT_SECONDS: Final = 3600
LINES_SHOWN: Final = 40

_FLUSH = text(
    """
    update jobs set done = now_.done, total = now_.total, words = now_.words
      from unnest(cast(:ids as uuid[]), cast(:attempts as smallint[]), cast(:done as bigint[]),
                  cast(:total as bigint[]), cast(:words as text[])) as now_ (id, attempt, done, total, words)
     where jobs.id = any(array(select id from jobs where id = any(cast(:ids as uuid[])) for update skip locked))
       and jobs.id = now_.id and jobs.attempt = now_.attempt
    """
)

_LINES = text(
    """
    insert into job_logs (job_id, attempt, at, line)
    select * from unnest(cast(:ids as uuid[]), cast(:attempts as smallint[]), cast(:at as timestamptz[]), cast(:lines as text[]))
    """
)


class Line(msgspec.Struct, frozen=True):
    """One line of a job's log."""

    at: datetime
    text: str


class Progress(msgspec.Struct):
    """What a page shows of a running job."""

    job_id: UUID
    attempt: int
    max_attempts: int
    done: int | None = None
    total: int | None = None
    words: str | None = None
    started_at: datetime | None = None
    lines: list[Line] = []


async def publish(redis: Redis, news: Sequence[tuple[Progress, str | None]]) -> None:
    """Show these jobs as they stand now, and tell whoever looks at them or at what they are about. Best effort."""
    pipe = redis.pipeline(transaction=False)
    for progress, subject in news:
        pipe.set(f"progress:{progress.job_id}", msgspec.json.encode(progress), ex=KEPT_SECONDS)
        for topic in (f"job/{progress.job_id}", subject):
            if topic:
                pipe.publish(CHANNEL, orjson.dumps({"topic": topic}))
    try:
        await pipe.execute()
    except (RedisError, OSError, TimeoutError) as error:
        log.debug("progress.not_shown", error=str(error))


async def read(redis: Redis, job_id: UUID) -> Progress | None:
    """The job's progress as its worker last showed it, or None if Redis does not know or cannot be asked."""
    try:
        packed = await redis.get(f"progress:{job_id}")
    except (RedisError, OSError, TimeoutError):
        return None
    return msgspec.json.decode(packed, type=Progress) if packed else None


async def flush(
    session: AsyncSession, news: Sequence[Progress], lines: Sequence[tuple[UUID, int, Line]]
) -> None:
    """Write progress and log lines into the rows. Rows that are locked right now are left for the next time."""
    if news:
        await session.execute(
            _FLUSH,
            {
                "ids": [one.job_id for one in news],
                "attempts": [one.attempt for one in news],
                "done": [one.done for one in news],
                "total": [one.total for one in news],
                "words": [one.words for one in news],
            },
        )
    if lines:
        ids, attempts, texts = zip(*lines, strict=True)
        await session.execute(
            _LINES,
            {
                "ids": list(ids),
                "attempts": list(attempts),
                "at": [line.at for line in texts],
                "lines": [line.text for line in texts],
            },
        )
