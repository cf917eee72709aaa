"""Runners of orders: look at targets, make orders of payments, place links, and mind the deadlines."""

from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import structlog

from models.base.clock import now
from models.base.errors import Refusal
from models.orders.catalogue.denied import denied_for
from models.orders.deadlines import tend_reviews
from models.orders.drafts import note_target
from models.orders.jobs import (
    CheckTarget,
    CheckTruths,
    CreateOrder,
    FailGeneration,
    FollowPayment,
    ForgetDrafts,
    IntegrateBacklink,
    TendReviews,
)
from models.orders.letters import tell_of_breach
from models.orders.payments import follow_payment
from models.orders.quality import check_integration
from models.orders.retention import forget_drafts
from models.orders.tables import Draft
from models.orders.text.comparison import edit_made, moved_to
from models.orders.text.edits import BadEdit, Edit, Wrap, splice
from models.orders.truths import keep_verdicts, verdicts
from models.orders.writing import making
from models.orders.writing.briefs import Brief, Draught, Placement
from models.orders.writing.making import Stale
from models.usage.rules import BudgetSpent
from tasks.runs import Work, runs
from tasks.world import World
from tasks.writing import basic

if TYPE_CHECKING:
    from tasks.llm import Llm

log = structlog.get_logger(__name__)

STEPS = 4
NO_OTHER_PLACE: Final = "There is no other place in this article that the link would fit."


class Exhausted(Refusal):
    """The writer has no (other) place for the link in this article."""


@runs(CheckTarget)
async def check_target(job: CheckTarget, work: Work) -> None:
    """Look at a draft's target from where we stand, and write down what a customer should know."""
    from tasks.targets import problem_of

    async with work.transaction() as session:
        draft = await session.get(Draft, job.draft_id)
        if draft is None:
            return
        denied = await denied_for(session, work.world.settings, draft.target_url)
    problem = await problem_of(draft.target_url, work.world.settings, denied)
    async with work.finish() as session:
        await note_target(session, job.draft_id, draft.target_url, problem)


@runs(CreateOrder)
async def create_order(job: CreateOrder, work: Work) -> None:
    """Make the order of a payment."""
    assert job.checkout_id is not None
    async with work.finish() as session:
        await making.create_order(session, work.world.settings, job.draft_id, job.checkout_id)


@runs(FollowPayment)
async def follow(job: FollowPayment, work: Work) -> None:
    """Let the order follow its money."""
    assert job.checkout_id is not None
    async with work.finish() as session:
        await follow_payment(session, work.world.settings, job.checkout_id)


@runs(IntegrateBacklink)
async def integrate_backlink(job: IntegrateBacklink, work: Work) -> None:
    """Place the link: read the published text, find a place, control it, hand it in."""
    work.step(0, STEPS, "Reading the published article")
    try:
        async with work.transaction() as session:
            brief = await making.take_up(session, job.order_id, job.generation)
    except Stale as stale:
        work.log(f"Nothing to do: {stale}")
        return
    work.log(f"Attempt {work.attempt}. The published text has {len(brief.markdown.split())} words.")
    work.step(1, STEPS, "Finding a place for the link")
    try:
        draught = await write(brief, work)
    except Exhausted as exhausted:
        await _no_more(brief, work, exhausted)
        return
    work.step(3, STEPS, "Saving the new version")
    try:
        async with work.finish() as session:
            await making.hand_in(session, work.world.settings, brief, draught)
    except Stale as stale:
        work.log(f"The text is no longer wanted: {stale}")
        return
    work.step(STEPS, STEPS, "Ready for review")


async def _no_more(brief: Brief, work: Work, exhausted: Exhausted) -> None:
    """Without an earlier version to fall back on, this is a failure like any other."""
    work.log(exhausted.words)
    if not brief.earlier:
        raise exhausted
    try:
        async with work.finish() as session:
            await making.no_more(
                session, work.world.settings, brief.order_id, brief.generation, exhausted.words
            )
    except Stale as stale:
        work.log(f"Nobody waits any more: {stale}")


async def write(brief: Brief, work: Work) -> Draught:
    """The text, by the model if one is configured, or else by the basic writer; controlled here, whoever wrote it."""
    if brief.chosen is not None and (same := _same_again(brief, brief.chosen)) is not None:
        text, edit = same, {"writer": brief.chosen.writer, "method": "rebase", "is_same": True}
        attempts, needs_editor = 1, False
    elif (made := await _by_model(brief, work)) is not None:
        text, edit, attempts = made
        needs_editor = False
    else:
        proposal = _by_basic_writer(brief)
        text, attempts, needs_editor = proposal.markdown, 1, proposal.needs_editor
        edit = asdict(proposal.edit) | {"writer": "basic", "method": proposal.method, "score": proposal.score}
    work.step(2, STEPS, "Checking the result")
    report = check_integration(brief.markdown, text, url=brief.target_url, anchor=brief.anchor_text)
    for check in report.checks:
        if not check.passed:
            work.log(f"Quality control: {check.title}: {check.detail}")
    if not report.passed:
        raise ValueError(f"quality control refused the text: {report.reason}")
    work.log(f"Quality control: {len(report.checks)} checks passed.")
    return Draught(text, edit, report.as_dict(), attempts, needs_editor)


