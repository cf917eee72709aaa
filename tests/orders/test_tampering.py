"""What a sign-in letter resumes is a draft's id, kept on the server: what it opens is decided when it is opened."""

from uuid import UUID

from sqlalchemy import delete, select, update

from infra.local.visitor import Browser
from models.accounts.tables import SignInRequest
from models.orders.tables import Article, Draft
from models.payments.tables import Checkout
from tests.orders.selling import OWNER, Shop

MALLORY = "mallory@example.com"


async def draft_ids(shop: Shop) -> list[UUID]:
    async with shop.database.transaction() as session:
        return list((await session.scalars(select(Draft.id).order_by(Draft.id))).all())


async def resumes(shop: Shop, draft_id: UUID, browser: Browser) -> None:
    """Mallory asks for a letter in this browser, and has found a way to make it resume another draft."""
    await shop.order_form(browser, email=MALLORY)
    async with shop.database.transaction() as session:
        mine = update(SignInRequest).where(SignInRequest.email == MALLORY)
        await session.execute(mine.values(intent={"draft": str(draft_id)}))


async def test_a_letter_that_resumes_somebody_elses_draft_leads_to_nothing(shop: Shop):
    async with shop.site.browser() as ada, shop.site.browser() as mallory:
        await shop.sign_in(ada, await shop.order_form(ada))
        (draft_id,) = await draft_ids(shop)
        await resumes(shop, draft_id, mallory)
        screen = await shop.sign_in(mallory, await mallory.open("/sign-in/code"), MALLORY)
        assert (screen.path, screen.status) == (f"/orders/drafts/{draft_id}", 404)
        assert OWNER not in screen.html
        token = (await mallory.open("/account")).form("/sign-out").fields["_csrf_token"]
        for deed in ("payment", "edit"):
            answer = await mallory.send(f"{screen.path}/{deed}", "post", {"_csrf_token": token})
            assert answer.status == 404


async def test_a_letter_whose_draft_is_gone_signs_in_and_says_that_there_is_nothing(shop: Shop):
    async with shop.site.browser() as ada:
        code = await shop.order_form(ada)
        async with shop.database.transaction() as session:
            await session.execute(delete(Draft))
        screen = await shop.sign_in(ada, code)
        assert (screen.status, screen.heading) == (404, "Page not found")
        assert (await ada.open("/account")).status == 200


async def test_a_price_that_changed_since_the_letter_is_shown_before_it_is_paid(shop: Shop):
    async with shop.site.browser() as ada:
        code = await shop.order_form(ada)
        async with shop.database.transaction() as session:
            await session.execute(update(Article).values(price_cents=24_900))
        screen = await shop.sign_in(ada, code)
        await shop.work()
        draft = await ada.open(screen.path)
        assert "Pay $249.00" in draft.text
        await shop.pay(ada, draft)
        async with shop.database.transaction() as session:
            assert (await session.scalars(select(Checkout.captured_cents))).all() == [24_900]
