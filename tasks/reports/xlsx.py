"""Reports as workbooks of one sheet, written row by row and never held whole."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from models.exports.data_sets import Cell
from tasks.reports.cells import Add, Column, Sort, columns_of

#: What XML 1.0 cannot hold at all.
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_A_NAME: Final = re.compile(r"[\[\]:*?/\\']")
#: The longest text of a cell and name of a sheet.
_LONGEST: Final = 32_767
_LONGEST_NAME: Final = 31
#: How wide a column is at most, in letters, and what the button of the filter takes of its heading.
_WIDEST: Final = 60
_BUTTON: Final = 3


@contextmanager
def workbook(file: Path, title: str, names: Sequence[str]) -> Iterator[Add]:
    """Write a workbook of one sheet. Its first row stays in sight and filters; columns are as wide as the first rows want."""
    from xlsxwriter import Workbook

    with Workbook(file, {"constant_memory": True}) as book:
        sheet = _Sheet(book, title, names)
        yield sheet.add
        sheet.end()


class _Sheet:
    def __init__(self, book: Any, title: str, names: Sequence[str]) -> None:
        self._sheet = book.add_worksheet(_NOT_IN_A_NAME.sub(" ", title)[:_LONGEST_NAME])
        self._names = names
        self._columns: list[Column] = []
        self._written = 0
        self._bold = book.add_format({"bold": True})
        self._formats = {
            Sort.MONEY: book.add_format({"num_format": "#,##0.00"}),
            Sort.MOMENT: book.add_format({"num_format": "yyyy-mm-dd hh:mm"}),
            Sort.NUMBER: book.add_format({"num_format": "#,##0"}),
        }

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        if not self._columns:
            self._begin(rows)
        for row in rows:
            for at, cell in enumerate(row):
                if cell is not None:
                    self._write(at, cell)
            self._written += 1

    def end(self) -> None:
        if not self._columns:
            self._begin([])
        self._sheet.autofilter(0, 0, self._written - 1, len(self._columns) - 1)

    def _begin(self, rows: Sequence[Sequence[Cell]]) -> None:
        self._columns = columns_of(self._names, rows)
        self._sheet.freeze_panes(1, 0)
        for at, column in enumerate(self._columns):
            widest = max((len(column.shown(row[at])) for row in rows), default=0)
            self._sheet.set_column(at, at, min(_WIDEST, max(widest, len(column.title) + _BUTTON)) + 1)
            self._sheet.write_string(0, at, column.title, self._bold)
        self._written = 1

    def _write(self, at: int, cell: Cell) -> None:
        sort = self._columns[at].sort
        if isinstance(cell, bool):
            self._sheet.write_boolean(self._written, at, cell)
        elif isinstance(cell, int | Decimal):
            number = cell / Decimal(100) if sort is Sort.MONEY else cell
            # A fraction keeps its places: the format of whole numbers would hide them.
            is_whole = sort is Sort.MONEY or isinstance(cell, int)
            self._sheet.write_number(self._written, at, number, self._formats.get(sort) if is_whole else None)
        elif isinstance(cell, datetime):
            # A spreadsheet knows no time zones.
            moment = cell.astimezone(UTC).replace(tzinfo=None)
            self._sheet.write_datetime(self._written, at, moment, self._formats[Sort.MOMENT])
        else:
            # Never as a formula or a link, whatever the text begins with.
            words = _UNWRITABLE.sub("", self._columns[at].shown(cell))[:_LONGEST]
            self._sheet.write_string(self._written, at, words)
