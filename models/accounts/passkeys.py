"""Passkeys: the two ceremonies of WebAuthn (W3C, Level 3, sections 7.1 and 7.2), and what became of the keys.

The `webauthn` library checks what a browser brings back; what it was asked, and whether it may be answered again,
is kept here. It takes long to import and few requests need it, so it is imported where it is used.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import sessions
from models.accounts.audit import audit
from models.accounts.rules import FRESH
from models.accounts.tables import Passkey, PasskeyChallenge, Person
from models.base.clock import now
from models.base.db import new_id
from models.base.errors import Conflict, Forbidden, NotFound

CHALLENGE_LIFE: Final = timedelta(minutes=5)
MOST: Final = 10
ADD: Final = "add"
USE: Final = "use"


@dataclass(frozen=True, slots=True)
class Place:
    """Where passkeys belong: only a page of this origin can use them, and one made for it works nowhere else."""

    #: Scheme, host and port, as browsers write them.
    origin: str
    #: The relying party's id: the host.
    id: str

    @classmethod
    def of(cls, public_url: str) -> "Place":
        """The place of the product at this address."""
        parts = urlsplit(public_url)
        return cls(f"{parts.scheme}://{parts.netloc}".lower(), parts.hostname or "")


@dataclass(frozen=True, slots=True)
class Refused:
    """A passkey was not accepted. The caller must commit all the same: the challenge is used up."""

    words: str


async def passkeys_of(session: AsyncSession, person_id: UUID) -> Sequence[Passkey]:
    """All passkeys of a person, the oldest first: at most `MOST`."""
    query = select(Passkey).where(Passkey.person_id == person_id)
    return (await session.scalars(query.order_by(Passkey.id))).all()


async def has_passkey(session: AsyncSession, person_id: UUID) -> bool:
    """Whether this person's letters alone do not sign them in any more."""
    query = select(Passkey.id).where(Passkey.person_id == person_id).limit(1)
    return await session.scalar(query) is not None


# ---------------------------------------------------------------- adding one
async def ask_to_add(
    session: AsyncSession, person: Person, session_id: UUID, place: Place, at: datetime
) -> str:
    """What the browser is to make a passkey from (`PublicKeyCredentialCreationOptionsJSON`)."""
    import webauthn
    from webauthn.helpers import structs

    known = await passkeys_of(session, person.id)
    if len(known) >= MOST:
        raise Conflict(f"You have {MOST} passkeys. Remove one that you do not use any more.")
    options = webauthn.generate_registration_options(
        rp_id=place.id,
        rp_name="Galley",
        user_id=person.id.bytes,
        user_name=person.email,
        challenge=await _challenge(session, session_id, ADD, at),
        timeout=_milliseconds(),
        exclude_credentials=_descriptors(known),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.PREFERRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
    )
    return webauthn.options_to_json(options)


