"""Signing in by letter: asking, proving, and becoming somebody."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import sessions, tokens
from models.accounts.address import mailbox_of, normal_address
from models.accounts.audit import audit
from models.accounts.letters import origin_words
from models.accounts.limits import check_limits, hold_place
from models.accounts.passkeys import has_passkey
from models.accounts.rules import CODE_TRIES, LINK_LIFE, RESEND_AFTER, is_code, plain_code
from models.accounts.states import Role
from models.accounts.tables import Person, Session, SignInRequest
from models.base.clock import moment_words
from models.base.crypto import Keys, fingerprint, new_token, same
from models.base.db import changed, new_id
from models.base.errors import Forbidden, NotFound
from models.mail.actions import write_letter

LETTER: Final = "accounts.sign_in"


@dataclass(frozen=True, slots=True)
class WrongCode:
    """The code was not it. `tries_left` is zero when neither it nor the link will be accepted any more."""

    tries_left: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody has become known in a browser. `token` is the browser's new secret: for its cookie, nowhere else.

    While `session.is_pending` they are known to themselves only: a passkey is wanted before anything opens.
    """

    person: Person
    session: Session
    token: str
    intent: Mapping[str, Any]


async def ask_to_sign_in(
    session: AsyncSession,
    *,
    email: str,
    browser: str,
    network: str,
    user_agent: str,
    keys: Keys,
    public_url: str,
    at: datetime,
    intent: Mapping[str, Any] | None = None,
    purpose: str = "sign in",
) -> SignInRequest:
    """Write a letter with a link and a code to this address, the same for every address there is.

    `browser` is the secret of the asking browser's cookie, `network` its IPv4 address or IPv6 /64, `intent` what
    to go on with afterwards, `purpose` completes "You asked to". Asking again within a minute, for the same
    address in the same browser, is the same request. Raises `Invalid` for the address, or `TooMany`.
    """
    email = normal_address(email)
    browser_hash = fingerprint(browser)
    await hold_place(session, email, network)
    mine = (SignInRequest.email == email) & (SignInRequest.browser_hash == browser_hash) & _open(at)
    recent = select(SignInRequest).where(mine, SignInRequest.created_at > at - RESEND_AFTER)
    if request := (await session.scalars(recent)).one_or_none():
        request.intent = dict(intent or request.intent)
        return request
    await check_limits(session, email=email, network=network, browser_hash=browser_hash, at=at)
    # Only what this very browser asked for: if anybody could close a request by opening another, nobody got in.
    await session.execute(update(SignInRequest).where(mine).values(superseded_at=at))
    request, token, code = _new_request(email, browser_hash, network, intent, keys, at)
    session.add(request)
    await session.flush()
    facts = {
        "purpose": purpose,
        "asked_from": origin_words(user_agent, network),
        "asked_at": moment_words(at),
        "minutes": LINK_LIFE.seconds // 60,
    }
    doors = {"link": _link(public_url, token), "code": code}
    await write_letter(
        session,
        LETTER,
        email,
        facts,
        key=f"sign-in:{request.id}",
        sealed=keys.seal(orjson.dumps(doors)),
        expires_at=request.expires_at,
    )
    return request


async def make_admin(
    session: AsyncSession, email: str, *, keys: Keys, public_url: str, at: datetime
) -> tuple[Person, str]:
    """Make this person an admin, known before or not, and return a link that signs them in once.

    The link is shown to whoever runs the command and to nobody else, so it works in the first browser that
    uses it: there is none yet that could have asked.
    """
    person = await _person(session, normal_address(email))
    if person.role is not Role.ADMIN:
        await set_role(session, person.id, Role.ADMIN, by="command line", at=at)
    request, token, _ = _new_request(person.email, None, "command line", None, keys, at)
    session.add(request)
    await session.flush()
    await audit(session, "command line", "sign_in.link_printed", f"person/{person.id}")
    return person, _link(public_url, token)


async def look_up_link(session: AsyncSession, token: str, at: datetime) -> SignInRequest | None:
    """The open request that this link belongs to. Looking changes nothing: mail scanners look at every link."""
    query = select(SignInRequest).where(SignInRequest.token_hash == fingerprint(token), _open(at))
    return (await session.scalars(query)).one_or_none()


