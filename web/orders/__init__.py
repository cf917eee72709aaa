"""Orders, as their customers see them: the catalogue, buying, following and deciding."""

from typing import Any

from models.orders import leaving
from web.orders import local
from web.orders.again import again
from web.orders.api import Purchases
from web.orders.baskets import Basket
from web.orders.catalogue import Catalogue
from web.orders.drafts import Confirming, Drafts, OrderForm
from web.orders.information import help_page, privacy, terms
from web.orders.messages import Messages
from web.orders.order import Orders
from web.orders.reading import read_article
from web.orders.whole import ArticleForm

__all__ = ["handlers", "leaving", "local"]

handlers: list[Any] = [
    Catalogue,
    OrderForm,
    ArticleForm,
    Drafts,
    Basket,
    Confirming,
    Orders,
    Messages,
    again,
    read_article,
    help_page,
    terms,
    privacy,
    Purchases,
]
