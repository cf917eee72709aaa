"""Runners of what is promised beyond the work itself: links that stay, texts in time, messages that are read."""

from models.base.clock import now
from models.base.errors import Temporary
from models.jobs.actions import LostLease
from models.orders.care.guarantee import ask_link_checks, note_check, promised_page
from models.orders.care.messages import tell_of_messages
from models.orders.care.repairing import Beyond, Moved, NotLost, give_up_repair, put_back, take_up_repair
from models.orders.jobs import AskLinkChecks, CheckLink, MindPromises, RepairLink, TellOfMessages
from models.orders.writing.promises import mind_promises
from tasks.orders import Exhausted, write
from tasks.runs import Result, Work, runs


@runs(AskLinkChecks)
async def run_ask_link_checks(job: AskLinkChecks, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Ask for the looks that are due."""
    async with work.finish() as session:
        asked = await ask_link_checks(session, work.world.settings, now())
    work.log(f"{len(asked)} pages are looked at.")


@runs(CheckLink)
async def run_check_link(job: CheckLink, work: Work) -> Result:
    """Look at one page, without a transaction open meanwhile."""
    from tasks.links import look

    settings = work.world.settings
    async with work.transaction() as session:
        promised = await promised_page(session, settings, job.order_id)
    if promised is None:
        return {"state": "not owed"}
    sight = await look(promised, settings)
    if sight.problem is not None:
        work.log(sight.problem)
    async with work.finish({"problem": sight.problem}) as session:
        await note_check(session, settings, job.order_id, sight)
    return None


@runs(RepairLink)
async def run_repair_link(job: RepairLink, work: Work) -> None:
    """Put a link back, or hand it to the editors if that cannot be done by itself."""
    try:
        await _repair(job, work)
    except NotLost as reason:
        work.log(f"Nothing to do: {reason}")
    except Moved as reason:
        raise Temporary(f"the article moved meanwhile: {reason}") from reason


async def _repair(job: RepairLink, work: Work) -> None:
    settings = work.world.settings
    async with work.transaction() as session:
        brief = await take_up_repair(session, job.order_id)
    if isinstance(brief, Beyond):
        return await _give_up(job, work, brief.words)
    try:
        draught = await write(brief, work)
    except Exhausted as exhausted:
        return await _give_up(job, work, exhausted.words)
    except LostLease:
        raise
    except Exception as error:
        # Quality control that refuses, or a model that does not answer: an editor hears of it when nobody tries again.
        if work.is_last_attempt:
            return await _give_up(job, work, f"No version could be made: {error}.")
        raise
    if draught.needs_editor:
        return await _give_up(job, work, "Its old place is gone, and the writer is not sure of another one.")
    async with work.finish() as session:
        await put_back(session, settings, brief, draught)
    return None


async def _give_up(job: RepairLink, work: Work, words: str) -> None:
    work.log(words)
    async with work.finish() as session:
        await give_up_repair(session, work.world.settings, job.order_id, words)


@runs(MindPromises)
async def run_mind_promises(job: MindPromises, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Admit what is late."""
    async with work.finish() as session:
        await mind_promises(session, work.world.settings, now())


@runs(TellOfMessages)
async def run_tell_of_messages(job: TellOfMessages, work: Work) -> None:
    """Write the letter, unless everything was read meanwhile."""
    async with work.finish() as session:
        await tell_of_messages(session, work.world.settings, job.order_id, job.to)
