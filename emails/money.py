"""Money as people read it."""

# Amounts are in the smallest unit as Stripe counts it: https://docs.stripe.com/currencies
_NO_DECIMALS = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
_THREE_DECIMALS = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))
_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}


def money(amount_cents: int, currency: str) -> str:
    """`4900, "eur"` as `€49.00`; a currency without a sign of its own as `1,249.00 CHF`.

    `amount_cents` counts the currency's smallest unit (yen have no cents: `500, "jpy"` is `500 JPY`).
    ValueError for a negative amount or something that is not a three-letter code.
    """
    code = currency.upper()
    if amount_cents < 0 or len(code) != 3 or not code.isalpha():  # noqa: PLR2004 - ISO 4217 codes have three letters
        raise ValueError(f"not an amount of money: {amount_cents} {currency!r}")
    decimals = 0 if code in _NO_DECIMALS else 3 if code in _THREE_DECIMALS else 2
    whole, part = divmod(amount_cents, 10**decimals)
    number = f"{whole:,}" + (f".{part:0{decimals}d}" if decimals else "")
    return f"{_SIGNS[code]}{number}" if code in _SIGNS else f"{number} {code}"
