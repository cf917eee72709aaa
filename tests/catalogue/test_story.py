"""An editor keeps the catalogue, through its pages alone and without scripts."""

from itertools import product
from typing import Any

from infra.local.visitor import Browser, Screen
from models.accounts.audit import search
from tests.orders.desk import Desk

ARTICLES = "/admin/sites/second-pour/articles"
FIELDS: dict[str, Any] = {
    "title": "Kettles, Plainly",
    "slug": "kettles-plainly",
    "topic": "Kettles",
    "keyword": "gooseneck kettle",
    "author": "Ada Brook",
    "summary": "What a kettle has to do.",
    "markdown": "A kettle boils water.\n\n## Spouts\n\nA thin one pours slowly.",
}


async def write(ed: Browser, *, press: str | None = None, **differences: str) -> Screen:
    screen = await ed.open(f"{ARTICLES}/new")
    return await ed.submit(screen.form("article-form"), press=press, **{**FIELDS, **differences})


async def test_an_editor_writes_publishes_changes_and_restores_an_article(desk: Desk):
    reading = "/articles/second-pour/kettles-plainly"
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await ed.open("/admin")
        screen = await ed.open(screen.link("Sites"))
        screen = await ed.open(screen.link("The Second Pour"))
        screen = await ed.open(screen.link("New article"))
        looked_at = await ed.submit(screen.form("article-form"), press="Preview", **FIELDS)
        assert "<h2>Spouts</h2>" in looked_at.html
        assert looked_at.form("article-form").fields["title"] == FIELDS["title"]

        screen = await ed.submit(looked_at.form("article-form"), press="Save")
        assert (screen.status, screen.heading) == (200, "Kettles, Plainly")
        assert "Saved as a draft" in screen.text
        assert (await ed.open(reading)).status == 404
        article = screen.path
        screen = await ed.submit(screen.form("article-form"), press="Save and publish")
        assert "Published." in screen.text
        assert "pours slowly" in (await ed.open(reading)).text

        form = (await ed.open(article)).form("article-form")
        screen = await ed.submit(form, markdown=FIELDS["markdown"] + " It costs more.")
        assert "Readers see it now" in screen.text
        assert "It costs more" in (await ed.open(reading)).text
        nothing = await ed.submit(screen.form("article-form"))
        assert "nothing was saved" in nothing.text

        versions = await ed.open(screen.link("Versions"))
        assert "Made from" in versions.text
        second = await ed.open(versions.link("Version 2"))
        assert "<ins> It costs more.</ins>" in second.html
        first = await ed.open(versions.link("Version 1"))
        screen = await ed.submit(first.form("Bring back version 1"))
        assert "version 3" in screen.text
        assert "It costs more" not in (await ed.open(reading)).text

        asking = await ed.open(screen.link("Take offline"))
        screen = await ed.submit(asking.form("withdrawal-form"))
        assert "Offline" in screen.text
        assert (await ed.open(reading)).status == 404
        screen = await ed.submit(screen.form("article-form"), press="Save and publish")
        assert (await ed.open(reading)).status == 200

        assert "Kettles, Plainly" in (await ed.open(f"{ARTICLES}?q=gooseneck&status=published")).links
        assert "No article is like that" in (await ed.open(f"{ARTICLES}?q=gooseneck&status=draft")).text
    async with desk.database.transaction() as session:
        found = await search(session, person_id=desk.shop.people.editor.id, action="article.")
    deeds = [entry.action for entry, _ in found.items]
    done = ["created", "published", "edited", "restored", "unpublished", "published"]
    assert deeds == [f"article.{one}" for one in reversed(done)]


async def test_everything_that_is_wrong_is_said_at_once_and_nothing_typed_is_lost(desk: Desk):
    async with await desk.browser(desk.shop.people.editor) as ed:
        screen = await write(ed, title="", slug="Not A Slug", markdown=" ", author="x" * 101)
        assert screen.status == 422
        for name in ("title", "slug", "markdown", "author"):
            assert f'id="{name}-error"' in screen.html, name
        assert screen.form("article-form").fields["slug"] == "Not A Slug"
        assert screen.form("article-form").fields["keyword"] == FIELDS["keyword"]
        taken = await write(ed, slug="grinding")
        assert 'id="slug-error"' in taken.html
        hidden = await write(ed, markdown="A\x07B", summary="one\u202etwo")
        assert 'id="summary-error"' in hidden.html


async def test_readers_of_every_former_address_are_led_to_the_present_one(desk: Desk):
    async with await desk.browser(desk.shop.people.editor) as ed:
        order_form = await ed.open("/catalogue/second-pour/grinding/order")
        screen = await ed.open(f"{ARTICLES}/{desk.shop.article.id}")
        for slug in ("elsewhere", "grinding", "at-last"):
            screen = await ed.submit(screen.form("article-form"), slug=slug)
        for home, former in product(("/articles", "/catalogue"), ("grinding", "elsewhere")):
            left = await ed.client.get(f"{home}/second-pour/{former}", follow_redirects=False)
            assert left.status_code == 301
            assert left.headers["location"].endswith(f"{home}/second-pour/at-last")
        assert (await ed.open("/articles/second-pour/at-last")).status == 200
        moved = await ed.open("/catalogue/second-pour/elsewhere/order?like=x")
        assert (moved.path, moved.status) == ("/catalogue/second-pour/at-last/order", 200)
        form = order_form.form("/catalogue/second-pour/grinding/order")
        kept = await ed.submit(form, target_url="https://shop.example.org/", anchor_text="burr grinders")
        assert kept.path.startswith("/orders/drafts/")


async def test_a_text_that_was_not_touched_is_not_a_new_version_whatever_its_line_ends(desk: Desk):
    async with await desk.browser(desk.shop.people.editor) as ed:
        form = (await ed.open(f"{ARTICLES}/{desk.shop.article.id}")).form("article-form")
        same = form.filled({}) | {"markdown": form.fields["markdown"].replace("\n", "\r\n")}
        screen = await ed.send(form.action, "post", same)
        assert "nothing was saved" in screen.text
