"""Where webhooks may go, and when an endpoint is given up."""

from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

#: How long nothing may arrive at an endpoint before it is switched off.
PATIENCE: Final = timedelta(days=5)
#: How long the secret before signs as well.
OVERLAP: Final = timedelta(days=1)
LONGEST_URL: Final = 2_000


def gives_up(failing_since: datetime, at: datetime) -> bool:
    """Whether an endpoint has taken nothing for so long that it is switched off."""
    return at - failing_since >= PATIENCE


def url_problem(url: str, allowed: tuple[str, ...]) -> str | None:
    """What is wrong with the address of an endpoint; None if nothing is. `allowed` are host:port pairs on private
    addresses, which may also be without https. Where a name leads is looked at whenever something is sent.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or len(url) > LONGEST_URL or not url.isascii() or any(one.isspace() for one in url):
        return "Enter a web address like https://example.com/webhooks."
    if f"{host}:{port}" in allowed:
        return None
    if parts.scheme != "https":
        return "The address must begin with https://."
    if parts.username or parts.fragment:
        return "Leave out what stands before @ and after #. The secret signs what is sent."
    with suppress(ValueError):
        if not ip_address(host).is_global:
            return "This leads into a private network, where nothing is sent. Enter a public address."
    return None if port in {None, 443} else "Only the port 443 is sent to. Leave the port out."
