"""What the forms of the editors are read into."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, TypeVar
from uuid import UUID

from models.accounts.states import Role
from models.orders.desk.queries import Filter
from models.orders.states import OrderStatus
from models.payments.states import PaymentState
from web.forms import choice, identity, text
from web.lists import searched

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Deciding:
    """A decision: why, and the version that the editor looked at. The rules say what of it is wanted."""

    reason: Annotated[str, text(max_length=None, is_prose=True)] = ""
    seen: Annotated[UUID | None, identity("Reload the order, look at it, then decide.")] = None


@dataclass(frozen=True, slots=True)
class GivingRole:
    """Another role for a person."""

    role: Annotated[Role, choice(Role, "Choose a role.")]


def filter_of(fields: Mapping[str, str]) -> Filter:
    """The filter that an address asks for. What is not one of the choices filters nothing."""
    return Filter(
        query=searched(fields.get("q", "")),
        status=one_of(OrderStatus, fields.get("status", "")),
        payment_state=one_of(PaymentState, fields.get("payment", "")),
        site=searched(fields.get("site", "")),
    )


def one_of(options: type[E], value: str) -> E | None:
    """The option with this value, if it is one."""
    try:
        return options(value)
    except ValueError:
        return None
