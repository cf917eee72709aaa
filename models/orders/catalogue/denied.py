"""The deny list: domains that no link may lead to. Those of the settings hold for ever, these are the admins'."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.db import new_id
from models.base.errors import Invalid, NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of, word
from models.base.settings import Settings
from models.orders.catalogue.rules import normal_domain
from models.orders.quality.domains import registrable_domain
from models.orders.rules import ascii_host
from models.orders.tables import DeniedDomain

MOST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Denied:
    """A domain on the list, why, and whose decision that was."""

    id: UUID
    domain: str
    reason: str
    at: datetime
    email: str | None


async def deny(session: AsyncSession, domain: str, reason: str, person: Person) -> DeniedDomain:
    """Put a domain, and everything below it, on the list. Raises `Invalid` for what is no domain or has no reason."""
    problems: dict[str, str] = {}
    try:
        domain = normal_domain(domain)
    except ValueError as error:
        problems["domain"] = str(error)
    if not reason:
        problems["reason"] = "Say why, for the colleague who reads this in a year."
    elif len(reason) > MOST_REASON:
        problems["reason"] = f"Shorten the reason to {MOST_REASON} characters."
    if problems:
        raise Invalid(problems)
    row = {"id": new_id(), "domain": domain, "reason": reason, "by_id": person.id}
    added = await session.scalars(
        insert(DeniedDomain).values(row).on_conflict_do_nothing().returning(DeniedDomain)
    )
    denied = added.one_or_none()
    if denied is None:
        raise Invalid({"domain": f"{domain} is on the list already."})
    await audit(session, person, "domain.denied", f"domain/{domain}", reason=reason)
    return denied


async def allow(session: AsyncSession, denied_id: UUID, person: Person) -> str:
    """Take a domain off the list; its name."""
    removed = await session.execute(
        delete(DeniedDomain)
        .where(DeniedDomain.id == denied_id)
        .returning(DeniedDomain.domain, DeniedDomain.reason)
    )
    row = removed.one_or_none()
    if row is None:
        raise NotFound("This domain is not on the list any more.")
    await audit(session, person, "domain.allowed", f"domain/{row.domain}", reason=row.reason)
    return str(row.domain)


async def denied_domains(session: AsyncSession, search: str = "", cursor: str | None = None) -> Page[Denied]:
    """A page of the list by name; with a search, the domain itself and what is above and below it."""
    query = (
        select(DeniedDomain.id, DeniedDomain.domain, DeniedDomain.reason, DeniedDomain.at, Person.email)
        .outerjoin(Person, Person.id == DeniedDomain.by_id)
        .order_by(DeniedDomain.domain)
        .limit(PAGE_SIZE + 1)
    )
    host = ascii_host(search)
    if host and host.isascii():
        query = query.where(or_(DeniedDomain.domain.in_(_above(host)), _below(host)))
    if cursor is not None:
        query = query.where(DeniedDomain.domain > decode_cursor(cursor, word)[0])
    rows = [Denied(*row) for row in await session.execute(query)]
    return page_of(rows, PAGE_SIZE, lambda row: [row.domain])


async def denied_for(session: AsyncSession, settings: Settings, url: str) -> Sequence[str]:
    """The domains that are not accepted, as far as they matter to this target or wherever it redirects to
    within its own domain: all of the settings, and the list's that are above it or share its domain.
    """
    always = tuple(map(ascii_host, settings.orders.denied_domains))
    try:
        host = ascii_host(urlsplit(url).hostname or "")
    except ValueError:
        return always
    if not (host.isascii() and host.isprintable() and host):
        return always
    own = registrable_domain(f"https://{host}") or host
    query = select(DeniedDomain.domain).where(or_(DeniedDomain.domain.in_(_above(host)), _below(own)))
    return (*always, *await session.scalars(query))


def _above(host: str) -> list[str]:
    """The host and every domain that it is in."""
    parts = host.split(".")
    return [".".join(parts[at:]) for at in range(len(parts))]


def _below(domain: str) -> ColumnElement[bool]:
    """The domains in this one, by an index on names that are written backwards."""
    backwards: Any = func.reverse(DeniedDomain.domain.collate("C"))
    start = f"{domain[::-1]}."
    return and_(backwards >= start, backwards < f"{domain[::-1]}/")
