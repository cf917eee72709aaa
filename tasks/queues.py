"""`tasks/queues.json`: the queues, what their workers need, and how many of those there may be."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

QUEUES: Final[Mapping[str, Mapping[str, int]]] = json.loads(
    Path(__file__).with_name("queues.json").read_text()
)


def services(backend: str) -> dict[str, list[str]]:
    """The kinds of worker that a scaling backend runs, each by its name and with its queues.

    On AWS each queue has its own. One machine has one for all queues that always have a worker; those that may do
    without have theirs only while there is something to do. Where the metric is read, all workers are alike.
    """
    if backend == "metrics":
        return {"worker": list(QUEUES)}
    lasting = [name for name, one in QUEUES.items() if one["min"] > 0 and backend == "local"]
    alone = {f"worker-{name}": [name] for name in QUEUES if name not in lasting}
    return {"worker": lasting} | alone if lasting else alone
