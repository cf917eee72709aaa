"""Who a person is to the product."""

from enum import StrEnum


class Role(StrEnum):
    """What a person may do. Each role may do what those before it may."""

    CUSTOMER = "customer"
    EDITOR = "editor"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do what `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)
