"""Facts to show each letter of this slice with."""

from collections.abc import Mapping

_CHANGED = {
    "changed_at": "21 November 2026, 09:14 UTC",
    "changed_from": "Firefox on Linux, 198.51.100.1",
}
_AT_PASSKEYS = _CHANGED | {"account_url": "https://galley.example/account/sessions"}
_OF_TOKEN = _CHANGED | {
    "name": "Nightly report",
    "prefix": "glt_Ab12Cd",
    "account_url": "https://galley.example/account/tokens",
}

SAMPLES: Mapping[str, Mapping[str, object]] = {
    "sign_in": {
        "link": "https://galley.example/sign-in/3q2-7wAhLrJmZ0cV5xTnYdKpEoGiUbSf8XaQ1vMtRsc",
        "code": "482913",
        "purpose": "pay for your order of €49.00",
        "asked_from": "Firefox on Linux, near Lyon",
        "asked_at": "21 November 2026, 09:14 UTC",
        "minutes": 10,
    },
    "passkey_added": _AT_PASSKEYS | {"name": "Laptop"},
    "passkey_removed": _AT_PASSKEYS | {"name": "Old phone"},
    "passkeys_gone": _AT_PASSKEYS,
    "token_made": _OF_TOKEN | {"scopes": "orders:read, orders:write", "expires_on": "21 December 2026"},
    "token_revoked": _OF_TOKEN,
}
