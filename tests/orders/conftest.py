"""The shop that the tests of pages visit."""

from tests.orders.selling import listening, sandbox, sandbox_process, selling_settings, shop

__all__ = ["listening", "sandbox", "sandbox_process", "selling_settings", "shop"]
