"""The pages about letters: refusing them with one press, choosing among them, and looking after them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from redis.asyncio import Redis
from sqlalchemy import event, select

from infra.local.embedded import EmbeddedRedis
from infra.local.visitor import Browser
from models.accounts.states import Role
from models.accounts.tables import AuditEntry
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database, new_id
from models.base.paging import PAGE_SIZE
from models.base.settings import Settings
from models.jobs.tables import JobRow
from models.mail.categories import Category
from models.mail.preferences import mute, muted, unsubscribe_url
from models.mail.states import LetterState as S
from models.mail.states import SuppressionReason
from models.mail.suppressions import suppress, suppression_of
from models.mail.tables import EmailMessage
from tests.mail.conftest import letter_of
from tests.web.site import Site, lasting_site, settings_for

ADA = "ada@example.com"
OneOf = Callable[..., Awaitable[Browser]]


@pytest.fixture
def settings(database_url: str, redis_server: EmbeddedRedis) -> Settings:
    return settings_for(database_url, redis_server.url)


@pytest.fixture
async def shop(settings: Settings, database: Database, redis: Redis) -> Site:
    return await lasting_site(settings, database, redis)


@pytest.fixture
async def browser_of(shop: Site) -> AsyncIterator[OneOf]:
    """A browser of a new person of this role, or of a stranger."""
    async with AsyncExitStack() as stack:

        async def one(role: Role | None = None, email: str | None = None) -> Browser:
            browser = await stack.enter_async_context(shop.browser())
            if role is not None:
                await shop.sign_in(browser, email or f"{role.value}@example.com", role)
            return browser

        yield one


@pytest.fixture
def link(shop: Site) -> str:
    """Ada's link against reminders."""
    return unsubscribe_url(Keys.of(shop.settings), "", ADA, Category.REMINDERS)


async def refused(database: Database, address: str = ADA) -> set[Category]:
    async with database.transaction() as session:
        return await muted(session, address)


async def stop(
    database: Database, address: str = ADA, reason: SuppressionReason = SuppressionReason.BOUNCE
) -> None:
    async with database.transaction() as session:
        await suppress(session, address, reason, detail="550 nobody", letter_id=None, at=now())


async def is_suppressed(database: Database, address: str = ADA) -> bool:
    async with database.transaction() as session:
        return await suppression_of(session, address) is not None


async def deeds(database: Database) -> list[str]:
    """What was done. Whoever it was done to is not named: nothing can be taken out of the log when they leave."""
    async with database.transaction() as session:
        entries = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert not any("@" in f"{one.subject} {one.detail}" for one in entries)
    return [one.action for one in entries]


# ---------------------------------------------------------------- unsubscribing
async def test_opening_the_link_changes_nothing(database: Database, browser_of: OneOf, link: str) -> None:
    scanner = await browser_of()
    for _ in range(3):
        screen = await scanner.open(link)
    assert screen.heading == "Stop these letters?"
    assert ADA not in screen.html
    assert screen.response.headers["referrer-policy"] == "no-referrer"
    assert (await scanner.client.head(link)).status_code in {200, 405}
    assert await refused(database) == set()


async def test_a_mail_program_presses_without_cookie_session_or_token(
    shop: Site, database: Database, link: str
) -> None:
    async with shop.browser() as provider:
        for _ in range(2):
            answer = await provider.client.post(
                link, data={"List-Unsubscribe": "One-Click"}, headers={"Origin": "https://mail.example"}
            )
            assert answer.status_code == 200
    assert await refused(database) == {Category.REMINDERS}


async def test_a_person_presses_the_button_and_can_have_them_back(
    database: Database, browser_of: OneOf, link: str
) -> None:
    ada = await browser_of()
    done = await ada.submit((await ada.open(link)).form("unsubscribe"))
    assert done.heading == "You get no more of these letters"
    assert await refused(database) == {Category.REMINDERS}
    again = await ada.submit(done.form("again"), press="Send them again")
    assert again.heading == "You get these letters again"
    assert await refused(database) == set()


async def test_a_link_that_we_did_not_make_is_not_found(
    database: Database, browser_of: OneOf, link: str
) -> None:
    eve = await browser_of()
    for path in (link[:-4], link + "A", "/unsubscribe/x", "/unsubscribe/%C3%A9"):
        assert (await eve.open(path)).status == 404
        assert (await eve.client.post(path, data={"List-Unsubscribe": "One-Click"})).status_code == 404
    assert await refused(database) == set()


