"""The one reading of Markdown everything else rests on.

It knows where each top-level block and each link stands in the source, to the character, so that an edit can be
a splice and a check can compare bytes. CommonMark and tables; raw HTML is text.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, autolink, backtick, emphasis, image
from markdown_it.rules_inline import link as link_rule
from markdown_it.token import Token

BlockKind = Literal["heading", "paragraph", "list", "quote", "table", "code", "html", "other"]

_KINDS: dict[str, BlockKind] = {
    "heading_open": "heading",
    "paragraph_open": "paragraph",
    "bullet_list_open": "list",
    "ordered_list_open": "list",
    "blockquote_open": "quote",
    "table_open": "table",
    "fence": "code",
    "code_block": "code",
}
_LINE_END = re.compile(r"\r\n|\r|\n")
_FRONT_MATTER = re.compile(
    r"\A---[ \t]*(?:\r\n|\r|\n)(?=[\w-]+[ \t]*:).*?(?:\r\n|\r|\n)(?:---|\.\.\.)[ \t]*(?:\r\n|\r|\n|\Z)",
    re.DOTALL,
)
_TAG = re.compile(r"<[a-zA-Z/!?]")


@dataclass(frozen=True, slots=True)
class Span:
    """Markup in a paragraph's source, `[start, end)`, that no edit may cut in two."""

    kind: Literal["link", "image", "code", "emphasis"]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link as a reader meets it. `href` is as rendered (see `href_of`).

    `start` and `end` are its place in `Block.source`, or -1 where the block is not a top-level paragraph.
    """

    href: str
    text: str
    title: str | None
    block_index: int
    start: int = -1
    end: int = -1
    text_start: int = 0
    """Where `text` begins in `Block.text`."""
    is_plain: bool = True
    """Whether the label is words only: no emphasis, code or image in it."""


@dataclass(frozen=True, slots=True)
class Block:
    r"""One top-level block. Lists, quotes and tables are one block each, with everything in them.

    Lines count from 0 in the whole document, `end_line` is exclusive. `source` is a paragraph's or heading's own
    Markdown with its line ends as `\n`; `text` is what a reader sees. Paragraphs are numbered from 1.
    """

    index: int
    kind: BlockKind
    start_line: int
    end_line: int
    text: str
    heading_path: tuple[str, ...]
    level: int = 0
    number: int = 0
    source: str = ""
    indent: int = 0
    spans: tuple[Span, ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its blocks, and the way back from a paragraph's character to the text's."""

    markdown: str
    front_matter: str
    blocks: tuple[Block, ...]
    line_starts: tuple[int, ...]

    def position(self, block: Block, offset: int) -> int:
        """Where in the whole text the character `offset` of `block.source` stands."""
        lines_before = block.source.count("\n", 0, offset)
        column = offset - (block.source.rfind("\n", 0, offset) + 1)
        start = self.line_starts[block.start_line + lines_before]
        return start + column + (0 if lines_before else block.indent)

    def paragraph(self, number: int) -> Block | None:
        return next((b for b in self.blocks if b.kind == "paragraph" and b.number == number), None)

    @property
    def paragraphs(self) -> list[Block]:
        return [block for block in self.blocks if block.kind == "paragraph"]

    @property
    def links(self) -> list[Link]:
        return [found for block in self.blocks for found in block.links]


def _located(rule: Callable[[StateInline, bool], bool]) -> Callable[[StateInline, bool], bool]:
    """An inline rule that also notes, on the tokens it adds, where in the source they stand."""

    def located(state: StateInline, silent: bool) -> bool:
        start, first = state.pos, len(state.tokens)
        if not rule(state, silent):
            return False
        if not silent:
            for token in state.tokens[first:]:
                token.meta.setdefault("span", (start, state.pos))
        return True

    return located


def _located_delimiters(state: StateInline, silent: bool) -> bool:
    start = state.pos
    if not emphasis.tokenize(state, silent):
        return False
    run = state.pos - start
    for offset, token in enumerate(state.tokens[-run:]):
        token.meta["span"] = (start + offset, start + offset + 1)
    return True


@lru_cache(maxsize=1)
def parser() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    for name, rule in (
        ("link", link_rule),
        ("image", image),
        ("autolink", autolink),
        ("backticks", backtick),
    ):
        made.inline.ruler.at(name, _located(rule))
    made.inline.ruler.at("emphasis", _located_delimiters)
    return made


