"""The deny list. For admins."""

from typing import Final
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Invalid
from models.base.settings import Settings
from models.orders.catalogue.denied import allow, denied_domains, deny
from web.catalogue.forms import lines_of
from web.forms import shown
from web.guards import admin
from web.lists import listed, searched
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor

LIST: Final = "/admin/denied-domains"


class DenyList(Controller):
    """Domains that no link may lead to."""

    path = LIST
    guards = [admin]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        q: FromQuery[str] = "",
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """A page of the list."""
        return await _list(session, visitor, settings, search=searched(q), cursor=cursor or None)

    @post()
    async def add(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted
    ) -> Response[None]:
        """Put a domain on the list."""
        try:
            denied = await deny(session, **lines_of(form, "domain", "reason"), person=visitor.somebody)
        except Invalid as refusal:
            return await _list(session, visitor, settings, typed=shown(form), problems=refusal.fields)
        return redirect(LIST, notice=f"Links to {denied.domain} are not accepted any more.")

    @post("/{denied_id:uuid}/removal")
    async def remove(self, session: Transaction, visitor: Who, denied_id: FromPath[UUID]) -> Response[None]:
        """Take a domain off the list."""
        domain = await allow(session, denied_id, visitor.somebody)
        return redirect(LIST, notice=f"Links to {domain} are accepted again.")


async def _list(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    *,
    search: str = "",
    cursor: str | None = None,
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
) -> Response[None]:
    found = await denied_domains(session, search, cursor)
    return page(
        "catalogue/denied.html",
        visitor=visitor,
        status=422 if problems else 200,
        always=settings.orders.denied_domains,
        search=search,
        typed=typed or {},
        problems=problems or {},
        **listed(found, LIST, cursor, q=search),
    )
