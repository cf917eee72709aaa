"""What may be asked how often, how long we believe what was shown, and how we call a browser."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from models.accounts.states import Role

#: A link and its code. OWASP ASVS 5, out-of-band codes: at most ten minutes.
LINK_LIFE: Final = timedelta(minutes=10)
#: Guesses at a code of six digits: five in a million per letter.
CODE_TRIES: Final = 5
#: Until the same browser may have another letter to the same address. Asking sooner shows the same page again.
RESEND_AFTER: Final = timedelta(seconds=60)
#: A sign-in this young is asked for before refunds, approvals and role changes.
FRESH: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` within any `window`."""

    count: int
    window: timedelta


ADDRESS_LIMITS: Final = (
    Limit(3, timedelta(minutes=10)),
    Limit(5, timedelta(hours=1)),
    Limit(20, timedelta(days=1)),
)
NETWORK_LIMITS: Final = (Limit(10, timedelta(minutes=10)), Limit(60, timedelta(hours=1)))
#: Everybody together: more than this is not customers.
BREAKER: Final = Limit(500, timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long a session lasts unused, and at most."""

    idle: timedelta
    whole: timedelta


_CUSTOMER: Final = Lifetime(idle=timedelta(days=14), whole=timedelta(days=30))
_STAFF: Final = Lifetime(idle=timedelta(minutes=30), whole=timedelta(hours=12))


def lifetime(role: Role) -> Lifetime:
    """How long a session of someone with this role lasts. Whoever can do more is asked more often."""
    return _STAFF if role.is_staff else _CUSTOMER


def plain_code(text: str) -> str:
    """The code as a person typed it, without the blanks and hyphens that letters and phones put in."""
    return re.sub(r"[\s-]", "", text)


def is_code(text: str) -> bool:
    """Whether this has the form of a code: six ASCII digits."""
    return re.fullmatch(r"[0-9]{6}", text) is not None


#: First match wins: Edge and Opera also call themselves Chrome, Chrome also calls itself Safari, and so on.
_BROWSERS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def browser_words(user_agent: str) -> str:
    """What a browser's owner would call it, such as `Firefox on Linux`. Never the browser's own words: anybody
    can write those, and they stand in letters and on pages.
    """
    browser = next((words for sign, words in _BROWSERS if sign in user_agent), None)
    system = next((words for sign, words in _SYSTEMS if sign in user_agent), None)
    if browser and system:
        return f"{browser} on {system}"
    return browser or (f"A browser on {system}" if system else "An unknown browser")
