"""Bringing many articles in at once, as files, and taking them out again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.errors import Invalid
from models.orders.catalogue.content import add_article
from models.orders.catalogue.editing import COLUMNS, facts_of, head_number
from models.orders.catalogue.files import ArticleFile, parsed, written
from models.orders.catalogue.rules import price_problem
from models.orders.tables import Article, Site, Version

MOST_FILES: Final = 50
#: Of one file, in bytes. The text may have `catalogue_rules.MOST_MARKDOWN` characters.
LARGEST_FILE: Final = 512 * 1024
#: How many articles are read at a time when a whole site is exported.
BATCH: Final = 50


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as it came."""

    name: str
    content: bytes


@dataclass(slots=True)
class Checked:
    """A file that was looked at: the article in it, or what is wrong with it, by field."""

    name: str
    article: ArticleFile | None = None
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the files. `saved` is empty if nothing was to be saved before all are good."""

    checked: Sequence[Checked]
    saved: Sequence[str]

    @property
    def refused(self) -> list[Checked]:
        """The files with something wrong."""
        return [one for one in self.checked if one.problems]


async def import_articles(
    session: AsyncSession,
    site: Site,
    uploads: Sequence[Upload],
    person: Person,
    *,
    may_price: bool,
    only_good: bool = False,
) -> Imported:
    """Add the articles of these files to a site, each as its first version.

    All of them or, if `only_good`, those with nothing wrong. Only who `may_price` may bring prices in that are
    not the site's. Raises `Invalid` if these are no files at all, or too many.
    """
    if not uploads:
        raise Invalid({"files": "Choose one or more Markdown files."})
    if len(uploads) > MOST_FILES:
        raise Invalid({"files": f"Choose at most {MOST_FILES} files at a time; these are {len(uploads)}."})
    checked = [_checked(one, site, may_price=may_price) for one in uploads]
    await _find_twins(session, site, checked)
    good = [one.article for one in checked if one.article is not None and not one.problems]
    if len(good) < len(checked) and not only_good:
        return Imported(checked, [])
    for article in good:
        await _add(session, site, article, person)
    return Imported(checked, [article.facts.slug for article in good])


def _checked(upload: Upload, site: Site, *, may_price: bool) -> Checked:
    found = Checked(upload.name)
    if not upload.name.lower().endswith(".md"):
        found.problems["file"] = "Choose a Markdown file: its name ends in .md."
        return found
    if len(upload.content) > LARGEST_FILE:
        found.problems["file"] = f"Make the file smaller than {LARGEST_FILE // 1024} KB."
        return found
    try:
        found.article = parsed(upload.content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        found.problems["file"] = "Save the file as UTF-8 text."
        return found
    except Invalid as refusal:
        found.problems |= refusal.fields
        return found
    cents, published_at = found.article.price_cents, found.article.published_at
    if cents is not None and not may_price and cents != site.price_cents:
        found.problems["price_cents"] = "Remove this line, or let an admin import it: only admins set prices."
    elif cents is not None and (problem := price_problem(cents, site.currency)):
        found.problems["price_cents"] = problem
    if published_at is not None and published_at > now():
        found.problems["published"] = "Write a day that is not in the future."
    return found


async def _find_twins(session: AsyncSession, site: Site, checked: Sequence[Checked]) -> None:
    slugs = [one.article.facts.slug for one in checked if one.article]
    query = select(Article.slug).where(Article.site_id == site.id, Article.slug.in_(slugs))
    there = set(await session.scalars(query))
    for one in checked:
        if one.article is None:
            continue
        slug = one.article.facts.slug
        if slug in there:
            one.problems.setdefault(
                "slug", f"Choose another one: {slug} is there already, in this site or in a file before this."
            )
        there.add(slug)


async def _add(session: AsyncSession, site: Site, file: ArticleFile, person: Person) -> None:
    columns: dict[str, Any] = {name: getattr(file.facts, name) for name in COLUMNS}
    if file.price_cents is not None:
        columns["price_cents"] = file.price_cents
    article = await add_article(
        session,
        site,
        markdown=file.facts.markdown,
        status=file.status,
        by_id=person.id,
        published_at=file.published_at,
        **columns,
    )
    told = {"slug": article.slug, "status": file.status.value}
    await audit(session, person, "article.imported", f"article/{article.id}", **told)


# ---------------------------------------------------------------- and out again
def file_of(article: Article, markdown: str) -> str:
    """An article as the text of a file that can be imported."""
    facts = facts_of(article, markdown)
    return written(ArticleFile(facts, article.status, article.price_cents, article.published_at))


async def files_of(session: AsyncSession, site_id: UUID, after: str = "") -> list[tuple[str, str]]:
    """The next `BATCH` articles of a site whose slugs come after this one: slug and file, by slug."""
    number = head_number()
    query = (
        select(Article, Version.markdown)
        .join(Version, and_(Version.article_id == Article.id, Version.number == number))
        .where(Article.site_id == site_id, Article.slug > after)
        .order_by(Article.slug)
        .limit(BATCH)
    )
    return [(article.slug, file_of(article, markdown)) for article, markdown in await session.execute(query)]
