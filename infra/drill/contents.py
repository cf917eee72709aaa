"""What a database holds, in a form that two of them can be compared in."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import audit
from models.base.settings.selling import SellerSettings
from models.everything import metadata
from models.orders.states import OrderStatus
from models.orders.tables import Article, Order, Version
from models.orders.truths import verdicts
from models.payments.invoices import paper_of
from models.payments.tables import Invoice
from web.payments.paper import render

#: The newest of them are printed and read again; that all are there, their rows tell.
SOME: Final = 20


@dataclass(frozen=True, slots=True)
class Contents:
    """What there is at one moment. Two databases that restore each other have equal contents."""

    #: By table: how many rows, and a digest of everything in them.
    tables: Mapping[str, tuple[int, str]]
    #: The rows of the audit log, the digest that its chain ends with, and where it is broken.
    audit_log: tuple[int, str, int | None]
    #: By truth about orders and money: what breaks it.
    truths: Mapping[str, tuple[str, ...]]
    #: By order: the digest of the text that was published for it.
    texts: Mapping[str, str]
    #: By invoice and credit note: the digest of its PDF.
    papers: Mapping[str, str]

    def differences(self, other: "Contents") -> list[str]:
        """What is in one and not, or not so, in the other: a sentence each."""
        return [
            f"{what} {name}: {mine.get(name)} there, {theirs.get(name)} restored"
            for what, mine, theirs in (
                ("table", self.tables, other.tables),
                ("audit log", {"": self.audit_log}, {"": other.audit_log}),
                ("truth", self.truths, other.truths),
                ("text of order", self.texts, other.texts),
                ("paper", self.papers, other.papers),
            )
            for name in sorted(mine.keys() | theirs.keys())
            if mine.get(name) != theirs.get(name)
        ]


async def contents(session: AsyncSession) -> Contents:
    """Everything, as this transaction sees it."""
    chain = await audit.verify(session)
    return Contents(
        tables={name: await _table(session, name) for name in metadata.tables},
        audit_log=(chain.checked, chain.digest.hex(), chain.broken_id),
        truths={one.truth: tuple(sorted(b.about for b in one.breaches)) for one in await verdicts(session)},
        texts=await _texts(session),
        papers=await _papers(session),
    )


async def _table(session: AsyncSession, name: str) -> tuple[int, str]:
    query = f"""
        select count(*), md5(coalesce(string_agg(digest, '' order by digest), ''))
          from (select md5(one::text) as digest from "{name}" one) rows
    """  # noqa: S608 - the names are our own
    return tuple((await session.execute(text(query))).one())


async def _texts(session: AsyncSession) -> dict[str, str]:
    query = (
        select(Order.id, Version.markdown)
        .join(Article, Article.id == Order.article_id)
        .join(Version, Version.id == Article.published_version_id)
        .where(Order.status == OrderStatus.COMPLETED)
        .order_by(Order.id.desc())
        .limit(SOME)
    )
    return {str(order_id): _digest(markdown.encode()) for order_id, markdown in await session.execute(query)}


async def _papers(session: AsyncSession) -> dict[str, str]:
    newest = (await session.scalars(select(Invoice).order_by(Invoice.id.desc()).limit(SOME))).all()
    seller = SellerSettings()
    return {str(one.id): _digest(render(await paper_of(session, one, seller))) for one in newest}


def _digest(whole: bytes) -> str:
    return hashlib.sha256(whole).hexdigest()[:16]
