"""What every page's foot leads to: help, terms and privacy, told from the settings that the shop keeps to."""

from litestar import Response, get

from web.pages import page
from web.params import Config, Who


@get("/help")
async def help_page(visitor: Who, settings: Config) -> Response[None]:
    """How an order goes, and what to do when it does not."""
    return page("orders/help.html", visitor=visitor, rules=settings.orders, is_test=settings.is_test_mode)


@get("/terms")
async def terms(visitor: Who, settings: Config) -> Response[None]:
    """What is sold, and when money goes back."""
    return page("orders/terms.html", visitor=visitor, rules=settings.orders, is_test=settings.is_test_mode)


@get("/privacy")
async def privacy(visitor: Who, settings: Config) -> Response[None]:
    """What is kept about people, and for how long."""
    return page(
        "orders/privacy.html",
        visitor=visitor,
        is_model_asked=settings.llm.model is not None,
        way=settings.mail.way,
    )
