"""A table as a file: CSV (RFC 4180), XLSX, or PDF. Rows are added as they are read."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from models.exports.data_sets import Cell
from models.exports.jobs import FileFormat
from tasks.reports.cells import Add, words_of

#: What makes a spreadsheet take a text for a formula (OWASP, "CSV injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@contextmanager
def sheet(file_format: FileFormat, file: Path, title: str, columns: Sequence[str]) -> Iterator[Add]:
    """Write a table to `file`, with its columns' names above; the block adds the rows."""
    if file_format == "csv":
        with _csv(file, columns) as add:
            yield add
    elif file_format == "xlsx":
        from tasks.reports.xlsx import workbook

        with workbook(file, title, columns) as add:
            yield add
    else:
        from tasks.reports.pdf import paper

        with paper(file, title, columns) as add:
            yield add


@contextmanager
def _csv(file: Path, columns: Sequence[str]) -> Iterator[Add]:
    # The mark in front tells spreadsheets that this is UTF-8.
    with file.open("w", encoding="utf-8-sig", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(columns)
        yield lambda rows: writer.writerows([_plain(cell) for cell in row] for row in rows)


def _plain(cell: Cell) -> str | int:
    """A cell as a spreadsheet reads it: text that looks like a formula is marked as text."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return f"'{cell}"
    if isinstance(cell, int) and not isinstance(cell, bool):
        return cell
    return words_of(cell)