async def request_of(session: AsyncSession, browser: str, at: datetime) -> SignInRequest | None:
    """What this browser asked for last and may still prove."""
    query = select(SignInRequest).where(SignInRequest.browser_hash == fingerprint(browser), _open(at))
    latest = query.order_by(SignInRequest.created_at.desc(), SignInRequest.id.desc()).limit(1)
    return (await session.scalars(latest)).one_or_none()


def is_same_browser(request: SignInRequest, browser: str) -> bool:
    """Whether the link alone is enough here: in the browser that asked, or in any for a link that none asked for."""
    return request.browser_hash is None or same(request.browser_hash, fingerprint(browser))


async def confirm_link(
    session: AsyncSession, *, token: str, browser: str, at: datetime
) -> SignInRequest | None:
    """Use the link up, in the browser that asked for it. None, and nothing is used, if it cannot be used there."""
    asker = or_(SignInRequest.browser_hash == fingerprint(browser), SignInRequest.browser_hash.is_(None))
    return await _consume(session, (SignInRequest.token_hash == fingerprint(token)) & asker, at)


async def confirm_code(
    session: AsyncSession,
    *,
    request_id: UUID,
    code: str,
    browser: str,
    token: str | None,
    keys: Keys,
    at: datetime,
) -> SignInRequest | WrongCode:
    """Use the code up, in the browser that asked or in one that holds the letter's link (`token`).

    The try is counted before the code is looked at, in one statement, so that a hundred guesses at once are
    still five. The caller must commit also when the code was wrong.
    """
    code = plain_code(code)
    holders = [SignInRequest.browser_hash == fingerprint(browser)]
    if token:
        holders.append(SignInRequest.token_hash == fingerprint(token))
    counted = (
        update(SignInRequest)
        .where(SignInRequest.id == request_id, or_(*holders), _open(at))
        .values(attempts=SignInRequest.attempts + 1)
        .returning(SignInRequest.code_mac, SignInRequest.attempts)
    )
    row = (await session.execute(counted, execution_options={"synchronize_session": False})).one_or_none()
    if row is None:
        return WrongCode(tries_left=0)
    mac, attempts = row
    if is_code(code) and same(mac, _mac(keys, request_id, code)):
        used = await _consume(session, SignInRequest.id == request_id, at, tries=CODE_TRIES + 1)
        if used:
            return used
    await audit(session, "visitor", "sign_in.wrong_code", f"sign-in/{request_id}", attempt=attempts)
    return WrongCode(tries_left=CODE_TRIES - attempts)


async def sign_in(
    session: AsyncSession,
    request: SignInRequest,
    *,
    method: str,
    user_agent: str,
    ip: str,
    at: datetime,
    presented: str | None = None,
) -> SignedIn:
    """Begin a session for the person whose address this request has proven, whom this may make.

    The secret is always a new one, and `presented`, what the browser came with, opens nothing any more: a
    session that somebody planted cannot become this person's. Whoever has a passkey is asked for it first: the
    session is pending. Raises `Forbidden` if the account is closed; the caller must commit all the same.
    """
    person = await _person(session, request.email)
    if person.disabled_at is not None:
        await audit(session, "visitor", "sign_in.refused", f"person/{person.id}", why="closed")
        raise Forbidden("This account is closed. Write to us if you think that is a mistake.")
    wants_passkey = await has_passkey(session, person.id)
    return await _begin(
        session,
        person,
        request.intent,
        action="sign_in.passkey_wanted" if wants_passkey else "signed_in",
        is_pending=wants_passkey,
        method=method,
        user_agent=user_agent,
        ip=ip,
        at=at,
        presented=presented,
    )


async def sign_in_by_passkey(
    session: AsyncSession,
    person: Person,
    *,
    intent: Mapping[str, Any],
    user_agent: str,
    ip: str,
    at: datetime,
    presented: str,
) -> SignedIn:
    """Begin a session for somebody whose passkey was accepted, in the place of the one that `presented` opens."""
    return await _begin(
        session,
        person,
        intent,
        action="signed_in",
        is_pending=False,
        method="passkey",
        user_agent=user_agent,
        ip=ip,
        at=at,
        presented=presented,
    )


