"""The shop's rules, by example."""

from datetime import UTC, datetime, timedelta

import pytest

from models.base.clock import day_words
from models.orders.rules import Limits, order_number, target_problem, when_regenerable

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "http://example.com/a/b?c=d#e",
        "https://sub.example.co.uk:443/x",
        "https://münchen.example.org/",
        "https://xn--mnchen-3ya.example.org/",
    ],
)
def test_an_address_that_everybody_can_reach_is_accepted(url: str) -> None:
    assert target_problem(url, (), ()) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "https://user:secret@example.com/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "https://localhost/",
        "https://printer.local/",
        "https://db.internal/",
        "https://example.com:8080/",
        "https://example.com:99999/",
        "https://[bad/",
        "https://casino.example.com/",
        "https://" + "a" * 2000 + ".com/",
    ],
)
def test_an_address_that_cannot_be_a_target_is_refused_with_what_to_do(url: str) -> None:
    problem = target_problem(url, ("casino.example.com",), ())
    assert problem is not None
    assert problem.endswith((".", "here."))


def test_one_private_address_can_be_allowed_by_host_and_port_and_no_other() -> None:
    assert target_problem("http://localhost:8000/x", (), ("localhost:8000",)) is None
    assert target_problem("http://localhost:8001/x", (), ("localhost:8000",)) is not None


def test_regenerating_waits_a_minute_and_ten_are_enough_for_a_day() -> None:
    limits = Limits(timedelta(seconds=60), 10)
    assert when_regenerable([], NOON, limits) == NOON
    assert when_regenerable([NOON - timedelta(seconds=10)], NOON, limits) == NOON + timedelta(seconds=50)
    ten = [NOON - timedelta(hours=hour) for hour in range(1, 11)]
    assert when_regenerable(ten[:9], NOON, limits) == NOON
    assert when_regenerable(ten, NOON, limits) == NOON + timedelta(hours=14)


def test_a_zero_is_no_limit() -> None:
    many = [NOON] * 50
    assert when_regenerable(many, NOON, Limits(timedelta(0), 0)) == NOON


def test_numbers_and_days_are_said_as_people_say_them() -> None:
    assert order_number(1001) == "G-1001"
    assert day_words(datetime(2026, 12, 5, tzinfo=UTC)) == "5 December 2026"
