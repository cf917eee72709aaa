"""Reports as workbooks of one sheet, written row by row and never held whole."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

from models.exports.data_sets import Cell
from tasks.reports.cells import Add, words_of

#: What XML 1.0 cannot hold at all.
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_A_NAME: Final = re.compile(r"[\[\]:*?/\\']")
#: The longest text of a cell and name of a sheet.
_LONGEST: Final = 32_767
_LONGEST_NAME: Final = 31
_WIDTH: Final = 18


@contextmanager
def workbook(file: Path, title: str, columns: Sequence[str]) -> Iterator[Add]:
    """Write a workbook of one sheet; its first row stays in sight."""
    from xlsxwriter import Workbook

    with Workbook(file, {"constant_memory": True}) as book:
        sheet = book.add_worksheet(_NOT_IN_A_NAME.sub(" ", title)[:_LONGEST_NAME])
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(columns) - 1, _WIDTH)
        sheet.write_row(0, 0, columns, book.add_format({"bold": True}))
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        written = 1

        def add(rows: Sequence[Sequence[Cell]]) -> None:
            nonlocal written
            for row in rows:
                for at, cell in enumerate(row):
                    if cell is None:
                        continue
                    if isinstance(cell, bool):
                        sheet.write_boolean(written, at, cell)
                    elif isinstance(cell, int | Decimal):
                        sheet.write_number(written, at, cell)
                    elif isinstance(cell, datetime):
                        # A spreadsheet knows no time zones.
                        sheet.write_datetime(written, at, cell.astimezone(UTC).replace(tzinfo=None), moment)
                    else:
                        # Never as a formula or a link, whatever the text begins with.
                        sheet.write_string(written, at, _UNWRITABLE.sub("", words_of(cell))[:_LONGEST])
                written += 1

        yield add
