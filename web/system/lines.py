"""What is said of each part of the installation: how it stands, in words, and where somebody sees to it.

Nothing here asks anybody. A line never holds a secret: of keys it is said whether they are set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from jinja2.filters import do_filesizeformat as filesize

from models.base.settings import Settings
from models.base.settings.working import FileSettings, LlmSettings, MailSettings
from models.jobs.board import WorkerView
from models.jobs.board_tables import AlertRow
from models.jobs.rules import in_words
from models.payments.stripe import API_VERSION
from models.system import MOST_COUNTED, DatabaseFacts, OutsideFacts
from web.system.asking import FolderFacts, RedisFacts

#: No transaction of ours takes as long: it holds back vacuum, and whoever waits for its rows.
LONG_TRANSACTION: Final = timedelta(minutes=1)
ENDLESS_TRANSACTION: Final = timedelta(minutes=10)
#: How long a letter or an event of Stripe may wait for its job.
SLOW: Final = timedelta(minutes=1)
STUCK: Final = timedelta(minutes=5)
#: The part of connections, of memory or of a budget from which on somebody should look, and from which it is bad.
NEARLY: Final = 0.8
FULL: Final = 0.95
#: The free part of a disk.
SHORT: Final = 0.1
SPENT: Final = 0.02


class Standing(StrEnum):
    """How something stands."""

    GOOD = "good"
    LOOK = "look"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Line:
    """One part of the installation. `href` is the page on which one sees to it, `runbook` a part of docs/runbooks.md."""

    name: str
    standing: Standing
    words: str
    href: str | None = None
    runbook: str | None = None


def _by(part: float) -> Standing:
    return Standing.BAD if part >= FULL else Standing.LOOK if part >= NEARLY else Standing.GOOD


def _by_age(
    since: datetime | None, at: datetime, slow: timedelta = SLOW, stuck: timedelta = STUCK
) -> Standing:
    age = at - since if since else timedelta()
    return Standing.BAD if age > stuck else Standing.LOOK if age > slow else Standing.GOOD


def _worse(standing: Standing) -> Standing:
    """Worth a look, if it is not bad already."""
    return Standing.LOOK if standing is Standing.GOOD else standing


# ---------------------------------------------------------------- processes
def web(release: str | None, host: str, started_at: datetime, at: datetime) -> Line:
    """The process that answers."""
    version = f"Version {release}" if release else "Its version is not known, because RELEASE is not set"
    return Line(
        "This page", Standing.GOOD, f"{version}. Answered by {host}, up for {in_words(at - started_at)}."
    )


def workers(found: Sequence[WorkerView], at: datetime) -> Line:
    """The workers, by their heartbeats. One that died with nothing in its hands is soon no news any more."""
    href = "/admin/queues/workers"
    alive = [one for one in found if one.is_alive]
    silent = [one for one in found if not one.is_alive]
    if not alive:
        return Line(
            "Workers", Standing.BAD, "None lives, so nothing that was asked for is done.", href, "no-worker"
        )
    draining = sum(one.row.is_draining for one in alive)
    oldest = in_words(max(timedelta(), at - min(one.row.beat_at for one in alive)))
    words = f"{_count(len(alive), 'lives', 'live')}; the longest silence is {oldest}."
    if draining:
        words += f" {_count(draining, 'ends', 'end')} after what it runs."
    if silent:
        words += f" {_count(len(silent), 'is', 'are')} silent and taken for dead."
    standing = Standing.GOOD
    if any(one.count for one in silent):
        standing, words = Standing.BAD, f"{words} What was running there waits to be taken back."
    elif any(at - one.row.beat_at < STUCK for one in silent):
        standing = Standing.LOOK
    return Line("Workers", standing, words, href)


def dispatcher(facts: DatabaseFacts, at: datetime) -> Line:
    """Who acts."""
    if facts.dispatcher_since is None:
        words = "Nobody holds its lock: no schedule fires, and dead workers' jobs are not taken back."
        return Line("Dispatcher", Standing.BAD, words, runbook="dispatcher-silent")
    since = in_words(at - facts.dispatcher_since)
    return Line("Dispatcher", Standing.GOOD, f"One acts, on {facts.dispatcher_host}, connected for {since}.")


def schedules(late: Sequence[str]) -> Line:
    """What should have happened by the clock."""
    href = "/admin/queues/schedules"
    if late:
        named = ", ".join(late[:3]) + (f" and {len(late) - 3} more" if late[3:] else "")
        return Line("Schedules", Standing.BAD, f"Late: {named}.", href, "dispatcher-silent")
    return Line("Schedules", Standing.GOOD, "None is late.", href)


def alarms(found: Sequence[AlertRow]) -> Line:
    """What the jobs' own watch has found."""
    href = "/admin/queues/alerts"
    if found:
        return Line("Alerts", Standing.BAD, " ".join(one.words for one in found[:3]), href)
    return Line("Alerts", Standing.GOOD, "None is open.", href)


