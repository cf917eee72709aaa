"""`python -m models.accounts admin you@example.com`: the first admin, who has nobody to be made by."""

import argparse
import asyncio
import sys

from models.accounts.actions import make_admin
from models.accounts.rules import LINK_LIFE
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.base.errors import Invalid
from models.base.settings import Settings, start


def main(arguments: list[str]) -> int:
    """Make an admin and print their link, or say what is wrong with the address."""
    parser = argparse.ArgumentParser(prog="python -m models.accounts", description=__doc__)
    parser.add_argument("command", choices=["admin"], help="make somebody an admin and print a sign-in link")
    parser.add_argument("email", help="their e-mail address")
    chosen = parser.parse_args(arguments)
    try:
        email, link = asyncio.run(_admin(start(), chosen.email))
    except Invalid as refusal:
        sys.stderr.write(f"{refusal.fields['email']}\n")
        return 1
    sys.stdout.write(
        f"{email} is an admin. Sign in with this link:\n\n  {link}\n\n"
        f"It works once, for {LINK_LIFE.seconds // 60} minutes, in the first browser that presses the button on its\n"
        "page. Do not send it to anybody: run the command again for another.\n"
    )
    return 0


async def _admin(settings: Settings, email: str) -> tuple[str, str]:
    keys = Keys.of(settings)
    database = Database(settings.database.url, pool_size=1)
    try:
        async with database.transaction() as session:
            person, link = await make_admin(
                session, email, keys=keys, public_url=settings.app.public_url, at=now()
            )
            return person.email, link
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
