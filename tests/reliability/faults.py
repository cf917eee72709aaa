"""The faults, each on real processes under load. In the end `Stage.judge` counts."""

from tests.reliability import (
    articles,
    clocks,
    crowds,
    cut_off,
    deaths,
    dispatchers,
    events,
    letters,
    money,
    releases,
    reports,
    standing,
    webhooks,
)
from tests.reliability.asking import ask_for_a_flow, ask_under_limits
from tests.reliability.oracle import Figures
from tests.reliability.servers import Servers
from tests.reliability.stage import Fault, Size, staged

#: Points that a worker meets while it works.
OF_A_WORKER = (
    "after a claim, before the first job begins",
    "after the work, before its transaction",
    "in the last transaction, before its commit",
    "after the last transaction",
    "before a batch of completions",
    "after a batch of completions",
)

FAULTS: dict[str, Fault] = {
    # First: what PostgreSQL has to sync when it comes back is every file that was written since.
    "PostgreSQL killed and restarted": cut_off.postgres_killed,
    "PostgreSQL and Redis killed while somebody stands at each point": standing.servers_killed,
    **{f"worker killed {point}": deaths.killed_at(point) for point in OF_A_WORKER},
    **{
        f"worker killed {point}": deaths.killed_at(point, ask_under_limits)
        for point in ("between a claim and its gate", "in a gate, before its commit")
    },
    "worker killed in a flow, before what follows from its job's end": deaths.killed_at(
        "in a flow, before what follows from its job's end", ask_for_a_flow
    ),
    "worker killed in a chunk of a bulk action, before its commit": deaths.killed_in_a_bulk_action,
    "worker killed after Stripe took a refund, before it is noted": money.killed_after_a_refund,
    "worker killed after a letter is claimed, before it is sent": letters.killed_before_a_letter,
    **{
        f"worker killed {point}": articles.killed_at_a_call(point)
        for point in (
            "after a call to a model is claimed, before it is made",
            "after a model answered, before it is noted",
        )
    },
    **{
        f"worker killed {point}": webhooks.killed_at_a_webhook(point)
        for point in (
            "after a webhook is signed, before it is sent",
            "after a webhook was answered, before it is noted",
        )
    },
    "web killed after a commit, before anybody is told": events.web_killed,
    "events of Stripe doubled, late, in disorder and lost": events.in_disorder,
    "worker killed in the middle of its jobs": deaths.worker_killed,
    "worker killed in a flow": deaths.worker_killed_in_a_flow,
    "asker killed after a commit, before anybody is told": deaths.asker_killed,
    "dispatcher killed before the dispatcher rings": dispatchers.killed_ringing,
    "dispatcher killed in a rescue, before its commit": dispatchers.killed_rescuing,
    "dispatcher killed in the firing of a schedule": dispatchers.killed_firing,
    "dispatcher overtaken in the firing of a schedule": dispatchers.overtaken_in_a_firing,
    "two dispatchers side by side": dispatchers.side_by_side,
    "second worker killed while the first one's jobs are rescued": deaths.second_worker_killed,
    "workers and dispatchers killed at any time": deaths.anybody_killed_anytime,
    "worker frozen past its lease": clocks.frozen,
    "worker frozen past its lease in a flow": clocks.frozen_in_a_flow,
    "a job of many leases": clocks.long_job,
    "answers of PostgreSQL lost": cut_off.answers_of_postgres_lost,
    "every fifth commit unanswered": cut_off.commits_unanswered,
    "answers of Redis lost": cut_off.answers_of_redis_lost,
    "answers of Stripe lost": money.answers_of_stripe_lost,
    "answers of SES lost": letters.answers_of_ses_lost,
    "answers of S3 lost": reports.answers_of_s3_lost,
    "answers of the model lost": articles.answers_of_the_model_lost,
    "answers of receivers of webhooks lost": webhooks.answers_of_receivers_lost,
    "Redis flushed": cut_off.redis_flushed,
    "Redis killed and restarted": cut_off.redis_killed,
    "PostgreSQL out of reach for longer than a lease": cut_off.postgres_out_of_reach,
    "clocks an hour apart": clocks.clocks_apart,
    "clocks that jump by an hour": clocks.clocks_jump,
    "two releases together": releases.releases_together,
    "a job that kills its worker": deaths.poisoned,
    "workers replaced under load": releases.drained,
    "a release taken back and made again": releases.taken_back,
    "each job asked for four times": crowds.asked_four_times,
    "workers at one gate": crowds.one_gate,
    "worker killed with jobs that were asked to stop": crowds.cancelled_and_killed,
}

#: Faults in which no worker dies and none is cut off: nothing may be begun again.
BEGUN_ONCE = frozenset(
    {
        "web killed after a commit, before anybody is told",
        "a job of many leases",
        "answers of Redis lost",
        "Redis flushed",
        "Redis killed and restarted",
        "PostgreSQL out of reach for longer than a lease",
        "dispatcher overtaken in the firing of a schedule",
        "events of Stripe doubled, late, in disorder and lost",
        "clocks an hour apart",
        "clocks that jump by an hour",
        "two releases together",
        "workers replaced under load",
        "a release taken back and made again",
        "each job asked for four times",
        "workers at one gate",
    }
)

#: What `make reliability` alone does. Each half of it, a death at a point and that of a server, is a fault of its own.
TOO_LONG = frozenset({"PostgreSQL and Redis killed while somebody stands at each point"})

#: Which fault shows that a guard matters, and the counter that tells of it.
MATTERS = {
    "fence_of_a_finish": ("worker frozen past its lease", "done_twice"),
    "fence_of_a_batch": ("worker frozen past its lease", "unexpected"),
    "fence_of_a_flow": ("worker frozen past its lease in a flow", "unexpected"),
    "fence_of_a_failure": ("worker frozen past its lease", "lost"),
    "fence_of_a_burial": ("worker frozen past its lease", "lost"),
    "fence_of_a_step": ("worker frozen past its lease", "unexpected"),
    "rescue": ("worker killed in the middle of its jobs", "lost"),
    "rescue_by_heartbeat": ("a job of many leases", "begun_again"),
    "reconciliation": ("answers of PostgreSQL lost", "lost"),
    "uniqueness": ("each job asked for four times", "done_twice"),
    "lock_of_a_gate": ("workers at one gate", "unexpected"),
    "refusal_for_money": ("worker killed in a chunk of a bulk action, before its commit", "lost"),
    "mark_of_a_cancellation": ("worker killed with jobs that were asked to stop", "unexpected"),
    "key_of_a_refund": ("answers of Stripe lost", "done_twice"),
    "claim_of_a_letter": ("answers of SES lost", "done_twice"),
    "doubt_about_a_letter": ("answers of SES lost", "done_twice"),
    "doubt_about_a_call": ("answers of the model lost", "done_twice"),
    "patience_of_the_dispatcher": ("PostgreSQL out of reach for longer than a lease", "begun_again"),
    "slot_of_a_schedule": ("dispatcher overtaken in the firing of a schedule", "done_twice"),
    "key_of_an_event": ("events of Stripe doubled, late, in disorder and lost", "done_twice"),
}

#: A guard is missed soon: there is no need for many jobs, nor for a long lease.
SMALL = Size(jobs=30, lease=1.5)


async def outcome(servers: Servers, fault: str, size: Size = SMALL, without: str | None = None) -> Figures:
    """Let one fault happen, with or without a guard, and judge."""
    async with staged(servers, size, without) as stage:
        await FAULTS[fault](stage)
        return await stage.judge(fault)
