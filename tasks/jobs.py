"""Runs what the platform asks of itself: bulk actions, and telling of alerts."""

from models.accounts.audit import audit
from models.accounts.queries import staff
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import moment_words
from models.jobs.board_tables import AlertRow
from models.jobs.bulk import bulk_action, do_chunk
from models.jobs.jobs import DoBulkAction, TellOfAlert
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
        row = await bulk_action(session, job.bulk_id)
        actor = await session.get(Person, row.asked_by) or "system"
        is_stopped = row.stopped_at is not None
        subject = f"bulk/{row.id}"
        await audit(session, actor, f"jobs.bulk_{row.deed}_ended", subject, is_stopped=is_stopped, **counts)
    return None


@runs(TellOfAlert)
async def tell_of_alert(job: TellOfAlert, work: Work) -> None:
    """Write to every admin, and to every system that wants to hear of it."""
    settings = work.world.settings
    async with work.finish() as session:
        alert = await session.get(AlertRow, job.alert_id)
        if alert is None:
            return
        facts = {
            "board_url": f"{settings.app.public_url}/admin/queues",
            "words": alert.words,
            "since": moment_words(alert.opened_at),
            "until": moment_words(alert.resolved_at) if job.is_over and alert.resolved_at else None,
        }
        for address in settings.mail.admins or [person.email for person in await staff(session, Role.ADMIN)]:
            key = f"alert:{alert.id}:{job.is_over}:{address}"
            await write_letter(session, "jobs.alert", address, facts, key=key, is_test=settings.is_test_mode)
        event = "alert.ended" if job.is_over else "alert.raised"
        told = {"id": str(alert.id), "kind": alert.kind.value, "subject": alert.subject, "words": alert.words}
        await announce(session, event, told)
