"""The outbox shows letters to those who build the product, safely: a letter is markup that anything can stand in."""

import asyncio
from email.message import EmailMessage as Mime
from uuid import UUID

import pytest

from infra.local.visitor import Browser
from models.base.crypto import Keys
from models.base.db import changed, new_id
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from tests.web.site import SECRET, Site
from tests.web.test_live import Stream
from web.dev.letters import links_of

HTML = """<html><head><title>Hi</title></head><body>
<script>alert(1)</script><p>Hello <a href="https://galley.test/sign-in/link?token=1">Sign\n in</a>
<a href="https://galley.test/sign-in/link?token=1">again</a> <a href="javascript:alert(1)">no</a>
<a href="mailto:a@b.c">write</a></p></body></html>"""


def letter(subject: str, **more: object) -> EmailMessage:
    mime = Mime()
    mime["Subject"], mime["To"], mime["From"] = subject, "ada@example.com", "Galley <hello@galley.test>"
    mime.set_content("Hello, in plain words.")
    mime.add_alternative(HTML, subtype="html")
    values = {
        "id": new_id(),
        "kind": "accounts.sign_in",
        "key": subject,
        "to_address": "ada@example.com",
        "facts": {},
        "subject": subject,
        "sealed_mime": Keys(SECRET).seal(mime.as_bytes()),
        "state": LetterState.SENT,
    }
    return EmailMessage(**(values | more))


async def wrote(site: Site, *letters: EmailMessage) -> list[UUID]:
    async with site.database.transaction() as session:
        session.add_all(letters)
        changed(session, "mail")
    return [one.id for one in letters]


async def test_an_empty_outbox_says_what_will_be_in_it(browser: Browser):
    assert "No letters yet" in (await browser.open("/dev/mail")).text


@pytest.mark.slow
async def test_letters_are_listed_newest_first_page_by_page(probed: Site, browser: Browser):
    await wrote(probed, *(letter(f"Letter {number:02}") for number in range(35)))
    first = await browser.open("/dev/mail")
    second = await browser.open(first.link("Older"))

    assert first.text.index("Letter 34") < first.text.index("Letter 33")
    assert "Letter 04" not in first.text
    assert "Letter 04" in second.text
    assert "Letter 34" not in second.text


async def test_a_letter_can_be_read_in_each_of_its_forms(probed: Site, browser: Browser):
    (one,) = await wrote(probed, letter("Sign in to Galley"))
    screen = await browser.open((await browser.open("/dev/mail")).link("Sign in to Galley"))

    assert screen.path == f"/dev/mail/{one}"
    assert "Hello, in plain words." in screen.text
    assert 'href="https://galley.test/sign-in/link?token=1"' in screen.html
    for scheme in ("light", "dark"):
        assert screen.html.count(f'src="/dev/mail/{one}/html?scheme={scheme}"') == 2
    assert 'sandbox="allow-top-navigation-by-user-activation"' in screen.html
    assert "alert(1)" not in screen.html
    assert "frame-src 'self'" in screen.response.headers["content-security-policy"]


async def test_the_markup_of_a_letter_can_do_nothing(probed: Site, browser: Browser):
    (one,) = await wrote(probed, letter("Sign in to Galley"))
    answer = await browser.open(f"/dev/mail/{one}/html")

    policy = answer.response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-top-navigation-by-user-activation" in policy
    assert "script-src" not in policy
    assert "allow-scripts" not in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.response.headers["referrer-policy"] == "no-referrer"
    assert '<base target="_top">' in answer.html


async def test_the_very_bytes_can_be_taken_away(probed: Site, browser: Browser):
    (one,) = await wrote(probed, letter("Sign in to Galley"))
    answer = await browser.open(f"/dev/mail/{one}/letter.eml")

    assert answer.response.headers["content-type"].startswith("message/rfc822")
    assert "attachment" in answer.response.headers["content-disposition"]
    assert b"Subject: Sign in to Galley" in answer.response.content


@pytest.mark.parametrize("sealed_with", [None, "another secret that is long enough, too"])
async def test_a_letter_that_cannot_be_read_says_so(probed: Site, browser: Browser, sealed_with: str | None):
    sealed = Keys(sealed_with).seal(b"x") if sealed_with is not None else None
    (one,) = await wrote(probed, letter("Later", sealed_mime=sealed, state=LetterState.QUEUED))
    screen = await browser.open(f"/dev/mail/{one}")

    assert "There is nothing to read" in screen.text
    assert (await browser.open(f"/dev/mail/{one}/html")).status == 404
    assert (await browser.open(f"/dev/mail/{one}/letter.eml")).status == 404


async def test_a_letter_that_was_never_written_is_not_there(browser: Browser):
    assert (await browser.open(f"/dev/mail/{new_id()}")).status == 404


async def test_a_place_in_the_list_that_we_did_not_name_is_refused(browser: Browser):
    assert (await browser.open("/dev/mail?cursor=forged")).status == 422


async def test_a_new_letter_appears_by_itself(served_site: Site):
    async with (
        served_site.browser() as browser,
        browser.client.stream("GET", "/dev/mail/live") as response,
    ):
        stream = Stream(response)
        async with asyncio.timeout(10):
            assert "No letters yet" in await stream.whole()
            await wrote(served_site, letter("Sign in to Galley"))
            assert "Sign in to Galley" in await stream.whole()


def test_links_are_found_once_each_and_only_those_of_the_web():
    assert links_of(HTML) == [("Sign in", "https://galley.test/sign-in/link?token=1")]
