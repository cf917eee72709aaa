"""The writer with a language model: it places a backlink by asking where one new sentence goes.

The model never touches the article. It names a gap and a sentence, the product splices them in, and quality
control decides; what it finds is given back to the model, so that it can mend its own work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from models.base.errors import Refusal
from models.orders.quality import QcReport, check_integration
from models.orders.quality.integration import MAX_NEW_WORDS
from models.orders.text.edits import MAX_LINKS_IN_PARAGRAPH, BadEdit, Edit, Place, Wrap, places, splice
from models.orders.text.markdown import Block, outline, parse
from models.orders.text.sentences import sentences
from tasks.llm import Llm
from tasks.writing.wishes import left, words_of

KIND: Final = "place_backlink"
TRIES: Final = 3
MAX_SENTENCE: Final = 400

INSTRUCTIONS: Final = f"""\
You are an editor of the publication that ran this article. Add one sentence to it that carries a link.

The part "article" is the published text. Paragraphs that can take the sentence begin with their number, as in \
"[4]"; each gap in them that can take it is marked with the number of the sentence before it, as in "<2>". Choose \
the gap where a reader would be best served by the link, next to text on the same matter.

Write the sentence so that
- it contains the text of the part "anchor" exactly once, letter by letter, and reads naturally with it;
- it goes on from the sentence before it, and the sentence after it still follows;
- it is in the article's language and tone, plain prose in one line, without markup, quotation marks around the \
anchor, or a web address;
- it has at most {MAX_NEW_WORDS} words and ends with a full stop;
- it promises and claims nothing that the material does not say: no praise, no numbers, no advice to buy.

The part "wishes", if there is one, says what the customer disliked about the last version: heed it, and choose \
other words. The part "last attempt", if there is one, says why your last sentence was not accepted: mend exactly that."""


class NewSentence(BaseModel):
    """One sentence to add to the article, and the gap that it goes into."""

    model_config = ConfigDict(extra="forbid")

    paragraph: int = Field(ge=1, description="the number of the paragraph, as in [4]")
    after_sentence: int = Field(ge=1, description="the number of the gap, as in <2>")
    sentence: str = Field(max_length=MAX_SENTENCE, description="the sentence, with the anchor text in it")


class NotPlaced(Refusal):
    """No placement passed quality control. `report` is the last one's, or None where none could be made."""

    def __init__(self, words: str, report: QcReport | None = None) -> None:
        super().__init__(words)
        self.report = report


@dataclass(frozen=True, slots=True)
class Proposal:
    """A placement that passed quality control, with what it took."""

    edit: Edit
    markdown: str
    """The whole article with the edit made."""
    report: QcReport
    model: str
    asked: int
    """How many times a model was asked."""
    cost_cents: Decimal
    """In US cents, of all that."""


async def propose_with_model(
    llm: Llm,
    *,
    subject: str,
    once: str | None = None,
    job_id: UUID | None = None,
    markdown: str,
    url: str,
    anchor: str,
    target: str = "",
    reasons: Sequence[str] = (),
    previous: Sequence[Edit | Wrap] = (),
    last_report: QcReport | None = None,
    max_links_in_paragraph: int = MAX_LINKS_IN_PARAGRAPH,
    tries: int = TRIES,
) -> Proposal:
    """Place the link `anchor` to `url` in the published `markdown`.

    `target` is what is known of the page behind the URL. `previous` are the edits of the order's earlier versions,
    oldest first: their gaps are not offered again, nor those that the customer's `reasons` speak against.
    `last_report` is quality control's on the version before, if that was the reason.
    With `once`, a name for the version, answers are kept until they have come to nothing: see `Llm.ask`.
    Raises `NotPlaced` after `tries` placements that did not pass, and what `Llm.ask` raises.
    """
    gaps = places(markdown, max_links_in_paragraph=max_links_in_paragraph)
    if not gaps:
        raise NotPlaced("No paragraph of this article can take a sentence with a link.")
    document = parse(markdown)
    gaps = left(document, gaps, reasons, previous)
    if not gaps:
        raise NotPlaced("Every place of this article has been tried.")
    wishes = words_of(document, reasons, previous)
    material = {"article": numbered(markdown, gaps), "anchor": anchor, "address": url}
    if target:
        material["target page"] = target
    if wishes:
        material["wishes"] = "\n".join(f"- {wish}" for wish in wishes)
    if last_report is not None and not last_report.passed:
        material["last attempt"] = last_report.reason
    cost, report, fault = Decimal(), last_report, ""
    needs = [f"{once}/{asked}" if once else None for asked in range(1, tries + 1)]
    for asked, need in enumerate(needs, 1):
        answer = await llm.ask(
            KIND, NewSentence, material, subject=subject, instructions=INSTRUCTIONS, once=need, job_id=job_id
        )
        cost += answer.cost_cents
        edit = Edit(**answer.output.model_dump())
        try:
            text = splice(markdown, edit, url=url, anchor=anchor)
            _must_be_offered(edit, gaps)
        except BadEdit as error:
            report, fault = None, str(error)
        else:
            report = check_integration(
                markdown, text, url=url, anchor=anchor, max_links_in_paragraph=max_links_in_paragraph
            )
            if report.passed:
                return Proposal(edit, text, report, answer.model, asked, cost)
            fault = report.reason
        material["last attempt"] = f"{answer.output.model_dump_json()}\n{fault}"
    await llm.let_go(subject, [need for need in needs if need])
    raise NotPlaced(f"No placement passed quality control. The last one: {fault}", report)


def _must_be_offered(edit: Edit, gaps: Sequence[Place]) -> None:
    if (edit.paragraph, edit.after_sentence) not in {(gap.paragraph, gap.after_sentence) for gap in gaps}:
        raise BadEdit(f"[{edit.paragraph}] <{edit.after_sentence}> is not one of the marked gaps.")


def numbered(markdown: str, gaps: Sequence[Place]) -> str:
    """The article as the model reads it: paragraphs that can take a sentence by number, their gaps marked.

    `# Tides` / `[2] The tide turns twice a day. <1> Nobody knows why. <2>` / `A list, for context.`
    """
    open_gaps: dict[int, set[int]] = {}
    for gap in gaps:
        open_gaps.setdefault(gap.paragraph, set()).add(gap.after_sentence)
    shown = (_shown(block, open_gaps.get(block.number, set())) for block in outline(markdown))
    return "\n\n".join(part for part in shown if part)


def _shown(block: Block, gaps: set[int]) -> str:
    if block.kind == "heading":
        return f"{'#' * block.level} {block.text}"
    if not gaps:
        return "" if block.kind in {"code", "html"} else block.text
    parts = [f"[{block.number}]"]
    for count, (start, end) in enumerate(sentences(block), start=1):
        parts.append(" ".join(block.source[start:end].split()))
        if count in gaps:
            parts.append(f"<{count}>")
    return " ".join(parts)
