"""From a kept draft on: to its page, or first to the letter that proves whose it is."""

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.actions import ask_to_sign_in
from models.base.clock import now
from models.base.crypto import Keys
from models.base.errors import TooMany
from models.base.settings import Settings
from models.orders.tables import Draft
from web.pages import redirect
from web.visitor import Visitor


async def go_on(
    session: AsyncSession, visitor: Visitor, settings: Settings, keys: Keys, kept: Draft
) -> Response[None]:
    """Whoever is signed in sees the draft; everybody else gets a letter first."""
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
