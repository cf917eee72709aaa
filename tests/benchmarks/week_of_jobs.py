"""What a busy week leaves in the database: jobs, most of them done and a tenth waiting, and the counts of each minute.

Made there by statements: the engine would take minutes for what this takes one for.
"""

from typing import Final

import asyncpg

from models.everything import SCHEDULES
from models.jobs.message import kinds
from models.jobs.metrics import TIMES

#: Of a thousand jobs so many; the rest is done. Those that wait are the latest, but for the running ones.
WAITING, SCHEDULED, DEAD, CANCELLED = 100, 3, 5, 2
#: Of those that wait, one in so many is held back by the limit of its host.
HELD_BACK, HOSTS, CAUSES = 4, 200, 60
FLOWS, BULK_ACTIONS, WORKERS, SLOTS, LIMITS, ALERTS = 2000, 400, 6, 8, 40, 3000


def _id(at: str, salt: str) -> str:
    """SQL for an id as of that moment: its milliseconds, the version, and chance."""
    return (
        f"(lpad(to_hex((extract(epoch from {at}) * 1000)::bigint), 12, '0') || '7' || substr(md5({salt}), 1, 3)"
        f" || '8' || substr(md5({salt}), 4, 15))::uuid"
    )


#: $1 is how many jobs, $2 their kinds, $3 the queues of these.
_WEEK: Final = f"""
    create temporary table week as
    select n, now() - interval '7 days' * (1 - n / $1::float8) as at, kind, queue,
           'https://host' || n % {HOSTS} || '.example' as site,
           case when n > $1 - {SLOTS * WORKERS} then 'active'
                when n > $1 / 1000 * (1000 - {SCHEDULED}) then 'scheduled'
                when n > $1 / 1000 * (1000 - {SCHEDULED + WAITING}) then 'waiting'
                when n % 1000 < {DEAD} then 'dead'
                when n % 1000 < {DEAD + CANCELLED} then 'cancelled'
                else 'completed' end as state,
           case when n % 41 = 0 then 1 + n / 41 % {FLOWS} end as flow
      from generate_series(1, $1::int) n
      join (select ordinality - 1 as place, kind, queue, cardinality($2::text[]) as kinds
              from unnest($2::text[], $3::text[]) with ordinality as one (kind, queue, ordinality)) named
        on n % kinds = place
"""
_ROWS: Final = (
    f"""
    insert into job_workers (id, host, pid, queues, running, memory_bytes, beat_at)
    select gen_random_uuid(), 'galley-' || n, n, (select jsonb_object_agg(queue, {SLOTS}) from week), {SLOTS}, 120000000,
           now() + interval '1 day' from generate_series(0, {WORKERS - 1}) n
    """,
    f"""
    insert into job_flows (id, name, jobs, done, failed, created_at, finished_at)
    select {_id("min(at)", "'flow' || flow")}, 'import.' || flow % 7, count(*), count(*) filter (where state = 'completed'),
           count(*) filter (where state in ('dead', 'cancelled')), min(at),
           case when bool_and(state in ('completed', 'dead', 'cancelled')) then max(at) end
      from week where flow is not null group by flow
    """,
    f"""
    insert into jobs (id, kind, queue, args, state, priority, rank_at, run_at, attempt, max_attempts, subject, created_at,
                      started_at, finished_at, worker_id, result, error, fingerprint, limit_key, blocked_by, flow_id, step)
    select {_id("at", "n::text")}, kind, queue,
           jsonb_build_object('order_id', md5(n::text)::uuid, 'page', site || '/' || n, 'words', repeat('so many words ', 8)),
           state, 5, at, case state when 'scheduled' then now() + interval '1 hour' else at end,
           case when state in ('scheduled', 'waiting') then 0 when state = 'dead' then 3 else 1 end, 3,
           'order/' || md5((n / 5)::text)::uuid, at,
           case when state not in ('scheduled', 'waiting') then at + interval '30 ms' end,
           case when state in ('completed', 'dead', 'cancelled') then at + interval '30 ms' + interval '1 s' * (n % 40) end,
           case when state not in ('scheduled', 'waiting') then worker.id end,
           case state when 'completed' then jsonb_build_object('bytes', n) end,
           case state when 'dead' then 'Refused: cause ' || n % {CAUSES} || ' at ' || site end,
           case state when 'dead' then md5('cause' || n % {CAUSES}) end,
           case when is_held then 'host/' || substr(site, 9) end, case when is_held then 'limit/host/' || substr(site, 9) end,
           grouped.id, case when grouped.id is not null then 'step ' || n end
      from (select *, state = 'waiting' and n % {HELD_BACK} = 0 as is_held from week) one
      join job_workers worker on worker.pid = n % {WORKERS}
      left join (select flow, {_id("min(at)", "'flow' || flow")} as id from week where flow is not null group by 1) grouped
        using (flow)
    """,
    """
    insert into job_attempts (job_id, attempt, worker_id, outcome, error, traceback, fingerprint, started_at, finished_at)
    select id, number, worker_id, 'failed', error, repeat('  File "tasks/orders/placing.py", line 7, in place' || chr(10), 9),
           fingerprint, started_at, finished_at from jobs, generate_series(1, 3) number where state = 'dead'
    """,
    f"""
    insert into job_metrics (minute, queue, asked, completed, failed, dead, waits, runs)
    select minute, queue, 9, 9, 1, 0, spread, spread
      from generate_series(date_trunc('minute', now()) - interval '2 days', now(), interval '1 minute') minute,
           (select distinct queue from week) named,
           (select array_agg(b % 5::bigint) as spread from generate_series(1, {len(TIMES)}) b) histogram
    """,
    f"""
    insert into job_metric_steps (at, queue, asked, completed, failed, dead, waits, runs)
    select at, queue, 90, 90, 10, 0, spread, spread
      from generate_series(date_trunc('hour', now()) - interval '35 days', now(), interval '10 minutes') at,
           (select distinct queue from week) named,
           (select array_agg(b % 5::bigint) as spread from generate_series(1, {len(TIMES)}) b) histogram
    """,
    f"""
    insert into job_kind_minutes (minute, kind, asked, completed, failed, dead, waits, runs)
    select minute, kind, 2, 2, 0, 0, spread, spread
      from generate_series(date_trunc('minute', now()) - interval '2 hours', now(), interval '1 minute') minute,
           (select distinct kind from week) named,
           (select array_agg(b % 5::bigint) as spread from generate_series(1, {len(TIMES)}) b) histogram
    """,
    f"""
    insert into job_kind_hours (at, kind, asked, completed, failed, dead, waits, runs)
    select at, kind, 90, 90, 10, 0, spread, spread
      from generate_series(date_trunc('hour', now()) - interval '8 days', now(), interval '1 hour') at,
           (select distinct kind from week) named,
           (select array_agg(b % 5::bigint) as spread from generate_series(1, {len(TIMES)}) b) histogram
    """,
    f"""
    insert into job_limits (key, max_running) select 'host/host' || n || '.example', 2 from generate_series(1, {LIMITS - 1}) n
     union all select 'host/*', 2
    """,
    f"""
    insert into job_alerts (id, kind, subject, words, opened_at, resolved_at)
    select gen_random_uuid(), 'slow', 'queue ' || n, 'A job has waited for long in the queue ' || n || '.',
           now() - interval '1 hour' * n, case when n > 5 then now() - interval '50 minutes' * n end
      from generate_series(1, {ALERTS}) n
    """,
    f"""
    insert into job_bulk_actions (id, deed, filter, asked_by, total, done, created_at, finished_at)
    select {_id("at", "'bulk' || n")}, 'retry', 'state:dead', gen_random_uuid(), 900, 900, at, at + interval '1 minute'
      from (select n, now() - interval '20 minutes' * n as at from generate_series(1, {BULK_ACTIONS}) n) one
    """,
    """
    insert into job_bulk_chunks (bulk_id, last_id, job_ids, at)
    select bulk.id, chunks.last_id, job_ids, bulk.finished_at
      from job_bulk_actions bulk,
           (select (array_agg(id order by id desc))[1] as last_id, array_agg(id order by id) as job_ids
              from (select id, (row_number() over (order by id) - 1) / 100 as chunk
                      from jobs where state = 'dead' order by id limit 900) first
             group by chunk) chunks
    """,
    "vacuum analyze",
)  # fmt: skip


async def make(url: str, count: int) -> None:
    """Fill the migrated database with a week of `count` jobs."""
    assert SCHEDULES, "their modules define every kind"
    known = sorted(kinds().items())
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await connection.execute(
            _WEEK, count, [kind for kind, _ in known], [one.queue for _, one in known], timeout=600
        )
        for statement in _ROWS:
            await connection.execute(statement, timeout=600)
    finally:
        await connection.close()
