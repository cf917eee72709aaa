"""Runs what is asked about the ledger of model calls."""

from models.usage.actions import give_up_lost_calls
from models.usage.jobs import GiveUpLostCalls
from tasks.runs import Work, runs


@runs(GiveUpLostCalls)
async def run_give_up_lost_calls(job: GiveUpLostCalls, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Close the calls that nobody will come back from."""
    async with work.finish() as session:
        if count := await give_up_lost_calls(session):
            work.log(f"{count} calls to a model were given up as lost.")
