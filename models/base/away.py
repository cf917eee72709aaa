"""Telling a database that is away for a while from one that refuses what it was asked to do.

What is away comes back, and the same is done then. What it refuses it will refuse for ever: that must have another end.
"""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneFree

#: Whatever a database may answer with, and the way to it. For those who only look again later, and hold nothing meanwhile.
DATABASE_ERRORS: Final = (
    OSError,
    TimeoutError,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

#: Classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html that are about the server, the way
#: to it or what others do at the same time, never about the statement and its values.
_PASSING: Final = (
    "08",  # the connection
    "0A000",  # "cached plan must not change result type": the schema has changed meanwhile
    "25006",  # it is a standby: the other one takes over
    "25P03",  # our transaction was idle for too long
    "26",  # a prepared statement that the server has forgotten
    "28",  # it does not let us in (now)
    "3D",  # it is being restored
    "40",  # a deadlock, a conflict
    "53",  # full, or too many connections
    "55P03",  # a lock was held for too long
    "57",  # it was shut down, starts, or was told to stop the statement
    "58",  # its disk
)
#: What asyncpg says of a statement and its values before it sends them. It has no codes for that, and will say it for ever.
_OURS: Final = ("the server expects", "query arguments cannot exceed")


def is_away(error: BaseException) -> bool:
    """Whether the same may well be done later, because the database or the way to it is what failed."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return True
        # Of the driver's, or of SQLAlchemy's own that stands for one of the driver's: both say `sqlstate`, if there is one.
        return _is_passing(error.orig)
    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
        return _is_passing(error)
    # "cannot switch to state …" and the like: a connection that was cut in the middle of an answer.
    return isinstance(error, (OSError, TimeoutError, NoneFree, asyncpg.InternalClientError))


def _is_passing(error: BaseException | None) -> bool:
    state: str | None = getattr(error, "sqlstate", None)
    if state is None:
        return not any(words in str(error) for words in _OURS)
    return state.startswith(_PASSING)
