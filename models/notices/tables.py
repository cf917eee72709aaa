"""Notices in people's inboxes, the systems that hear of events, and every delivery to one of them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row, new_id
from models.notices.states import DeliveryState


class Notice(Row):
    """Something that a person is told in their inbox."""

    __tablename__ = "notices"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("accounts_people.id", ondelete="CASCADE"))
    title: Mapped[str]
    body: Mapped[str]
    #: Where it leads: a path of ours.
    link: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    read_at: Mapped[datetime | None]

    __table_args__ = (
        Index("notices_person", "person_id", "id"),
        Index("notices_unread", "person_id", postgresql_where=text("read_at is null")),
        Index("notices_created", "created_at"),
    )


class Endpoint(Row):
    """A system of ours that hears of events by signed webhooks."""

    __tablename__ = "notices_endpoints"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    url: Mapped[str]
    words: Mapped[str]
    #: The names of the events that it hears of; none is every event.
    events: Mapped[list[Any]]
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)
    #: The secret before, which signs as well for a day after a rotation.
    sealed_old_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    old_secret_until: Mapped[datetime | None]
    #: Since when nothing has arrived; None while things arrive.
    failing_since: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]
    #: Why, for the people who look after it.
    disabled_because: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Delivery(Row):
    """One event on its way to one endpoint. Its id is the `webhook-id`, the same in every attempt."""

    __tablename__ = "notices_deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("notices_endpoints.id", ondelete="CASCADE"))
    event: Mapped[str]
    #: What is sent: {type, timestamp, data}.
    payload: Mapped[dict[str, Any]]
    state: Mapped[DeliveryState] = mapped_column(server_default=DeliveryState.WAITING)
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    #: The last attempt: the HTTP status if there was an answer, and its beginning, or why there was none.
    status: Mapped[int | None] = mapped_column(SmallInteger)
    answer: Mapped[str | None]
    took_ms: Mapped[int | None]
    tried_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        Index("notices_deliveries_endpoint", "endpoint_id", "id"),
        Index("notices_deliveries_state", "endpoint_id", "state", "id"),
        Index("notices_deliveries_created", "created_at"),
        # What tells of alerts is looked for when no worker lives, among all that waits then.
        Index(
            "notices_deliveries_alarms",
            "id",
            postgresql_where=text("state = 'waiting' and event in ('alert.raised', 'alert.ended')"),
        ),
    )
