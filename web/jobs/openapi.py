"""What the description of the JSON interface says about jobs."""

from typing import Any, Final, get_args

from msgspec.json import schema_components

from models.accounts.states import Scope
from models.exports.jobs import MEDIA_TYPES
from models.jobs.board import MOST_COUNTED
from models.jobs.rules import PRIORITIES
from models.notices.jobs import Email
from web.jobs.api import SPENT
from web.jobs.types import OFFERS, JobType, JobWanted, Status
from web.openapi import COUNT, ID, MOMENT, STREAM, TEXT, Chapter, Operation, object_of, or_null

EXAMPLE_JOB: Final = "0192f1c6-0f02-7d10-a0c4-52a0c1b7e9aa"
_CURSOR: Final = "WyIwMTkyZjFjNi0wZjAyLTdkMTAtYTBjNC01MmEwYzFiN2U5YWEiXQ"

_LETTER: Final = {"to": "ada@example.com", "subject": "Backup done", "body": "All **three** disks are well."}
_SENT: Final[dict[str, dict[str, Any]]] = {
    "email": {"type": "email", "data": _LETTER, "idempotencyKey": "backup-2026-03-02"},
    "notification": {
        "type": "notification",
        "data": {"title": "Backup done", "link": "/orders"},
        "priority": 2,
    },
    "report": {
        "type": "report",
        "data": {"dataSet": "my-orders", "format": "xlsx"},
        "runAt": "2026-03-02T06:00:00+01:00",
    },
}
_ANSWER: Final = {"id": EXAMPLE_JOB, "status": "pending"}
_JOB: Final[dict[str, Any]] = {
    "id": EXAMPLE_JOB,
    "type": "email",
    "status": "completed",
    "priority": 5,
    "data": _LETTER,
    "result": {"state": "sent"},
    "error": None,
    "attempts": 1,
    "maxAttempts": Email.attempts,
    "progress": {"done": None, "total": None, "description": None},
    "createdAt": "2026-03-02T09:30:00.120000+00:00",
    "runAt": "2026-03-02T09:30:00.120000+00:00",
    "startedAt": "2026-03-02T09:30:00.140000+00:00",
    "eta": None,
    "finishedAt": "2026-03-02T09:30:00.410000+00:00",
}
_COUNTS: Final = {"pending": 2, "processing": 1, "completed": 40, "failed": 0, "cancelled": 1}
_QUEUE: Final = {
    "name": "mail",
    "waiting": 2,
    "processing": 1,
    "slots": 8,
    "oldestWaitingAt": "2026-03-02T09:30:00.120000+00:00",
    "isPaused": False,
}
_EVENTS: Final = (
    'id: 5f0c…\ndata: {"id": "0192f1c6-…", "status": "processing", …}\n\nevent: done\ndata: done\n\n'
)

_LIMITED: Final = (429,)
_ONE: Final = "/api/jobs/{jobId}"

OPERATIONS: Final = (
    Operation(
        "post", "/api/jobs", "askForJob",
        "Ask for a job, once if it has an idempotencyKey",
        Scope.JOBS_WRITE, "JobAsked", _ANSWER, (410, 429), JobWanted, _SENT, 201,
        likewise={200: "Its idempotencyKey has asked for this job already; this is its present status"},
        location="Where the job is",
        faults={
            "priority": "Send a whole number from 0 to 9.",
            "data.to": "You can have this sent to yourself alone, ada@example.com.",
        },
    ),
    Operation("get", _ONE, "getJob", "One job, with its data and result", Scope.JOBS_READ, "Job", _JOB, _LIMITED),
    Operation(
        "get", f"{_ONE}/events", "followJob",
        "The same now and after each change, as server-sent events; the last one is named `done`",
        Scope.JOBS_READ, None, _EVENTS, _LIMITED, media_types=(STREAM,),
    ),
    Operation(
        "post", f"{_ONE}/retry", "retryJob", "Let a job that failed or was cancelled run again",
        Scope.JOBS_WRITE, "JobAsked", _ANSWER, (409, 429),
    ),
    Operation(
        "post", f"{_ONE}/cancel", "cancelJob", "Cancel a job; one that runs is asked to stop",
        Scope.JOBS_WRITE, "JobAsked", _ANSWER | {"status": "cancelled"}, (409, 429),
    ),
    Operation(
        "get", "/api/results", "listJobs", "The jobs that you asked for, the latest first",
        Scope.JOBS_READ, "Jobs", {"results": [_JOB], "nextCursor": _CURSOR}, _LIMITED,
        query={
            "status": {"enum": list(get_args(Status))},
            "jobType": {"enum": list(get_args(JobType))},
            "limit": COUNT | {"minimum": 1, "maximum": 100, "default": 20},
            "offset": COUNT | {"minimum": 0, "maximum": 10_000, "default": 0},
            "cursor": {"type": "string", "description": "The `nextCursor` of the page before; faster than an offset"},
        },
        faults={"status": f"Send one of these: {', '.join(sorted(get_args(Status)))}."},
    ),
    Operation(
        "get", "/api/reports/{reportId}", "downloadReport", "The file of a report; its id is that of its job",
        Scope.JOBS_READ, None, "kind,queue,state,jobs\r\n…", _LIMITED, media_types=tuple(MEDIA_TYPES.values()),
    ),
    Operation(
        "get", "/api/queue/stats", "getStats", "How many of your jobs are where; for editors, every queue besides",
        Scope.JOBS_READ, "Stats", {"jobs": _COUNTS, "queues": [_QUEUE]}, _LIMITED,
    ),
)  # fmt: skip

