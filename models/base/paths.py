"""Addresses within the site, as others may write them for us to lead somebody to."""

import re
from typing import Final

#: Browsers drop tabs and line ends from an address and take a backslash for a slash, so that either may hide a second
#: slash, which leads to another site (WHATWG URL, 4.4).
_OURS: Final = re.compile(r"/(?!/)[!-\[\]-~]*")


def is_ours(path: str) -> bool:
    """Whether a path, with what may follow it, leads nowhere but to a page of this site."""
    return _OURS.fullmatch(path) is not None
