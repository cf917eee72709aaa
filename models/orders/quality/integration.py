"""Quality control of a placed link: the new text against the published one. It trusts nobody.

Writers hand in an edit and the product splices it, so most of this cannot fail; that is why it is checked.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from models.orders.quality.characters import hidden, html_tags, mixed_words, name_of, scripted
from models.orders.quality.domains import registrable_domain
from models.orders.quality.report import Findings, QcReport
from models.orders.text.comparison import Insertion, insertion
from models.orders.text.edits import MAX_LINKS_IN_PARAGRAPH
from models.orders.text.markdown import (
    Block,
    Document,
    Link,
    href_of,
    is_outgoing,
    is_prose,
    parse,
    plain_text,
    words,
)
from models.orders.text.sentences import is_finished, sentences

MAX_NEW_WORDS = 22
MAX_NEW_SENTENCES = 1

_LINE_ENDS = re.compile(r"\r\n|\r|\n")
_ORDERED = re.compile(r"https?://[^/?#]", re.IGNORECASE)


def check_integration(
    before: str, after: str, *, url: str, anchor: str, max_links_in_paragraph: int = MAX_LINKS_IN_PARAGRAPH
) -> QcReport:
    """Whether `after` is the published `before` with the ordered link placed well, and nothing else."""
    pair = _Pair(before, after, url=url, anchor=anchor)
    findings = Findings()
    _check_link(findings, pair)
    _check_surroundings(findings, pair)
    _check_amount(findings, pair)
    _check_place(findings, pair, max_links_in_paragraph)
    _check_safety(findings, pair)
    return findings.report()


@dataclass
class _Pair:
    """Both texts and what can be told about the link between them."""

    before: str
    after: str
    url: str
    anchor: str

    def __post_init__(self) -> None:
        self.old: Document = parse(self.before)
        self.new: Document = parse(self.after)
        self.href = href_of(self.url)

    @cached_property
    def insertion(self) -> Insertion | None:
        return insertion(self.before, self.after)

    @cached_property
    def changed(self) -> list[Block]:
        """The new text's blocks that the old one did not have."""
        known = Counter(_content(self.before, self.old, block) for block in self.old.blocks)
        found = []
        for block in self.new.blocks:
            content = _content(self.after, self.new, block)
            if known[content]:
                known[content] -= 1
            else:
                found.append(block)
        return found

    @cached_property
    def link(self) -> Link | None:
        """The new link: the one whose like was not there before, the ordered one first."""
        known = Counter(_identity(link) for link in self.old.links)
        fresh = []
        for link in self.new.links:
            if known[_identity(link)]:
                known[_identity(link)] -= 1
            else:
                fresh.append(link)
        return next((link for link in fresh if link.href == self.href), fresh[0] if fresh else None)


def _content(text: str, document: Document, block: Block) -> tuple[str, str]:
    starts = (*document.line_starts, len(text))
    return block.kind, text[starts[block.start_line] : starts[min(block.end_line, len(starts) - 1)]].rstrip(
        "\r\n"
    )


def _identity(link: Link) -> tuple[str, str, str | None]:
    return link.href, link.text, link.title


def _check_link(findings: Findings, pair: _Pair) -> None:
    old, new = [_identity(link) for link in pair.old.links], [_identity(link) for link in pair.new.links]
    link = pair.link
    added = len(new) - len(old)
    findings.add(
        "one_link",
        "Exactly one link was added",
        passed=added == 1,
        detail=f"{added} links were added instead of one.",
    )
    rest = iter(new)
    findings.add(
        "links_kept",
        "Every earlier link leads where it did, with the same words",
        passed=all(link in rest for link in old),
        detail="A link of the published text was changed, moved or lost.",
    )
    findings.add(
        "target",
        "The link leads to the ordered address",
        passed=link is not None and link.href == pair.href and _ORDERED.match(pair.url) is not None,
        detail=f"The new link leads to {link.href}, not to {pair.href}." if link else "There is no new link.",
    )
    findings.add(
        "anchor",
        "The link's words are the ordered anchor text",
        passed=link is not None and link.text == pair.anchor and link.is_plain,
        detail=f"The link reads “{link.text}”, not plainly “{pair.anchor}”."
        if link
        else "There is no new link.",
    )
    findings.add(
        "no_title",
        "The link has no title of its own",
        passed=link is None or link.title is None,
        detail=f"The link carries the title “{link.title if link else ''}”.",
    )


