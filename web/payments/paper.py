"""Invoices and credit notes as PDF: a pure function from what stands on one to its bytes, the same each time.

Imports the PDF library, which takes a moment: nothing loads this before a paper is asked for. What the font cannot
print (see `models.base.fonts`) is shown as ▯ and explained below.
"""

import io
import unicodedata
from collections.abc import Sequence
from typing import Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

from models.base.clock import day_words
from models.base.fonts import BOLD, PLAIN, UNPRINTABLE, letters, one_at_a_time, printable
from models.payments.invoices import Paper
from models.payments.states import InvoiceKind

_TITLES: Final = {InvoiceKind.INVOICE: "Invoice", InvoiceKind.CREDIT_NOTE: "Credit note"}
_SIGNS: Final = {"eur": "€", "usd": "$", "gbp": "£"}

_INK, _SOFT, _RULE, _STAMP = HexColor(0x1C1C1A), HexColor(0x5F5D57), HexColor(0xCFCBC2), HexColor(0xF3DFA8)
_WIDTH, _HEIGHT = A4
_LEFT, _RIGHT = 22 * mm, _WIDTH - 22 * mm
_MIDDLE: Final = 120 * mm
#: Below this height only the small print stands, and no text is laid over it.
_FOOT: Final = 42 * mm


def render(paper: Paper) -> bytes:
    """One page of A4. Equal papers have equal bytes."""
    with one_at_a_time:
        return _Sheet(paper).drawn()


