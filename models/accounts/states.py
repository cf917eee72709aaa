"""Who a person is to the product."""

from enum import StrEnum


class Role(StrEnum):
    """What a person may do. Each role may do what those before it may."""

    CUSTOMER = "customer"
    ANALYST = "analyst"
    EDITOR = "editor"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)

    @property
    def is_staff(self) -> bool:
        """Whether whoever has this role works here."""
        return self is not Role.CUSTOMER


class Scope(StrEnum):
    """What an API token opens. A token never opens more than its owner's role does at that moment."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    ADMIN_READ = "admin:read"
    ADMIN_WRITE = "admin:write"

    @property
    def role(self) -> Role:
        """The role that this scope wants of the token's owner."""
        return Role.ADMIN if self in {Scope.ADMIN_READ, Scope.ADMIN_WRITE} else Role.CUSTOMER
