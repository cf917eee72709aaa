"""The sites: what is said of them, and how links are sold in them. Editors say, admins sell."""

from dataclasses import asdict
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery

from models.accounts.states import Role
from models.base.errors import Conflict, Invalid
from models.orders.catalogue.admin_queries import sites
from models.orders.catalogue.publications import change_site, create_site, site_of
from models.orders.catalogue.rules import CURRENCIES, RELS, SellingRules, SiteFacts
from models.orders.tables import Site
from web.catalogue.forms import cents_of, selling_rules, site_facts
from web.forms import FormData, shown
from web.guards import admin, editor
from web.lists import listed
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor

LIST: Final = "/admin/sites"
EMPTY: Final = {
    **asdict(SiteFacts(name="", domain="", niche="", language="en", tagline="", about="")),
    **asdict(SellingRules(disclosure="", rel=RELS[0], max_links_per_article=5, is_open=True)),
    "slug": "",
    "price": "",
    "currency": CURRENCIES[0],
}


class Sites(Controller):
    """Every site, open or closed."""

    path = LIST
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """A page of the sites."""
        found = await sites(session, cursor or None)
        return page("catalogue/sites.html", visitor=visitor, **listed(found, LIST, cursor))

    @get("/new", guards=[admin])
    async def new(self, visitor: Who) -> Response[None]:
        """An empty form."""
        return _form(visitor, None, dict(EMPTY))

    @post(guards=[admin])
    async def create(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Add a site, with its rules and its price."""
        typed = shown(form)
        try:
            made = await create_site(session, *_wanted(form), visitor.somebody)
        except Invalid as refusal:
            closed: dict[str, Any] = {**EMPTY, "is_open": False}
            return _form(visitor, None, closed | typed, refusal.fields)
        return redirect(f"{LIST}/{made.slug}/articles", notice=f"{made.name} is there. Now give it articles.")

    @get("/{slug:str}")
    async def show(self, session: Transaction, visitor: Who, slug: FromPath[str]) -> Response[None]:
        """The site in its form."""
        site = await site_of(session, slug)
        return _form(visitor, site, _values(site))

    @post("/{slug:str}")
    async def change(
        self, session: Transaction, visitor: Who, form: Submitted, slug: FromPath[str]
    ) -> Response[None]:
        """Change what is said of it and, for admins, how it sells."""
        site = await site_of(session, slug)
        typed = shown(form)
        is_admin = visitor.has_role(Role.ADMIN)
        seen = typed.get("seen", "")
        unticked: dict[str, Any] = {"is_open": False} if is_admin else {}
        try:
            facts, rules = site_facts(form), selling_rules(form) if is_admin else None
            revision = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else 0  # noqa: PLR2004 - no revision has more
            async with session.begin_nested():
                await change_site(session, slug, facts, rules, revision, visitor.somebody)
        except Invalid as refusal:
            return _form(visitor, site, _values(site) | unticked | typed, refusal.fields)
        except Conflict:
            now = _values(await site_of(session, slug))
            return _form(visitor, site, now | unticked | typed | {"seen": now["seen"]}, there=now)
        return redirect(f"{LIST}/{slug}", notice="Saved.")


def _wanted(form: FormData) -> tuple[str, SiteFacts, SellingRules, int, str]:
    """What the form of a new site asks for. An amount that cannot be read is none, which the rules refuse."""
    typed = shown(form)
    try:
        cents = cents_of(form)
    except Invalid:
        cents = 0
    return (
        typed.get("slug", "").strip(),
        site_facts(form),
        selling_rules(form),
        cents,
        typed.get("currency", ""),
    )


def _values(site: Site) -> dict[str, Any]:
    return {name: getattr(site, name) for name in EMPTY if name != "price"} | {
        "price": "",
        "seen": str(site.revision),
    }


def _read(name: str, typed: dict[str, Any]) -> Any:
    """A field as it was typed, in the type that the site has it in."""
    value = typed.get(name, "")
    if name == "max_links_per_article":
        return int(value) if str(value).isascii() and str(value).isdigit() else value
    return bool(value) if name == "is_open" else value


def _form(
    visitor: Visitor,
    site: Site | None,
    typed: dict[str, Any],
    problems: dict[str, str] | None = None,
    there: dict[str, Any] | None = None,
) -> Response[None]:
    """`there` is what a colleague has made of the site since this form was opened."""
    return page(
        "catalogue/site_form.html",
        visitor=visitor,
        status=409 if there else 422 if problems else 200,
        site=site,
        typed=typed,
        rels=[(rel, rel) for rel in RELS],
        currencies=[(code, code.upper()) for code in CURRENCIES],
        is_admin=visitor.has_role(Role.ADMIN),
        problems=problems or {},
        conflict=[
            (name, there[name]) for name in there if name != "seen" and there[name] != _read(name, typed)
        ]
        if there
        else None,
    )
