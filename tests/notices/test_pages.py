"""The inbox as it fills, and the admins' pages of webhooks: what people see and do there."""

import asyncio
import re

from sqlalchemy import select

from models.accounts.audit import history_of
from models.accounts.tables import Person
from models.base.paging import PAGE_SIZE
from models.notices.actions import announce, notify
from models.notices.deliveries import under_way
from models.notices.states import DeliveryState
from models.notices.tables import Delivery, Notice
from tests.notices.conftest import Exchange


async def test_a_notice_is_opened_and_is_then_read_and_nobody_elses(exchange: Exchange):
    ada, eve = exchange.site.browser(), exchange.site.browser()
    await exchange.site.sign_in(ada, "ada@example.com")
    await exchange.site.sign_in(eve, "eve@example.com")
    async with exchange.world.database.transaction() as session:
        person = (await session.scalars(select(Person.id).where(Person.email == "ada@example.com"))).one()
        await notify(session, person, "Your report is ready", "3 rows\n<b>CSV</b>", link="/reports")
        notice = await notify(session, person, "Just so")

    screen = await ada.open("/inbox")
    assert screen.title == "(2) Inbox · Galley"
    assert "<b>CSV</b>" not in screen.html
    assert "Your report is ready" not in (await eve.open("/inbox")).text
    sent = await eve.send(f"/inbox/{notice.id}/reading", "post", {"_csrf_token": "x"})
    assert sent.response.status_code == 403
    assert (await eve.open("/inbox")).title == "Inbox · Galley"
    (opened,) = [form for form in screen.forms if "Open" in form.buttons]
    assert (await ada.submit(opened)).heading == "Reports"
    screen = await ada.open("/inbox")
    assert screen.title == "(1) Inbox · Galley"
    screen = await ada.submit(screen.form("/inbox/reading"))
    assert screen.title == "Inbox · Galley"
    async with exchange.world.database.transaction() as session:
        assert all((await session.scalars(select(Notice.read_at))).all())


async def test_a_long_inbox_goes_on_by_pages(exchange: Exchange):
    ada = exchange.site.browser()
    await exchange.site.sign_in(ada, "ada@example.com")
    async with exchange.world.database.transaction() as session:
        person = (await session.scalars(select(Person.id).where(Person.email == "ada@example.com"))).one()
        for number in range(PAGE_SIZE + 1):
            await notify(session, person, f"Notice {number:03}")
    screen = await ada.open("/inbox")
    assert "Notice 000" not in screen.text
    screen = await ada.open(screen.link("More notices"))
    assert "Notice 000" in screen.text
    assert "Notice 001" not in screen.text


async def test_an_admin_adds_an_endpoint_sees_its_secret_once_and_sends_a_delivery_again(exchange: Exchange):
    admin = await exchange.browser()
    screen = await admin.open("/admin/webhooks")
    screen = await admin.open(screen.link("Add an endpoint"))
    screen = await admin.submit(screen.form("/admin/webhooks"), url="http://a.example/")
    assert screen.response.status_code == 422
    assert "must begin with https://" in screen.text
    screen = await admin.submit(
        screen.form("/admin/webhooks"), url="https://a.example/hooks", words="Ours", events="report.ready"
    )
    secret = re.findall(r'value="(whsec_[^"]+)"', screen.html)[0]
    here = screen.link("I have copied it")
    screen = await admin.open(here)
    assert secret not in screen.html
    assert "report.ready" in screen.text

    await admin.submit(screen.form(f"{here}/test"))
    endpoint = here.removeprefix("/admin/webhooks/")
    async with exchange.world.database.transaction() as session:
        written = await history_of(session, f"webhook/{endpoint}")
    assert [one.action for one in written] == ["webhook.tested", "webhook.added"]

    screen = await admin.open(screen.link("Make another one"))
    screen = await admin.submit(screen.form(f"{here}/secret"))
    assert secret not in screen.html
    screen = await admin.open(here)
    screen = await admin.submit(screen.form(f"{here}/state"))
    assert "Nothing is sent here" in screen.text
    screen = await admin.submit(screen.form(f"{here}/removal"))
    assert "No endpoints" in screen.text