def _same_again(brief: Brief, chosen: Placement) -> str | None:
    """The placement that the customer chose, on the text that is published now, if it still fits there."""
    edit = edit_made(chosen.before, chosen.after)
    if edit is None:
        return None
    moved = moved_to(edit, chosen.before, brief.markdown)
    # An editor looks at a placement that was made anew; what is put back is published, so its paragraph is to be
    # the very one that was approved.
    if moved is None and brief.cause == "repair":
        return None
    edit = moved or edit
    try:
        text = splice(brief.markdown, edit, url=brief.target_url, anchor=brief.anchor_text)
    except BadEdit:
        return None
    passed = check_integration(brief.markdown, text, url=brief.target_url, anchor=brief.anchor_text).passed
    return text if passed else None


def _earlier_edits(brief: Brief) -> list[Edit | Wrap]:
    return [edit for before, after in brief.earlier if (edit := edit_made(before, after)) is not None]


def _by_basic_writer(brief: Brief) -> basic.Proposal:
    previous = _earlier_edits(brief)
    proposal = basic.propose(
        brief.markdown,
        url=brief.target_url,
        anchor=brief.anchor_text,
        topic=brief.topic,
        number=len(previous),
        reasons=brief.reasons,
        previous=previous,
        language=brief.language,
    )
    if proposal is None:
        raise Exhausted(NO_OTHER_PLACE if previous else "No paragraph of this article can take the link.")
    return proposal


async def _by_model(brief: Brief, work: Work) -> tuple[str, dict[str, Any], int] | None:
    """What a model made; None if there is none to ask, or no money left to ask it."""
    if (llm := llm_of(work.world)) is None:
        return None
    from tasks.writing.model import NotPlaced, propose_with_model

    try:
        proposal = await propose_with_model(
            llm,
            subject=f"order/{brief.order_id}",
            once=f"{brief.generation}/place",
            job_id=work.job_id,
            markdown=brief.markdown,
            url=brief.target_url,
            anchor=brief.anchor_text,
            reasons=brief.reasons,
            previous=_earlier_edits(brief),
        )
    except NotPlaced as not_placed:
        words = f"the model found no acceptable place: {not_placed.words}"
        work.log(words)
        # Its customer reads the one, and whoever looks after jobs the other.
        raise (Exhausted(NO_OTHER_PLACE) if brief.earlier else ValueError(words)) from not_placed
    except BudgetSpent as spent:
        # A day on which much was sold must not be one on which everything is given back.
        work.log(f"{spent.words} Basic mode takes over.")
        return None
    return (
        proposal.markdown,
        asdict(proposal.edit) | {"writer": proposal.model, "method": "sentence"},
        proposal.asked,
    )


@lru_cache(maxsize=4)
def _llm(world: World) -> "Llm | None":
    from tasks.llm import Llm, LlmOptions

    options = LlmOptions.from_settings(world.settings.llm)
    return Llm(world.database, options) if options is not None else None


def llm_of(world: World) -> "Llm | None":
    """The models that this installation asks, or None: then the basic writer works."""
    return _llm(world) if world.settings.llm.model else None


@runs(FailGeneration)
async def fail_generation(job: FailGeneration, work: Work) -> None:
    """Fail the order of a generation that has died."""
    async with work.finish() as session:
        await making.fail_generation(
            session, work.world.settings, job.order_id, job.generation, "Every attempt failed."
        )


@runs(CheckTruths)
async def check_truths(job: CheckTruths, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Ask every truth, keep the answers, and tell of those that are broken."""
    async with work.finish() as session:
        found = await verdicts(session)
        await keep_verdicts(session, found, now())
        for verdict in found:
            if not verdict.is_kept:
                count = len(verdict.breaches)
                log.error("truth.broken", truth=verdict.truth, count=count)
                await tell_of_breach(session, work.world.settings, verdict.truth, count, now().date())


@runs(TendReviews)
async def tend(job: TendReviews, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Remind, and submit what has waited long enough."""
    async with work.finish() as session:
        await tend_reviews(session, work.world.settings, now())


@runs(ForgetDrafts)
async def run_forget_drafts(job: ForgetDrafts, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Delete the abandoned ones."""
    await work.forget(forget_drafts)