async def _begin(
    session: AsyncSession,
    person: Person,
    intent: Mapping[str, Any],
    *,
    action: str,
    is_pending: bool,
    method: str,
    user_agent: str,
    ip: str,
    at: datetime,
    presented: str | None,
) -> SignedIn:
    if presented:
        await sessions.revoke_token(session, presented, at)
    row, token = await sessions.start(
        session,
        person,
        method=method,
        user_agent=user_agent,
        ip=ip,
        at=at,
        intent=intent,
        is_pending=is_pending,
    )
    await audit(session, person, action, f"person/{person.id}", method=method, session_id=str(row.id))
    return SignedIn(person, row, token, intent)


async def set_role(
    session: AsyncSession, person_id: UUID, role: Role, *, by: Person | str, at: datetime
) -> Person:
    """Give this person another role. All their sessions end: a new power, or its loss, wants a new sign-in."""
    person = await session.get(Person, person_id, with_for_update=True)
    if person is None:
        raise NotFound("There is no such person.")
    if person.role is not role:
        before, person.role = person.role, role
        await session.flush()
        await sessions.revoke_all(session, person_id, at=at)
        changed(session, f"person/{person_id}")
        await audit(session, by, "role.changed", f"person/{person_id}", before=before.value, after=role.value)
    return person


async def shut_out(session: AsyncSession, person_id: UUID, *, by: Person, at: datetime) -> tuple[int, int]:
    """End all sessions and API tokens of a person whose account somebody else may be using. Returns how many of each.

    They can sign in again, in the way that they always could.
    """
    ended = (
        await sessions.revoke_all(session, person_id, at=at),
        await tokens.revoke_all(session, person_id, at=at),
    )
    await audit(session, by, "person.shut_out", f"person/{person_id}", sessions=ended[0], tokens=ended[1])
    return ended


def _open(at: datetime) -> ColumnElement[bool]:
    return _usable(at, CODE_TRIES)


def _usable(at: datetime, tries: int) -> ColumnElement[bool]:
    return (
        SignInRequest.consumed_at.is_(None)
        & SignInRequest.superseded_at.is_(None)
        & (SignInRequest.expires_at > at)
        & (SignInRequest.attempts < tries)
    )


async def _consume(
    session: AsyncSession, which: ColumnElement[bool], at: datetime, tries: int = CODE_TRIES
) -> SignInRequest | None:
    statement = (
        update(SignInRequest).where(which, _usable(at, tries)).values(consumed_at=at).returning(SignInRequest)
    )
    options = {"synchronize_session": False, "populate_existing": True}
    return (await session.scalars(statement, execution_options=options)).one_or_none()


def _new_request(
    email: str,
    browser_hash: bytes | None,
    network: str,
    intent: Mapping[str, Any] | None,
    keys: Keys,
    at: datetime,
) -> tuple[SignInRequest, str, str]:
    request_id, token, code = new_id(), new_token(), f"{secrets.randbelow(10**6):06}"
    request = SignInRequest(
        id=request_id,
        email=email,
        mailbox=mailbox_of(email),
        token_hash=fingerprint(token),
        code_mac=_mac(keys, request_id, code),
        browser_hash=browser_hash,
        network=network,
        intent=dict(intent or {}),
        created_at=at,
        expires_at=at + LINK_LIFE,
    )
    return request, token, code


def _mac(keys: Keys, request_id: UUID, code: str) -> bytes:
    # A bare digest of six digits is turned back in a second by whoever reads the table; this needs the key too.
    return keys.mac("code", str(request_id), code)


def _link(public_url: str, token: str) -> str:
    return f"{public_url}/sign-in/l/{token}"


async def _person(session: AsyncSession, email: str) -> Person:
    await session.execute(insert(Person).values(id=new_id(), email=email).on_conflict_do_nothing())
    return (await session.scalars(select(Person).where(Person.email == email))).one()
