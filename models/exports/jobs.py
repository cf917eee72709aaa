"""What may be asked of the workers about reports. `Report` is also a type of the job API: its fields are what
`data` holds.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar, Final, Literal

from msgspec import Meta

from models.jobs import Job
from models.jobs.schedules import Schedule

FileFormat = Literal["csv", "xlsx", "pdf"]

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


class Report(Job, frozen=True, rename="camel"):
    """Make a file of a set of data, for whoever asked."""

    kind: ClassVar[str] = "exports.report"
    queue: ClassVar[str] = "reports"
    timeout: ClassVar[timedelta] = timedelta(minutes=10)

    data_set: Annotated[str, Meta(description="The name of a set of data", max_length=60)]
    format: FileFormat = "csv"


class ForgetReports(Job, frozen=True):
    """Delete the files of reports whose time is over."""

    kind: ClassVar[str] = "exports.forget"
    queue: ClassVar[str] = "reports"
    priority: ClassVar[int] = 7


SCHEDULES = (Schedule("exports.forget", timedelta(hours=1), ForgetReports()),)
