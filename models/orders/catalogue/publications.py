"""Publications: making them, and changing what is said of them and how links are sold there."""

from dataclasses import asdict, replace

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.errors import Conflict, Invalid, NotFound
from models.orders.catalogue.content import add_site
from models.orders.catalogue.rules import (
    SellingRules,
    SiteFacts,
    normal_domain,
    price_problem,
    selling_problems,
    site_problems,
    slug_problem,
)
from models.orders.tables import Site


async def create_site(
    session: AsyncSession,
    slug: str,
    facts: SiteFacts,
    rules: SellingRules,
    price_cents: int,
    currency: str,
    person: Person,
) -> Site:
    """Add a publication. Raises `Invalid` with everything that is wrong."""
    problems = site_problems(facts) | selling_problems(rules)
    if problem := slug_problem(slug):
        problems["slug"] = problem
    if problem := price_problem(price_cents, currency):
        problems["price"] = problem
    if problems:
        raise Invalid(problems)
    facts = replace(facts, domain=normal_domain(facts.domain))
    money = {"price_cents": price_cents, "currency": currency}
    try:
        async with session.begin_nested():
            site = await add_site(
                session, by_id=person.id, slug=slug, **asdict(facts), **asdict(rules), **money
            )
    except IntegrityError:
        raise Invalid({"slug": "Choose another one: a site has this address already."}) from None
    await audit(session, person, "site.created", f"site/{site.id}", slug=slug)
    return site


async def change_site(
    session: AsyncSession,
    slug: str,
    facts: SiteFacts,
    rules: SellingRules | None,
    seen: int,
    person: Person,
) -> Site:
    """Change a publication; its rules of selling only if they are given, which is for admins.

    A closed site takes no new orders; those that are paid for go on. `seen` is the revision that the editor's page
    showed: `Conflict` if somebody has changed it since.
    """
    problems = site_problems(facts) | (selling_problems(rules) if rules else {})
    if problems:
        raise Invalid(problems)
    facts = replace(facts, domain=normal_domain(facts.domain))
    before = await site_of(session, slug)
    values = asdict(facts) | (asdict(rules) if rules else {})
    differences = {name: value for name, value in values.items() if getattr(before, name) != value}
    if not differences and seen == before.revision:
        return before
    changed = await session.scalars(
        update(Site)
        .where(Site.id == before.id, Site.revision == seen)
        .values(**differences, revision=Site.revision + 1, updated_at=func.now())
        .returning(Site)
        .execution_options(populate_existing=True)
    )
    site = changed.one_or_none()
    if site is None:
        raise Conflict(
            "Somebody else has changed this site since you opened it. Look at it as it is now, then change it."
        )
    await audit(session, person, "site.changed", f"site/{site.id}", **differences)
    return site


async def site_of(session: AsyncSession, slug: str) -> Site:
    """The site, open or not. Raises `NotFound`."""
    known = slug_problem(slug) is None
    site = (await session.scalars(select(Site).where(Site.slug == slug))).one_or_none() if known else None
    if site is None:
        raise NotFound("There is no such site.")
    return site
