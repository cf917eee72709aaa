"""Money as it stands in a letter."""

import pytest

from emails.money import money


@pytest.mark.parametrize(
    ("amount_cents", "currency", "words"),
    [
        (4900, "EUR", "€49.00"),
        (4905, "eur", "€49.05"),
        (0, "USD", "$0.00"),
        (7, "GBP", "£0.07"),
        (124900, "CHF", "1,249.00 CHF"),
        (123456789, "USD", "$1,234,567.89"),
        (500, "jpy", "500 JPY"),
        (1234, "KWD", "1.234 KWD"),
    ],
)
def test_money_reads_as_people_write_it(amount_cents: int, currency: str, words: str) -> None:
    assert money(amount_cents, currency) == words


@pytest.mark.parametrize(("amount_cents", "currency"), [(-1, "EUR"), (1, ""), (1, "EURO"), (1, "E1R")])
def test_what_is_not_money_is_refused(amount_cents: int, currency: str) -> None:
    with pytest.raises(ValueError, match="not an amount of money"):
        money(amount_cents, currency)
