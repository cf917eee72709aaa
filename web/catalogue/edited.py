"""The article that a page of the desk is about, for controllers whose paths name its site and its id."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias
from uuid import UUID

from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from models.orders.catalogue.editing import Editable, editable
from web.params import Transaction

Reader: TypeAlias = Callable[[], Awaitable[Editable]]


# It reads when the handler says so: what a dependency raises leaves the transaction open that it was given.
def _reader(session: Transaction, slug: FromPath[str], article_id: FromPath[UUID]) -> Reader:
    return partial(editable, session, slug, article_id)


#: What a handler asks for as `read`, where its controller has `dependencies = ARTICLE`: `there = await read()`.
Edited: TypeAlias = NamedDependency[Reader]
ARTICLE: Final = {"read": Provide(_reader, sync_to_thread=False)}


def home_of(there: Editable) -> str:
    """Where its form is."""
    return f"/admin/sites/{there.site.slug}/articles/{there.article.id}"
