"""What placements cost in a site and in its articles, and did before. Everybody at the desk sees it; admins set it."""

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Invalid
from models.orders.catalogue.prices import prices, same_priced, set_article_price, set_site_price
from models.orders.catalogue.publications import site_of
from models.orders.tables import Article, Site
from web.catalogue.edited import ARTICLE, Edited, home_of
from web.catalogue.forms import cents_of
from web.forms import shown
from web.guards import admin, editor
from web.lists import listed
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor


class Prices(Controller):
    """The prices of a site and of one article."""

    path = "/admin/sites/{slug:str}"
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute
    dependencies = ARTICLE

    @get("/prices")
    async def of_site(
        self,
        session: Transaction,
        visitor: Who,
        slug: FromPath[str],
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """What the site asks for in new articles."""
        return await _history(session, visitor, await site_of(session, slug), cursor=cursor)

    @post("/prices", guards=[admin])
    async def set_of_site(
        self, session: Transaction, visitor: Who, form: Submitted, slug: FromPath[str]
    ) -> Response[None]:
        """Set it, and if asked that of the articles which cost the same."""
        site = await site_of(session, slug)
        typed = shown(form)
        try:
            moved = await set_site_price(
                session,
                site,
                cents_of(form),
                visitor.somebody,
                with_articles=bool(typed.get("with_articles")),
            )
        except Invalid as refusal:
            return await _history(
                session, visitor, site, problems=refusal.fields, typed=typed.get("price", "")
            )
        words = "This is the price already."
        if moved is not None:
            articles = f", and that of {moved:,} {'article' if moved == 1 else 'articles'}"
            words = f"The price is set{articles if moved else ''}."
        return redirect(f"/admin/sites/{slug}/prices", notice=words)

    @get("/articles/{article_id:uuid}/prices")
    async def of_article(
        self,
        session: Transaction,
        visitor: Who,
        read: Edited,
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """What a placement in this article costs."""
        there = await read()
        return await _history(session, visitor, there.site, there.article, cursor=cursor)

    @post("/articles/{article_id:uuid}/prices", guards=[admin])
    async def set_of_article(
        self, session: Transaction, visitor: Who, form: Submitted, read: Edited
    ) -> Response[None]:
        """Set it. Orders that are paid for, or at the checkout, keep theirs."""
        there = await read()
        try:
            is_new = await set_article_price(
                session, there.site, there.article, cents_of(form), visitor.somebody
            )
        except Invalid as refusal:
            typed = shown(form).get("price", "")
            return await _history(
                session, visitor, there.site, there.article, problems=refusal.fields, typed=typed
            )
        words = "The price is set." if is_new else "This is the price already."
        return redirect(f"{home_of(there)}/prices", notice=words)


async def _history(
    session: AsyncSession,
    visitor: Visitor,
    site: Site,
    article: Article | None = None,
    *,
    cursor: str | None = None,
    problems: dict[str, str] | None = None,
    typed: str | None = None,
) -> Response[None]:
    priced = article or site
    found = await prices(session, site, article, cursor or None)
    here = f"/admin/sites/{site.slug}" + (f"/articles/{article.id}" if article else "") + "/prices"
    return page(
        "catalogue/prices.html",
        visitor=visitor,
        status=422 if problems else 200,
        site=site,
        article=article,
        priced=priced,
        typed=f"{priced.price_cents // 100}.{priced.price_cents % 100:02}" if typed is None else typed,
        problems=problems or {},
        followers=await same_priced(session, site) if article is None else 0,
        here=here,
        **listed(found, here, cursor),
    )
