"""The audit log, searched by who, what and about what. For admins."""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get
from litestar.params import FromQuery

from models.accounts.audit import search
from models.accounts.queries import person_by_email
from models.base.paging import Page
from web.guards import admin
from web.lists import listed, searched
from web.pages import page
from web.params import Transaction, Who

LIST: Final = "/admin/audit"


@get(LIST, guards=[admin])
async def audit_log(
    session: Transaction,
    visitor: Who,
    person: FromQuery[str] = "",
    action: FromQuery[str] = "",
    subject: FromQuery[str] = "",
    cursor: FromQuery[str | None] = None,
) -> Response[None]:
    """A page of entries, the latest first. `person` is an address or an id, `action` the beginning of one."""
    asked = {"person": searched(person).lower(), "action": searched(action), "subject": searched(subject)}
    person_id = await _person_id(session, asked["person"]) if asked["person"] else None
    found: Page[Any]
    if asked["person"] and person_id is None:
        found = Page((), None)
    else:
        found = await search(
            session,
            person_id=person_id,
            action=asked["action"],
            subject=asked["subject"],
            cursor=cursor or None,
        )
    return page(
        "orders/admin/audit.html",
        visitor=visitor,
        asked=asked,
        **listed(found, LIST, cursor, **asked),
    )


async def _person_id(session: Transaction, words: str) -> UUID | None:
    try:
        return UUID(words)
    except ValueError:
        person = await person_by_email(session, words)
        return person.id if person else None