# ---------------------------------------------------------------- notifications
async def test_a_customer_chooses_which_letters_come(database: Database, browser_of: OneOf) -> None:
    ada = await browser_of(Role.CUSTOMER, ADA)
    screen = await ada.open("/account/notifications")
    form = screen.form("notifications")
    assert set(form.offers) == {"progress", "reminders", "links", "messages"}
    assert form.fields.keys() >= set(form.offers), "everything is wanted at first"
    after = await ada.submit(form, reminders=False, links=False)
    assert "Your choice is saved." in after.text
    assert await refused(database) == {Category.REMINDERS, Category.LINKS}
    form = after.form("notifications")
    assert "reminders" not in form.fields
    await ada.submit(form, reminders=True)
    assert await refused(database) == {Category.LINKS}
    assert (await deeds(database)).count("notifications.changed") == 2


async def test_a_customer_cannot_change_what_is_not_offered(database: Database, browser_of: OneOf) -> None:
    async with database.transaction() as session:
        await mute(session, ADA, [Category.ALARMS])
    ada = await browser_of(Role.CUSTOMER, ADA)
    form = (await ada.open("/account/notifications")).form("notifications")
    await ada.send(form.action, "post", form.fields | {"alarms": "yes", "receipts": ""})
    assert await refused(database) == {Category.ALARMS}


async def test_an_editor_chooses_among_the_letters_for_editors_too(browser_of: OneOf) -> None:
    editor = await browser_of(Role.EDITOR)
    offers = (await editor.open("/account/notifications")).form("notifications").offers
    assert set(offers) == {"progress", "reminders", "links", "messages", "reviews", "alarms"}


async def test_a_stranger_signs_in_first_and_a_form_of_another_site_is_refused(
    database: Database, browser_of: OneOf
) -> None:
    stranger = await browser_of()
    assert (await stranger.open("/account/notifications")).path.startswith("/sign-in")
    ada = await browser_of(Role.CUSTOMER, ADA)
    forged = await ada.client.post("/account/notifications", data={"links": "yes"})
    assert forged.status_code == 403
    assert await refused(database) == set()


@pytest.mark.parametrize(
    ("reason", "words", "button"),
    [
        (SuppressionReason.BOUNCE, "Our letters to you came back", "My mailbox works again"),
        (SuppressionReason.COMPLAINT, "We do not write to you", "Write to me again"),
    ],
)
async def test_who_gets_no_letters_is_told_why_and_can_change_it(
    database: Database, browser_of: OneOf, reason: SuppressionReason, words: str, button: str
) -> None:
    await stop(database, reason=reason)
    ada = await browser_of(Role.CUSTOMER, ADA)
    screen = await ada.open("/account/notifications")
    assert words in screen.text
    after = await ada.submit(screen.form(button))
    assert words not in after.text
    assert not await is_suppressed(database)
    assert "suppression.lifted" in await deeds(database)


# ---------------------------------------------------------------- looking after letters
async def fill(database: Database, count: int, **values: object) -> list[EmailMessage]:
    rows = [
        EmailMessage(
            id=new_id(),
            kind="orders.published",
            key=str(new_id()),
            to_address=f"reader{number:03}@example.com",
            facts={"secret": "the text"},
            subject=f"Letter {number:03}",
            sealed_mime=b"sealed",
            **{"state": S.DELIVERED, "about": f"order/{new_id()}"} | values,
        )
        for number in range(count)
    ]
    async with database.transaction() as session:
        session.add_all(rows)
    return rows


async def test_letters_are_listed_by_state_and_address_page_by_page(
    database: Database, browser_of: OneOf
) -> None:
    await fill(database, PAGE_SIZE + 10)
    await fill(database, 2, state=S.BOUNCED, error="550 nobody")
    editor = await browser_of(Role.EDITOR)
    first = await editor.open("/admin/mail?state=delivered")
    second = await editor.open(first.link("More letters"))
    assert f"Letter {PAGE_SIZE + 9:03}" in first.text
    assert "Letter 009" not in first.text
    assert "Letter 009" in second.text
    assert "550 nobody" not in first.text + second.text
    bounced = await editor.open(first.link("Bounced 2"))
    assert bounced.text.count("550 nobody") == 2
    found = await editor.open("/admin/mail?q=Reader03")
    assert "Letter 030" in found.text
    assert "Letter 029" not in found.text
    assert "No letters to such an address" in (await editor.open("/admin/mail?q=%25")).text
    assert (await editor.open("/admin/mail?cursor=forged")).status == 422


