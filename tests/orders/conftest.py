"""The shop that the tests of pages visit."""

from tests.orders.selling import shop

__all__ = ["shop"]
