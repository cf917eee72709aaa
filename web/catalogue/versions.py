"""The versions of an article: what it was, what changed between any two, and the way back."""

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Conflict, NotFound
from models.orders.catalogue.admin_queries import versions_of
from models.orders.catalogue.editing import Editable, restore, version_of
from models.orders.tables import Version
from web.catalogue.edited import ARTICLE, Edited, home_of
from web.forms import shown
from web.guards import editor
from web.lists import listed
from web.orders.result import blocks_of
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor


class Versions(Controller):
    """Look at them, compare them, bring one back."""

    path = "/admin/sites/{slug:str}/articles/{article_id:uuid}/versions"
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute
    dependencies = ARTICLE

    @get()
    async def index(
        self,
        session: Transaction,
        visitor: Who,
        read: Edited,
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """A page of the versions, the latest first."""
        there = await read()
        found = await versions_of(session, there.article, cursor or None)
        here = f"{home_of(there)}/versions"
        shown = listed(found, here, cursor)
        return page("catalogue/versions.html", visitor=visitor, there=there, here=here, **shown)

    @get("/{number:int}")
    async def show(
        self,
        session: Transaction,
        visitor: Who,
        read: Edited,
        number: FromPath[int],
        against: FromQuery[str | None] = None,
    ) -> Response[None]:
        """What a version changed in the one it was made from, or differs by from the one that is asked for."""
        there = await read()
        version = await version_of(session, there.article, number)
        return await _shown(session, visitor, there, version, against)

    @post("/{number:int}/restoration")
    async def bring_back(
        self,
        session: Transaction,
        visitor: Who,
        form: Submitted,
        read: Edited,
        number: FromPath[int],
    ) -> Response[None]:
        """Make a new version with this old text."""
        there = await read()
        slug, article_id = there.site.slug, there.article.id
        version = await version_of(session, there.article, number)
        try:
            saved = await restore(
                session, slug, article_id, number, shown(form).get("seen", ""), visitor.somebody
            )
        except Conflict as refusal:
            return await _shown(session, visitor, await read(), version, None, refusal.words)
        words = f"The text of version {number} is back, as version {saved.head.number}."
        return redirect(home_of(saved), notice=words)


async def _shown(
    session: AsyncSession,
    visitor: Visitor,
    there: Editable,
    version: Version,
    against: str | None,
    problem: str | None = None,
) -> Response[None]:
    other = await _other(session, there, version, against)
    return page(
        "catalogue/version.html",
        visitor=visitor,
        status=409 if problem else 200,
        there=there,
        version=version,
        other=other,
        problem=problem,
        here=f"{home_of(there)}/versions",
        blocks=blocks_of(other.markdown, version.markdown) if other is not None else [],
    )


async def _other(
    session: AsyncSession, there: Editable, version: Version, against: str | None
) -> Version | None:
    """The version to compare with. None for the first one, which was made from nothing."""
    if against:
        if not (against.isascii() and against.isdigit() and len(against) < 10):  # noqa: PLR2004 - no version has more
            raise NotFound("This article has no such version.")
        return await version_of(session, there.article, int(against))
    if version.base_version_id is None:
        return None
    return await session.get(Version, version.base_version_id)
