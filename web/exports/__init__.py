"""Reports that were made: a list to download from, for people and for their programs."""

from typing import Any, Final

from models.exports import leaving
from web.exports.reports import ask, choose, download, reports

__all__ = ["handlers", "leaving"]

handlers: Final[list[Any]] = [reports, choose, ask, download]
