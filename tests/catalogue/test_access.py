"""Who may come to the catalogue's desk: strangers are asked who they are, customers find nothing there."""

import pytest

from tests.orders.desk import Desk

HOME = "/admin/sites/second-pour"
PAGES = (
    "/admin/sites",
    "/admin/sites/new",
    HOME,
    f"{HOME}/articles",
    f"{HOME}/articles/new",
    f"{HOME}/articles/ARTICLE",
    f"{HOME}/articles/ARTICLE/versions",
    f"{HOME}/articles/ARTICLE/versions/1",
    f"{HOME}/articles/ARTICLE/withdrawal",
    f"{HOME}/articles/ARTICLE/export",
    f"{HOME}/articles/ARTICLE/prices",
    f"{HOME}/prices",
    f"{HOME}/import",
    f"{HOME}/export",
    "/admin/denied-domains",
)
SENT = (
    "/admin/sites",
    HOME,
    f"{HOME}/articles",
    f"{HOME}/articles/preview",
    f"{HOME}/articles/ARTICLE",
    f"{HOME}/articles/ARTICLE/withdrawal",
    f"{HOME}/articles/ARTICLE/versions/1/restoration",
    f"{HOME}/articles/ARTICLE/prices",
    f"{HOME}/prices",
    "/admin/denied-domains",
)
ADMINS = ("/admin/sites/new", "/admin/denied-domains")


def addresses(desk: Desk, paths: tuple[str, ...]) -> list[str]:
    return [path.replace("ARTICLE", str(desk.shop.article.id)) for path in paths]


async def test_a_customer_finds_nothing_and_a_stranger_is_asked_to_sign_in(desk: Desk):
    async with await desk.browser(desk.shop.people.owner) as ada, desk.site.browser() as nobody:
        token = {"_csrf_token": (await ada.open("/account")).form("Sign out").fields["_csrf_token"]}
        for path in addresses(desk, PAGES):
            assert (await ada.open(path)).status == 404, path
            assert (await nobody.open(path)).path == "/sign-in", path
        for path in addresses(desk, SENT):
            assert (await ada.send(path, "post", token)).status == 404, path


async def test_an_editor_comes_everywhere_but_to_what_admins_decide(desk: Desk):
    async with await desk.browser(desk.shop.people.editor) as ed:
        for path in addresses(desk, PAGES):
            assert (await ed.open(path)).status == (404 if path in ADMINS else 200), path


@pytest.mark.parametrize(
    "path",
    [
        "/admin/sites/another/articles/ARTICLE",
        f"{HOME}/articles/ARTICLE/versions/9",
        f"{HOME}/articles/ARTICLE/versions/1?against=x",
    ],
)
async def test_what_is_not_there_is_not_found(desk: Desk, path: str):
    async with await desk.browser(desk.admin) as admin:
        assert (await admin.open(addresses(desk, (path,))[0])).status == 404
