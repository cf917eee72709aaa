"""The gallery of letters: every letter that can be written, before anything has happened."""

import pytest

from emails import LETTERS
from emails.samples import sample
from infra.local.visitor import Browser
from tests.web.site import Site


async def test_every_letter_is_on_the_list_and_can_be_opened(browser: Browser):
    contents = await browser.open("/dev/letters")
    for kind in LETTERS:
        subject = sample(kind).subject
        screen = await browser.open(contents.link(subject))
        assert screen.heading == subject
        assert screen.html.count(f'src="/dev/letters/{kind}/html?scheme=dark"') == 2


async def test_a_sample_runs_nothing_and_leads_the_whole_window_away(browser: Browser):
    answer = await browser.open("/dev/letters/orders.published/html")
    assert "sandbox" in answer.response.headers["content-security-policy"]
    assert '<base target="_top">' in answer.html


async def test_a_frame_shows_the_letter_in_the_dark_and_in_the_light(browser: Browser):
    plain, dark, light = [
        (await browser.open(f"/dev/letters/orders.published/html{asked}")).html
        for asked in ("", "?scheme=dark", "?scheme=light")
    ]
    assert "@media (prefers-color-scheme: dark)" in plain
    assert "@media all" in dark
    assert "@media not all" in light
    assert "prefers-color-scheme" not in dark + light


@pytest.mark.parametrize("path", ["/dev/letters/orders.love_letter", "/dev/letters/orders.love_letter/html"])
async def test_a_letter_that_does_not_exist_is_not_found(browser: Browser, path: str):
    assert (await browser.open(path)).status == 404


async def test_what_can_be_refused_shows_its_link_and_a_receipt_does_not(probed: Site, browser: Browser):
    assert "List-Unsubscribe" in (await browser.open("/dev/letters/orders.published")).html
    assert "List-Unsubscribe" not in (await browser.open("/dev/letters/orders.refunded")).html
