"""Who is shown what jobs carry: arguments, results, errors and what runners write, which may name customers."""

from models.accounts.states import Role
from models.base.settings import Settings
from web.visitor import Visitor


def sees_payload(visitor: Visitor, settings: Settings) -> bool:
    """Whether this visitor of the board is shown it: editors are, analysts if the installation says so."""
    return visitor.has_role(Role.ANALYST if settings.board.analysts_see_payloads else Role.EDITOR)
