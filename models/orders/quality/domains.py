"""Whose a link is: the domain somebody registered, not the host name in front of it."""

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from models.orders.text.markdown import href_of

if TYPE_CHECKING:
    from tldextract import TLDExtract


@lru_cache(maxsize=1)
def _extract() -> "TLDExtract":
    # The list of public suffixes comes with the library: nothing is fetched and nothing is written. Reading it takes
    # 60 ms and the library 8 MB, so the first question pays and not the import. Hosting suffixes (github.io)
    # separate their customers.
    from tldextract import TLDExtract

    return TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)


def registrable_domain(url: str) -> str:
    """`example.co.uk` of `https://www.example.co.uk/page`, in punycode; the host itself if it is an address or a
    public suffix; empty for a link that names no host. By the Public Suffix List (publicsuffix.org).
    """
    try:
        host = (urlsplit(href_of(url)).hostname or "").rstrip(".")
    except ValueError:
        return ""
    return _extract()(host).top_domain_under_public_suffix or host
