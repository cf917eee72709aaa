"""A table on paper: A4 in landscape, the columns' names above each page, below it its number and when it was made."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from models.base.clock import moment_words, now
from models.base.errors import Invalid
from models.base.fonts import BOLD, PLAIN, letters, one_at_a_time, printable
from models.exports.data_sets import Cell
from tasks.reports.cells import Add, Column, Sort, columns_of

#: Paper that nobody reads is a file that nobody needs: more rows than this are wanted as another format.
MOST_ROWS: Final = 10_000

_WIDTH, _HEIGHT = landscape(A4)
_LEFT, _RIGHT, _TOP, _FOOT = 14 * mm, _WIDTH - 14 * mm, _HEIGHT - 16 * mm, 14 * mm
_LINE: Final = 5.2 * mm
_GAP: Final = 3 * mm
_SIZE: Final = 8
_INK, _SOFT, _RULE = HexColor(0x1D1B16), HexColor(0x5F5D57), HexColor(0xCFCBC2)
#: The number of all pages is known when the last of them is: each page has a place for it, that is filled then.
_PAGES: Final = "pages"


@contextmanager
def paper(file: Path, title: str, names: Sequence[str]) -> Iterator[Add]:
    """Write a table to a PDF file. Raises `Invalid` for more rows than anybody would print."""
    letters()
    sheets = _Sheets(file, title, names)
    yield sheets.add
    sheets.end()


class _Sheets:
    """Pages that are filled from top to bottom. `y` is the base line of what comes next, in points."""

    def __init__(self, file: Path, title: str, names: Sequence[str]) -> None:
        self.canvas = Canvas(str(file), pagesize=(_WIDTH, _HEIGHT), pageCompression=1, lang="en")
        self.canvas.setTitle(title)
        self.title, self.names, self.made = title, names, moment_words(now())
        #: With where each begins and how wide it is.
        self.columns: list[tuple[Column, float, float]] = []
        self.count, self.y = 0, 0.0

    def add(self, rows: Sequence[Sequence[Cell]]) -> None:
        self.count += len(rows)
        if self.count > MOST_ROWS:
            words = f"This has more than {MOST_ROWS:,} rows, too many for paper. Ask for csv or xlsx."
            raise Invalid({"format": words}, words)
        with one_at_a_time:
            if not self.columns:
                self._lay_out(rows)
                self._begin()
            for row in rows:
                if self.y < _FOOT + _LINE:
                    self._finish()
                    self._begin()
                self._line(
                    [column.shown(cell) for (column, _, _), cell in zip(self.columns, row, strict=True)]
                )

    def end(self) -> None:
        if not self.columns:
            self.add([])
        with one_at_a_time:
            if not self.count:
                self._line(["There is nothing to report."], is_soft=True)
            pages = str(self.canvas.getPageNumber())
            self._finish()
            self.canvas.beginForm(_PAGES, 0, 0, 20 * mm, _LINE)
            self.canvas.setFont(PLAIN, _SIZE)
            self.canvas.setFillColor(_SOFT)
            self.canvas.drawString(0, 1 * mm, pages)
            self.canvas.endForm()
            self.canvas.save()

    def _lay_out(self, rows: Sequence[Sequence[Cell]]) -> None:
        """As wide as the first rows want; what is left over goes to all, what is missing is taken from the widest."""
        columns = columns_of(self.names, rows)
        wanted = [
            _GAP
            + max(
                stringWidth(column.title, BOLD, _SIZE),
                *(stringWidth(_plain(column.shown(row[at])), PLAIN, _SIZE) for row in rows),
                0,
            )
            for at, column in enumerate(columns)
        ]
        room = _RIGHT - _LEFT
        most = _most_of_each(wanted, room)
        widths = [min(one, most) for one in wanted]
        left = _LEFT
        for column, width in zip(columns, widths, strict=True):
            whole = width + (room - sum(widths)) / len(columns)
            self.columns.append((column, left, whole))
            left += whole

    def _begin(self) -> None:
        self.y = _TOP
        self.canvas.setFillColor(_INK)
        self.canvas.setFont(BOLD, 12)
        self.canvas.drawString(_LEFT, self.y, self.title)
        self.y -= 2 * _LINE
        self._line([column.title for column, _, _ in self.columns], BOLD)

    def _finish(self) -> None:
        self.canvas.setFont(PLAIN, _SIZE)
        self.canvas.setFillColor(_SOFT)
        self.canvas.drawString(_LEFT, _FOOT - _LINE, f"Galley · made {self.made}")
        words = f"page {self.canvas.getPageNumber()} of "
        place = _RIGHT - 5 * mm
        self.canvas.drawRightString(place, _FOOT - _LINE, words)
        self.canvas.saveState()
        self.canvas.translate(place, _FOOT - _LINE - 1 * mm)
        self.canvas.doForm(_PAGES)
        self.canvas.restoreState()
        self.canvas.showPage()

    def _line(self, cells: Sequence[str], font: str = PLAIN, *, is_soft: bool = False) -> None:
        self.canvas.setFont(font, _SIZE)
        self.canvas.setFillColor(_SOFT if is_soft else _INK)
        for (column, left, width), words in zip(self.columns, cells, strict=False):
            if column.sort in {Sort.NUMBER, Sort.MONEY}:
                # A number that is cut is another number: one that is too long is printed smaller.
                needed = stringWidth(words, font, _SIZE)
                self.canvas.setFont(font, _SIZE * min(1.0, (width - _GAP) / max(needed, 1.0)))
                self.canvas.drawRightString(left + width - _GAP, self.y, words)
                self.canvas.setFont(font, _SIZE)
            else:
                shown = words if is_soft else _fitted(_plain(words), font, width - _GAP)
                self.canvas.drawString(left, self.y, shown)
        self.canvas.setStrokeColor(_RULE)
        self.canvas.line(_LEFT, self.y - 1.6 * mm, _RIGHT, self.y - 1.6 * mm)
        self.y -= _LINE


def _plain(words: str) -> str:
    return printable(words).replace("\n", " ")


def _most_of_each(wanted: Sequence[float], room: float) -> float:
    """The width above which columns are cut, so that all of them fit: those that want less keep what they want."""
    left = room
    for at, width in enumerate(sorted(wanted)):
        share = left / (len(wanted) - at)
        if width > share:
            return share
        left -= width
    return max(wanted)


def _fitted(words: str, font: str, width: float) -> str:
    """As much of it as fits, with a mark where it was cut."""
    if stringWidth(words, font, _SIZE) <= width:
        return words
    while words and stringWidth(f"{words}…", font, _SIZE) > width:
        words = words[:-1]
    return f"{words}…"
