"""The file that a report has stored."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from models.exports.jobs import Report
from models.exports.tables import Export
from models.jobs.effects import Effect, Effects, Known
from models.jobs.tables import JobRow


async def _file(session: AsyncSession, job: JobRow) -> list[Effect]:
    """One that is stored again takes the place of the one before."""
    made = await session.get(Export, job.id)
    if made is None:
        return []
    return [
        Effect(f"person/{made.person_id}", job.kind, "file", made.key, Known.ONCE, f"{made.bytes:,} bytes.")
    ]


EFFECTS: Final[Mapping[str, Effects]] = {Report.kind: _file}
