"""From what was typed to a kept draft, and on: to its page, or first to the letter that proves whose it is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.actions import ask_to_sign_in
from models.base.clock import now
from models.base.crypto import Keys
from models.base.errors import Invalid, TooMany
from models.base.settings import Settings
from models.orders.article_orders import ArticleWish
from models.orders.drafts import Wish
from models.orders.rules import MAX_NOTES
from models.orders.tables import Draft
from web.pages import page, redirect
from web.visitor import Visitor


def form_page(
    template: str,
    visitor: Visitor,
    facts: Mapping[str, Any],
    values: Mapping[str, str],
    problems: Mapping[str, str],
    draft: Draft | None,
) -> Response[None]:
    """The form of a wish: a new one, as `facts` say where, or that of a draft."""
    return page(
        template,
        visitor=visitor,
        status=422 if problems else 200,
        **facts,
        action=f"/orders/drafts/{draft.id}/edit" if draft else f"{facts['href']}/order",
        draft=draft,
        values=values,
        most_notes=MAX_NOTES,
        # In the order of the fields, as the summary is read from the top.
        problems={name: problems[name] for name in values if name in problems},
    )


async def keep(
    wish: Wish | ArticleWish,
    problems: Mapping[str, str],
    save: Callable[[], Awaitable[Draft]],
    form: Callable[[Mapping[str, str], Mapping[str, str]], Response[None]],
) -> Draft | Response[None]:
    """Save what was asked for, or show the form again with everything that is wrong with it."""
    if not problems:
        try:
            return await save()
        except Invalid as refusal:
            problems = refusal.fields
    return form(asdict(wish), problems)


async def go_on(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    keys: Keys,
    kept: Draft | Response[None],
) -> Response[None]:
    """Whoever is signed in sees the draft; everybody else gets a letter first. A form that is shown again stays."""
    if isinstance(kept, Response):
        return kept
    if visitor.is_signed_in:
        return redirect(f"/orders/drafts/{kept.id}")
    try:
        await ask_to_sign_in(
            session,
            email=kept.email,
            browser=visitor.browser,
            network=visitor.network,
            user_agent=visitor.user_agent,
            keys=keys,
            public_url=settings.app.public_url,
            at=now(),
            intent={"draft": str(kept.id)},
            purpose="go on with your order",
        )
    except TooMany:
        # The draft is kept all the same: its page leads to the sign-in page, which says how long to wait.
        return redirect(f"/orders/drafts/{kept.id}")
    return redirect("/sign-in/code", notice="Your order is saved. Sign in with the letter to pay for it.")