async def test_the_log_shows_what_was_sent_and_answered_and_sends_it_again(exchange: Exchange):
    endpoint_id, _ = await exchange.endpoint()
    exchange.receiver.answers = [("202 Accepted", "<i>taken</i>")]
    async with exchange.world.database.transaction() as session:
        await announce(session, "notification.created", {"title": "Hi"})
    await exchange.work()
    admin = await exchange.browser()
    screen = await admin.open(f"/admin/webhooks/{endpoint_id}")
    screen = await admin.open(screen.link("notification.created"))
    assert "<i>taken</i>" in screen.text
    assert '"title": "Hi"' in screen.text
    async with exchange.world.database.transaction() as session:
        sent = (await session.scalars(select(Delivery.id))).one()
    again = f"/admin/webhooks/deliveries/{sent}/sending"
    form = screen.form(again)
    await admin.submit(form)
    screen = await admin.submit(form)
    assert "on its way already" in screen.text
    await exchange.work()
    assert len(exchange.receiver.requests) == 2


async def test_what_waits_for_its_next_attempt_is_sent_now(exchange: Exchange):
    endpoint_id, _ = await exchange.endpoint()
    exchange.receiver.answers = [("500 Broken", "no"), ("200 OK", "thanks")]
    async with exchange.world.database.transaction() as session:
        await announce(session, "notification.created", {"title": "Hi"})
    await exchange.work()
    admin = await exchange.browser()
    screen = await admin.open(f"/admin/webhooks/{endpoint_id}")
    screen = await admin.open(screen.link("notification.created"))
    screen = await admin.submit(screen.form("Send now"))
    assert "It is sent now." in screen.text
    await exchange.work()
    assert len(exchange.receiver.requests) == 2


async def test_each_attempt_is_kept_with_its_answer_and_its_job(exchange: Exchange):
    endpoint_id, _ = await exchange.endpoint()
    exchange.receiver.answers = [("503 Busy", "<i>come back</i>"), ("200 OK", "thanks")]
    async with exchange.world.database.transaction() as session:
        await announce(session, "notification.created", {"title": "Hi"})
    await exchange.work(hurry=True)
    admin = await exchange.browser()
    screen = await admin.open(f"/admin/webhooks/{endpoint_id}")
    screen = await admin.open(screen.link("notification.created"))
    first, second = screen.text.index("<i>come back</i>"), screen.text.rindex("thanks")
    assert re.search(r"503 after \d+ ms: <i>come back</i>", screen.text)
    assert re.search(r"200 after \d+ ms: thanks", screen.text)
    assert first < second
    assert "notices.deliver" in (await admin.open(screen.link("Attempt 1"))).text

    # Sent again, it is another job; the page goes on counting.
    await admin.submit(screen.form("Send again"))
    await exchange.work()
    screen = await admin.open(str(screen.path))
    assert screen.link("Attempt 3") != screen.link("Attempt 2") == screen.link("Attempt 1")


async def test_what_was_sent_is_listed_by_its_state(exchange: Exchange):
    endpoint_id, _ = await exchange.endpoint()
    async with exchange.world.database.transaction() as session:
        for state in (DeliveryState.FAILED, DeliveryState.DELIVERED):
            sent = {"event": f"{state.value}.event", "payload": {}, "state": state}
            session.add(Delivery(endpoint_id=endpoint_id, **sent))
    admin = await exchange.browser()
    screen = await admin.open(f"/admin/webhooks/{endpoint_id}")
    failed = await admin.open(screen.link("Given up"))
    assert ("failed.event" in failed.text, "delivered.event" in failed.text) == (True, False)
    assert "Nothing like that" in (await admin.open(screen.link("On its way"))).text


async def test_to_look_at_a_delivery_waits_for_nobody_who_works_on_it(exchange: Exchange):
    endpoint_id, _ = await exchange.endpoint()
    sent = Delivery(endpoint_id=endpoint_id, event="endpoint.tested", payload={})
    async with exchange.world.database.transaction() as session:
        session.add(sent)
    admin = await exchange.browser()
    async with exchange.world.database.transaction() as session, asyncio.timeout(5):
        await under_way(session, sent.id)
        assert (await admin.open(f"/admin/webhooks/deliveries/{sent.id}")).status == 200


async def test_webhooks_are_the_admins_business_alone(exchange: Exchange):
    ada = exchange.site.browser()
    await exchange.site.sign_in(ada, "ada@example.com")
    assert (await ada.open("/admin/webhooks")).response.status_code == 404
