"""The catalogue as editors and admins keep it: sites, articles, prices, the deny list; and what machines read of it."""

from typing import Any

from web.catalogue.articles import Articles
from web.catalogue.commissions import Commissions
from web.catalogue.denied import DenyList
from web.catalogue.discovery import feed_of, robots, sitemap_index, sitemap_page
from web.catalogue.files import Files
from web.catalogue.prices import Prices
from web.catalogue.sites import Sites
from web.catalogue.versions import Versions

__all__ = ["handlers"]

handlers: list[Any] = [
    Sites,
    Articles,
    Versions,
    Files,
    Prices,
    Commissions,
    DenyList,
    robots,
    sitemap_index,
    sitemap_page,
    feed_of,
]