async def test_a_list_of_letters_takes_as_many_queries_however_long_it_is(
    database: Database, browser_of: OneOf
) -> None:
    editor = await browser_of(Role.EDITOR)

    async def queries() -> int:
        seen: list[str] = []

        def count(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            seen.append(statement)

        event.listen(database.engine.sync_engine, "before_cursor_execute", count)
        try:
            await editor.open("/admin/mail")
        finally:
            event.remove(database.engine.sync_engine, "before_cursor_execute", count)
        return len(seen)

    few = await queries()
    await fill(database, 40)
    assert await queries() == few


async def test_a_letters_page_tells_its_way_and_not_its_text(database: Database, browser_of: OneOf) -> None:
    (letter,) = await fill(database, 1, state=S.BOUNCED, error="550 nobody", attempts=2)
    await stop(database, letter.to_address)
    editor = await browser_of(Role.EDITOR)
    screen = await editor.open(f"/admin/mail/{letter.id}")
    assert "550 nobody" in screen.text
    assert "This address is not written to" in screen.text
    assert "the text" not in screen.html
    assert (await editor.open(f"/admin/mail/{new_id()}")).status == 404


async def test_an_admin_has_a_letter_sent_again_once(database: Database, browser_of: OneOf) -> None:
    (letter,) = await fill(database, 1, state=S.FAILED)
    admin = await browser_of(Role.ADMIN)
    form = (await admin.open(f"/admin/mail/{letter.id}")).form("Send again")
    first, second = await admin.submit(form), await admin.submit(form)
    assert "It is sent once more." in first.text
    assert "is queued and is not sent again" in second.text
    assert (await letter_of(database, letter.id)).state is S.QUEUED
    assert await deeds(database) == ["letter.sent_again"]
    async with database.transaction() as session:
        assert len((await session.scalars(select(JobRow))).all()) == 1


async def test_an_admin_takes_an_address_off_the_list(database: Database, browser_of: OneOf) -> None:
    await stop(database)
    await stop(database, "bob@example.com", SuppressionReason.COMPLAINT)
    admin = await browser_of(Role.ADMIN)
    screen = await admin.open("/admin/mail/suppressions?q=ada")
    assert "bob@example.com" not in screen.text
    after = await admin.submit(screen.form("Write again"))
    assert "We write to ada@example.com again." in after.text
    assert not await is_suppressed(database)
    assert await is_suppressed(database, "bob@example.com")
    assert await deeds(database) == ["suppression.lifted"]


async def test_editors_look_and_do_not_touch_and_customers_find_nothing(
    database: Database, browser_of: OneOf
) -> None:
    (letter,) = await fill(database, 1, state=S.FAILED)
    await stop(database)
    editor, customer = await browser_of(Role.EDITOR), await browser_of(Role.CUSTOMER)
    assert "Send again" not in (await editor.open(f"/admin/mail/{letter.id}")).text
    screen = await editor.open("/admin/mail/suppressions")
    assert ADA in screen.text
    assert "Write again" not in screen.text
    pages = ("/admin/mail", f"/admin/mail/{letter.id}", "/admin/mail/suppressions")
    assert [(await customer.open(path)).status for path in pages] == [404] * 3
    token = (await editor.open("/account/notifications")).form("notifications").fields["_csrf_token"]
    for path in (f"/admin/mail/{letter.id}/sending", "/admin/mail/suppressions/removal"):
        answer = await editor.send(path, "post", {"_csrf_token": token, "address": ADA})
        assert answer.status == 404
    assert await is_suppressed(database)
    assert await deeds(database) == []


async def test_who_gets_no_letters_reads_it_among_their_orders(database: Database, browser_of: OneOf) -> None:
    ada = await browser_of(Role.CUSTOMER, ADA)
    assert "came back" not in (await ada.open("/orders")).text
    await stop(database)
    screen = await ada.open("/orders")
    assert "Our letters to you came back" in screen.text
    assert (await ada.submit(screen.form("My mailbox works again"))).status == 200
    assert "came back" not in (await ada.open("/orders")).text
