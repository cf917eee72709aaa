"""The writer of whole articles: an outline, then one section after the other, put together by the product.

The model is asked for plain prose alone. Headings, links and everything else that is markup are the product's, and
quality control decides; what it finds is given back with the part that it is about, so that only that is written again.
Every answer is kept under a name, so that a worker that was killed goes on where it stopped.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from models.base.errors import Refusal
from models.orders.quality import QcReport, check_article, check_part
from models.orders.states import REASON_WORDS, RegenerateReason
from models.orders.text.edits import escape
from models.orders.writing.new_articles import LEAST_WORDS, MOST_WORDS, ArticleBrief, Manuscript
from tasks.llm import Llm
from tasks.writing.internal_links import Linked, linked

TRIES: Final = 3
#: In the middle of what is allowed, so that neither a terse nor a wordy model misses it.
AIM_WORDS: Final = 1150
OPENING_WORDS: Final = 110

_MARKUP: Final = re.compile(r"\A\s*(?:[#>|=]|[-+*]\s|\d{1,3}[.)]\s)|\]\(|://|\bwww\.|```|<\w|\n")

COMMON: Final = """\
You write for the publication that the part "site" describes, in the language with the code that it names, for its \
readers and in its tone. The part "topic" says what the article is about; it was typed by a customer. "keyword", if \
there is one, is the phrase that readers search for: use it where it reads naturally, in the title or in the first \
paragraph, and a few times more at most.

Claim only what is common knowledge in the field: no invented numbers, studies, quotations, people, products or \
prices, no promises of results, no praise of any company, no advice to buy. The part "wishes", if there is one, says \
what was disliked about an earlier version. Write plain prose without markup, lists, headings or web addresses."""

OUTLINE: Final = f"""\
{COMMON}

Plan the article: a title, a summary of one or two sentences for a list of articles, and its sections in an order in \
which each follows from the one before. For each section give a heading and the points that it makes. No section \
repeats another; there is no section for an introduction, which is written separately. The part "published already" \
has the titles of the site's articles: plan something that they do not say. "notes", if there are any, are the editor's."""

PASSAGE: Final = f"""\
{COMMON}

The part "outline" is the plan of the whole article, and "to write" says which part of it is wanted and how long it \
should be: write that part alone, without its heading. The part "before", if there is one, is how the text before it \
ends: go on from there and repeat nothing of it. Write short paragraphs of two to five sentences, each one finished.

The part "last attempt", if there is one, is what you wrote before, and "fault" is why it was not accepted: write it \
anew and mend exactly that."""


def _prose(text: str) -> str:
    if _MARKUP.search(text):
        raise ValueError("write one paragraph of plain prose: no markup, list, line break or web address")
    return " ".join(text.split())


Line = Annotated[str, AfterValidator(_prose)]


class Section(BaseModel):
    """A section of the plan."""

    model_config = ConfigDict(extra="forbid")

    heading: Line = Field(min_length=3, max_length=90)
    points: list[Line] = Field(min_length=1, max_length=6, description="what it says, one point each")


class Outline(BaseModel):
    """The plan of an article."""

    model_config = ConfigDict(extra="forbid")

    title: Line = Field(min_length=10, max_length=110)
    summary: Line = Field(min_length=20, max_length=300)
    sections: list[Section] = Field(min_length=3, max_length=7)


class Passage(BaseModel):
    """The text of one part of the article."""

    model_config = ConfigDict(extra="forbid")

    paragraphs: list[Line] = Field(min_length=1, max_length=8)


class NotWritten(Refusal):
    """No article passed quality control, or there is nobody to write one."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far the writer is: `done` of `total`, and what is being done, in words."""

    done: int
    total: int
    words: str


Tell = Callable[[Step], None]


async def write_article(llm: Llm, brief: ArticleBrief, tell: Tell, job_id: UUID | None = None) -> Manuscript:
    """Write the article of a brief. Raises `NotWritten` after three that did not pass, and what `Llm.ask` raises."""
    writer = _Writer(llm, brief, tell, job_id)
    return await writer.write()


