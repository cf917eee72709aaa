"""How each part of the installation is judged, without asking any."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from models.base.settings.selling import StripeSettings
from models.base.settings.working import FileSettings, LlmSettings, MailSettings
from models.jobs.board import WorkerView
from models.jobs.tables import WorkerRow
from models.payments.stripe import API_VERSION
from models.system import DatabaseFacts, OutsideFacts
from tests.web.site import settings_for
from web.system import asking, lines
from web.system.asking import FolderFacts, RedisFacts
from web.system.lines import Standing

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
GB = 1_000_000_000
DATABASE = DatabaseFacts("17.2", 5 * GB, 10, 100, AT - timedelta(seconds=3), "0002", AT, "10.0.0.7")
REDIS = RedisFacts("8.0.1", GB // 10, GB, "noeviction", 0, keeps_log=True, is_snapshot_ok=True)
FOLDER = FolderFacts(exists=True, is_writable=True, free=50 * GB, total=100 * GB)
OUTSIDE = OutsideFacts(0, None, 0, 0, None, AT - timedelta(hours=2), API_VERSION)
MAIL = MailSettings(ses_region="eu-central-1", ses_rate=14)
MODEL = LlmSettings(model="anthropic:claude-sonnet-5", budget_per_day_cents=1000)
SHOP = settings_for("", "").model_copy(
    update={
        "stripe": StripeSettings(secret_key=SecretStr("sk_test_1"), webhook_secrets=(SecretStr("whsec_1"),))
    }
)


def minutes_ago(count: float) -> datetime:
    return AT - timedelta(minutes=count)


@pytest.mark.parametrize(
    ("line", "standing", "told"),
    [
        (lines.revision("0002", "0002"), Standing.GOOD, "0002"),
        (lines.revision("0003", "0002"), Standing.LOOK, "a newer version is being brought in"),
        (lines.revision("0001", "0002"), Standing.BAD, "Run python -m models.migrations"),
        (lines.revision(None, "0002"), Standing.BAD, "At migration none"),
        (lines.database(replace(DATABASE, connections=85), {"web": 85})[1], Standing.LOOK, "85 of 100"),
        (lines.database(replace(DATABASE, connections=95), {"web": 95})[1], Standing.BAD, "web 95"),
        (lines.transactions(DATABASE, AT), Standing.GOOD, "None has been open for long"),
        (
            lines.transactions(replace(DATABASE, oldest_transaction_at=minutes_ago(2)), AT),
            Standing.LOOK,
            "2 minutes",
        ),
        (
            lines.transactions(replace(DATABASE, oldest_transaction_at=minutes_ago(11)), AT),
            Standing.BAD,
            "11 minutes",
        ),
        (lines.redis(REDIS), Standing.GOOD, "100.0 MB of 1.0 GB, append-only file on"),
        (lines.redis(replace(REDIS, policy="allkeys-lru")), Standing.LOOK, "evict keys (allkeys-lru)"),
        (lines.redis(replace(REDIS, policy="allkeys-lru", evicted=1200)), Standing.LOOK, "1,200 are gone"),
        (lines.redis(replace(REDIS, is_snapshot_ok=False)), Standing.LOOK, "snapshot failed"),
        (lines.redis(replace(REDIS, memory=GB)), Standing.BAD, "1.0 GB of 1.0 GB"),
        (lines.files(FileSettings(), FOLDER), Standing.GOOD, "50.0 GB of 100.0 GB free"),
        (lines.files(FileSettings(), replace(FOLDER, free=5 * GB)), Standing.LOOK, "5.0 GB"),
        (lines.files(FileSettings(), replace(FOLDER, free=GB)), Standing.BAD, "1.0 GB of"),
        (lines.files(FileSettings(), replace(FOLDER, exists=False)), Standing.GOOD, "will make it"),
        (lines.files(FileSettings(), replace(FOLDER, is_writable=False)), Standing.LOOK, "may not write"),
        (lines.files(FileSettings(), "It hangs."), Standing.BAD, "It hangs."),
        (lines.files(FileSettings(s3_bucket="reports"), FOLDER), Standing.GOOD, "the bucket reports"),
        (lines.mail(MAIL, OUTSIDE, AT), Standing.GOOD, "By SES in eu-central-1, 14 a second"),
        (
            lines.mail(MAIL, replace(OUTSIDE, queued=10_001, oldest_queued_at=minutes_ago(2)), AT),
            Standing.LOOK,
            "more than 10,000",
        ),
        (lines.mail(MAIL, replace(OUTSIDE, unsettled=2), AT), Standing.LOOK, "without an answer: 2"),
        (lines.mail(MAIL, replace(OUTSIDE, failed_today=1), AT), Standing.LOOK, "failed today: 1"),
        (
            lines.mail(MailSettings(), replace(OUTSIDE, queued=1, oldest_queued_at=minutes_ago(6)), AT),
            Standing.BAD,
            "Nothing leaves",
        ),
        (lines.stripe(SHOP, OUTSIDE, AT), Standing.GOOD, "The last event came 2 hours ago"),
        (lines.stripe(SHOP, replace(OUTSIDE, event_version="2020-08-27"), AT), Standing.LOOK, "2020-08-27"),
        (
            lines.stripe(SHOP, replace(OUTSIDE, oldest_unhandled_at=minutes_ago(9)), AT),
            Standing.BAD,
            "waited for 9 minutes",
        ),
        (lines.stripe(settings_for("", ""), OUTSIDE, AT), Standing.LOOK, "STRIPE_WEBHOOK_SECRETS is not set"),
        (lines.language_models(LlmSettings(), Decimal(0)), Standing.GOOD, "the basic writer"),
        (lines.language_models(MODEL, Decimal("123.4")), Standing.GOOD, "$1.23 of $10.00"),
        (lines.language_models(MODEL, Decimal(900)), Standing.LOOK, "$9.00 of $10.00"),
        (lines.language_models(MODEL, Decimal(1000)), Standing.BAD, "$10.00 of $10.00"),
    ],
)
def test_a_part_is_judged_by_what_it_says(line: lines.Line, standing: Standing, told: str):
    assert (line.standing, told in line.words) == (standing, True), line


@pytest.mark.parametrize(
    ("dead_for", "held", "standing"),
    [(1, 0, Standing.LOOK), (6, 0, Standing.GOOD), (6, 2, Standing.BAD)],
)
def test_a_worker_that_died_is_trouble_as_long_as_its_work_stands(
    dead_for: float, held: int, standing: Standing
):
    def seen(minutes: float, count: int, *, is_alive: bool) -> WorkerView:
        return WorkerView(WorkerRow(beat_at=minutes_ago(minutes), is_draining=False), count, [], is_alive)

    found = [seen(0, 1, is_alive=True), seen(dead_for, held, is_alive=False)]
    assert lines.workers(found, AT).standing is standing


def test_a_folder_that_is_not_there_yet_is_looked_at_where_it_will_be(tmp_path: Path):
    found = asking.look(tmp_path / "later" / "files")

    assert (found.exists, found.is_writable) == (False, True)
    assert 0 < found.free <= found.total


def test_every_runbook_that_the_page_names_is_there():
    source = (ROOT / "web/system/lines.py").read_text()
    named = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source))
    runbooks = set(re.findall(r"^## `(.+)`$", (ROOT / "docs/runbooks.md").read_text(), re.MULTILINE))

    assert named <= runbooks
    assert "no-worker" in named
