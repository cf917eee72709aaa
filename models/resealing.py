"""`python -m models.resealing`: seals with SECRET_KEY whatever one of OLD_SECRET_KEYS has sealed.

After it no row needs an old secret any more. What has left the house does: the link to unsubscribe in a letter that was
sent is sealed as well.
"""

import asyncio
import sys
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import InstrumentedAttribute

from models.base.crypto import Keys
from models.base.db import Database
from models.base.settings import Settings, start
from models.jobs.tables import JobRow
from models.mail.tables import EmailMessage
from models.notices.tables import Endpoint

#: Every column that holds what `Keys.seal` has made.
SEALED: Final[tuple[InstrumentedAttribute[Any], ...]] = (
    Endpoint.sealed_secret,
    Endpoint.sealed_old_secret,
    JobRow.secret,
    EmailMessage.sealed_facts,
    EmailMessage.sealed_mime,
)
#: Rows that are read at once: a sealed letter may have 100 kB.
_AT_ONCE: Final = 100


@dataclass(slots=True)
class Outcome:
    """What became of a column's values."""

    resealed: int = 0
    #: Of a secret that is not known here. The product cannot open them either; they are left as they are.
    lost: int = 0


async def reseal(database: Database, keys: Keys, column: InstrumentedAttribute[Any]) -> Outcome:
    """Seal every value of a column with the newest secret. Whoever is ended meanwhile begins again.

    Each row is a transaction of its own and is written only if it is still what was read: nobody is waited for in turn,
    and what the product writes meanwhile wins.
    """
    outcome, after = Outcome(), UUID(int=0)
    while rows := await _some(database, column, after):
        for row_id, sealed in rows:
            try:
                newest = keys.reseal(sealed)
            except ValueError:
                outcome.lost += 1
                continue
            if newest != sealed:
                table = column.class_
                known = update(table).where(table.id == row_id, column == sealed)
                async with database.transaction() as session:
                    await session.execute(known.values({column.key: newest}))
                outcome.resealed += 1
        after = rows[-1][0]
    return outcome


async def _some(
    database: Database, column: InstrumentedAttribute[Any], after: UUID
) -> list[tuple[UUID, bytes]]:
    """The next rows in the order of their ids."""
    row_id = column.class_.id
    query = select(row_id, column).where(column.is_not(None), row_id > after)
    async with database.transaction() as session:
        found = await session.execute(query.order_by(row_id).limit(_AT_ONCE))
        return [(one[0], one[1]) for one in found]


async def _all(settings: Settings) -> bool:
    """Whether nothing is left that the newest secret cannot open."""
    database, keys, lost = Database(settings.database.url, pool_size=1), Keys.of(settings), 0
    try:
        for column in SEALED:
            outcome = await reseal(database, keys, column)
            lost += outcome.lost
            sys.stdout.write(
                f"{column}: {outcome.resealed} sealed anew, {outcome.lost} of an unknown secret\n"
            )
    finally:
        await database.close()
    return not lost


if __name__ == "__main__":
    sys.exit(not asyncio.run(_all(start())))