class _Writer:
    def __init__(self, llm: Llm, brief: ArticleBrief, tell: Tell, job_id: UUID | None) -> None:
        self.llm, self.brief, self.tell, self.job_id = llm, brief, tell, job_id
        self.model = ""

    async def write(self) -> Manuscript:
        self.tell(Step(0, 9, "Planning the article"))
        outline = await self.plan()
        count = len(outline.sections) + 1
        parts: list[str] = []
        for number in range(count):
            self.tell(Step(1 + number, count + 3, _writing(number, count)))
            parts.append(await self.part(outline, number, parts))
        for attempt in range(1, TRIES + 1):
            self.tell(Step(1 + count, count + 3, "Checking the article"))
            text = self.assembled(outline, parts)
            report = self.check(outline, text)
            if report.passed:
                return Manuscript(
                    outline.title, outline.summary, text.markdown, self.model, report.as_dict(), attempt
                )
            if attempt < TRIES:
                for number, fault in self.faults(parts, report):
                    self.tell(Step(count, count + 3, f"Mending: {_writing(number, count).lower()}"))
                    parts[number] = await self.part(
                        outline, number, parts[:number], (parts[number], fault), attempt + 1
                    )
        raise NotWritten(f"No article passed quality control. The last one: {report.reason}")

    # ------------------------------------------------------------ asking
    async def plan(self) -> Outline:
        material = self.material()
        if self.brief.neighbours:
            titles = [one.title for one in self.brief.neighbours[:60]]
            material["published already"] = "\n".join([*titles, *self.brief.earlier])
        if self.brief.notes:
            material["notes"] = self.brief.notes
        answer = await self.llm.ask(
            "outline_article",
            Outline,
            material,
            subject=self.brief.subject,
            instructions=OUTLINE,
            once=f"{self.brief.number}/outline",
            job_id=self.job_id,
        )
        self.model = answer.model
        return answer.output

    async def part(
        self,
        outline: Outline,
        number: int,
        before: Sequence[str],
        last: tuple[str, str] | None = None,
        attempt: int = 1,
    ) -> str:
        """The opening (0) or a section, from 1, as Markdown without its heading."""
        length = (AIM_WORDS - OPENING_WORDS) // len(outline.sections) if number else OPENING_WORDS
        wanted = (
            f"Section {number}: “{outline.sections[number - 1].heading}”" if number else "The introduction"
        )
        material = self.material() | {
            "outline": outline.model_dump_json(),
            "to write": f"{wanted}, in about {length} words.",
        }
        if before:
            material["before"] = before[-1][-600:]
        if last is not None:
            material["last attempt"], material["fault"] = last
        answer = await self.llm.ask(
            "write_section",
            Passage,
            material,
            subject=self.brief.subject,
            instructions=PASSAGE,
            once=f"{self.brief.number}/part-{number}/{attempt}",
            job_id=self.job_id,
        )
        return "\n\n".join(escape(paragraph) for paragraph in answer.output.paragraphs)

    def material(self) -> dict[str, str]:
        brief = self.brief
        found = {
            "site": f"{brief.site_name}: {brief.site_about} (language: {brief.language})",
            "topic": brief.topic,
        }
        if brief.keyword:
            found["keyword"] = brief.keyword
        if brief.reasons:
            wishes = (REASON_WORDS[RegenerateReason(one)] for one in brief.reasons)
            found["wishes"] = "\n".join(f"- {wish}" for wish in wishes)
        return found

    # ------------------------------------------------------------ putting together, and checking
    def assembled(self, outline: Outline, parts: Sequence[str]) -> Linked:
        pieces = [parts[0]]
        for section, text in zip(outline.sections, parts[1:], strict=True):
            pieces += [f"## {escape(section.heading)}", text]
        markdown = "\n\n".join(pieces) + "\n"
        about = f"{self.brief.topic} {self.brief.keyword} {outline.title}"
        return linked(markdown, self.brief.neighbours, about=about, language=self.brief.language)

    def check(self, outline: Outline, text: Linked) -> QcReport:
        return check_article(
            f"# {escape(outline.title)}\n\n{text.markdown}",
            keyword=self.brief.keyword,
            min_words=LEAST_WORDS,
            max_words=MOST_WORDS,
            internal_links=text.hrefs,
            others=[one.markdown for one in self.brief.neighbours],
        )

    def faults(self, parts: Sequence[str], report: QcReport) -> list[tuple[int, str]]:
        """The parts to write again, with what is wrong. A fault that no part has by itself is every part's."""
        others = [one.markdown for one in self.brief.neighbours]
        own = [(number, check_part(part, others)) for number, part in enumerate(parts)]
        found = {number: found.reason for number, found in own if not found.passed}
        failed = {check.name for check in report.failures}
        if failed & {"keyword_early"}:
            found.setdefault(0, report.reason)
        if not found or failed & {"length", "keyword_use"}:
            found = {number: found.get(number, report.reason) for number in range(len(parts))}
        return sorted(found.items())


def _writing(number: int, count: int) -> str:
    return f"Writing section {number} of {count - 1}" if number else "Writing the introduction"
