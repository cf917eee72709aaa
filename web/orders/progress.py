"""How far the writer is, as the shell's run panel wants it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from redis.asyncio import Redis
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.settings import Settings
from models.jobs import progress
from models.jobs.estimates import Pace, before, expected, pace, slots
from models.jobs.progress import LINES_SHOWN, Progress
from models.jobs.states import JobState
from models.jobs.tables import JobRow, LogRow
from models.orders.queries import QUEUE_LOOK, OrderView, jobs_ahead
from models.orders.states import Product

#: What the writer does, in the order in which it says that it does it.
STEPS: Final = (
    "Read the published article",
    "Find a place for the link",
    "Check the result",
    "Save the new version",
)
#: And of a whole article. It counts each of its sections, which are all one step here.
ARTICLE_STEPS: Final = (
    "Plan the article",
    "Write it, section by section",
    "Check the article",
    "Save the new version",
)
#: What is said in the place of an estimate that has passed: nine of ten orders have waited for less, or no worker lives.
LATE: Final = "Later than usual. It begins as soon as a writer is free, and nothing is lost."
#: No estimate is finer than this.
MINUTE: Final = timedelta(minutes=1)
CAUSES: Final = {
    "first": "Placing your link",
    "regenerate": "Writing another version",
    "sent_back": "Writing another version",
    "rebase": "Placing your link in the changed article",
}


async def run_of(
    session: AsyncSession, redis: Redis, settings: Settings, view: OrderView, email: str
) -> dict[str, Any]:
    """The panel of an order that is being worked on. What Redis does not know is read from the job's row."""
    job, generation = view.job, view.generation
    assert generation is not None, "an order in progress has a generation"
    run: dict[str, Any] = {
        "state": "waiting",
        "title": _title(view, generation.cause),
        "status": "Waiting for a free writer.",
        "percent": None,
        "steps": _steps(_words_of(view.order.product), None, []),
        "attempt": None,
        "attempts": None,
        "eta": None,
        "eta_slow": None,
        "ahead": None,
        "retry_at": None,
        "started_at": None,
        "took": None,
        "email": email,
    }
    if job is None:
        return run
    seen = await _seen(session, redis, job)
    lately = await pace(session, job.kind, job.queue)
    run |= {"attempt": max(job.attempt, 1), "attempts": job.max_attempts}
    if job.state is JobState.ACTIVE:
        return run | _running(job, seen, lately, view.order.product)
    if job.attempt and job.state in {JobState.SCHEDULED, JobState.WAITING}:
        return run | _retrying(job, seen, view.order.product)
    ahead = await jobs_ahead(session, job)
    if ahead is None or ahead >= QUEUE_LOOK or lately is None:
        return run | {"ahead": ahead if ahead is not None and ahead < QUEUE_LOOK else None}
    lease = timedelta(seconds=settings.jobs.lease_seconds)
    free = await slots(session, job.queue, lease)
    _, work = await before(session, job)
    left = expected(lately, work or timedelta(), free)
    usual = MINUTE if not free else max(MINUTE, lately.wait_slow + left.slow)
    if now() - job.run_at > usual:
        return run | {"ahead": ahead, "status": LATE}
    return run | {"ahead": ahead, "eta": left.usual, "eta_slow": left.slow}


def _title(view: OrderView, cause: str) -> str:
    if view.order.product is Product.ARTICLE and cause == "first":
        return "Writing your article"
    return CAUSES.get(cause, CAUSES["first"])


def _words_of(product: Product) -> tuple[str, ...]:
    return ARTICLE_STEPS if product is Product.ARTICLE else STEPS


def _stage(product: Product, seen: Progress) -> int | None:
    """Which of the steps is being done."""
    if product is Product.BACKLINK or not seen.done:
        return seen.done
    last = (seen.total or 0) - 1
    return len(ARTICLE_STEPS) - 1 - min(last - seen.done, 2) if seen.done <= last else len(ARTICLE_STEPS)


async def _seen(session: AsyncSession, redis: Redis, job: JobRow) -> Progress:
    """What the worker last showed of this very attempt."""
    shown = await progress.read(redis, job.id)
    if shown is not None and shown.attempt >= job.attempt:
        return shown
    newest = select(LogRow).where(LogRow.job_id == job.id).order_by(LogRow.id.desc()).limit(LINES_SHOWN)
    rows = (await session.scalars(newest)).all()
    return Progress(
        job_id=job.id,
        attempt=job.attempt,
        max_attempts=job.max_attempts,
        done=job.done,
        total=job.total,
        words=job.words,
        started_at=job.started_at,
        lines=[progress.Line(row.at, row.line) for row in reversed(rows)],
    )


def _running(job: JobRow, seen: Progress, lately: Pace | None, product: Product) -> dict[str, Any]:
    began, words = job.started_at or now(), _words_of(product)
    # Once it takes longer than usual, it is one of the slow ones.
    spans = (lately.run_usual, lately.run_slow) if lately is not None else ()
    left = next((span - (now() - began) for span in spans if span > now() - began), None)
    percent = round(100 * (seen.done or 0) / seen.total) if seen.total else None
    return {
        "state": "running",
        "status": f"{seen.words or words[0]}.",
        "percent": percent,
        "steps": _steps(words, _stage(product, seen) or 0, _lines(seen), began),
        "eta": left,
        "started_at": began,
    }


def _retrying(job: JobRow, seen: Progress, product: Product) -> dict[str, Any]:
    return {
        "state": "retrying",
        "status": "The last attempt did not succeed. A new one begins by itself.",
        "attempt": min(job.attempt + 1, job.max_attempts),
        "steps": _steps(_words_of(product), _stage(product, seen), _lines(seen), state="failed"),
        "retry_at": job.run_at if job.run_at > now() else None,
    }


def _lines(seen: Progress) -> list[str]:
    return [f"{line.at:%H:%M:%S} {line.text}" for line in seen.lines]


def _steps(
    named: Sequence[str],
    done: int | None,
    log: Sequence[str],
    began: datetime | None = None,
    state: str = "running",
) -> list[dict[str, Any]]:
    """Each step; the one at `done` is in `state` and holds the log. None: nothing has begun."""
    steps = []
    for number, words in enumerate(named):
        here = "waiting"
        if done is not None:
            here = "done" if number < done else state if number == done else "waiting"
        is_current = here == state
        steps.append(
            {
                "state": here,
                "text": words,
                "took": None,
                "started_at": began if is_current and state == "running" else None,
                "log": list(log) if is_current else [],
            }
        )
    return steps
