"""Runners of whole articles: those that customers have paid for, and those that editors have ordered."""

from models.orders.jobs import FailCommission, WriteArticle, WriteCommission
from models.orders.writing import article_making, commissions
from models.orders.writing.making import NO_OTHER, Stale, no_more
from models.orders.writing.new_articles import ArticleBrief, Manuscript
from models.usage.rules import BudgetSpent
from tasks.orders import llm_of
from tasks.runs import Work, runs
from tasks.writing.article import NotWritten, Step, write_article


@runs(WriteArticle)
async def write(job: WriteArticle, work: Work) -> None:
    """Write the article of an order and hand it in."""
    work.step(0, 9, "Reading your order")
    try:
        async with work.transaction() as session:
            brief = await article_making.take_up_article(session, job.order_id, job.generation)
    except Stale as stale:
        work.log(f"Nothing to do: {stale}")
        return
    settings = work.world.settings
    try:
        manuscript: Manuscript | None = await _written(brief, work)
    except (NotWritten, BudgetSpent) as refusal:
        if not brief.earlier:
            raise
        work.log(refusal.words)
        manuscript = None
    order = (settings, job.order_id, job.generation)
    try:
        async with work.finish() as session:
            if manuscript is None:
                await no_more(session, *order, NO_OTHER, "no other version")
            else:
                await article_making.hand_in_article(session, *order, manuscript)
    except Stale as stale:
        work.log(f"The text is no longer wanted: {stale}")


@runs(WriteCommission)
async def write_commission(job: WriteCommission, work: Work) -> None:
    """Write the article of an editor and put it into its draft."""
    try:
        async with work.transaction() as session:
            brief = await commissions.take_up_commission(session, job.commission_id)
    except Stale as stale:
        work.log(f"Nothing to do: {stale}")
        return
    manuscript = await _written(brief, work)
    async with work.finish() as session:
        await commissions.hand_in_commission(session, job.commission_id, manuscript)


@runs(FailCommission)
async def fail(job: FailCommission, work: Work) -> None:
    """Say that an editor's article could not be written."""
    async with work.finish() as session:
        await commissions.fail_commission(session, job.commission_id)


async def _written(brief: ArticleBrief, work: Work) -> Manuscript:
    llm = llm_of(work.world)
    if llm is None:
        raise NotWritten(
            "No language model is set up any more, and the basic writer writes no whole articles."
        )
    total = 9

    def tell(step: Step) -> None:
        nonlocal total
        total = step.total
        work.step(step.done, step.total, step.words)
        work.log(f"{step.words}.")

    manuscript = await write_article(llm, brief, tell, work.job_id)
    work.log(f"Quality control passed at attempt {manuscript.qc_attempts} of 3.")
    work.step(total - 1, total, "Saving the new version")
    return manuscript
