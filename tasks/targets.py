"""Whether a page can be linked to: it answers, it stays on its domain, and everybody can see it."""

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from models.base.settings import Settings
from models.orders.quality.domains import registrable_domain
from models.orders.rules import target_problem
from tasks.fetch import NotFetched, fetch

#: Answers of sites that are there and do not like robots. A person can open them, so they may be linked to.
_SHY = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


async def problem_of(url: str, settings: Settings, denied: Sequence[str]) -> str | None:
    """What is wrong with a target, in words for the customer with what to do; None if nothing is.

    `denied` are the domains that are not accepted, as `models.orders.catalogue.denied.denied_for` tells them.
    """
    allowed = settings.orders.allowed_private_targets if settings.app.is_local else ()
    if problem := target_problem(url, denied, allowed):
        return problem
    try:
        page = await fetch(url, allowed)
    except NotFetched as error:
        return f"{error} Check the address, or try again when the page can be reached."
    if registrable_domain(page.url) != registrable_domain(url):
        return f"The page redirects to {urlsplit(page.url).hostname}. Enter the address that it leads to."
    if problem := target_problem(page.url, denied, allowed):
        return problem
    if page.status >= HTTPStatus.BAD_REQUEST and page.status not in _SHY:
        return (
            f"The page answers with an error ({page.status}). Enter the address of a page that can be opened."
        )
    return None
