"""`make demo`: a whole purchase in the running product, over HTTP alone, as a customer and an editor would do it.

Each step is printed with the time it took. The first one that fails ends the tour, with a sentence that says what
was expected and what stood there instead, and exit status 1.
"""

import asyncio
import contextlib
import os
import re
import secrets
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

import httpx2

from infra.local.people import EDITOR
from infra.local.visitor import Browser, Screen

PATIENCE: Final = 60.0
#: Links that suit their articles, so that the writer places them without asking an editor first. An article takes
#: one link to a place, so each tour goes to the next.
WISHES: Final = {
    "second-pour/water-for-coffee": "coffee brewing water filter",
    "counter-and-crate/a-returns-policy-people-can-follow": "returns policy template",
    "cairn-and-contour/layering-for-people-who-sweat": "merino base layers",
    "second-pour/brew-ratios-that-hold-up": "a burr grinder for filter coffee",
    "counter-and-crate/vat-before-you-need-it": "VAT advice for small shops",
    "cairn-and-contour/choosing-a-sleep-system": "a down sleeping bag",
    "second-pour/keeping-beans-fresh": "a kitchen coffee scale",
    "counter-and-crate/chargebacks-from-first-letter-to-last": "parcel insurance for small shops",
    "second-pour/moka-pot-without-the-bitterness": "freshly roasted coffee beans",
    "second-pour/dialing-in-a-pour-over": "a kitchen coffee scale",
}
CARD: Final = {
    "card": "typed",
    "number": "4242 4242 4242 4242",
    "expiry": "12 / 34",
    "cvc": "123",
    "name": "Ada Demo",
}
_LETTER: Final = re.compile(r'href="(/dev/mail/[^"]+)"')
_ORDER: Final = re.compile(r"/orders/[0-9a-f-]{36}$")


class Surprise(Exception):
    """What the visitor saw is not what was to be expected."""


