"""E-mail addresses: one form for each, and never two people in one."""

import re
import unicodedata
from typing import Final

import idna

from models.base.errors import Invalid

LONGEST: Final = 254  # RFC 5321, section 4.5.3.1.3: a path of 256 less its angle brackets
LONGEST_LOCAL: Final = 64  # section 4.5.3.1.1
#: A dot-string of RFC 5321, section 4.1.2: what mail servers take without quotes. Quoted local parts can hold
#: commas and at signs, which is how one address becomes two.
_LOCAL: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_EXAMPLE: Final = "Enter an e-mail address like name@example.com."


def normal_address(text: str, *, field: str = "email") -> str:
    """The one form in which this address is stored, compared and written to.

    Lower case throughout: no mail provider that people use tells two mailboxes apart by case, and one person
    who types a capital must not become two. The domain is in its ASCII form (IDNA 2008, mapped by UTS 46), so
    that letters which only look alike make another address. Raises `Invalid`, with what to do, for `field`.
    """
    address = unicodedata.normalize("NFC", text.strip())
    if not address:
        raise Invalid({field: "Enter your e-mail address."})
    local, at, domain = address.rpartition("@")
    if not at or "@" in local:
        raise Invalid({field: _EXAMPLE})
    local = local.lower() if local.isascii() else local
    if not _LOCAL.fullmatch(local) or len(local) > LONGEST_LOCAL:
        raise Invalid({field: _local_problem(local)})
    whole = f"{local}@{_normal_domain(domain, field)}"
    if len(whole) > LONGEST:
        raise Invalid(
            {field: f"This address is too long. An e-mail address has at most {LONGEST} characters."}
        )
    return whole


def mailbox_of(address: str) -> str:
    """The mailbox that letters to this normal address fill: what follows a + in front of the @ is a label of its
    owner's (RFC 5233). For counting alone: they are different addresses, and different people to us.
    """
    local, _, domain = address.partition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def masked(address: str) -> str:
    """`a•••@example.com`: enough for its owner to know it, too little for anybody else to learn it."""
    local, _, domain = address.partition("@")
    return f"{local[0]}•••@{domain}"


def _normal_domain(domain: str, field: str) -> str:
    try:
        ascii_form = idna.encode(domain, uts46=True, std3_rules=True).decode()
    except idna.IDNAError as error:
        raise Invalid({field: _EXAMPLE}) from error
    top = ascii_form.rpartition(".")[2]
    # No mail goes to a bare host name, and a numeric end is an IP address (RFC 3696, section 2).
    if "." not in ascii_form or not top or top.isdigit():
        raise Invalid({field: _EXAMPLE})
    return ascii_form


def _local_problem(local: str) -> str:
    if len(local) > LONGEST_LOCAL:
        return f"The part before the @ is too long. It has at most {LONGEST_LOCAL} characters."
    if not local.isascii():
        return "We can only write to addresses with plain letters (a to z) before the @."
    if any(sign in local for sign in ", ;<>"):
        return "Enter one address alone, without a name, a comma or a space."
    return _EXAMPLE
