"""Notices in people's inboxes, and the webhooks that tell other systems."""

from typing import Any, Final

from models.notices import leaving
from web.notices.inbox import Inbox
from web.notices.webhooks import Webhooks

__all__ = ["handlers", "leaving"]

handlers: Final[list[Any]] = [Inbox, Webhooks]
