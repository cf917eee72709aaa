"""Runs what the platform asks of itself: bulk actions, and telling of alerts."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.queries import staff
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import moment_words
from models.jobs.alerts import address_of, subject_of
from models.jobs.board_tables import AlertRow
from models.jobs.bulk import bulk_action, do_chunk
from models.jobs.jobs import DoBulkAction, EndBulkAction, TellOfAlert, end_bulk_action
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.mail.actions import write_letter
from models.notices.actions import announce
from tasks.runs import Result, Work, runs


@runs(DoBulkAction)
async def do_bulk_action(job: DoBulkAction, work: Work) -> Result:
    """Do one chunk after the other until none is left, or somebody stops it."""
    is_over = False
    while not is_over:
        async with work.transaction() as session:
            row = await do_chunk(session, job.bulk_id)
        is_over = row.finished_at is not None
        work.step(row.done + row.refused, row.total or 0, f"{row.done} done, {row.refused} refused")
    counts = {"done": row.done, "refused": row.refused, "total": row.total}
    async with work.finish(counts) as session:
        await _audit_end(session, job.bulk_id)
    return None


@runs(EndBulkAction)
async def run_end_bulk_action(job: EndBulkAction, work: Work) -> None:
    """End it with what its job died of."""
    async with work.finish() as session:
        died = select(JobRow.error).where(
            JobRow.subject == f"bulk/{job.bulk_id}", JobRow.state == JobState.DEAD
        )
        error = (await session.scalars(died.order_by(JobRow.id.desc()))).first()
        await end_bulk_action(session, job.bulk_id, f"Its job was given up: {error}")
        await _audit_end(session, job.bulk_id)


async def _audit_end(session: AsyncSession, bulk_id: UUID) -> None:
    row = await bulk_action(session, bulk_id)
    actor = await session.get(Person, row.asked_by) or "system"
    await audit(
        session,
        actor,
        f"jobs.bulk_{row.deed}_ended",
        f"bulk/{row.id}",
        is_stopped=row.stopped_at is not None,
        done=row.done,
        refused=row.refused,
        total=row.total,
    )


@runs(TellOfAlert)
async def tell_of_alert(job: TellOfAlert, work: Work) -> None:
    """Write to every admin, and to every system that wants to hear of it."""
    settings = work.world.settings
    async with work.finish() as session:
        alert = await session.get(AlertRow, job.alert_id)
        if alert is None:
            return
        facts = {
            "board_url": f"{settings.app.public_url}{address_of(alert)}",
            "words": alert.words,
            "since": moment_words(alert.opened_at),
            "until": moment_words(alert.resolved_at) if job.is_over and alert.resolved_at else None,
        }
        about, is_test = subject_of(alert.id), settings.is_test_mode
        for address in settings.mail.admins or [person.email for person in await staff(session, Role.ADMIN)]:
            key = f"alert:{alert.id}:{job.is_over}:{address}"
            await write_letter(session, "jobs.alert", address, facts, key=key, about=about, is_test=is_test)
        event = "alert.ended" if job.is_over else "alert.raised"
        told = {"id": str(alert.id), "kind": alert.kind.value, "subject": alert.subject, "words": alert.words}
        await announce(session, event, told)
