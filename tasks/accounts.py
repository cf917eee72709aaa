"""Runs what is asked by the clock about accounts."""

from models.accounts.jobs import ForgetSignIns
from models.accounts.retention import forget_sign_ins
from models.base.clock import now
from tasks.runs import Work, runs


@runs(ForgetSignIns)
async def run_forget_sign_ins(job: ForgetSignIns, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Delete until nothing old is left, in short transactions."""
    limit = 5000
    while True:
        async with work.transaction() as session:
            if await forget_sign_ins(session, now(), limit) < limit:
                return
