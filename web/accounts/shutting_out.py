"""What an admin does when somebody else may be using an account."""

from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath

from models.accounts.actions import shut_out
from models.accounts.queries import person
from models.base.clock import now
from web.guards import RECENT, admin
from web.pages import redirect
from web.params import Transaction, Who


@post("/admin/people/{person_id:uuid}/sessions/revocation", guards=[admin])
async def sign_out_somebody(session: Transaction, visitor: Who, person_id: FromPath[UUID]) -> Response[None]:
    """End every session and API token of somebody. Wants a sign-in of one's own within the last ten minutes."""
    back = f"/admin/people/{person_id}/role"
    if not visitor.signed_in_within(RECENT):
        return redirect(back)
    found = await person(session, person_id)
    sessions, tokens = await shut_out(session, found.id, by=visitor.somebody, at=now())
    words = f"{found.email} is signed out everywhere: sessions ended: {sessions}, API tokens ended: {tokens}."
    return redirect(back, notice=words)
