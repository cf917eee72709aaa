"""Quality control of a whole new article, before an editor reads it."""

import re
from collections import Counter
from collections.abc import Sequence

from models.orders.quality.characters import hidden, html_tags, mixed_words, name_of, scripted
from models.orders.quality.report import Findings, QcReport
from models.orders.text.markdown import Block, Document, href_of, parse, plain_text, word_count, words
from models.orders.text.readability import reading_ease
from models.orders.text.sentences import is_finished
from models.orders.text.similarity import most_alike

MIN_SECTIONS = 2
MAX_PARAGRAPH_WORDS = 180
MAX_KEYWORD_SHARE = 0.03
FREE_KEYWORD_USES = 2
MIN_READING_EASE = 30.0
MAX_RESEMBLANCE = 0.2
MAX_CONTAINMENT = 0.3
MIN_INTERNAL_LINKS = 2

# What no publication should promise in its own voice, whatever the subject.
_CLAIMS = re.compile(
    r"\b(?:(?:100|one hundred)\s?(?:%|percent)\s(?:safe|guaranteed|effective|secure|natural|free)"
    r"|guaranteed\s(?:results?|returns?|income|profits?|rankings?|success|cure|to\s(?:work|rank|win|cure))"
    r"|(?:results?|returns?|profits?|income)\s(?:is|are)\sguaranteed"
    r"|risk[- ]free\s(?:returns?|profits?|investments?|income)|no\srisk\sat\sall|zero\srisk"
    r"|(?:cures?|heals?)\s(?:cancer|diabetes|depression|covid(?:-19)?|arthritis|alzheimer)|miracle\s(?:cure|pill|diet)"
    r"|(?:no|without(?:\sany)?)\sside\seffects|clinically\sproven|doctors?\s(?:recommend|hate|approved?)|fda[- ]approved"
    r"|get\srich\squick|make\smoney\sfast|double\syour\s(?:money|income)|(?:number|no\.)\s(?:one|1)\sin\sthe\sworld"
    r"|best\sin\sthe\sworld|world['\u2019]s\sbest|lose\s\d+\s(?:pounds|kilos?|kg|lbs?)\sin)\b",
    re.IGNORECASE,
)
# What a writer leaves behind that was never meant for readers.
_LEFTOVERS = re.compile(
    r"\bas an? (?:ai|artificial intelligence|large language model|language model)\b|\blorem ipsum\b"
    r"|\b(?:here is|here's|below is) (?:the|your|an?) (?:\w+ )?(?:article|draft|post|section|outline)\b"
    r"|\bi (?:cannot|can't|am unable to) (?:help|assist|provide)\b|\b(?:todo|tbd|fixme)\b"
    r"|\[(?:insert|your|add|link|citation)\b[^\]]*\](?!\()|\{\{.*?\}\}",
    re.IGNORECASE,
)
_EMPTY_LABELS = {"here", "click here", "this", "link", "this link", "read more", "more"}


def check_article(
    markdown: str,
    *,
    keyword: str,
    min_words: int,
    max_words: int,
    internal_links: Sequence[str],
    others: Sequence[str],
) -> QcReport:
    """Whether a new article may go to an editor.

    `internal_links` are the addresses on the same site that it was offered, and the only ones it may link to;
    `others` are the site's other articles (Markdown).
    """
    document = parse(markdown)
    findings = Findings()
    count = word_count(markdown)
    findings.add(
        "length",
        f"It has {min_words} to {max_words} words",
        passed=min_words <= count <= max_words,
        detail=f"It has {count} words; {min_words} to {max_words} were asked for.",
    )
    _check_structure(findings, document)
    _check_keyword(findings, document, keyword)
    _check_links(findings, document, internal_links)
    _check_language(findings, markdown)
    _check_likeness(findings, markdown, others)
    _check_source(findings, markdown)
    return findings.report()


def check_part(markdown: str, others: Sequence[str]) -> QcReport:
    """The rules of a whole article that one part of it can break by itself, before links are put into it: for
    telling which part has to be written again.
    """
    document = parse(markdown)
    findings = Findings()
    _check_paragraphs(findings, document)
    _check_links(findings, document, ())
    _check_language(findings, markdown)
    _check_likeness(findings, markdown, others)
    _check_source(findings, markdown)
    return findings.report()


def _check_structure(findings: Findings, document: Document) -> None:
    levels = [block.level for block in document.blocks if block.kind == "heading"]
    sections = levels.count(2)
    findings.add(
        "sections",
        f"It has at least {MIN_SECTIONS} sections",
        passed=sections >= MIN_SECTIONS and levels.count(1) <= 1,
        detail=f"It has {sections} second-level headings and {levels.count(1)} titles.",
    )
    skipped = [level for before, level in zip([1, *levels], levels, strict=False) if level > before + 1]
    empty = _empty_sections(document.blocks)
    findings.add(
        "headings",
        "Headings follow one another by level, each with text under it",
        passed=not skipped and not empty,
        detail=f"The section “{empty[0].text}” is empty." if empty else "A heading skips a level.",
    )
    _check_paragraphs(findings, document)


