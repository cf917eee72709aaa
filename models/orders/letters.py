"""What the letters about an order are told."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.queries import staff
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.settings import Settings
from models.mail.actions import drop_letters, write_letter
from models.orders.rules import order_number
from models.orders.tables import Article, Order, Site

#: Letters that are not true of an order that has failed.
_UNTRUE_OF_FAILED: Final = (
    "orders.backlink_ready",
    "orders.regeneration_ready",
    "orders.article_ready",
    "orders.no_other_version",
    "orders.review_reminder",
    "orders.promise_late",
)


@dataclass(frozen=True, slots=True)
class Facts:
    """An order with everything that a letter may want to name."""

    order: Order
    article: Article
    site: Site
    customer: Person

    @property
    def number(self) -> str:
        """The order's number as people say it."""
        return order_number(self.order.number)


async def facts_of(session: AsyncSession, order_id: UUID) -> Facts:
    """Read what letters about this order need, in one query."""
    row = (
        await session.execute(
            select(Order, Article, Site, Person)
            .join(Article, Article.id == Order.article_id)
            .join(Site, Site.id == Article.site_id)
            .join(Person, Person.id == Order.person_id)
            .where(Order.id == order_id)
        )
    ).one()
    return Facts(*row)


def order_url(settings: Settings, order_id: UUID) -> str:
    """The order's page. It needs its owner's session: there is no key in it."""
    return f"{settings.app.public_url}/orders/{order_id}"


def invoice_url(settings: Settings, order: Order) -> str:
    """The page with the invoice of the order's payment, and with the credit notes if there are any."""
    return f"{settings.app.public_url}/invoices?payment={order.checkout_id}"


def review_url(settings: Settings, order_id: UUID) -> str:
    """The order's page for editors."""
    return f"{settings.app.public_url}/admin/orders/{order_id}"


def public_url(settings: Settings, site: Site, article: Article) -> str:
    """The article as its readers see it."""
    return f"{settings.app.public_url}/articles/{site.slug}/{article.slug}"


async def tell_customer(
    session: AsyncSession, settings: Settings, facts: Facts, name: str, key: str, **more: Any
) -> None:
    """Write the letter `orders.<name>` to the order's customer. `key` tells it from others of its kind."""
    order = facts.order
    told = {
        "order_url": order_url(settings, order.id),
        "order_number": facts.number,
        "article_title": facts.article.title,
        "site_name": facts.site.name,
        "anchor_text": order.anchor_text or None,
        "target_url": order.target_url or None,
    }
    await write_letter(
        session,
        f"orders.{name}",
        facts.customer.email,
        told | more,
        key=f"{name}:{order.id}:{key}",
        about=f"order/{order.id}",
        is_test=order.is_test,
    )


async def take_back_letters(session: AsyncSession, order_id: UUID) -> None:
    """Do not send what waits to be sent and is not true any more, because the order has failed."""
    await drop_letters(session, f"order/{order_id}", _UNTRUE_OF_FAILED)


async def tell_of_breach(
    session: AsyncSession, settings: Settings, truth: str, count: int, day: date
) -> None:
    """Write to every admin that something which must always hold does not, once a day for each such thing."""
    told = {
        "admin_url": f"{settings.app.public_url}/admin",
        "title": "Something that must always hold does not",
        "body": f"{count} found: {truth}. The first page for operators shows which.",
    }
    addresses = settings.mail.admins or [person.email for person in await staff(session, Role.ADMIN)]
    for address in addresses:
        key = f"truth:{day.isoformat()}:{truth}:{address}"
        await write_letter(
            session, "orders.admin_alert", address, told, key=key, is_test=settings.is_test_mode
        )


async def tell_staff(
    session: AsyncSession,
    settings: Settings,
    order: Order,
    name: str,
    key: str,
    *,
    role: Role = Role.EDITOR,
    **told: Any,
) -> None:
    """Write the letter `orders.admin_<name>` to everybody who looks after such things."""
    addresses = settings.mail.admins or [person.email for person in await staff(session, role)]
    for address in addresses:
        await write_letter(
            session,
            f"orders.admin_{name}",
            address,
            told,
            key=f"{name}:{order.id}:{key}:{address}",
            about=f"order/{order.id}",
            is_test=order.is_test,
        )
