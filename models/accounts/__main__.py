"""What is done about people on the server's own command line, where nobody signs in.

python -m models.accounts admin you@example.com             # the first admin, and a link to sign in with
python -m models.accounts remove-passkeys ed@example.com    # somebody has lost theirs
python -m models.accounts verify-audit                      # is the audit log as it was written?
"""

import argparse
import asyncio
import sys

from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import audit, passkeys
from models.accounts.actions import make_admin
from models.accounts.address import normal_address
from models.accounts.letters import tell_of_no_passkey
from models.accounts.queries import person_by_email
from models.accounts.rules import LINK_LIFE
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database, new_id
from models.base.errors import Invalid
from models.base.settings import Settings, start

COMMAND_LINE = "command line"


def main(arguments: list[str]) -> int:
    """Do as the arguments say. Returns 1 if that was refused, or the log is broken."""
    parser = argparse.ArgumentParser(
        prog="python -m models.accounts", description="People and the audit log."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (
        ("admin", "make somebody an admin and print a sign-in link"),
        ("remove-passkeys", "remove every passkey of somebody who has lost them"),
    ):
        commands.add_parser(name, help=words).add_argument("email", help="their e-mail address")
    commands.add_parser("verify-audit", help="follow the chain of the audit log from its first row")
    chosen = parser.parse_args(arguments)
    try:
        is_good, words = asyncio.run(_do(start(), chosen.command, getattr(chosen, "email", "")))
    except Invalid as refusal:
        is_good, words = False, refusal.fields["email"]
    (sys.stdout if is_good else sys.stderr).write(f"{words}\n")
    return 0 if is_good else 1


async def _do(settings: Settings, command: str, email: str) -> tuple[bool, str]:
    database = Database(settings.database.url, pool_size=1)
    try:
        async with database.transaction() as session:
            match command:
                case "admin":
                    return True, await _admin(session, settings, email)
                case "remove-passkeys":
                    return await _remove_passkeys(session, settings, email)
                case _:
                    return await _verify_audit(session)
    finally:
        await database.close()


async def _admin(session: AsyncSession, settings: Settings, email: str) -> str:
    person, link = await make_admin(
        session, email, keys=Keys.of(settings), public_url=settings.app.public_url, at=now()
    )
    return (
        f"{person.email} is an admin. Sign in with this link:\n\n  {link}\n\n"
        f"It works once, for {LINK_LIFE.seconds // 60} minutes, in the first browser that presses the button on its\n"
        "page. Do not send it to anybody: run the command again for another."
    )


async def _remove_passkeys(session: AsyncSession, settings: Settings, email: str) -> tuple[bool, str]:
    person = await person_by_email(session, normal_address(email))
    if person is None:
        return False, f"Nobody has the address {email}."
    count = await passkeys.remove_all(session, person, by=COMMAND_LINE)
    if count:
        url = settings.app.public_url
        await tell_of_no_passkey(session, person, new_id(), origin=COMMAND_LINE, url=url, at=now())
    return True, (
        f"{count} passkey{'s' if count != 1 else ''} of {person.email} removed. They are signed out everywhere;\n"
        "a letter signs them in until they add another passkey."
    )


async def _verify_audit(session: AsyncSession) -> tuple[bool, str]:
    verdict = await audit.verify(session)
    if verdict.broken_id is not None:
        return False, (
            f"BROKEN at row {verdict.broken_id}: it, or a row before it, was altered, removed or put in.\n"
            f"The {verdict.checked} rows before it are as they were written."
        )
    return True, (
        f"{verdict.checked} rows, as they were written. The last digest is {verdict.digest.hex()}:\n"
        "keep it elsewhere, and rows that are cut off at the end will be noticed too."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
