"""What handlers ask for, by name: write `session: Transaction`, `visitor: Who`, `form: Submitted`.

Path and query parameters are Litestar's own `FromPath[UUID]` and `FromQuery[str]`. A dependency must not refuse: what one
raises leaves the transaction, another one, to the garbage collector (Litestar 2.25). Handlers and guards refuse.
"""

from typing import TypeAlias

from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.crypto import Keys
from models.base.db import Database
from models.base.settings import Settings
from web.forms import FormData
from web.limits import Limiter
from web.pages import Pages
from web.visitor import Visitor

#: The request's one transaction: committed before the answer leaves, rolled back when the handler raises.
Transaction: TypeAlias = NamedDependency[AsyncSession]
#: Who asks.
Who: TypeAlias = NamedDependency[Visitor]
#: The fields of the form that was sent.
Submitted: TypeAlias = NamedDependency[FormData]
Config: TypeAlias = NamedDependency[Settings]
Data: TypeAlias = NamedDependency[Database]
KeyRing: TypeAlias = NamedDependency[Keys]
Templates: TypeAlias = NamedDependency[Pages]
Limits: TypeAlias = NamedDependency[Limiter]
