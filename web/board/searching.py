"""The line that jobs are searched by: what of it a visitor may use, and how its last word may go on."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from models.base.errors import Invalid
from models.jobs.filter import OPEN, QUALIFIERS, Filter, parts
from models.jobs.message import kinds
from models.jobs.states import JobState

#: For how long a page goes on looking for what no index knows: through some 200,000 jobs by kind, queue or argument.
#: The first page answers at once, and a browser with scripts goes on by itself. An index on the kind would be written
#: three times for each job, at asking, claiming and ending.
PATIENCE: Final = timedelta(milliseconds=300)
#: So many ways to go on are offered at once.
MOST_OFFERED: Final = 60


def understood(line: str, *, sees_payload: bool) -> Filter:
    """What a line means to this visitor. Raises `Invalid` naming `q`: what jobs carry is not told by finding it."""
    wanted = Filter.read(line)
    if not (sees_payload or wanted.is_open):
        known = ", ".join(f"{one}:" for one in OPEN)
        raise Invalid({"q": f"You can search by {known}. What jobs carry and say is for editors."})
    return wanted


def offered(*, sees_payload: bool) -> dict[str, str]:
    """The qualifiers that this visitor may use, each with what it asks for."""
    return {name: words for name, words in QUALIFIERS.items() if sees_payload or name in OPEN}


def without(line: str, *qualifiers: str) -> str:
    """The line without what it says by these."""
    return " ".join(part for part in parts(line) if part.partition(":")[0] not in qualifiers)


def completions(line: str, *, sees_payload: bool) -> list[str]:
    """The whole line with its last word completed, in each way that there is; what is said already is not offered."""
    before, space, last = line.rpartition(" ")
    said = {part.partition(":")[0] for part in parts(before)}
    names = [one for one in offered(sees_payload=sees_payload) if one not in said]
    further = [one for one in _words(names) if one.startswith(last) and one != last]
    return [f"{before}{space}{one}" for one in further[:MOST_OFFERED]]


def _words(names: Iterable[str]) -> list[str]:
    queues = sorted({one.queue for one in kinds().values()})
    values = {"state": [one.value for one in JobState], "queue": queues, "kind": sorted(kinds())}
    # First what can be chosen, then what has to be typed on.
    chosen = [f"{name}:{value}" for name in values if name in names for value in values[name]]
    return chosen + [name if name.endswith(".") else f"{name}:" for name in names if name not in values]