def _check_surroundings(findings: Findings, pair: _Pair) -> None:
    changed = pair.changed
    same_number = len(pair.old.blocks) == len(pair.new.blocks)
    findings.add(
        "one_paragraph",
        "Exactly one paragraph changed",
        passed=same_number and len(changed) == 1 and changed[0].kind == "paragraph" and is_prose(changed[0]),
        detail=f"{len(changed)} blocks changed ({', '.join(b.kind for b in changed) or 'none'}),"
        f" and the text has {len(pair.new.blocks)} blocks instead of {len(pair.old.blocks)}.",
    )
    findings.add(
        "rest_equal",
        "All other text is the same to the byte, in this paragraph too",
        passed=pair.insertion is not None,
        detail="More changed than one ordinary link and one run of added words.",
    )
    old_headings = [(b.level, b.text) for b in pair.old.blocks if b.kind == "heading"]
    new_headings = [(b.level, b.text) for b in pair.new.blocks if b.kind == "heading"]
    findings.add(
        "headings",
        "The headings are the same",
        passed=old_headings == new_headings,
        detail="A heading changed.",
    )
    findings.add(
        "front_matter",
        "The front matter is the same",
        passed=pair.old.front_matter == pair.new.front_matter,
        detail="The front matter changed.",
    )
    lost = Counter(words(pair.before)) - Counter(words(pair.after))
    findings.add(
        "words_kept",
        "No word of the published text was lost",
        passed=not lost,
        detail=f"Words were lost: {', '.join(list(lost)[:5])}.",
    )
    findings.add(
        "line_ends",
        "Line ends are the same",
        passed=_LINE_ENDS.findall(pair.before) == _LINE_ENDS.findall(pair.after),
        detail="Line ends were added, lost or changed.",
    )
    findings.add(
        "trailing_space",
        "White space at the ends of lines is the same",
        passed=_trailing(pair.before) == _trailing(pair.after),
        detail="White space at the end of a line was added or lost.",
    )


def _trailing(text: str) -> list[str]:
    return [line[len(line.rstrip()) :] for line in _LINE_ENDS.split(text)]


def _check_amount(findings: Findings, pair: _Pair) -> None:
    added = len(words(plain_text(pair.after))) - len(words(plain_text(pair.before)))
    findings.add(
        "new_words",
        f"At most {MAX_NEW_WORDS} words were added",
        passed=0 <= added <= MAX_NEW_WORDS,
        detail=f"{added} words were added.",
    )
    count = sum(len(sentences(b)) for b in pair.new.paragraphs) - sum(
        len(sentences(b)) for b in pair.old.paragraphs
    )
    findings.add(
        "new_sentences",
        "At most one sentence was added",
        passed=0 <= count <= MAX_NEW_SENTENCES,
        detail=f"{count} sentences were added.",
    )
    found = pair.insertion
    findings.add(
        "whole_sentence",
        "What was added is a sentence of its own, or nothing but the link",
        passed=found is None or _is_whole(found),
        detail="The added words are part of a sentence that stood there before.",
    )


def _is_whole(found: Insertion) -> bool:
    source, link = found.after.source, found.link
    if (found.start, found.end) == (link.start, link.end):
        return True
    ends = [end for _, end in sentences(found.before)]
    return found.start in {0, *ends} and is_finished(
        source[found.start : link.start] + link.text + source[link.end : found.end]
    )


def _check_place(findings: Findings, pair: _Pair, max_links: int) -> None:
    link = pair.link
    block = pair.new.blocks[link.block_index] if link else None
    findings.add(
        "body",
        "The link stands in a paragraph, not in a heading, list, quote or table",
        passed=block is None or block.kind == "paragraph",
        detail=f"The link stands in a {block.kind if block else 'block'}.",
    )
    findings.add(
        "not_first_sentence",
        "The link is not in the first sentence",
        passed=link is None or not _is_in_first_sentence(pair.new, link),
        detail="The link stands in the first sentence of the text.",
    )
    domain = registrable_domain(pair.url)
    same = sum(
        1 for link in pair.new.links if is_outgoing(link.href) and registrable_domain(link.href) == domain
    )
    findings.add(
        "one_per_domain",
        "It is the only link to its domain",
        passed=same <= 1,
        detail=f"The text has {same} links to {domain}.",
    )
    count = len(block.links) if block else 0
    findings.add(
        "paragraph_links",
        f"The paragraph has at most {max_links} links",
        passed=count <= max_links,
        detail=f"The paragraph has {count} links.",
    )


def _is_in_first_sentence(document: Document, link: Link) -> bool:
    first = next((block for block in document.paragraphs if is_prose(block)), None)
    return first is not None and link.block_index == first.index and link.start < sentences(first)[0][1]


def _check_safety(findings: Findings, pair: _Pair) -> None:
    findings.add(
        "no_html",
        "No HTML was added",
        passed=html_tags(pair.after) <= html_tags(pair.before),
        detail="HTML or an automatic link was added.",
    )
    ordered = scripted(pair.url) + scripted(pair.anchor)
    findings.add(
        "no_script",
        "No address that runs a script or hides data was added",
        passed=scripted(pair.after) - scripted(pair.before) <= ordered,
        detail="An address such as javascript: or data: was added.",
    )
    odd = (hidden(pair.after) - hidden(pair.before)) | (
        hidden(plain_text(pair.after)) - hidden(plain_text(pair.before))
    )
    findings.add(
        "visible",
        "No invisible or odd white space characters were added",
        passed=not odd,
        detail=f"Characters were added that nobody can see: {', '.join(name_of(char) for char in list(odd)[:3])}.",
    )
    mixed = Counter(mixed_words(pair.after)) - Counter(mixed_words(pair.before))
    findings.add(
        "one_alphabet",
        "No added word mixes alphabets that look alike",
        passed=not mixed,
        detail=f"Words mix alphabets: {', '.join(list(mixed)[:3])}.",
    )