# ---------------------------------------------------------------- what keeps things
def database(facts: DatabaseFacts, processes: Mapping[str, int]) -> list[Line]:
    """PostgreSQL itself, and its connections."""
    part = facts.connections / facts.connections_allowed
    named = ", ".join(f"{name} {count}" for name, count in processes.items())
    return [
        Line("PostgreSQL", Standing.GOOD, f"Version {facts.version}, {filesize(facts.bytes)}."),
        Line(
            "Connections",
            _by(part),
            f"{facts.connections} of {facts.connections_allowed} are in use: {named}.",
            runbook=None if part < NEARLY else "database-connections",
        ),
    ]


def revision(there: str | None, here: str) -> Line:
    """Whether the tables are those that this code was written for."""
    if there == here:
        return Line("Tables", Standing.GOOD, f"At migration {here}, which this code wants.")
    if there is not None and there > here:
        words = f"At migration {there}, and this process wants {here}: a newer version is being brought in."
        return Line("Tables", Standing.LOOK, words)
    words = f"At migration {there or 'none'}, but this code wants {here}. Run python -m models.migrations."
    return Line("Tables", Standing.BAD, words)


def transactions(facts: DatabaseFacts, at: datetime) -> Line:
    """Whether somebody holds one open for long."""
    since = facts.oldest_transaction_at
    standing = _by_age(since, at, LONG_TRANSACTION, ENDLESS_TRANSACTION)
    if since is None or standing is Standing.GOOD:
        return Line("Transactions", Standing.GOOD, "None has been open for long.")
    words = f"The oldest has been open for {in_words(at - since)}. It holds back vacuum and whoever wants its rows."
    return Line("Transactions", standing, words, runbook="database-busy")


def redis(facts: RedisFacts | str) -> Line:
    """The news. Its loss costs time, so only what ends its work is bad."""
    if isinstance(facts, str):
        return Line("Redis", Standing.BAD, f"{facts} Pages and jobs go on from PostgreSQL, more slowly.")
    limit = f" of {filesize(facts.memory_allowed)}" if facts.memory_allowed else ""
    words = f"Version {facts.version}, {filesize(facts.memory)}{limit}, append-only file {'on' if facts.keeps_log else 'off'}."
    standing = _by(facts.memory / facts.memory_allowed) if facts.memory_allowed else Standing.GOOD
    if facts.policy != "noeviction":
        words += f" It may evict keys ({facts.policy}): set maxmemory-policy to noeviction."
        if facts.evicted:
            words += f" {facts.evicted:,} are gone already."
        standing = _worse(standing)
    if not facts.is_snapshot_ok:
        words += " Its last snapshot failed."
        standing = _worse(standing)
    return Line("Redis", standing, words, runbook=None if standing is Standing.GOOD else "cache-full")


