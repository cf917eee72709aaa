"""People, how they sign in, and what they did."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    func,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.accounts.states import Role
from models.base.db import Row, new_id


class Person(Row):
    """Somebody with an e-mail address that they have shown to be theirs."""

    __tablename__ = "accounts_people"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: As `rules.normal_address` returns it; one person per address.
    email: Mapped[str] = mapped_column(unique=True)
    role: Mapped[Role] = mapped_column(server_default=Role.CUSTOMER)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    disabled_at: Mapped[datetime | None]
    #: The person has left: the row stays for what the law makes us keep about payments, and names nobody.
    erased_at: Mapped[datetime | None]

    __table_args__ = (
        Index("accounts_people_staff", "role", postgresql_where=text("role <> 'customer'")),
        Index("accounts_people_beginning", "email", postgresql_ops={"email": "text_pattern_ops"}),
        Index(
            "accounts_people_domain",
            func.split_part(literal_column("email"), literal_column("'@'"), literal_column("2")).label(
                "domain"
            ),
            postgresql_ops={"domain": "text_pattern_ops"},
        ),
    )


class SignInRequest(Row):
    """One wish to sign in: a link and a code in one letter. Only digests are kept of either."""

    __tablename__ = "accounts_sign_in_requests"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str]
    #: The address without its label, for limits: `address.mailbox_of`.
    mailbox: Mapped[str | None]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    code_mac: Mapped[bytes] = mapped_column(LargeBinary)
    #: Fingerprint of the cookie of the browser that asked: the link works there only. None for a link made on
    #: the server's own command line: it works in the first browser that uses it.
    browser_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    #: The IPv4 address or IPv6 /64 network that asked, for limits.
    network: Mapped[str]
    #: What to go on with after signing in, kept here because a URL can be forged: {"draft": id} or
    #: {"path": "/…"}.
    intent: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    consumed_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]

    __table_args__ = (
        Index("accounts_sign_in_requests_browser", "browser_hash", "created_at"),
        Index("accounts_sign_in_requests_email", "email", "created_at"),
        Index("accounts_sign_in_requests_mailbox", "mailbox", "created_at"),
        Index("accounts_sign_in_requests_network", "network", "created_at"),
        Index("accounts_sign_in_requests_created", "created_at"),
    )


class Session(Row):
    """One signed-in browser. The id is stored as its fingerprint: who reads this table cannot be anybody."""

    __tablename__ = "accounts_sessions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("accounts_people.id", ondelete="CASCADE"))
    #: How the person proved who they are: link, code or passkey.
    method: Mapped[str]
    user_agent: Mapped[str]
    ip: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    authenticated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    #: A letter was proven and a passkey is still wanted: until then this session opens nothing but that step.
    is_pending: Mapped[bool] = mapped_column(server_default=text("false"))
    #: What to go on with once it is not pending any more, as `SignInRequest.intent`.
    intent: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    last_seen_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("accounts_sessions_person", "person_id", "id"),)


class Passkey(Row):
    """A key pair of WebAuthn of which we hold the public half: what a device signs our challenges with."""

    __tablename__ = "accounts_passkeys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("accounts_people.id", ondelete="CASCADE"))
    #: What its owner calls it, like `Laptop`.
    name: Mapped[str]
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    #: COSE_Key (RFC 9052), as the authenticator sent it.
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    #: The authenticator's own count of its signatures; one that does not grow tells of a copy. Zero: it has none.
    sign_count: Mapped[int]
    #: How a browser reaches it (`internal`, `usb`, `hybrid`), as the browser said.
    transports: Mapped[list[Any]] = mapped_column(server_default=text("'[]'"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    last_used_at: Mapped[datetime | None]

    __table_args__ = (Index("accounts_passkeys_person", "person_id", "id"),)


class PasskeyChallenge(Row):
    """Random bytes that a passkey is asked to sign. One per session: asking again forgets the one before."""

    __tablename__ = "accounts_passkey_challenges"

    session_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts_sessions.id", ondelete="CASCADE"), primary_key=True
    )
    #: `add` or `use`: what was made for one ceremony is worth nothing in the other.
    purpose: Mapped[str]
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime]


class ApiToken(Row):
    """What a program shows in a person's stead. Only the fingerprint is kept; its beginning is there to know it by."""

    __tablename__ = "accounts_tokens"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("accounts_people.id", ondelete="CASCADE"))
    name: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    #: Values of `states.Scope`.
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index("accounts_tokens_person", "person_id", "id"),)


class IdempotencyKey(Row):
    """A name that a person's program gave to a request, so that sending it twice does it once."""

    __tablename__ = "accounts_idempotency_keys"

    person_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts_people.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    #: Of the request, to tell a repetition from another request under the same name.
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    #: What was made: the id to answer with again.
    made_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class AuditEntry(Row):
    """Something that a person or the product did and that must be explainable later. Never changed: each row holds
    the digest of itself and of the row before it, and a trigger refuses to alter or remove any.
    """

    __tablename__ = "accounts_audit_entries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    actor_id: Mapped[UUID | None]
    #: In words that survive the person's deletion: `customer`, `editor`, `system`, `stripe`.
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    #: What explains it later. No secrets, and nothing that names a person: this is kept when the person is gone.
    detail: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    #: SHA-256 over the digest of the row before and everything above but the id (`audit.digest_of`).
    digest: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        Index("accounts_audit_entries_subject", "subject", "id"),
        Index("accounts_audit_entries_actor", "actor_id", "id"),
        Index("accounts_audit_entries_action", "action", "id", postgresql_ops={"action": "text_pattern_ops"}),
    )
