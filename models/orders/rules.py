"""The rules of the shop: pure, so that they can be read, tested, and shown to a customer before paying."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import idna

from models.payments.states import PaymentState

MAX_URL: Final = 2000
MAX_NOTES: Final = 1000

#: With its money in one of these states an order goes on; in any other it rests.
MOVABLE: Final = frozenset({PaymentState.PAID, PaymentState.PARTIALLY_REFUNDED, PaymentState.DISPUTE_WON})


@dataclass(frozen=True, slots=True)
class Limits:
    """How often one order may be written anew. A zero is no limit."""

    wait: timedelta
    per_day: int


def target_problem(url: str, denied: Sequence[str], allowed_private: Sequence[str]) -> str | None:
    """What is wrong with a target by its looks alone, in words for its author; None if nothing is.

    Whether anything answers there is looked up later, by a worker. `allowed_private` holds host:port pairs.
    """
    if len(url) > MAX_URL:
        return f"Enter an address of at most {MAX_URL} characters."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "Enter a web address, like https://example.com/page."
    host = (parts.hostname or "").rstrip(".").lower()
    if parts.scheme not in {"http", "https"} or not host:
        return "Enter a full web address that begins with https:// or http://."
    if parts.username is not None or parts.password is not None:
        return "Enter an address without a user name or password in it."
    if f"{host}:{port}" in allowed_private:
        return None
    if _is_ip(host):
        return "Enter an address with a domain name. A bare IP address cannot be linked to."
    if "." not in host or host.endswith((".local", ".internal", ".localhost", ".test", ".invalid")):
        return "Enter an address that everybody on the internet can reach."
    if port not in {None, 80, 443}:
        return "Enter an address without a port number."
    name = ascii_host(host)
    if any(name == domain or name.endswith(f".{domain}") for domain in map(ascii_host, denied)):
        return f"Links to {host} are not accepted here."
    return None


def ascii_host(host: str) -> str:
    """A host name as names are compared: in punycode and lower case. What is no name stays what it is."""
    host = host.strip().rstrip(".").lower()
    try:
        return idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        return host


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        # 2130706433, 0x7f.1 and 127.1 are addresses to some resolvers.
        return host.replace(".", "").isdigit() or host.startswith("0x")
    return True


def when_regenerable(asked: Sequence[datetime], at: datetime, limits: Limits) -> datetime:
    """From when on another version may be asked for, given when the earlier ones were, in any order."""
    free_at = at
    times = sorted(asked)
    if limits.wait and times:
        free_at = max(free_at, times[-1] + limits.wait)
    if limits.per_day and len(times) >= limits.per_day:
        # The day is a sliding one: the oldest of the last `per_day` has to be a day ago.
        free_at = max(free_at, times[-limits.per_day] + timedelta(days=1))
    return free_at


def order_number(number: int) -> str:
    """An order's number as people say it."""
    return f"G-{number}"


#: On these days of waiting a customer is reminded that a version waits for them.
REMINDER_DAYS: Final = (3, 7, 12)
