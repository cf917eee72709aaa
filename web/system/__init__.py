"""How the installation stands, on one page for admins. At `/admin/system`."""

from typing import Any, Final

from web.system.page import system

__all__ = ["handlers"]

handlers: Final[list[Any]] = [system]
