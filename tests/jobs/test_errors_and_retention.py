"""Errors in groups, and for how long finished jobs are kept."""

from datetime import timedelta
from typing import ClassVar

import pytest
from sqlalchemy import select, text

from models.base.db import Database, new_id
from models.base.errors import Invalid
from models.jobs import Job, Wish, enqueue_all
from models.jobs.actions import Failure, bury
from models.jobs.errors import fingerprint, groups, reopen, understand
from models.jobs.flows import enqueue_batch
from models.jobs.retention import forget_finished, set_keep_days
from models.jobs.store import Fence, Store
from models.jobs.tables import FlowRow, JobRow
from tasks.world import World

TRACE = """Traceback (most recent call last):
  File "/srv/app/tasks/orders.py", line {line}, in integrate
  File "/srv/app/.venv/lib/python3.11/site-packages/httpx/_client.py", line 7, in send
"""


class Wash(Job, frozen=True):
    kind: ClassVar[str] = "test.wash"
    queue: ClassVar[str] = "wool"


class Dry(Wash, frozen=True):
    kind: ClassVar[str] = "test.dry"
    queue: ClassVar[str] = "silk"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Timeout: 12.5 s for order 7", "Timeout: 3 s for order 1042"),
        (
            "KeyError: '0198a3c2-5d0e-7b44-9a51-c0ffee104200'",
            "KeyError: '0198a3c2-5d0e-7b44-9a51-c0ffee104201'",
        ),
        ("no answer from https://a.example/x?y=1", "no answer from https://b.example"),
        ("cannot open /srv/a/b", "cannot open /var/c/d.txt"),
    ],
)
def test_errors_of_one_cause_have_one_fingerprint(one: str, other: str) -> None:
    assert fingerprint(one, TRACE.format(line=10)) == fingerprint(other, TRACE.format(line=99))


def test_errors_of_other_types_words_or_places_have_others() -> None:
    trace = TRACE.format(line=10)
    first = fingerprint("KeyError: 'a'", trace)
    assert fingerprint("ValueError: 'a'", trace) != first
    assert fingerprint("KeyError: 'a'", trace.replace("integrate", "publish")) != first
    assert fingerprint("KeyError: 'a'") != first


async def test_the_dead_are_told_in_groups_with_what_is_known_about_them(world: World) -> None:
    store = Store(world.settings.database.url, new_id(), "a worker of the tests")
    async with world.database.transaction() as session:
        await enqueue_all(session, [Wish(Wash()), Wish(Dry()), Wish(Wash()), Wish(Wash())])
    claims = await store.claim({"wool": 5, "silk": 5})
    await store.close()
    async with world.database.transaction() as session:
        for number, claim in enumerate(claims):
            words = "ZeroDivisionError: by zero" if number == 0 else f"no answer after {number} s"
            fence = Fence(claim.id, claim.attempt, store.worker_id)
            await bury(session, fence, Failure(words, TRACE.format(line=number)))
    async with world.database.transaction() as session:
        fault, refusal = sorted(await groups(session), key=lambda one: one.count)
        assert (fault.count, fault.title) == (1, "ZeroDivisionError: by zero")
        assert (refusal.count, refusal.title[:15]) == (3, "no answer after")
        assert refusal.kinds == ["test.dry", "test.wash"]
        assert refusal.first_at <= refusal.last_at
        assert (await session.get_one(JobRow, fault.example_id)).fingerprint == fault.fingerprint
        await understand(session, fault.fingerprint, "Nobody divides by zero. ", new_id())
        (known,) = await groups(session, is_understood=True)
        assert known.note == "Nobody divides by zero."
        assert [one.fingerprint for one in await groups(session, is_understood=False)] == [
            refusal.fingerprint
        ]
        await reopen(session, fault.fingerprint)
        assert await groups(session, is_understood=True) == []
        with pytest.raises(Invalid):
            await understand(session, fault.fingerprint, "x" * 3000, new_id())


async def left(database: Database) -> list[str]:
    async with database.transaction() as session:
        return sorted(await session.scalars(select(JobRow.kind)))


async def test_finished_jobs_are_kept_as_long_as_their_queue_says(database: Database) -> None:
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Wash()), Wish(Dry()), Wish(Wash())])
        await session.execute(
            text("update jobs set state = 'completed', finished_at = now() - interval '10 days'")
        )
        await set_keep_days(session, "silk", 20)
    async with database.transaction() as session:
        await forget_finished(session, timedelta(days=5), {"wool": 11})
    assert await left(database) == ["test.dry", "test.wash", "test.wash"]
    async with database.transaction() as session:
        await forget_finished(session, timedelta(days=5), limit=1)
    assert await left(database) == ["test.dry", "test.wash"]
    async with database.transaction() as session:
        await set_keep_days(session, "silk", None)
        await forget_finished(session, timedelta(days=5))
        with pytest.raises(Invalid):
            await set_keep_days(session, "silk", 0)
    assert await left(database) == []


async def test_the_jobs_of_a_flow_are_kept_until_it_has_ended(database: Database) -> None:
    async with database.transaction() as session:
        await enqueue_batch(session, "washing", [Wash(), Wash()])
        await session.execute(
            text("update jobs set state = 'completed', finished_at = now() - interval '10 days'")
        )
        await forget_finished(session, timedelta(days=5))
    assert len(await left(database)) == 2
    async with database.transaction() as session:
        await session.execute(text("update job_flows set finished_at = now() - interval '10 days'"))
        await forget_finished(session, timedelta(days=5))
        assert (await session.scalars(select(FlowRow))).all() == []
