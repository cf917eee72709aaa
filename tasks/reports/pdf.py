"""A table on paper: A4 in landscape, the columns' names above each page, its number below."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from models.base.errors import Invalid
from models.base.fonts import BOLD, PLAIN, letters, one_at_a_time, printable
from models.exports.data_sets import Cell
from tasks.reports.cells import Add, words_of

#: Paper that nobody reads is a file that nobody needs: more rows than this are wanted as another format.
MOST_ROWS: Final = 10_000

_WIDTH, _HEIGHT = landscape(A4)
_LEFT, _RIGHT, _TOP, _FOOT = 14 * mm, _WIDTH - 14 * mm, _HEIGHT - 16 * mm, 14 * mm
_LINE: Final = 5.2 * mm
_SIZE: Final = 8
_SOFT, _RULE = HexColor(0x5F5D57), HexColor(0xCFCBC2)


@contextmanager
def paper(file: Path, title: str, columns: Sequence[str]) -> Iterator[Add]:
    """Write a table to a PDF file. Raises `Invalid` for more rows than anybody would print."""
    letters()
    sheets = _Sheets(file, title, columns)
    yield sheets.add
    sheets.end()


class _Sheets:
    """Pages that are filled from top to bottom. `y` is the base line of what comes next, in points."""

    def __init__(self, file: Path, title: str, columns: Sequence[str]) -> None:
        self.canvas = Canvas(str(file), pagesize=(_WIDTH, _HEIGHT), pageCompression=1, lang="en")
        self.canvas.setTitle(title)
        self.title, self.columns = title, [one.replace("_", " ") for one in columns]
        self.step = (_RIGHT - _LEFT) / len(columns)
        self.count, self.y = 0, 0.0
        with one_at_a_time:
            self._begin()

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        self.count += len(rows)
        if self.count > MOST_ROWS:
            words = f"This has more than {MOST_ROWS:,} rows, too many for paper. Ask for csv or xlsx."
            raise Invalid({"format": words}, words)
        with one_at_a_time:
            for row in rows:
                if self.y < _FOOT + _LINE:
                    self._finish()
                    self._begin()
                self._line(row, PLAIN)

    def end(self) -> None:
        with one_at_a_time:
            self._finish()
            self.canvas.save()

    def _begin(self) -> None:
        self.y = _TOP
        self.canvas.setFont(BOLD, 12)
        self.canvas.drawString(_LEFT, self.y, self.title)
        self.y -= 2 * _LINE
        self._line(self.columns, BOLD)

    def _finish(self) -> None:
        self.canvas.setFont(PLAIN, _SIZE)
        self.canvas.setFillColor(_SOFT)
        self.canvas.drawRightString(_RIGHT, _FOOT - _LINE, f"Galley · page {self.canvas.getPageNumber()}")
        self.canvas.showPage()

    def _line(self, row: Sequence[Cell], font: str) -> None:
        self.canvas.setFont(font, _SIZE)
        for index, cell in enumerate(row):
            left = _LEFT + index * self.step
            words = _fitted(printable(words_of(cell)).replace("\n", " "), font, self.step - 2 * mm)
            if isinstance(cell, str | bool | None):
                self.canvas.drawString(left, self.y, words)
            else:
                self.canvas.drawRightString(left + self.step - 2 * mm, self.y, words)
        self.canvas.setStrokeColor(_RULE)
        self.canvas.line(_LEFT, self.y - 1.6 * mm, _RIGHT, self.y - 1.6 * mm)
        self.y -= _LINE


def _fitted(words: str, font: str, width: float) -> str:
    """As much of it as fits, with a mark where it was cut."""
    if stringWidth(words, font, _SIZE) <= width:
        return words
    while words and stringWidth(f"{words}…", font, _SIZE) > width:
        words = words[:-1]
    return f"{words}…"