def amount_words(cents: int, currency: str) -> str:
    """12900, "eur" → €129.00 EUR. Minor units, of a currency with two decimals."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{_SIGNS.get(currency.lower(), '')}{whole:,}.{rest:02d} {currency.upper()}"


class _Sheet:
    """A sheet that is written from top to bottom. `y` is the base line of what comes next, in points."""

    def __init__(self, paper: Paper) -> None:
        letters()
        self.paper = paper
        self.buffer = io.BytesIO()
        self.canvas = Canvas(self.buffer, pagesize=A4, pageCompression=1, invariant=1, lang="en")
        self.is_incomplete = False

    def drawn(self) -> bytes:
        paper, canvas = self.paper, self.canvas
        title = _TITLES[paper.kind]
        canvas.setTitle(f"{title} {paper.number}")
        canvas.setAuthor(self._fit(paper.seller.get("name", "")) or "Galley")
        self._stamp()
        self._seller()
        self._facts(title)
        self._billed_to()
        y = self._lines()
        self._how_paid(y)
        self._foot()
        canvas.showPage()
        canvas.save()
        return self.buffer.getvalue()

    # ------------------------------------------------------------ parts
    def _stamp(self) -> None:
        words = "CANCELLED" if self.paper.cancelled_at else "" if self.paper.is_live else "TEST MODE"
        if not words:
            return
        self.canvas.saveState()
        self.canvas.setFillColor(_STAMP)
        self.canvas.setFont(BOLD, 78)
        self.canvas.translate(_WIDTH / 2, _HEIGHT / 2)
        self.canvas.rotate(52)
        self.canvas.drawCentredString(0, 0, words)
        self.canvas.restoreState()

    def _seller(self) -> None:
        seller = self.paper.seller
        y = self._block(
            [seller.get("name") or "The operator of this shop"], _LEFT, _HEIGHT - 28 * mm, 13, bold=True
        )
        below = [*seller.get("address", "").splitlines(), seller.get("tax_id", "")]
        self._block(below, _LEFT, y - 2, 9, soft=True, width=90 * mm, bottom=_HEIGHT - 72 * mm)

    def _facts(self, title: str) -> None:
        paper = self.paper
        self._block([title], _MIDDLE, _HEIGHT - 28 * mm, 20, bold=True)
        facts = [("Number", paper.number), ("Date", day_words(paper.issued_at))]
        if paper.corrects is not None:
            facts.append(("For invoice", paper.corrects))
        elif paper.paid_at is not None:
            facts.append(("Paid on", day_words(paper.paid_at)))
        if paper.cancelled_at is not None:
            facts.append(("Cancelled on", day_words(paper.cancelled_at)))
        y = _HEIGHT - 38 * mm
        for label, value in facts:
            self._block([label], _MIDDLE, y, 9, soft=True)
            self._block([value], _MIDDLE + 28 * mm, y, 9)
            y -= 5 * mm

    def _billed_to(self) -> None:
        to = self.paper.billed_to
        y = self._block(["Billed to"], _LEFT, _HEIGHT - 76 * mm, 9, soft=True)
        lines = [to.company, to.name, *to.address.splitlines(), to.vat_id and f"VAT ID {to.vat_id}", to.email]
        self._block(lines, _LEFT, y - 1, 10, width=110 * mm, bottom=_HEIGHT - 128 * mm)

    def _lines(self) -> float:
        paper = self.paper
        sign = -1 if paper.kind is InvoiceKind.CREDIT_NOTE else 1
        cents = amount_words(sign * paper.amount_cents, paper.currency)
        y = _HEIGHT - 132 * mm
        self._block(["Description"], _LEFT, y, 9, soft=True)
        self._right("Amount", y, 9, soft=True)
        self._rule(y - 3 * mm)
        y -= 9 * mm
        self._right(cents, y, 10)
        y = self._block([paper.description], _LEFT, y, 10, width=_RIGHT - _LEFT - 45 * mm)
        self._rule(y)
        y -= 7 * mm
        self._block([f"Total {'returned' if sign < 0 else 'paid'}"], _LEFT, y, 12, bold=True)
        self._right(cents, y, 12, bold=True)
        return y - 12 * mm

    def _how_paid(self, y: float) -> None:
        paper = self.paper
        lines = []
        if paper.kind is InvoiceKind.CREDIT_NOTE:
            lines.append(f"This amount of invoice {paper.corrects} was returned the way it was paid.")
            if paper.cancelled_at is not None:
                lines.append("The refund did not arrive, so this credit note is cancelled.")
        else:
            lines.append("Paid in full through Stripe. Nothing is due.")
        if paper.reference:
            lines.append(f"Payment reference: {paper.reference}")
        if not paper.is_live:
            lines.append("A test payment: no money moved, and this paper is worth nothing.")
        if not paper.is_frozen:
            lines.append("A preview: the customer may still change to whom it is made out.")
        self._block(lines, _LEFT, y, 9, soft=True, width=_RIGHT - _LEFT)

    def _foot(self) -> None:
        seller = self.paper.seller
        lines = seller.get("footer", "").splitlines()
        if self.is_incomplete:
            lines.append(f"{UNPRINTABLE} stands for a character that this paper's font does not have.")
        self._rule(_FOOT)
        self._block(lines, _LEFT, _FOOT - 5 * mm, 8, soft=True, width=_RIGHT - _LEFT, bottom=8 * mm)

    # ------------------------------------------------------------ strokes
    def _fit(self, words: str) -> str:
        fit = printable(words)
        self.is_incomplete |= fit != unicodedata.normalize("NFC", words)
        return fit

    def _block(
        self,
        lines: Sequence[str],
        x: float,
        y: float,
        size: float,
        *,
        bold: bool = False,
        soft: bool = False,
        width: float = 90 * mm,
        bottom: float = _FOOT,
    ) -> float:
        """Lines of text, wrapped to `width`; the base line below them. What would run out of the sheet is cut."""
        font = BOLD if bold else PLAIN
        self.canvas.setFont(font, size)
        self.canvas.setFillColor(_SOFT if soft else _INK)
        for line in lines:
            for part in simpleSplit(self._fit(line), font, size, width) if line else ():
                if y >= bottom:
                    self.canvas.drawString(x, y, part)
                    y -= size * 1.4
        return y

    def _right(self, words: str, y: float, size: float, *, bold: bool = False, soft: bool = False) -> None:
        self.canvas.setFont(BOLD if bold else PLAIN, size)
        self.canvas.setFillColor(_SOFT if soft else _INK)
        self.canvas.drawRightString(_RIGHT, y, words)

    def _rule(self, y: float) -> None:
        self.canvas.setStrokeColor(_RULE)
        self.canvas.setLineWidth(0.6)
        self.canvas.line(_LEFT, y, _RIGHT, y)
