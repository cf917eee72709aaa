"""A deployment under load: a migration, which is taken back and made again, then every process replaced, while visitors
come and jobs are asked for.

What is proved is the change-over: that nobody waits for a lock until they fail, that a statement prepared before the
migration goes on after it, that the old processes finish what they have. The migration is one of the rule that each
of ours follows, adding to the tables that everything writes to; old code is the same code on a schema newer than it
knows. Two releases of different code meet in the fault "two releases together".
"""

import asyncio
import os
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGTERM

from alembic import command
from alembic.script import ScriptDirectory

from models import migrations
from tests.reliability.balancer import Balancer, Web
from tests.reliability.oracle import Figures
from tests.reliability.servers import Servers
from tests.reliability.stage import Size, Stage, staged
from tests.reliability.visitors import PUBLIC_URL, WEBHOOK_SECRET, Visitors

MIGRATION = '''"""What a release adds to the tables that everything writes to."""

import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "next", "{head}", None, None


def upgrade() -> None:
    op.create_table("additions", sa.Column("job_id", sa.Uuid(), sa.ForeignKey("jobs.id", ondelete="CASCADE")))
    for table in ("jobs", "job_workers", "payments_stripe_events", "accounts_people"):
        op.add_column(table, sa.Column("added", sa.Text(), server_default="", nullable=False))
        op.create_index(f"{{table}}_added", table, ["added"], postgresql_where=sa.text("added <> ''"))


def downgrade() -> None:
    for table in ("jobs", "job_workers", "payments_stripe_events", "accounts_people"):
        op.drop_column(table, "added")
    op.drop_table("additions")
'''

#: Rows and jobs that follow from each event: one of each, however often it was delivered.
EVENTS = """
select (select count(*) from payments_stripe_events) as rows,
       count(*) as jobs, count(distinct args->>'event_id') as events
  from jobs where kind = 'payments.handle_stripe_event'
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How much goes on meanwhile, and how many there are of the web and of the worker."""

    requests_a_second: float
    jobs_a_second: int
    copies: int


@dataclass(frozen=True, slots=True)
class Deployed:
    """What the visitors have seen. Of the jobs tells the oracle."""

    requests: int
    failed: int
    #: Distinct events that the product said it has, and those of them without exactly one row and one job.
    events: int
    events_lost_or_doubled: int
    migrated_in_seconds: float
    seconds: float


class Deployment:
    """The processes of one release, and those that come in their place."""

    def __init__(self, stage: Stage, copies: int) -> None:
        self.stage = stage
        self.balancer = Balancer()
        self._copies = copies
        self._webs: list[Web] = []
        self._rest: list[tuple[str, BaseProcess]] = []

    async def begin(self) -> None:
        """The release before."""
        self.balancer.targets = list(await asyncio.gather(*(self._web() for _ in range(self._copies))))
        roles = ("dispatcher", *("worker" for _ in range(self._copies)))
        self._rest = [(role, self.stage.start(role)) for role in roles]

    async def replace(self) -> None:
        """One after the other: the new one is ready, gets what comes from now on, and the old one is told to end."""
        for at, old in enumerate(list(self.balancer.targets)):
            self.balancer.targets[at] = await self._web()
            assert await old.end() == -SIGTERM
        for role, process in self._rest:
            self.stage.start(role)
            self.stage.send(process, SIGTERM)
            assert await self.stage.ended(process) == 0

    async def end(self) -> None:
        """End every web process; the rest is the stage's."""
        for web in self._webs:
            web.process.kill()
            await asyncio.to_thread(web.process.wait)

    async def _web(self) -> Web:
        own = {"PUBLIC_URL": PUBLIC_URL, "STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET}
        web = Web(self.stage.environment | own, self.stage.servers.folder / "web.log")
        self._webs.append(web)
        await web.is_ready()
        return web


async def deployed(servers: Servers, load: Load, size: Size) -> tuple[Deployed, Figures]:
    """Deploy under this load."""
    began = time.monotonic()
    async with staged(servers, size) as stage:
        deployment = Deployment(stage, load.copies)
        visitors, over = Visitors(deployment.balancer), asyncio.Event()
        try:
            await deployment.begin()
            async with asyncio.TaskGroup() as group:
                group.create_task(visitors.come(load.requests_a_second, streams=2 * load.copies, until=over))
                group.create_task(_ask(stage, load.jobs_a_second, until=over))
                await asyncio.sleep(1)
                migrated_in = await asyncio.to_thread(migrate, stage.url)
                await deployment.replace()
                await asyncio.sleep(1)
                over.set()
            await stage.until_done()
        finally:
            await deployment.end()
        if visitors.failed:
            print(*visitors.failed, stage.words(), sep="\n")
        (found,) = await stage.fetch(EVENTS)
        events = len(visitors.taken)
        answers = Deployed(
            requests=visitors.requests,
            failed=len(visitors.failed),
            events=events,
            events_lost_or_doubled=sum(abs(count - events) for count in found),
            migrated_in_seconds=round(migrated_in, 2),
            seconds=round(time.monotonic() - began),
        )
        return answers, await stage.judge("everything replaced under load")


async def _ask(stage: Stage, rate: int, until: asyncio.Event) -> None:
    """Ask for so many jobs a second."""
    while not until.is_set():
        pause = asyncio.create_task(asyncio.sleep(0.2))
        await stage.ask(rate // 5)
        await pause


def migrate(url: str) -> float:
    """The release's migration, as `python -m models.migrations` runs it: made, taken back, and made again.

    Returns the seconds that all that took.
    """
    configuration = migrations.configuration(url)
    head = ScriptDirectory.from_config(configuration).get_current_head()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "next.py").write_text(MIGRATION.format(head=head))
        places = (str(migrations.HERE / "versions"), folder)
        configuration.set_main_option("version_locations", os.pathsep.join(places))
        began = time.monotonic()
        command.upgrade(configuration, "head")
        command.downgrade(configuration, str(head))
        command.upgrade(configuration, "head")
    return time.monotonic() - began
