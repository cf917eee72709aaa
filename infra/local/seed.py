"""Fills an empty database with the demo: its publications, their articles, an editor and an admin.

`python -m infra.local.seed` with DATABASE_URL. Everything in one transaction: there is a whole demo or none.
"""

import asyncio
import tomllib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from infra.local.people import ADMIN, EDITOR
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.db import Database, new_id
from models.base.settings import start
from models.orders.catalogue.content import add_article, add_site
from models.orders.catalogue.files import parsed

DEMO: Final = Path(__file__).parent / "demo"
#: What of a `site.toml` is a fact of the site; the rest describes its audience.
SITE_FIELDS: Final = (
    *("slug", "name", "domain", "niche", "language", "tagline", "about"),
    *("disclosure", "rel", "max_links_per_article", "price_cents", "currency"),
)


async def seed(session: AsyncSession) -> int:
    """Add the demo; how many articles there are."""
    for email, role in ((EDITOR, Role.EDITOR), (ADMIN, Role.ADMIN)):
        person = insert(Person).values(id=new_id(), email=email, role=role)
        await session.execute(person.on_conflict_do_nothing())
    count = 0
    for folder in sorted(path.parent for path in DEMO.glob("*/site.toml")):
        facts = tomllib.loads((folder / "site.toml").read_text())
        price = facts.get("article_price_cents")
        site = await add_site(
            session, article_price_cents=price, **{name: facts[name] for name in SITE_FIELDS}
        )
        for values in articles(folder):
            await add_article(session, site, **values)
            count += 1
    return count


def articles(folder: Path) -> Iterator[dict[str, Any]]:
    """The articles of one site as `add_article` takes them."""
    for path in sorted(folder.glob("*.md")):
        file = parsed(path.read_bytes().decode())
        values = asdict(file.facts) | {"status": file.status, "published_at": file.published_at}
        if file.price_cents is not None:
            values["price_cents"] = file.price_cents
        yield values


async def main() -> None:
    """Fill the database of DATABASE_URL."""
    database = Database(start().database.url, pool_size=1)
    try:
        async with database.transaction() as session:
            count = await seed(session)
    finally:
        await database.close()
    print(f"{count} articles, an editor and an admin are there")


if __name__ == "__main__":
    asyncio.run(main())
