"""Places where a process can be made to die, so that the reliability suite kills it exactly there and not nearby.

Without the variable CRASH_POINT a point costs one comparison. With it, the process ends at the point of that name as a
power cut would end it: no handler runs, nothing is flushed, no connection is closed.
"""

import os
import signal
from typing import Final

#: Each stands in the code once, and tests/reliability kills a process at each.
POINTS: Final = (
    "after a commit, before anybody is told",
    "after a claim, before the first job begins",
    "between a claim and its gate",
    "in a gate, before its commit",
    "after the work, before its transaction",
    "in the last transaction, before its commit",
    "after the last transaction",
    "before a batch of completions",
    "after a batch of completions",
    "in a flow, before what follows from its job's end",
    "in a chunk of a bulk action, before its commit",
    "after Stripe took a refund, before it is noted",
    "after a letter is claimed, before it is sent",
    "after a call to a model is claimed, before it is made",
    "after a model answered, before it is noted",
    "after a webhook is signed, before it is sent",
    "after a webhook was answered, before it is noted",
    "in a rescue, before its commit",
    "in the firing of a schedule",
    "before the dispatcher rings",
)

#: The point that is armed in this process, and what comes to it there: the suite also lets a process stand still, and
#: ends the servers that it was talking to.
armed = os.environ.get("CRASH_POINT")
fate = signal.SIGKILL


def crash_point(name: str) -> None:
    """Die here, if this point is armed."""
    if armed is not None and armed == name:
        os.kill(os.getpid(), fate)