class Tour:
    """One customer, one editor, one order, on the product at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        token = secrets.token_hex(4)
        self.address = f"ada-{token}@example.com"
        self.target = f"{self.url}/dev/target/{token}"
        self.anchor = ""
        #: Seconds from the payment to the letter that the text is ready, once that has been read.
        self.ready_after: float | None = None
        #: Letters that were there before, or were read: an older one to the editor opens nothing any more.
        self._old: set[str] = set()
        self._steps = 0

    async def take(self) -> None:
        """The whole way; raise `Surprise` at the first thing that is wrong."""
        async with Browser(self.url) as customer, Browser(self.url) as editor:
            article = await self._choose(customer)
            order = await self._buy(customer, article)
            await self._decide(customer, order)
            await self._review(editor, order)
            await self._read(customer, article)

    # ------------------------------------------------------------ the customer
    async def _choose(self, customer: Browser) -> str:
        with self._step("open the catalogue"):
            catalogue = await seen(customer, "/")
            expect(catalogue, "The Second Pour" in catalogue.text, "the demo's publications")
            self._old = set(_LETTER.findall((await seen(customer, "/dev/mail")).html))
        with self._step("choose an article that takes a link"):
            for name, self.anchor in WISHES.items():
                article = f"/catalogue/{name}"
                page = await seen(customer, article)
                if "Place a link in this article" in page.links and f"{self.url}/dev/target" not in page.html:
                    self._say(f"“{self.anchor}” in “{page.heading}”")
                    return article
        raise Surprise(
            "Every place in the demo's articles is taken. Start with another GALLEY_DATA for more."
        )

    async def _buy(self, customer: Browser, article: str) -> str:
        with self._step("fill in the order form"):
            form = (await seen(customer, f"{article}/order")).form("order-form")
            asked = await customer.submit(
                form, email=self.address, target_url=self.target, anchor_text=self.anchor
            )
            expect(
                asked, "code-form" in {one.id for one in asked.forms}, "the form for the code of the letter"
            )
        with self._step("sign in by the link in the letter"):
            draft = await self._sign_in(customer, self.address)
        with self._step("wait until the target was looked at"):
            draft = await until(
                customer, draft.path, lambda page: pay_button(page) is not None, "a pay button"
            )
        with self._step("pay with 4242 4242 4242 4242"):
            page = await customer.submit(draft.form(pay_button(draft) or ""))
            tills = [one for one in page.forms if "/pay/" in one.action]
            expect(page, len(tills) == 1, "the payment page")
            async with Browser(str(page.response.url)) as till:
                paid = await till.submit(tills[0], follow=False, **CARD)
            back = paid.response.headers.get("location", "")
            expect(paid, back.startswith(self.url), "the way back to the shop")
            at = time.monotonic()
        with self._step("wait for the order"):
            order = await until(
                customer, back, lambda page: order_of(page) is not None, "the way to the order"
            )
            place = order_of(order) or ""
        with self._step("wait until the text is ready"):
            await until(
                customer, place, lambda page: "submission" in ids(page), "the versions to choose from"
            )
        with self._step("read the letter that says so"):
            await self._letter(customer, self.address, place)
            self.ready_after = time.monotonic() - at
            self._say(f"{self.ready_after:.2f} s after the payment")
        return place

    async def _decide(self, customer: Browser, order: str) -> None:
        with self._step("ask for another version"):
            page = await until(
                customer, order, lambda page: press(page, "Write another version"), "the button for it"
            )
            form = page.form("regeneration")
            page = await customer.submit(form, reason=form.offers["reason"][0], press="Write another version")
            two = await until(customer, order, lambda page: versions(page) > 1, "a second version")
        with self._step("submit it for review"):
            page = await customer.submit(two.form("submission"), press="Submit for review")
            expect(page, "The editor has your version" in page.text, "“The editor has your version”")

    # ------------------------------------------------------------ the editor
    async def _review(self, editor: Browser, order: str) -> None:
        with self._step(f"sign in as {EDITOR}"):
            form = (await seen(editor, "/sign-in")).form("sign-in")
            await editor.submit(form, email=EDITOR)
            await self._sign_in(editor, EDITOR)
        with self._step("find it in the queue and in the letter to the editors"):
            queue = await seen(editor, "/admin/review")
            expect(queue, order.rpartition("/")[2] in queue.html, "the order in the queue")
            page = await seen(editor, await self._letter(editor, EDITOR, f"/admin{order}"))
            expect(page, self.anchor in page.text, "the version to look at")
        with self._step("approve it"):
            asked = await seen(editor, page.link("Approve and publish"))
            done = await editor.submit(asked.form("Approve and publish"), press="Approve and publish")
            expect(done, "Published" in done.text, "“Published”")

    # ------------------------------------------------------------ the reader
    async def _read(self, reader: Browser, article: str) -> None:
        with self._step("read the published article"):
            place = article.replace("/catalogue/", "/articles/")
            page = await until(
                reader, place, lambda page: page.links.get(self.anchor) == self.target, "the new link"
            )
            tag = re.search(rf'<a [^>]*href="{re.escape(self.target)}"[^>]*>', page.html)
            rel = re.search(r'rel="([^"]*)"', tag[0]) if tag else None
            if rel is None or "sponsored" not in rel[1]:
                raise Surprise(f"The published link is not marked as paid: {tag and tag[0]}")
            self._say(f"{self.url}{place}  rel={rel[1]!r}")

    # ------------------------------------------------------------ letters
    async def _sign_in(self, browser: Browser, address: str) -> Screen:
        confirm = await seen(browser, await self._letter(browser, address, "/sign-in/l/"))
        (form,) = [one for one in confirm.forms if one.action.endswith("/sign-in/confirm")]
        page = await browser.submit(form)
        expect(page, page.status == httpx2.codes.OK, "a page for somebody who is signed in")
        return page

    async def _letter(self, browser: Browser, address: str, leading_to: str) -> str:
        """Where the newest letter to this address leads that leads to such a place, as the outbox shows it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            outbox = await seen(browser, "/dev/mail")
            for row in re.findall(r'<li class="letter">.*?</li>', outbox.html, re.DOTALL):
                href = _LETTER.search(row)
                if address in row and href and href[1] not in self._old:
                    letter = await seen(browser, href[1])
                    if found := place_in(letter, leading_to):
                        self._old.add(href[1])
                        return found
            await asyncio.sleep(0.1)
        raise Surprise(f"No letter to {address} with a link to {leading_to} came within {PATIENCE:g} s.")

    @contextlib.contextmanager
    def _step(self, words: str) -> Iterator[None]:
        self._steps += 1
        began = time.monotonic()
        try:
            yield
        except KeyError as missing:
            raise Surprise(f"Step {self._steps}, {words}: {missing.args[0]}") from None
        except Surprise as why:
            raise Surprise(f"Step {self._steps}, {words}: {why}") from None
        print(f"  {self._steps:>2}  {time.monotonic() - began:6.2f} s  {words}", flush=True)

    def _say(self, words: str) -> None:
        print(f"               {words}", flush=True)


