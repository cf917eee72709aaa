"""How every process of the product begins."""

from typing import Final

from models.base import logs, metrics, tracing
from models.base.settings import Settings, start

#: The advisory lock of the one dispatcher that acts. Any number, the same for every dispatcher of this product.
DISPATCHER_LOCK: Final = 7_223_002


def begin(process: str) -> Settings:
    """Read the settings, and let what this process does be seen under its name: log, metrics, traces.

    What it can't begin with is said in plain words on stderr, with exit status 2.
    """
    settings = start()
    logs.configure(settings, process=process)
    metrics.serve(settings.collectors)
    tracing.configure(settings, process=process)
    return settings