_KINDS: Final = [JobWanted, *(offer.message for offer in OFFERS.values())]
_, _MADE = schema_components(_KINDS, ref_template="#/components/schemas/{name}")
# What `data` holds depends on the type, which the struct does not say.
_MADE["JobWanted"]["oneOf"] = [
    {
        "properties": {
            "type": {"const": name},
            "data": {"$ref": f"#/components/schemas/{offer.message.__name__}"},
        }
    }
    for name, offer in OFFERS.items()
]
_MAYBE_COUNT: Final = {"type": ["integer", "null"]}
_MAYBE_TEXT: Final = {"type": ["string", "null"]}
_STATUS: Final = {"enum": list(get_args(Status))}
_MOST: Final = COUNT | {"description": f"{MOST_COUNTED + 1:,} stands for more than {MOST_COUNTED:,}"}
_SCHEMAS: Final[dict[str, Any]] = {
    "JobAsked": object_of({"id": ID, "status": _STATUS}),
    "Job": object_of(
        {
            "id": ID,
            "type": {"enum": list(get_args(JobType))},
            "status": _STATUS,
            "priority": COUNT | {"minimum": PRIORITIES[0], "maximum": PRIORITIES[-1]},
            "data": {"type": "object", "description": "As it was asked for"},
            "result": or_null({"type": "object", "description": "What came of it, once it has completed"}),
            "error": _MAYBE_TEXT | {"description": "What went wrong last"},
            "attempts": COUNT,
            "maxAttempts": COUNT,
            "progress": object_of({"done": _MAYBE_COUNT, "total": _MAYBE_COUNT, "description": _MAYBE_TEXT}),
            "createdAt": MOMENT,
            "runAt": MOMENT,
            "startedAt": or_null(MOMENT),
            "eta": or_null(
                MOMENT | {"description": "When a job that is processed is expected to end; not told in lists"}
            ),
            "finishedAt": or_null(MOMENT),
        }
    ),
    "Jobs": object_of(
        {
            "results": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}},
            "nextCursor": _MAYBE_TEXT,
        }
    ),
    "Stats": object_of(
        {
            "jobs": object_of(dict.fromkeys(get_args(Status), _MOST)),
            "queues": {
                "type": "array",
                "items": object_of(
                    {
                        "name": TEXT,
                        "waiting": _MOST,
                        "processing": COUNT,
                        "slots": COUNT,
                        "oldestWaitingAt": or_null(MOMENT),
                        "isPaused": {"type": "boolean"},
                    }
                ),
            },
        },
        "queues",
    ),
}

CHAPTER: Final = Chapter(
    OPERATIONS,
    {**_MADE, **_SCHEMAS},
    {"jobId": EXAMPLE_JOB, "reportId": EXAMPLE_JOB},
    {
        404: "You asked for no such job, or it was done long ago and is forgotten.",
        409: "This job is completed already.",
        410: SPENT,
    },
)
