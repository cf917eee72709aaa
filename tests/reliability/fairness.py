"""How evenly customers are served when one of them asks for a hundred times as much as each of nine others."""

from collections import Counter

from models.jobs import Wish, enqueue_all
from tests.jobs.test_fair_shares import NOISY, QUIET, jain
from tests.reliability.oracle import Figures
from tests.reliability.servers import Servers
from tests.reliability.stage import Size, Stage, load, staged

#: What the index is to be at least.
EVEN = 0.99
#: Whose turn it was, for as long as everybody had something to be done.
_SERVED = "select share_key from jobs where share_key is not null order by started_at, id limit $1"


async def fairness(servers: Servers, size: Size) -> tuple[float, Figures]:
    """Jain's index of the work done while all ten waited, 1 being fair; and what came out of the rest."""
    each = max(8, size.jobs // 45)
    async with staged(servers, size) as stage:
        await _ask(stage, NOISY, 100 * each)
        for share in QUIET:
            await _ask(stage, share, each)
        stage.start("worker")
        await stage.until_done()
        turns = 10 * each
        served = Counter(row["share_key"] for row in await stage.fetch(_SERVED, turns))
        return jain([served[one] for one in (NOISY, *QUIET)]), await stage.judge(
            "a customer with a hundred times the load"
        )


async def _ask(stage: Stage, share: str, count: int) -> None:
    tokens = stage.take(count)
    async with stage.transaction() as session:
        await enqueue_all(session, [Wish(job, share=share) for job in load(tokens, seconds=0)])
    stage.answered.update(tokens)
