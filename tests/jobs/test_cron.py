"""Moments by the calendar, also on the days on which clocks are changed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from models.base.errors import Invalid
from models.jobs.cron import Cron, next_fires

BERLIN = "Europe/Berlin"


def at(words: str) -> datetime:
    return datetime.fromisoformat(words).replace(tzinfo=UTC)


def fires(expression: str, zone: str, since: str, count: int) -> list[str]:
    return [f"{one:%m-%d %H:%M}" for one in next_fires(expression, zone, at(since), count)]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/20 9-10 * * *", ["01-05 09:00", "01-05 09:20", "01-05 09:40", "01-05 10:00"]),
        ("5/25 0 * * *", ["01-05 00:05", "01-05 00:30", "01-05 00:55", "01-06 00:05"]),
        ("0 0 1,15 feb,Mar *", ["02-01 00:00", "02-15 00:00", "03-01 00:00", "03-15 00:00"]),
        ("0 12 * * Fri-sat,sun", ["01-09 12:00", "01-10 12:00", "01-11 12:00", "01-16 12:00"]),
        ("0 12 * * 7", ["01-11 12:00", "01-18 12:00", "01-25 12:00", "02-01 12:00"]),
        # Both days are narrowed: either is enough.
        ("0 0 8 * mon", ["01-08 00:00", "01-12 00:00", "01-19 00:00", "01-26 00:00"]),
    ],
)
def test_an_expression_means_what_crontab_says(expression: str, expected: list[str]) -> None:
    assert fires(expression, "UTC", "2026-01-05T00:00", 4) == expected


def test_the_nicknames_of_crontab_are_understood() -> None:
    assert Cron.read("@Daily", "UTC") == Cron.read("0 0 * * *", "UTC")


def test_a_local_time_that_does_not_exist_fires_once() -> None:
    # In Berlin 2026-03-29 02:00 is followed by 03:00.
    found = fires("30 2 * * *", BERLIN, "2026-03-28T12:00", 3)
    assert found == ["03-29 01:00", "03-30 00:30", "03-31 00:30"]
    assert Cron.read("30 2 * * *", BERLIN).latest(at("2026-03-29T00:59")) == at("2026-03-28T01:30")


def test_a_local_time_that_exists_twice_fires_once() -> None:
    # In Berlin 2026-10-25 03:00 is followed by 02:00.
    found = fires("30 2 * * *", BERLIN, "2026-10-24T12:00", 2)
    assert found == ["10-25 00:30", "10-26 01:30"]
    assert Cron.read("30 2 * * *", BERLIN).latest(at("2026-10-25T02:00")) == at("2026-10-25T00:30")


def test_what_comes_every_hour_comes_in_every_hour_of_a_long_and_of_a_short_day() -> None:
    for day in ("2026-03-28T20:00", "2026-10-24T20:00"):
        found = next_fires("0 * * * *", BERLIN, at(day), 12)
        assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(hours=1)}


@pytest.mark.parametrize("expression", ["30 2 * * *", "15 1,2,3 * * *", "10-50/7 0-4 * * *"])
def test_the_latest_moment_never_goes_back_while_an_hour_comes_twice(expression: str) -> None:
    """A schedule that is resumed in the second one would fire again for what came in the first."""
    cron, since = Cron.read(expression, BERLIN), at("2026-10-24T23:30")
    found = [cron.latest(since + timedelta(minutes=minute)) for minute in range(180)]
    assert found == sorted(found)


@pytest.mark.parametrize("expression", ["*/15 * * * *", "30 2 * * *", "0 3 29 2 *", "0 9 1 * mon"])
@pytest.mark.parametrize("zone", ["UTC", BERLIN, "Australia/Lord_Howe"])
def test_the_latest_moment_is_the_last_one_of_those_that_come(expression: str, zone: str) -> None:
    cron = Cron.read(expression, zone)
    for since in ("2026-03-28T17:07", "2026-10-24T23:31", "2026-04-04T12:00"):
        for moment in next_fires(expression, zone, at(since), 3):
            assert cron.latest(moment) == moment
            assert cron.latest(moment - timedelta(minutes=1)) < moment


@pytest.mark.parametrize(
    ("expression", "zone", "field", "words"),
    [
        ("* * * *", "UTC", "cron", "five fields"),
        ("60 * * * *", "UTC", "cron", "Bad minute"),
        ("* * * foo *", "UTC", "cron", "Bad month"),
        ("*/0 * * * *", "UTC", "cron", "Bad minute"),
        ("* 5- * * *", "UTC", "cron", "Bad hour"),
        ("0 0 32 2 *", "UTC", "cron", "Bad day-of-month"),
        ("0 0 31 2 *", "UTC", "cron", "never comes"),
        ("0 0 31 4 *", "UTC", "cron", "never comes"),
        ("@often", "UTC", "cron", "five fields"),
        ("* * * * * *", "UTC", "cron", "five fields"),
        ("* * * * *", "Europe/Nowhere", "zone", "no time zone"),
        ("* * * * *", "../zone.tab", "zone", "no time zone"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_field(
    expression: str, zone: str, field: str, words: str
) -> None:
    with pytest.raises(Invalid) as refused:
        Cron.read(expression, zone)
    assert refused.value.fields.keys() == {field}
    assert words in refused.value.fields[field]
