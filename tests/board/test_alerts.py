"""What the board shows of alerts."""

from models.accounts.states import Role
from models.jobs.board_tables import AlertRow
from models.jobs.states import AlertKind
from tests.board.conftest import Board

THERE = {
    (AlertKind.BACKLOG, "mail"): "/admin/queues/mail",
    (AlertKind.SLOW, "mail"): "/admin/queues/mail",
    (AlertKind.SLOW, "jobs/0198a3c2"): "/admin/queues/jobs/0198a3c2",
    (AlertKind.DEAD_WORKER, "galley-1 7"): "/admin/queues/workers",
    (AlertKind.FAILURES, "mail.send"): "/admin/queues/jobs?q=state%3Adead+kind%3Amail.send",
    (AlertKind.UNKNOWN_KIND, "mail.tomorrow"): "/admin/queues/jobs?q=kind%3Amail.tomorrow",
}


async def test_an_alert_leads_to_what_it_is_about(board: Board):
    async with board.database.transaction() as session:
        for kind, subject in THERE:
            session.add(AlertRow(kind=kind, subject=subject, words=f"A matter of {kind.value}: {subject}."))
    ana = await board.browser(Role.ANALYST)
    screen = await ana.open("/admin/queues/alerts")
    for (kind, subject), there in THERE.items():
        assert screen.link(f"A matter of {kind.value}: {subject}.") == there
    first = (await ana.open("/admin/queues")).html
    assert first.count("Look at it</a>") == len(THERE)
