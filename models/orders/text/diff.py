"""What changed between two versions of an article, as people read it: block by block, word by word."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from models.orders.text.comparison import inserted_at, new_links
from models.orders.text.markdown import Block, Link, parse

#: What two blocks that are the same have in common.
_Key = tuple[object, ...]
_PIECE = re.compile(r"\s+|\w+(?:['\u2019-]\w+)*|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Segment:
    kind: Literal["same", "insert", "delete"]
    text: str
    href: str | None = None
    is_new_link: bool = False


@dataclass(frozen=True, slots=True)
class DiffBlock:
    """One block as people see it. A run of unchanged blocks is one `same` block, to be folded away.

    `segments` of an unchanged run are its blocks' texts, one each. `heading_path` says which section it is in.
    """

    kind: Literal["same", "changed", "added", "removed"]
    segments: tuple[Segment, ...]
    heading_path: tuple[str, ...]


def changes(before: str, after: str) -> list[DiffBlock]:
    """The two versions as a list of blocks: unchanged runs, and changed paragraphs word by word."""
    old, new = parse(before).blocks, parse(after).blocks
    blocks: list[DiffBlock] = []
    for tag, i, j, k, m in _between([_key(b) for b in old], [_key(b) for b in new]):
        if tag == "equal":
            texts = tuple(Segment("same", block.text) for block in new[k:m])
            blocks.append(DiffBlock("same", texts, new[k].heading_path))
            continue
        paired = min(j - i, m - k)
        for was, now in zip(old[i : i + paired], new[k : k + paired], strict=True):
            blocks.append(DiffBlock("changed", _segments(was, now), now.heading_path))
        blocks += [
            DiffBlock("removed", (Segment("delete", b.text),), b.heading_path) for b in old[i + paired : j]
        ]
        blocks += [
            DiffBlock("added", (Segment("insert", b.text),), b.heading_path) for b in new[k + paired : m]
        ]
    return blocks


def _between(old: list[_Key], new: list[_Key]) -> list[tuple[str, int, int, int, int]]:
    """Difflib's opcodes of what lies between a common beginning and a common end. Of whole texts it takes the longest equal
    runs first: with equal paragraphs round a changed one, it would pair those with one another.
    """
    shorter = min(len(old), len(new))
    head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    tail = next((at for at in range(shorter - head) if old[-1 - at] != new[-1 - at]), shorter - head)
    ends = len(old) - tail, len(new) - tail
    matcher = SequenceMatcher(None, old[head : ends[0]], new[head : ends[1]], autojunk=False)
    between = [(tag, i + head, j + head, k + head, m + head) for tag, i, j, k, m in matcher.get_opcodes()]
    begins = [("equal", 0, head, 0, head)] if head else []
    return [*begins, *between, *([("equal", ends[0], len(old), ends[1], len(new))] if tail else [])]


def _key(block: Block) -> _Key:
    return (block.kind, block.source or block.text, *(link.href for link in block.links))


def _segments(was: Block, now: Block) -> tuple[Segment, ...]:
    """Word by word. New words are `insert`; a link new on old words is `same` with `is_new_link`."""
    old, new = _pieces(was), _pieces(now)
    fresh = {id(link) for link in new_links(was.links, now.links)}
    old_words, new_words = [text for text, _ in old], [text for text, _ in new]
    found: list[Segment] = []
    for tag, i, j, k, m in _opcodes(old_words, new_words):
        if tag in {"delete", "replace"}:
            _extend(found, "delete", old[i:j], fresh)
        if tag != "delete":
            _extend(found, "same" if tag == "equal" else "insert", new[k:m], fresh)
    return tuple(found)


def _opcodes(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    """difflib's, except that one inserted run is told as one, and begins where a sentence ended."""
    at = inserted_at(old, new)
    if at is None:
        return list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
    end = at + len(new) - len(old)
    return [
        ("equal", 0, at, 0, at),
        ("insert", at, at, at, end),
        ("equal", at, len(old), end, len(new)),
    ]


def _pieces(block: Block) -> list[tuple[str, Link | None]]:
    pieces: list[tuple[str, Link | None]] = []
    at = 0
    for link in block.links:
        pieces += [(text, None) for text in _PIECE.findall(block.text[at : link.text_start])]
        at = link.text_start + len(link.text)
        pieces += [(text, link) for text in _PIECE.findall(link.text)]
    return pieces + [(text, None) for text in _PIECE.findall(block.text[at:])]


def _extend(
    found: list[Segment],
    kind: Literal["same", "insert", "delete"],
    pieces: Sequence[tuple[str, Link | None]],
    fresh: set[int],
) -> None:
    for text, link in pieces:
        href = link.href if link else None
        is_new = link is not None and id(link) in fresh
        last = found[-1] if found else None
        if last and (last.kind, last.href, last.is_new_link) == (kind, href, is_new):
            found[-1] = Segment(kind, last.text + text, href, is_new)
        else:
            found.append(Segment(kind, text, href, is_new))