async def add(
    session: AsyncSession,
    person: Person,
    session_id: UUID,
    answer: str,
    *,
    name: str,
    place: Place,
    at: datetime,
) -> Passkey | Refused:
    """Keep the passkey that a browser has made (`RegistrationResponseJSON`).

    From now on letters alone sign this person in nowhere, and where only a letter was shown, they are signed out.
    """
    import webauthn

    challenge = await _take(session, session_id, ADD, at)
    if challenge is None:
        return Refused("That took longer than five minutes. Try again.")
    try:
        brought = webauthn.helpers.parse_registration_credential_json(answer)
        made = webauthn.verify_registration_response(
            credential=brought,
            expected_challenge=challenge,
            expected_rp_id=place.id,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes do to the parsers is a refusal
        await audit(session, person, "passkey.refused", f"person/{person.id}", why=type(error).__name__)
        return Refused("This passkey could not be checked, and was not added. Try again.")
    row = Passkey(
        id=new_id(),
        person_id=person.id,
        name=name,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
        transports=[one.value for one in brought.response.transports or ()],
        created_at=at,
    )
    taken = select(Passkey.id).where(Passkey.credential_id == made.credential_id)
    if await session.scalar(taken):
        return Refused("This passkey is known already.")
    session.add(row)
    await session.flush()
    await sessions.proven_by_passkey(session, session_id, person_id=person.id, at=at)
    await audit(session, person, "passkey.added", f"person/{person.id}", passkey=str(row.id))
    return row


# ---------------------------------------------------------------- using one
async def ask_to_use(
    session: AsyncSession, person_id: UUID, session_id: UUID, place: Place, at: datetime
) -> str:
    """What the browser is to have signed (`PublicKeyCredentialRequestOptionsJSON`)."""
    import webauthn
    from webauthn.helpers.structs import UserVerificationRequirement

    options = webauthn.generate_authentication_options(
        rp_id=place.id,
        challenge=await _challenge(session, session_id, USE, at),
        timeout=_milliseconds(),
        allow_credentials=_descriptors(await passkeys_of(session, person_id)),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


async def use(
    session: AsyncSession, person: Person, session_id: UUID, answer: str, *, place: Place, at: datetime
) -> Passkey | Refused:
    """The passkey that has signed this session's challenge (`AuthenticationResponseJSON`), if it is this person's."""
    challenge = await _take(session, session_id, USE, at)
    if challenge is None:
        return Refused("That took longer than five minutes. Try again.")
    why = await _check(session, person, answer, challenge, place, at)
    if isinstance(why, Passkey):
        return why
    await audit(session, person, "passkey.refused", f"person/{person.id}", why=why)
    return Refused("This passkey was not accepted. Try again, or use another one of yours.")


async def _check(
    session: AsyncSession, person: Person, answer: str, challenge: bytes, place: Place, at: datetime
) -> Passkey | str:
    import webauthn

    try:
        brought = webauthn.helpers.parse_authentication_credential_json(answer)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's bytes do to the parser is a refusal
        return type(error).__name__
    mine = (Passkey.credential_id == brought.raw_id) & (Passkey.person_id == person.id)
    # The row is held, so that two answers at once are counted one after the other.
    key = (await session.scalars(select(Passkey).where(mine).with_for_update())).one_or_none()
    if key is None:
        return "unknown"
    try:
        done = webauthn.verify_authentication_response(
            credential=brought,
            expected_challenge=challenge,
            expected_rp_id=place.id,
            expected_origin=place.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except Exception as error:  # noqa: BLE001 - as above
        return type(error).__name__
    key.sign_count, key.last_used_at = done.new_sign_count, at
    await session.flush()
    return key


# ---------------------------------------------------------------- removing
async def remove(
    session: AsyncSession, person: Person, passkey_id: UUID, *, authenticated_at: datetime, at: datetime
) -> tuple[Passkey, bool]:
    """Remove one of this person's passkeys. Returns it, and whether it was the last.

    The last one only after a sign-in within the last ten minutes, because without it a letter is enough again:
    raises `Forbidden`. `NotFound` if it is not theirs.
    """
    await session.get(Person, person.id, with_for_update=True)
    known = await passkeys_of(session, person.id)
    key = next((one for one in known if one.id == passkey_id), None)
    if key is None:
        raise NotFound("There is no such passkey.")
    if len(known) == 1 and at - authenticated_at > FRESH:
        raise Forbidden("Sign in again to remove your last passkey.")
    await session.delete(key)
    await audit(session, person, "passkey.removed", f"person/{person.id}", passkey=str(passkey_id))
    return key, len(known) == 1


async def remove_all(session: AsyncSession, person: Person, *, by: str) -> int:
    """Remove every passkey of somebody who has lost them, and sign them out everywhere. Returns how many."""
    gone = (
        await session.scalars(delete(Passkey).where(Passkey.person_id == person.id).returning(Passkey.id))
    ).all()
    await sessions.revoke_all(session, person.id, at=now())
    await audit(session, by, "passkeys.removed", f"person/{person.id}", count=len(gone))
    return len(gone)


# ---------------------------------------------------------------- challenges
async def _challenge(session: AsyncSession, session_id: UUID, purpose: str, at: datetime) -> bytes:
    challenge = secrets.token_bytes(32)
    values = {"purpose": purpose, "challenge": challenge, "expires_at": at + CHALLENGE_LIFE}
    statement = insert(PasskeyChallenge).values(session_id=session_id, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["session_id"], set_=values))
    return challenge


async def _take(session: AsyncSession, session_id: UUID, purpose: str, at: datetime) -> bytes | None:
    """What this session was asked to sign: once, and within five minutes."""
    mine = (PasskeyChallenge.session_id == session_id) & (PasskeyChallenge.purpose == purpose)
    taken = await session.execute(
        delete(PasskeyChallenge)
        .where(mine)
        .returning(PasskeyChallenge.challenge, PasskeyChallenge.expires_at)
    )
    row = taken.one_or_none()
    return row.challenge if row is not None and row.expires_at > at else None


def _descriptors(known: Sequence[Passkey]) -> list[Any]:
    from webauthn.helpers.structs import AuthenticatorTransport, PublicKeyCredentialDescriptor

    spoken = {one.value for one in AuthenticatorTransport}
    return [
        PublicKeyCredentialDescriptor(
            id=one.credential_id,
            transports=[AuthenticatorTransport(way) for way in one.transports if way in spoken] or None,
        )
        for one in known
    ]


def _milliseconds() -> int:
    return int(CHALLENGE_LIFE.total_seconds() * 1000)
