"""Reports that were made."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base.db import Row


class Export(Row):
    """One report. Its id is that of the job that made it, so that a job that begins twice makes one."""

    __tablename__ = "exports"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("accounts_people.id", ondelete="CASCADE"))
    data_set: Mapped[str]
    format: Mapped[str]
    rows: Mapped[int]
    bytes: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    #: From then on its file is deleted, and the row soon after.
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("exports_person", "person_id", "id"),
        Index("exports_expiry", "expires_at"),
    )

    @property
    def key(self) -> str:
        """Where its file lies in the storage."""
        return f"reports/{self.id}.{self.format}"
