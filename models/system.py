"""How the installation stands, asked of its database: for whoever runs it. Which of this is well, `web/system` judges."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import first_id
from models.base.process import DISPATCHER_LOCK
from models.jobs.cron import Cron
from models.jobs.schedules import Schedule, all_schedules
from models.jobs.tables import ScheduleRow

#: How late a schedule may fire without anybody wondering.
GRACE: Final = timedelta(minutes=2)
TABLES_SHOWN: Final = 5
#: More letters that wait are not counted.
MOST_COUNTED: Final = 10_000

#: Other people's activity shows its process and no more, unless the product's role is in pg_read_all_stats.
_DATABASE: Final = text(
    """
    select current_setting('server_version') as version,
           pg_database_size(current_database()) as bytes,
           cast(current_setting('max_connections') as int)
             - cast(current_setting('superuser_reserved_connections') as int) as connections_allowed,
           clients.connections, clients.oldest_transaction_at, holder.backend_start as dispatcher_since,
           coalesce(host(holder.client_addr), 'this machine') as dispatcher_host,
           (select version_num from alembic_version) as revision
      from (select count(*) as connections,
                   min(xact_start) filter (where datname = current_database() and pid <> pg_backend_pid())
                       as oldest_transaction_at
              from pg_stat_activity where backend_type = 'client backend') clients
      left join (select a.backend_start, a.client_addr
                   from pg_locks l join pg_stat_activity a using (pid)
                  where l.locktype = 'advisory' and l.granted and a.datname = current_database()
                    and l.classid = 0 and l.objid = :lock and l.objsubid = 1) holder on true
    """
)
_PROCESSES: Final = text(
    """
    select split_part(application_name, ' ', 1) as process, count(*) as connections
      from pg_stat_activity where backend_type = 'client backend' and datname = current_database()
     group by 1 order by 2 desc, 1
    """
)
_TABLES: Final = text(
    """
    select relname as name, pg_total_relation_size(oid) as bytes, nullif(reltuples, -1)::bigint as rows
      from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
     order by 2 desc limit :most
    """
)
_OUTSIDE: Final = text(
    """
    select (select count(*) from (select from email_messages where state = 'queued' limit :most + 1) line) as queued,
           (select created_at from email_messages where state = 'queued' order by id limit 1) as oldest_queued_at,
           (select count(*) from email_messages
             where state in ('sending', 'unknown') and claimed_at < now() - interval '2 minutes') as unsettled,
           (select count(*) from email_messages where state = 'failed' and id >= :today) as failed_today,
           (select min(received_at) from payments_stripe_events
             where state in ('received', 'stranded')) as oldest_unhandled_at,
           latest.received_at as last_event_at, latest.api_version as event_version
      from (select) here
      left join (select received_at, api_version from payments_stripe_events
                  order by received_at desc limit 1) latest on true
    """
)


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The server, its connections and transactions, and who holds the dispatcher's lock. Sizes are in bytes."""

    version: str
    bytes: int
    connections: int
    connections_allowed: int
    oldest_transaction_at: datetime | None
    #: The migration that the database stands at.
    revision: str | None
    #: None if nobody holds the lock.
    dispatcher_since: datetime | None
    dispatcher_host: str


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table with its indexes. `rows` is the planner's estimate; None as long as it has made none."""

    name: str
    bytes: int
    rows: int | None


@dataclass(frozen=True, slots=True)
class OutsideFacts:
    """Letters that have not left, and what Stripe has told. `queued` is counted to one more than `MOST_COUNTED`."""

    queued: int
    oldest_queued_at: datetime | None
    #: Sent, and nobody knows whether they arrived.
    unsettled: int
    #: Of today's (UTC).
    failed_today: int
    oldest_unhandled_at: datetime | None
    last_event_at: datetime | None
    #: Stripe's API version that the last event was written in.
    event_version: str | None


async def database_facts(session: AsyncSession) -> DatabaseFacts:
    """The database as it is now."""
    row = (await session.execute(_DATABASE, {"lock": DISPATCHER_LOCK})).mappings().one()
    return DatabaseFacts(**row)


async def connected_processes(session: AsyncSession) -> dict[str, int]:
    """How many connections each kind of process holds, the most first."""
    return {row.process or "unnamed": row.connections for row in await session.execute(_PROCESSES)}


async def largest_tables(session: AsyncSession) -> Sequence[TableFacts]:
    """The tables that take the most room."""
    rows = await session.execute(_TABLES, {"most": TABLES_SHOWN})
    return [TableFacts(**row) for row in rows.mappings()]


async def outside_facts(session: AsyncSession, at: datetime) -> OutsideFacts:
    """Mail and payments, as far as they have come here at `at`."""
    today = first_id(at.replace(hour=0, minute=0, second=0, microsecond=0))
    row = (await session.execute(_OUTSIDE, {"most": MOST_COUNTED, "today": today})).mappings().one()
    return OutsideFacts(**row)


async def late_schedules(session: AsyncSession, known: Iterable[Schedule], at: datetime) -> Sequence[str]:
    """The names of the schedules that should have fired more than `GRACE` ago and did not. Paused ones are not late."""
    then = at - GRACE
    slots = {row.name: row.slot for row in await session.scalars(select(ScheduleRow))}
    late = []
    for one in await all_schedules(session, known, then):
        if one.next_at is None:
            continue
        due = (
            one.next_at - one.every
            if one.every
            else Cron.read(one.cron or "", one.zone or "UTC").latest(then)
        )
        if one.name not in slots or slots[one.name] < due:
            late.append(one.name)
    return late
