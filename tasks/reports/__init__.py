"""Makes reports: rows are read some hundred at a time and written to a file beside, which is then stored."""

from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.clock import now
from models.base.errors import Conflict
from models.everything import DATA_SETS
from models.exports.actions import chosen, expired, forget, keep
from models.exports.data_sets import DataSet
from models.exports.jobs import MEDIA_TYPES, ForgetReports, Report
from models.files.storage import storage_of
from models.jobs.tables import JobRow
from models.notices.actions import announce, notify
from tasks.reports.sheets import sheet
from tasks.runs import Work, runs

#: A file goes so long after the last day that it can be asked for, as in a bucket (infra/terraform/storage.tf).
OVERLOOKED: Final = timedelta(days=30)


@runs(Report)
async def make_report(job: Report, work: Work) -> None:
    """Make the file, store it, and tell whoever asked for it."""
    settings = work.world.settings.files
    async with work.transaction() as session:
        person = await _asker(session, work.job_id)
    data_set = chosen(DATA_SETS, person, job)
    with TemporaryDirectory(prefix="report-") as folder:
        file = Path(folder) / f"report.{job.format}"
        rows = await _write(work, data_set, person, job, file)
        size = file.stat().st_size
        await storage_of(settings).put(f"reports/{work.job_id}.{job.format}", file, MEDIA_TYPES[job.format])
    url = f"{work.world.settings.app.public_url}/api/reports/{work.job_id}"
    told = {"dataSet": job.data_set, "format": job.format, "rows": rows, "bytes": size, "url": url}
    async with work.finish(told) as session:
        person = await session.get_one(Person, person.id, with_for_update=True)
        # If they left while it was made, its row is there for the file to be deleted, at once.
        has_left = person.erased_at is not None
        days = 0 if has_left else settings.keep_days
        await keep(session, work.job_id, person, job, rows=rows, size=size, keep_days=days)
        if has_left:
            return
        words = f"{rows:,} rows, {job.format.upper()}. It can be downloaded for {settings.keep_days} days."
        await notify(session, person.id, f"Your report is ready: {data_set.title}", words, link="/reports")
        await announce(session, "report.ready", {"id": str(work.job_id), **told})


async def _write(work: Work, data_set: DataSet, person: Person, job: Report, file: Path) -> int:
    count = 0
    with sheet(job.format, file, data_set.title, data_set.columns) as add:
        async for lot in data_set.rows(work.world.database, person):
            add(lot)
            count += len(lot)
            work.step(count, count, f"{count:,} rows written")
    return count


async def _asker(session: AsyncSession, job_id: UUID) -> Person:
    query = select(Person).join(JobRow, JobRow.asked_by == Person.id).where(JobRow.id == job_id)
    person = (await session.scalars(query)).one()
    if person.erased_at is not None:
        raise Conflict("Whoever asked for this report has left.")
    return person


@runs(ForgetReports)
async def forget_reports(job: ForgetReports, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Delete files whose time is over, and then the rows that name them; long after, files that no row names."""
    async with work.transaction() as session:
        over = await expired(session, now())
    settings = work.world.settings.files
    storage = storage_of(settings)
    for one in over:
        await storage.delete(one.key)
    await storage.sweep("reports", now() - timedelta(days=settings.keep_days) - OVERLOOKED)
    async with work.finish() as session:
        await forget(session, over)
