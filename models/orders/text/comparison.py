"""What turned one version of an article into another, told from the two texts alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from models.orders.text.edits import Edit, Wrap
from models.orders.text.markdown import Block, Link, label_end, parse
from models.orders.text.sentences import sentences


@dataclass(frozen=True, slots=True)
class Insertion:
    """A paragraph of the old text became that of the new by one link and at most one run of inserted text.

    `start` and `end` bound the inserted run, and `link` the link, in the new paragraph's source.
    """

    before: Block
    after: Block
    link: Link
    start: int
    end: int

    @property
    def inserted(self) -> str:
        return self.after.source[self.start : self.end]


def changed_paragraph(before: str, after: str) -> tuple[Block, Block] | None:
    """The one top-level paragraph that differs, old and new, or None: then more, less or something else changed.

    All around it is equal to the byte; this compares the texts themselves and not what they mean.
    """
    old, new = parse(before), parse(after)
    if [b.kind for b in old.blocks] != [b.kind for b in new.blocks]:
        return None
    for was, now in zip(old.blocks, new.blocks, strict=True):
        if was.kind != "paragraph" or was.source == now.source:
            continue
        start, end = old.position(was, 0), old.position(was, len(was.source))
        new_end = new.position(now, len(now.source))
        is_only_change = new.position(now, 0) == start and before[:start] == after[:start]
        return (was, now) if is_only_change and before[end:] == after[new_end:] else None
    return None


def insertion(before: str, after: str) -> Insertion | None:
    """How the link came in, or None if it did not come in as one link and one run of text around it."""
    pair = changed_paragraph(before, after)
    if pair is None:
        return None
    was, now = pair
    for link in new_links(was.links, now.links):
        source = now.source[link.start : link.end]
        close = label_end(source)
        if not source.startswith("[") or source[close : close + 2] != "](":
            continue
        label = source[1:close]
        bare = now.source[: link.start] + label + now.source[link.end :]
        at = inserted_at(was.source, bare)
        if at is None:
            continue
        start, end = at, at + len(bare) - len(was.source)
        label_start = link.start
        if start == end:
            return Insertion(was, now, link, link.start, link.end)
        if start <= label_start and label_start + len(label) <= end:
            return Insertion(was, now, link, start, end + len(source) - len(label))
    return None


def edit_made(before: str, after: str) -> Edit | Wrap | None:
    """The edit that turned one text into the other, told from the texts alone."""
    found = insertion(before, after)
    if found is None:
        return None
    if (found.start, found.end) == (found.link.start, found.link.end):
        label = found.after.source[found.link.start + 1 :]
        return Wrap(found.before.number, found.start, found.start + label_end("[" + label) - 1)
    count = sum(1 for _, end in sentences(found.before) if end <= found.start)
    start, _ = found.link.start, found.link.end
    sentence = (
        found.after.source[found.start : start] + "{anchor}" + found.after.source[found.link.end : found.end]
    )
    return Edit(found.before.number, count, sentence.strip())


def moved_to(edit: Edit | Wrap, before: str, now: str) -> Edit | Wrap | None:
    """An edit of the text `before`, for the paragraph of the text `now` that is the same to the byte; None if there
    is none or more than one.
    """
    was = parse(before).paragraph(edit.paragraph)
    same = [block for block in parse(now).paragraphs if was is not None and block.source == was.source]
    return replace(edit, paragraph=same[0].number) if len(same) == 1 else None


def new_links(was: Sequence[Link], now: Sequence[Link]) -> Iterator[Link]:
    """Each link whose absence would leave the old ones, in order."""
    old = [(link.href, link.text, link.title) for link in was]
    new = [(link.href, link.text, link.title) for link in now]
    for at, link in enumerate(now):
        if new[:at] + new[at + 1 :] == old:
            yield link


def inserted_at(old: Sequence[str], new: Sequence[str]) -> int | None:
    """Where one run was inserted into `old` (characters or words) to give `new`; where several places fit,
    at the end of a sentence.
    """
    size = len(new) - len(old)
    if size < 0:
        return None
    prefix = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), len(old))
    fits = []
    for at in range(prefix, -1, -1):
        if new[at + size :] != old[at:]:
            break
        fits.append(at)
    ends = [at for at in fits if 0 < at < len(new) and new[at].isspace() and not new[at - 1].isspace()]
    return next(iter(ends or fits), None)
