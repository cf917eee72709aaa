"""Every component on one page, to look at before a page is made."""

from litestar import Response, get

from web.pages import page
from web.params import Who
from web.shell.gallery import contents


@get("/dev/gallery")
async def gallery(visitor: Who) -> Response[None]:
    """The gallery of the shell."""
    return page("shell/gallery.html", visitor=visitor, **contents())
