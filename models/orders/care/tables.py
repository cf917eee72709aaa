"""Tables of what is done for a customer beside the work itself: looks at published links, and messages."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.orders.states import Side


class LinkCheck(Row):
    """A look of the monitor at the page on which a sold link was published."""

    __tablename__ = "orders_link_checks"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    is_ok: Mapped[bool]
    problem: Mapped[str | None]
    #: What was seen: {url, status, href, anchor, rel, robots, canonical}, as far as the page was there.
    found: Mapped[dict[str, Any]]

    __table_args__ = (Index("orders_link_checks_order", "order_id", "id"),)


class Message(Row):
    """What a customer and the editors write to each other about an order."""

    __tablename__ = "orders_messages"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    side: Mapped[Side]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("accounts_people.id"))
    words: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    #: When the other side had it before their eyes.
    read_at: Mapped[datetime | None]

    __table_args__ = (
        Index("orders_messages_order", "order_id", "id"),
        Index("orders_messages_unread", "order_id", "side", postgresql_where=text("read_at is null")),
        Index(
            "orders_messages_waiting",
            "at",
            postgresql_where=text("read_at is null and side = 'customer'"),
        ),
    )
