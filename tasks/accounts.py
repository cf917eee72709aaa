"""Runs what is asked by the clock about accounts."""

from models.accounts.jobs import ForgetSignIns
from models.accounts.retention import forget_sign_ins
from tasks.runs import Work, runs


@runs(ForgetSignIns)
async def run_forget_sign_ins(job: ForgetSignIns, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Delete the old ones."""
    await work.forget(forget_sign_ins)
