"""Articles as their readers see them: no shop around them, the same for everybody, and quick."""

from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.params import FromPath

from models.orders.catalogue import published_article, sold_links
from models.orders.markdown import summary
from web.orders.catalogue import html_of
from web.params import Config, Templates, Transaction
from web.visitor import stranger

AnyRequest = Request[Any, Any, Any]

#: An article that was published anew is seen within this time wherever a copy was kept.
CACHING: Final = "public, max-age=60, stale-while-revalidate=600"


@get("/articles/{site:str}/{article:str}", opt={"referrer": "strict-origin-when-cross-origin"})
async def read_article(
    request: AnyRequest,
    session: Transaction,
    settings: Config,
    pages: Templates,
    site: FromPath[str],
    article: FromPath[str],
) -> Response[str]:
    """The published text. Who has this very version already is told so in a few bytes."""
    found = await published_article(session, site, article)
    tag = f'"{found.version.id}"'
    headers = {"Cache-Control": CACHING, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response("", status_code=304, headers=headers)
    path = f"/articles/{quote(found.site.slug)}/{quote(found.article.slug)}"
    html = pages.render(
        "orders/reading.html",
        visitor=stranger(request),
        article=found.article,
        site=found.site,
        description=found.article.summary or summary(found.version.markdown),
        html=html_of(found.version.markdown, found.site, await sold_links(session, found.article.id)),
        canonical=settings.app.public_url + path,
    )
    return Response(html, media_type="text/html", headers=headers)