async def seen(browser: Browser, url: str) -> Screen:
    """A page that must be there."""
    page = await browser.open(url)
    expect(page, page.status == httpx2.codes.OK, "a page")
    return page


async def until(browser: Browser, url: str, is_so: Callable[[Screen], bool], what: str) -> Screen:
    """Open a page again and again until something stands on it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        page = await seen(browser, url)
        if is_so(page):
            return page
        if time.monotonic() > deadline:
            raise surprise(page, what)
        await asyncio.sleep(0.1)


def expect(page: Screen, is_so: bool, what: str) -> None:
    """Go on only if the page is as it should be."""
    if not is_so:
        raise surprise(page, what)


def surprise(page: Screen, what: str) -> Surprise:
    """The sentence for a page without what was expected on it."""
    there = f"{page.status} {page.heading or page.title or page.text[:200]!r}"
    return Surprise(f"{what} was expected at {page.path}, but there is: {there}")


def ids(page: Screen) -> set[str]:
    """The names of the forms on a page."""
    return {one.id for one in page.forms}


def press(page: Screen, button: str) -> bool:
    """Whether a button can be pressed."""
    return any(button in one.buttons for one in page.forms)


def pay_button(page: Screen) -> str | None:
    """The words of the button that leads to the payment page."""
    found = (words for one in page.forms for words in one.buttons if words.startswith("Pay "))
    return next(found, None)


def order_of(page: Screen) -> str | None:
    """The order's address: the page itself, or where it leads."""
    if _ORDER.search(page.path):
        return page.path
    return next((href for href in page.links.values() if _ORDER.search(href)), None)


def versions(page: Screen) -> int:
    """How many versions there are to choose from."""
    found = [one for one in page.forms if one.id == "submission"]
    return max((len(offered) for one in found for offered in one.offers.values()), default=0)


def place_in(letter: Screen, part: str) -> str | None:
    """Where the letter leads that leads to such a place, on this very copy of the product."""
    found = re.search(rf'href="([^"]*{re.escape(part)}[^"]*)"', letter.html)
    return urlsplit(found[1]).path if found else None


async def _tell(tour: Awaitable[None], url: str) -> int:
    began = time.monotonic()
    try:
        await tour
    except Surprise as why:
        print(f"\nThe demo stopped. {why}", file=sys.stderr)
        return 1
    except httpx2.TransportError:
        print(
            f"Nothing answers at {url}. Start the product first, in another terminal: make up."
            " If it runs on another port: PORT=… make demo",
            file=sys.stderr,
        )
        return 1
    print(f"\nBought, written, approved and published in {time.monotonic() - began:.1f} s.")
    return 0


def main() -> int:
    """Tour the product at PUBLIC_URL, or at this machine's PORT."""
    url = os.environ.get("PUBLIC_URL") or f"http://localhost:{os.environ.get('PORT') or 8000}"
    print(f"A purchase at {url}, over HTTP alone\n")
    return asyncio.run(_tell(Tour(url).take(), url))


if __name__ == "__main__":
    sys.exit(main())
