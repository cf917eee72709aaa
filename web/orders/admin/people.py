"""People and their roles. For admins."""

from typing import Final
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import queries
from models.accounts.actions import set_role
from models.accounts.audit import history_of
from models.accounts.states import Role
from models.base.clock import now
from models.base.errors import Forbidden, Invalid
from web.forms import read
from web.guards import RECENT, admin, recently_signed_in
from web.lists import listed, searched
from web.orders.admin.forms import GivingRole
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor

LIST: Final = "/admin/people"
ROLES: Final = (
    (Role.CUSTOMER.value, "Customer", "Orders placements and sees their own."),
    (Role.ANALYST.value, "Analyst", "Looks at the job board, without what jobs carry."),
    (Role.EDITOR.value, "Editor", "Reviews and publishes every order, and sees jobs."),
    (Role.ADMIN.value, "Admin", "May also refund ended orders and give roles."),
)


class People(Controller):
    """Everybody who has an account."""

    path = LIST
    guards = [admin]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        session: Transaction,
        visitor: Who,
        q: FromQuery[str] = "",
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """A page of people, the latest to come first."""
        search = searched(q)
        found = await queries.people(session, search=search, cursor=cursor or None)
        return page(
            "orders/admin/people.html",
            visitor=visitor,
            search=search,
            **listed(found, LIST, cursor, q=search),
        )

    @get("/{person_id:uuid}/role", guards=[recently_signed_in])
    async def ask(self, session: Transaction, visitor: Who, person_id: FromPath[UUID]) -> Response[None]:
        """Which role should this person have?"""
        return await _asking(session, visitor, person_id)

    @post("/{person_id:uuid}/role")
    async def give(
        self, session: Transaction, visitor: Who, form: Submitted, person_id: FromPath[UUID]
    ) -> Response[None]:
        """Give a person another role: never oneself, so that somebody is always left who can."""
        if not visitor.signed_in_within(RECENT):
            return redirect(f"{LIST}/{person_id}/role")
        if person_id == visitor.somebody.id:
            raise Forbidden("You cannot change your own role. Another admin can.")
        try:
            wanted = read(GivingRole, form).role
        except Invalid as refusal:
            return await _asking(session, visitor, person_id, refusal.fields)
        person = await set_role(session, person_id, wanted, by=visitor.somebody, at=now())
        return redirect(LIST, notice=f"{person.email} is {person.role.value} now, and has to sign in again.")


async def _asking(
    session: AsyncSession, visitor: Visitor, person_id: UUID, problems: dict[str, str] | None = None
) -> Response[None]:
    person = await queries.person(session, person_id)
    return page(
        "orders/admin/person.html",
        visitor=visitor,
        status=422 if problems else 200,
        person=person,
        is_self=visitor.person is not None and visitor.person.id == person_id,
        roles=ROLES,
        entries=await history_of(session, f"person/{person_id}", limit=20),
        problems=problems or {},
    )
