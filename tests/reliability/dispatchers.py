"""Dispatchers that act beside each other, and one that dies: what each of them does, it does by rows that it takes."""

from signal import SIGKILL

import orjson

from tests.reliability.messages import Do
from tests.reliability.stage import Stage

#: Whoever goes to move a schedule's slot stands still before it, for as long as the door is shut: before the statement has
#: found its row, or those who come later would wait for the row.
_DOOR = (
    "create table door as select",
    """
    create function wait() returns trigger language plpgsql as $$
    begin
        while current_query() like '%set slot%' and exists (select from door) loop perform pg_sleep(0.02); end loop;
        return null;
    end $$
    """,
    "create trigger wait before update on job_schedules for each statement execute function wait()",
)
#: Those who come from now on pass. Whoever stands there stays.
_PASS = "create or replace function wait() returns trigger language plpgsql as 'begin return null; end'"
_STANDS = "select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
_LOSE_THE_LOCK = """
select pg_terminate_backend(pid) from pg_stat_activity
 where application_name = 'dispatcher lock' and datname = current_database()
"""
#: A schedule of somebody's own, of which one slot is due, and the next one next year.
_SCHEDULE = """
insert into job_schedules (name, slot, cron, zone, kind, args) values ('once', '2020-01-01', '0 0 1 1 *', 'UTC', $1, $2::jsonb)
"""
_IDLE = """
select where not exists (select from pg_stat_activity
                          where application_name = 'dispatcher' and state <> 'idle' and datname = current_database())
"""
_FIRED = "select count(*) from jobs where unique_key like 'schedule/%' group by unique_key"


async def killed_ringing(stage: Stage) -> None:
    """Scheduled jobs were let wait, and no worker was told."""
    victim = stage.start("dispatcher", crash_at="before the dispatcher rings")
    await stage.ask(stage.size.jobs, after=0.3)
    assert await stage.ended(victim) == -SIGKILL
    stage.start("worker")
    await stage.until_done()


async def killed_rescuing(stage: Stage) -> None:
    """The one that takes back what a dead worker held dies as well."""
    victim = stage.start("dispatcher", crash_at="in a rescue, before its commit")
    await stage.ask(16, seconds=0.3)
    await stage.ask(stage.size.jobs - 16)
    worker = stage.start("worker")
    await stage.until_active(8)
    await stage.strike(worker)
    worker.kill()
    assert await stage.ended(victim) == -SIGKILL
    stage.start("dispatcher")
    stage.start("worker")
    await stage.until_done()


async def killed_firing(stage: Stage) -> None:
    """The slot has moved and the job was not asked for yet: one transaction, so it is fired by the next, once."""
    victim = stage.start("dispatcher", crash_at="in the firing of a schedule")
    assert await stage.ended(victim) == -SIGKILL
    assert await stage.fetch("select 1 from job_schedules where fired_at is not null") == []
    stage.start("dispatcher")
    await _fired_once(stage)


async def overtaken_in_a_firing(stage: Stage) -> None:
    """A dispatcher has seen that a slot is due, loses its lock, and is replaced. When it goes on, all is done."""
    stage.start("dispatcher")
    await stage.until("select from job_schedules having count(*) > 1")
    for statement in _DOOR:
        await stage.fetch(statement)
    [token] = stage.take(1)
    job = Do(token=token, act="write", seconds=0)
    await stage.fetch(_SCHEDULE, job.kind, orjson.dumps(job.args()).decode())
    stage.answered.add(token)
    await stage.until(_STANDS)
    await stage.fetch(_PASS)
    await stage.fetch(_LOSE_THE_LOCK)
    stage.start("dispatcher")
    stage.start("worker")
    await stage.until("select from effects where effect = 'done'")
    await stage.until_done()
    await stage.fetch("delete from door")
    await stage.until(_IDLE)
    await stage.until_done()


async def side_by_side(stage: Stage) -> None:
    """Two dispatchers believe that they are the only one: what is due is done once all the same, and who died is rescued."""
    for _ in range(2):
        stage.start("dispatcher", without="lock_of_the_dispatcher")
    await stage.until_acting(2)
    victim = stage.start("worker")
    await stage.ask(16, seconds=0.3)
    await stage.ask(stage.size.jobs - 16, after=0.3)
    await stage.until_active(8)
    await stage.strike(victim)
    victim.kill()
    stage.start("worker")
    await stage.until_done()
    await _fired_once(stage)


async def _fired_once(stage: Stage) -> None:
    await stage.until(_FIRED)
    assert {row["count"] for row in await stage.fetch(_FIRED)} == {1}