def split_front_matter(markdown: str) -> tuple[str, str]:
    """(front matter with its fences, the rest); the first is empty where there is none."""
    found = _FRONT_MATTER.match(markdown)
    cut = found.end() if found else 0
    return markdown[:cut], markdown[cut:]


@lru_cache(maxsize=16)
def parse(markdown: str) -> Document:
    """The text's top-level blocks. Pure, and remembered for the last few texts: about 20 ms per article."""
    front_matter, body = split_front_matter(markdown)
    line_starts = (0, *(found.end() for found in _LINE_END.finditer(markdown)))
    first_line = bisect_right(line_starts, len(front_matter)) - 1 if front_matter else 0
    lines = _LINE_END.split(body)
    blocks: list[Block] = []
    path: list[tuple[int, str]] = []
    paragraphs = 0
    for tokens in _top_level(parser().parse(body)):
        block = _block(tokens, index=len(blocks), lines=lines, first_line=first_line, path=path)
        if block.kind == "paragraph":
            paragraphs += 1
            block = replace(block, number=paragraphs)
        elif block.kind == "heading":
            path = [step for step in path if step[0] < block.level] + [(block.level, block.text)]
        blocks.append(block)
    return Document(markdown, front_matter, tuple(blocks), line_starts)


def _top_level(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    start = 0
    for end, token in enumerate(tokens, start=1):
        if token.level == 0 and token.nesting <= 0:
            yield tokens[start:end]
            start = end


def _block(
    tokens: Sequence[Token], *, index: int, lines: list[str], first_line: int, path: list[tuple[int, str]]
) -> Block:
    opening = tokens[0]
    start, end = opening.map or (0, 0)
    kind = _KINDS.get(opening.type, "other")
    inlines = [token for token in tokens if token.type == "inline"]
    texts = [_text(token.children or ()) for token in inlines]
    source, indent = "", 0
    spans: tuple[Span, ...] = ()
    if kind in {"paragraph", "heading"}:
        source = inlines[0].content
        indent = max(0, "\n".join(lines[start:end]).replace("\0", "\ufffd").find(source))
        spans = tuple(_spans(inlines[0].children or ()))
        if kind == "paragraph" and _TAG.match(source) and not (spans and spans[0].start == 0):
            kind = "html"
    return Block(
        index=index,
        kind=kind,
        start_line=first_line + start,
        end_line=first_line + end,
        text=opening.content if kind == "code" else "\n".join(texts),
        heading_path=tuple(title for _, title in path),
        level=int(opening.tag[1]) if kind == "heading" else 0,
        source=source,
        indent=indent,
        spans=spans,
        links=tuple(_block_links(inlines, texts, index, is_placed=kind == "paragraph")),
    )


def _spans(children: Sequence[Token]) -> Iterator[Span]:
    opened: list[int] = []
    for token in children:
        start, end = token.meta.get("span", (-1, -1))
        match token.type:
            case "link_open":
                yield Span("link", start, end)
            case "image":
                yield Span("image", start, end)
            case "code_inline":
                yield Span("code", start, end)
            case "em_open" | "strong_open":
                opened.append(start - (token.type == "strong_open"))
            case "em_close" | "strong_close":
                yield Span("emphasis", opened.pop(), end + (token.type == "strong_close"))


def _block_links(
    inlines: Sequence[Token], texts: Sequence[str], block_index: int, *, is_placed: bool
) -> Iterator[Link]:
    before = 0
    for token, text in zip(inlines, texts, strict=True):
        for link in _links(token.children or (), block_index, is_placed=is_placed):
            yield replace(link, text_start=before + link.text_start)
        before += len(text) + 1


def _links(children: Sequence[Token], block_index: int, *, is_placed: bool) -> Iterator[Link]:
    for at, token in enumerate(children):
        if token.type != "link_open":
            continue
        close = next(n for n in range(at, len(children)) if children[n].type == "link_close")
        label = children[at + 1 : close]
        start, end = token.meta.get("span", (-1, -1)) if is_placed else (-1, -1)
        title = token.attrGet("title")
        yield Link(
            href=str(token.attrGet("href") or ""),
            text=_text(label),
            title=None if title is None else str(title),
            block_index=block_index,
            start=start,
            end=end,
            text_start=len(_text(children[:at])),
            is_plain=all(t.type == "text" for t in label),
        )


def _text(children: Sequence[Token]) -> str:
    words = []
    for token in children:
        if token.type in {"softbreak", "hardbreak"}:
            words.append(" ")
        elif token.type == "image":
            words.append(_text(token.children or ()))
        else:
            words.append(token.content)
    return "".join(words)
