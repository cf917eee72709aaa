"""Logging: one shape for every process and every library, one correlation id from the page to the job to the letter.

Names of events are `area.happened` (`web.answered`, `job.dead`); what varies are keys, never parts of the name.
"""

import logging
import logging.config
import sys
from typing import Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from models.base.metrics import EVENTS
from models.base.settings import Settings

#: Keys whose values are never written, whoever logs them.
SECRET_KEYS: Final = frozenset(
    {"token", "code", "secret", "password", "cookie", "cookies", "authorization", "csrf", "sealed"}
)
#: Libraries that say more than anybody reads.
QUIET: Final = (
    "uvicorn.access",
    "uvicorn.error",
    "asyncio",
    "httpx2",
    "httpcore2",
    "sse_starlette",
    "botocore",
)


def configure(settings: Settings, *, process: str) -> None:
    """Send every line of this process, ours and the libraries', to standard output; `process` names it in each.

    `LOG_FORMAT=json` writes one object per line, `console` writes for people.
    """
    is_json = settings.app.log_format == "json"
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _Named(process),
        _without_secrets,
    ]
    if is_json:
        # Never with the values of local variables: among them are tokens and what people typed.
        frames = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        before.append(structlog.processors.ExceptionRenderer(frames))
    last: Processor = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        # Only ours are counted: what other libraries write are sentences, and no two need be alike.
        processors=[*before, _counted, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.app.log_level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Taskiq's receiver says each start and each failure; ours says them with the job's outcome.
    logging.getLogger("taskiq").setLevel(logging.CRITICAL)


class _Named:
    """Adds the name of the process to each line."""

    def __init__(self, process: str) -> None:
        self.process = process

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["process"] = self.process
        return event


def _without_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in SECRET_KEYS & event.keys():
        event[key] = "[withheld]"
    return event


def _counted(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    EVENTS.labels(event["event"], event["level"]).inc()
    return event
