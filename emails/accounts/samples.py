"""Facts to show each letter of this slice with."""

from collections.abc import Mapping

SAMPLES: Mapping[str, Mapping[str, object]] = {
    "sign_in": {
        "link": "https://galley.example/sign-in/3q2-7wAhLrJmZ0cV5xTnYdKpEoGiUbSf8XaQ1vMtRsc",
        "code": "482913",
        "purpose": "pay for your order of €49.00",
        "asked_from": "Firefox on Linux, near Lyon",
        "asked_at": "21 November 2026, 09:14 UTC",
        "minutes": 10,
    },
}
