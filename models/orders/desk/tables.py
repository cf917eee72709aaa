"""What the editors' desk keeps for itself."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row


class AskedTruth(Row):
    """The last answer to one truth: nothing, or what breaks it. Written whenever the truths are asked."""

    __tablename__ = "orders_truths"

    truth: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
    #: (about, since) of each row that breaks it: `order/<id>`, and when it began in ISO 8601, if that is known.
    breaches: Mapped[list[Any]]
