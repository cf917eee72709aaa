"""Orders, as their customers see them: the catalogue, buying, following and deciding."""

from typing import Any

from web.orders import local
from web.orders.api import Purchases, openapi
from web.orders.catalogue import Catalogue
from web.orders.drafts import Confirming, Drafts, OrderForm
from web.orders.information import help_page, privacy, terms
from web.orders.order import Orders
from web.orders.reading import read_article

__all__ = ["handlers", "local"]

handlers: list[Any] = [
    Catalogue,
    OrderForm,
    Drafts,
    Confirming,
    Orders,
    read_article,
    help_page,
    terms,
    privacy,
    Purchases,
    openapi,
]