def _check_paragraphs(findings: Findings, document: Document) -> None:
    long = [block for block in document.paragraphs if len(words(block.text)) > MAX_PARAGRAPH_WORDS]
    last = document.paragraphs[-1].text if document.paragraphs else ""
    findings.add(
        "paragraphs",
        f"No paragraph is longer than {MAX_PARAGRAPH_WORDS} words",
        passed=not long,
        detail=f"{len(long)} paragraphs are longer.",
    )
    findings.add(
        "complete",
        "It does not break off",
        passed=is_finished(last) and bool(document.blocks) and document.blocks[-1].kind != "heading",
        detail="The last paragraph is not a finished sentence.",
    )


def _empty_sections(blocks: Sequence[Block]) -> list[Block]:
    """Headings with nothing before the next heading of their own level or above, or before the end."""
    found = []
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        is_bare = following is None or (following.kind == "heading" and following.level <= block.level)
        if block.kind == "heading" and is_bare:
            found.append(block)
    return found


def _check_keyword(findings: Findings, document: Document, keyword: str) -> None:
    if not keyword.strip():
        return
    phrase = r"[\s-]+".join(map(re.escape, keyword.split()))
    pattern = re.compile(rf"(?<!\w){phrase}(?:e?s)?(?!\w)", re.IGNORECASE)
    title = next((block.text for block in document.blocks if block.kind == "heading"), "")
    opening = next((block.text for block in document.paragraphs), "")
    text = plain_text(document.markdown)
    uses = len(pattern.findall(text))
    share = uses * len(words(keyword)) / max(1, len(words(text)))
    findings.add(
        "keyword_early",
        "The keyword stands in the title or the first paragraph",
        passed=bool(pattern.search(title) or pattern.search(opening)),
        detail=f"“{keyword}” is in neither.",
    )
    findings.add(
        "keyword_use",
        f"The keyword is used, and is at most {MAX_KEYWORD_SHARE:.0%} of the words",
        passed=uses > 0 and (share <= MAX_KEYWORD_SHARE or uses <= FREE_KEYWORD_USES),
        detail=f"“{keyword}” is used {uses} times, {share:.1%} of the words.",
    )


def _check_links(findings: Findings, document: Document, internal_links: Sequence[str]) -> None:
    offered = {href_of(url) for url in internal_links}
    used = Counter(link.href for link in document.links)
    wanted = min(MIN_INTERNAL_LINKS, len(offered))
    findings.add(
        "internal_links",
        f"It links to at least {wanted} other articles of the site",
        passed=len(offered & set(used)) >= wanted,
        detail=f"It links to {len(offered & set(used))} of the {len(offered)} articles it was offered.",
    )
    foreign = [href for href in used if href not in offered and not href.startswith("#")]
    findings.add(
        "no_other_links",
        "It links to nothing else",
        passed=not foreign,
        detail=f"It links to {', '.join(foreign[:3])}, which it was not offered.",
    )
    labels = [link.text for link in document.links if link.text.strip(" .").lower() in _EMPTY_LABELS | {""}]
    repeated = [href for href, count in used.items() if count > 1]
    findings.add(
        "link_words",
        "Each link stands once, on words that say where it leads",
        passed=not labels and not repeated,
        detail=f"A link reads “{labels[0]}”."
        if labels
        else f"Linked more than once: {', '.join(repeated[:3])}.",
    )


def _check_language(findings: Findings, markdown: str) -> None:
    ease = reading_ease(markdown)
    findings.add(
        "readability",
        f"Its Flesch reading ease is at least {MIN_READING_EASE:.0f}",
        passed=ease >= MIN_READING_EASE,
        detail=f"Its reading ease is {ease:.0f}: use shorter sentences and plainer words.",
    )
    text = plain_text(markdown)
    claim, leftover = _CLAIMS.search(text), _LEFTOVERS.search(text)
    findings.add(
        "claims",
        "It promises nothing that nobody can promise",
        passed=claim is None,
        detail=f"It says “{claim.group() if claim else ''}”.",
    )
    findings.add(
        "leftovers",
        "Nothing is left in it that was meant for the writer",
        passed=leftover is None,
        detail=f"It still says “{leftover.group() if leftover else ''}”.",
    )


def _check_likeness(findings: Findings, markdown: str, others: Sequence[str]) -> None:
    likeness = most_alike(markdown, others)
    findings.add(
        "original",
        "It is not like another article of the site",
        passed=likeness.resemblance <= MAX_RESEMBLANCE and likeness.containment <= MAX_CONTAINMENT,
        detail=f"{likeness.containment:.0%} of its five-word runs stand in another article of the site.",
    )


def _check_source(findings: Findings, markdown: str) -> None:
    odd = hidden(markdown) | hidden(plain_text(markdown))
    mixed = mixed_words(markdown)
    prose = _without_code(parse(markdown))
    findings.add(
        "no_html",
        "It has no HTML, and no address that runs a script or hides data",
        passed=html_tags(prose) == 0 and scripted(prose) == 0,
        detail="HTML, or an address such as javascript: or data:, is in it.",
    )
    findings.add(
        "visible",
        "It has no invisible or odd white space characters, and no words in mixed alphabets",
        passed=not odd and not mixed,
        detail="It has " + ", ".join([name_of(char) for char in list(odd)[:3]] + mixed[:3]) + ".",
    )


def _without_code(document: Document) -> str:
    lines = re.split(r"\r\n|\r|\n", document.markdown)
    for block in document.blocks:
        if block.kind == "code":
            lines[block.start_line : block.end_line] = [""] * (block.end_line - block.start_line)
    return re.sub(r"`[^`]*`", "", "\n".join(lines))
