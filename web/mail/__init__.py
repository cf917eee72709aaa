"""Letters from the other side: what their readers want, what their provider tells, and what people see to.

`/account/notifications` (`NOTIFICATIONS`) is the page to which an account page links.
"""

from typing import Any, Final

from web.mail.admin import MailDesk
from web.mail.notifications import NOTIFICATIONS, Notifications
from web.mail.unsubscribe import Unsubscribe
from web.mail.webhook import ses_webhook

__all__ = ["NOTIFICATIONS", "handlers"]

handlers: Final[list[Any]] = [ses_webhook, Unsubscribe, Notifications, MailDesk]
