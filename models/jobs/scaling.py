"""How many workers there are to be: decided from what waits and runs now, never from what was measured minutes ago.

Demand decides, and counts what runs as well as what waits: a controller that sees only the backlog sends workers home
while they work. The age of the oldest job corrects it, where workers do less than their slots promise. More come at
once; fewer only when fewer were wanted for a while. docs/scaling.md compares this with other rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Final

#: Between two raises by age: those who were asked for last must have had time to start and to help.
RAISE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What a queue is promised: its slots in one worker, and how long its oldest job may wait."""

    slots: int
    patience: timedelta


@dataclass(frozen=True, slots=True)
class Service:
    """Workers of one kind: the queues that they share, and how many of them there may be."""

    name: str
    queues: Mapping[str, Terms]
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a queue asks of its workers. Jobs that a pause, a silence or a limit holds back ask for nothing."""

    ready: int = 0
    running: int = 0
    oldest: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Decision:
    """So many workers are wanted, and why: what was seen of the service's queues together, and the deciding words."""

    service: str
    ready: int
    running: int
    oldest: timedelta
    present: int
    wanted: int
    why: str


class Scaler:
    """Decides for one service. Times are seconds on a clock that never goes back; `wanted` is what is so already.

    Fewer are wanted once nobody has wished for more during the last `hold` seconds.
    """

    def __init__(self, service: Service, *, hold: float, wanted: int, at: float) -> None:
        self.service = service
        self.wanted = min(wanted, service.most)
        self._hold = hold
        self._wishes = [(at, self.wanted)]
        self._raised = 0
        self._raised_at = at

    def decide(self, loads: Mapping[str, Load], present: int, at: float) -> Decision:
        """What is wanted now, with these loads by queue and so many living workers."""
        service = self.service
        needs = {
            name: ceil((loads[name].ready + loads[name].running) / terms.slots)
            for name, terms in service.queues.items()
        }
        queue = max(needs, key=lambda name: needs[name])
        load, slots = loads[queue], service.queues[queue].slots
        why = "nothing waits or runs"
        if needs[queue]:
            why = f"{load.ready} wait and {load.running} run in {queue}, {slots} to a worker"
        latest = self._raise(loads, present, at)
        if self._raised > needs[queue]:
            why += f"; {latest} waits too long for that"
        asked = max(needs[queue], self._raised)
        wish = min(max(asked, service.least), service.most)
        if wish != asked:
            why += f"; there may be {service.least} to {service.most}"
        self._wishes = [one for one in self._wishes if one[0] > at - self._hold] + [(at, wish)]
        self.wanted = max(wished for _, wished in self._wishes)
        return Decision(
            service.name,
            ready=sum(one.ready for one in loads.values()),
            running=sum(one.running for one in loads.values()),
            oldest=max(one.oldest for one in loads.values()),
            present=present,
            wanted=self.wanted,
            why=why,
        )

    def _raise(self, loads: Mapping[str, Load], present: int, at: float) -> str:
        """Raise by half when all who are wanted are there and a job waits too long; stop when none waits for long.

        Returns the queue that waits longest for what it was promised.
        """
        lateness = {name: loads[name].oldest / terms.patience for name, terms in self.service.queues.items()}
        latest = max(lateness, key=lambda name: lateness[name])
        if lateness[latest] <= 1 / 2:
            self._raised = 0
        elif lateness[latest] > 1 and present >= self.wanted and at - self._raised_at >= RAISE_SECONDS:
            self._raised = min(self.wanted + ceil(self.wanted / 2), self.service.most)
            self._raised_at = at
        return latest