def files(settings: FileSettings, folder: FolderFacts | str) -> Line:
    """Where reports lie."""
    if settings.s3_bucket:
        words = f"In the bucket {settings.s3_bucket}, which is not asked from here: a report that fails is a dead job."
        return Line("Files", Standing.GOOD, words, "/admin/queues/errors")
    if isinstance(folder, str):
        return Line("Files", Standing.BAD, f"In {settings.folder}. {folder}", runbook="database-full")
    free = folder.free / folder.total
    words = f"In {settings.folder}, {filesize(folder.free)} of {filesize(folder.total)} free."
    standing = Standing.BAD if free < SPENT else Standing.LOOK if free < SHORT else Standing.GOOD
    if not folder.is_writable:
        words += " This process may not write there: set FILE_FOLDER or FILE_S3_BUCKET."
        standing = _worse(standing)
    elif not folder.exists:
        words += " The first report will make it."
    return Line("Files", standing, words)


# ---------------------------------------------------------------- the world
def mail(settings: MailSettings, facts: OutsideFacts, at: datetime) -> Line:
    """Letters that wait, and those that did not go."""
    ways = {
        "ses": f"By SES in {settings.ses_region}, {settings.ses_rate:g} a second",
        "smtp": f"By SMTP over {settings.smtp_host}",
        "outbox": "Nothing leaves: letters are only shown at /dev/mail",
    }
    queued = f"more than {MOST_COUNTED:,}" if facts.queued > MOST_COUNTED else f"{facts.queued:,}"
    words = f"{ways[settings.way]}. Waiting: {queued}; without an answer: {facts.unsettled}; failed today: {facts.failed_today}."
    standing = _by_age(facts.oldest_queued_at, at)
    if facts.unsettled or facts.failed_today:
        standing = _worse(standing)
    state = (
        "unknown" if facts.unsettled else "failed" if facts.failed_today else "queued" if facts.queued else ""
    )
    href = f"/admin/mail?state={state}" if state else "/admin/mail"
    return Line("Mail", standing, words, href, "letters-not-sent" if standing is Standing.BAD else None)


def stripe(settings: Settings, facts: OutsideFacts, at: datetime) -> Line:
    """Payments, and whether Stripe's events are heard."""
    mode = "Live" if settings.stripe.is_live else "The sandbox" if settings.stripe.api_base else "Test mode"
    words = f"{mode}, API version {API_VERSION}."
    standing = _by_age(facts.oldest_unhandled_at, at)
    if facts.last_event_at is None:
        words += " No event has come yet."
    else:
        words += f" The last event came {in_words(max(timedelta(), at - facts.last_event_at))} ago."
    if facts.oldest_unhandled_at and standing is not Standing.GOOD:
        words += f" One has waited for {in_words(at - facts.oldest_unhandled_at)}."
        return Line("Stripe", standing, words, "/admin/queues/payments", "webhooks-unhandled")
    if not settings.stripe.webhook_secrets:
        words += " STRIPE_WEBHOOK_SECRETS is not set, so payments are noticed late, by asking."
        return Line("Stripe", Standing.LOOK, words)
    if facts.event_version not in {None, API_VERSION}:
        words += f" Events are written in {facts.event_version}: upgrade the endpoint's version at Stripe."
        return Line("Stripe", Standing.LOOK, words)
    return Line("Stripe", standing, words, "/admin/money")


def language_models(settings: LlmSettings, spent_cents: Decimal) -> Line:
    """Which models write, and what they have cost today."""
    if settings.model is None:
        words = "None is configured: the basic writer places links, and whole articles are not offered."
        return Line("Language models", Standing.GOOD, words)
    words = settings.model
    if settings.fallback_model:
        words += f", else {settings.fallback_model}"
    if settings.mode != "live":
        words += f" ({settings.mode})"
    words += f". Spent today: ${spent_cents / 100:,.2f}"
    budget = settings.budget_per_day_cents
    if not budget:
        return Line(
            "Language models", Standing.LOOK, f"{words}, without a limit: set LLM_BUDGET_PER_DAY_CENTS."
        )
    return Line("Language models", _by(float(spent_cents) / budget), f"{words} of ${budget / 100:,.2f}.")


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
