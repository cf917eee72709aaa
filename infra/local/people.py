"""Who works in the demo: accounts that exist on one's own machine only, where everybody can read their letters."""

from typing import Final

EDITOR: Final = "editor@example.com"
ADMIN: Final = "admin@example.com"
