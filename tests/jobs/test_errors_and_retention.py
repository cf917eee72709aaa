"""Errors in groups, and for how long finished jobs are kept."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import insert, select, text, update

from models.base.clock import now
from models.base.db import Database, new_id
from models.base.errors import Invalid
from models.base.paging import PAGE_SIZE
from models.jobs import Job, Wish, enqueue_all
from models.jobs.actions import Failure, bury
from models.jobs.board_tables import BulkRow, ErrorRow
from models.jobs.bulk import begin
from models.jobs.errors import fingerprint, groups, reopen, understand
from models.jobs.filter import Filter
from models.jobs.flows import Step, enqueue_batch, enqueue_flow
from models.jobs.retention import forget_finished, forget_what_is_left, set_keep_days
from models.jobs.states import BulkDeed
from models.jobs.store import Fence, Store
from models.jobs.tables import AttemptRow, FlowRow, JobRow
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
        fault, refusal = sorted((await groups(session)).items, key=lambda one: one.dead)
        assert (fault.dead, fault.title) == (1, "ZeroDivisionError: by zero")
        assert (refusal.dead, refusal.title[:15]) == (3, "no answer after")
        assert refusal.kinds == ["test.dry", "test.wash"]
        assert refusal.first_at <= refusal.last_at
        assert (await session.get_one(JobRow, fault.example_id)).fingerprint == fault.fingerprint
        await understand(session, fault.fingerprint, "Nobody divides by zero. ", new_id())
        first, known = (await groups(session)).items
        assert (first.fingerprint, known.note) == (refusal.fingerprint, "Nobody divides by zero.")
        await reopen(session, fault.fingerprint)
        assert [one.note for one in (await groups(session)).items] == [None, None]
        with pytest.raises(Invalid):
            await understand(session, fault.fingerprint, "x" * 3000, new_id())


async def test_what_is_tried_again_is_in_a_group_with_the_dead_and_groups_come_page_by_page(
    world: World,
) -> None:
    async with world.database.transaction() as session:
        ids = await enqueue_all(session, [Wish(Wash()) for _ in range(PAGE_SIZE + 3)])
        again, dead, fine, *others = ids
        tried = [
            {"job_id": one, "attempt": 1, "fingerprint": "f0", "error": "It was wet."} for one in ids[:3]
        ]
        tried += [{"job_id": one, "attempt": 1, "fingerprint": f"a{one}", "error": "?"} for one in others]
        old = {
            "job_id": again,
            "attempt": 2,
            "fingerprint": "f0",
            "error": "It was wet.",
            "outcome": "failed",
        }
        await session.execute(insert(AttemptRow), [one | {"outcome": "failed"} for one in tried])
        await session.execute(insert(AttemptRow), [old | {"finished_at": now() - timedelta(hours=5)}])
        for job_id, state in ((dead, "dead"), (fine, "completed")):
            values = {"state": state, "finished_at": now(), "fingerprint": "f0"}
            await session.execute(update(JobRow).where(JobRow.id == job_id).values(values))
    async with world.database.transaction() as session:
        await understand(session, f"a{others[0]}", "Never mind.", new_id())
        first = await groups(session)
        last = await groups(session, cursor=first.next_cursor)
    found = [*first.items, *last.items]
    (group,) = [one for one in found if one.fingerprint == "f0"]
    assert (group.dead, group.retrying, group.lately, group.last_hour) == (1, 1, 4, 3)
    assert (group.title, group.example_id) == ("It was wet.", dead)
    assert (len(first.items), last.next_cursor) == (PAGE_SIZE, None)
    assert {one.fingerprint for one in found} == {"f0", *(f"a{one}" for one in others)}
    assert found[-1].note == "Never mind."


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


async def test_what_is_old_is_forgotten_bit_by_bit_and_within_reach_what_is_kept_is_not_looked_at(
    database: Database,
) -> None:
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Wash()) for _ in range(3)])
        await session.execute(
            text("update jobs set state = 'completed', finished_at = now() - interval '10 days'")
        )

    async def forget(**more: Any) -> int:
        async with database.transaction() as session:
            return await forget_finished(session, timedelta(days=5), **more)

    assert await forget(reach=timedelta(hours=2)) == 0
    assert [await forget(limit=2) for _ in range(3)] == [2, 1, 0]


async def test_notes_on_errors_and_bulk_actions_are_forgotten_after_their_jobs(database: Database) -> None:
    async with database.transaction() as session:
        await enqueue_all(session, [Wish(Wash())])
        await session.execute(
            text("update jobs set state = 'dead', finished_at = now(), fingerprint = 'known'")
        )
        for fingerprint in ("known", "gone", "new"):
            await understand(session, fingerprint, "A note.", new_id())
        for _ in range(4):
            await begin(session, Filter.read("state:dead"), BulkDeed.RETRY, new_id())
        old = "now() - interval '91 days'"
        await session.execute(text(f"update job_errors set understood_at = {old} where fingerprint <> 'new'"))
        await session.execute(text("update job_bulk_actions set finished_at = now()"))
        first = "(select min(id::text)::uuid from job_bulk_actions)"
        await session.execute(text(f"update job_bulk_actions set finished_at = {old} where id = {first}"))
        # Another one never came to its end.
        last = "(select max(id::text)::uuid from job_bulk_actions)"
        never = f"update job_bulk_actions set finished_at = null, created_at = {old} where id = {last}"
        await session.execute(text(never))
        await forget_what_is_left(session)
        notes = await session.scalars(select(ErrorRow.fingerprint))
        assert sorted(notes) == ["known", "new"]
        assert len((await session.scalars(select(BulkRow))).all()) == 2


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
        await forget_what_is_left(session)
        assert (await session.scalars(select(FlowRow))).all() == []


async def test_what_a_dead_job_was_to_be_made_of_is_kept_for_its_retry(database: Database) -> None:
    """Else it would run again as if it had waited for nobody."""
    async with database.transaction() as session:
        steps = {
            "wash": Step(Wash()),
            "dry": Step(Wash(), after=("wash",)),
            "fold": Step(Wash(), after=("wash",)),
        }
        await enqueue_flow(session, "laundry", steps)
        old = "finished_at = now() - interval '10 days'"
        await session.execute(
            text(f"update jobs set {old}, state = case step when 'dry' then 'dead' else 'completed' end")
        )
        await session.execute(text(f"update job_flows set {old}"))
        await forget_finished(session, timedelta(days=5))
    async with database.transaction() as session:
        left = (await session.scalars(select(JobRow).order_by(JobRow.step))).all()
        assert [one.step for one in left] == ["dry", "wash"]
        await session.execute(text("update jobs set state = 'completed' where step = 'dry'"))
        assert await forget_finished(session, timedelta(days=5)) == 2
