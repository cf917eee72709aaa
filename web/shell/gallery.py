"""What the gallery page shows: every component with believable contents, in each of its states.

Pure data, shaped like what pages pass to the macros; nothing here is read from anywhere. Its moments lie
around the start of the process, so that "3 hours ago" reads as it would on a page.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime.now(UTC).replace(microsecond=0)

ORDER_STATUSES = ["PROCESSING", "QUALITY_CHECK", "ADMIN_REVIEW", "COMPLETED", "FAILED"]
PAYMENT_STATES = [
    "paid",
    "refund_pending",
    "refunded",
    "partially_refunded",
    "disputed",
    "dispute_lost",
    "dispute_won",
]
JOB_STATES = ["scheduled", "waiting", "active", "completed", "failed", "dead", "cancelled"]
LETTER_STATES = [
    "queued",
    "sending",
    "sent",
    "delivered",
    "failed",
    "bounced",
    "complained",
    "unknown",
    "obsolete",
    "withheld",
]

ARTICLES = [
    {
        "title": "How small workshops plan their winter stock",
        "href": "#cards",
        "site": "The Maker's Ledger",
        "domain": "makersledger.example",
        "price_cents": 12900,
        "currency": "eur",
        "tags": ["Small business", "English"],
        "facts": [("External links", "4"), ("Placements", "1"), ("Words", "1,420")],
        "excerpt": "Orders come late, suppliers close early. Three owners show the sheet of paper that keeps "
        "their shelves full from November to March.",
    },
    {
        "title": "A quiet guide to choosing an espresso grinder",
        "href": "#cards",
        "site": "Slow Kitchen",
        "domain": "slowkitchen.example",
        "price_cents": 8900,
        "currency": "eur",
        "tags": ["Food and drink", "English"],
        "facts": [("External links", "2"), ("Placements", "0"), ("Words", "980")],
        "excerpt": "Burrs, noise and the one number that matters. What we learned from a year of grinding.",
    },
    {
        "title": "Was ein Fahrradkeller über ein Haus verrät",
        "href": "#cards",
        "site": "Stadt und Rad",
        "domain": "stadtundrad.example",
        "price_cents": 104500,
        "currency": "eur",
        "tags": ["Cycling", "Deutsch"],
        "facts": [("External links", "7"), ("Placements", "3"), ("Words", "2,105")],
        "excerpt": "Zwischen Rampe und Ladepunkt entscheidet sich, ob jemand morgens aufsteigt.",
    },
]

PRICE_LINES = [("Backlink in one published article", 10840), ("VAT, 19 %", 2060)]
RECEIPT_LINES = [("Backlink, “How small workshops plan their winter stock”", 10840), ("VAT, 19 %", 2060)]
REFUNDED_LINES = [*RECEIPT_LINES, ("Refunded on 22 November 2026", -12900)]
RECEIPT_FACTS = [
    ("Paid on", "21 November 2026"),
    ("Paid with", "Visa ending 4242"),
    ("Billed to", "ada@lovelace.example"),
    ("Order", "GAL-20418"),
]


def _steps(*states: str) -> list[dict[str, Any]]:
    names = ["Read the published article", "Choose the paragraph", "Write the sentence", "Check the quality"]
    seconds = [2, 11, 34, 6]
    log = [
        "14:02:49 paragraph 7 of 19 chosen, 0 links in it",
        "14:02:51 asked the writer for one sentence",
        "14:03:20 draft received, 18 new words",
    ]
    steps = []
    for name, state, took in zip(names, states, seconds, strict=True):
        steps.append(
            {
                "state": state,
                "text": name,
                "took": timedelta(seconds=took) if state in {"done", "failed"} else None,
                "started_at": NOW - timedelta(seconds=31) if state == "running" else None,
                "log": log if state in {"running", "failed"} else [],
            }
        )
    return steps


def _run(state: str, status: str, **differences: Any) -> dict[str, Any]:
    run: dict[str, Any] = {
        "state": state,
        "title": "Placing your link",
        "status": status,
        "percent": None,
        "steps": _steps("waiting", "waiting", "waiting", "waiting"),
        "attempt": 1,
        "attempts": 3,
        "eta": None,
        "eta_slow": None,
        "ahead": None,
        "retry_at": None,
        "started_at": None,
        "took": None,
        "email": "ada@lovelace.example",
    }
    return run | differences


RUNS = {
    "waiting": _run("waiting", "Waiting for a free writer.", ahead=2, eta=timedelta(minutes=3)),
    "running": _run(
        "running",
        "Writing the sentence around your link.",
        percent=62,
        steps=_steps("done", "done", "running", "waiting"),
        eta=timedelta(seconds=40),
        started_at=NOW - timedelta(seconds=44),
    ),
    "retrying": _run(
        "retrying",
        "The quality check refused the draft. A new attempt begins in a moment.",
        percent=48,
        attempt=2,
        steps=_steps("done", "done", "done", "failed"),
        retry_at=NOW + timedelta(seconds=4),
    ),
    "done": _run(
        "done",
        "Your link is in its place and passed every check.",
        steps=_steps("done", "done", "done", "done"),
        took=timedelta(seconds=53),
    ),
    "failed": _run(
        "failed",
        "We could not place your link well enough. Your money is on its way back; you need to do nothing.",
        attempt=3,
        steps=_steps("done", "done", "done", "failed"),
        took=timedelta(minutes=2, seconds=41),
    ),
    "cancelled": _run(
        "cancelled",
        "You cancelled before work began. The full price is on its way back to your card.",
        steps=_steps("skipped", "skipped", "skipped", "skipped"),
    ),
}

PLACED = {
    "href": "https://northlight-shelving.example/workshop-planner",
    "anchor": "a one-page stock planner",
    "rel": "sponsored",
}
DIFF_BLOCKS: list[dict[str, Any]] = [
    {
        "kind": "same",
        "paragraphs": [
            "November is when the small workshops go quiet on the outside and loud on the inside.",
            "The last market is booked, the first frost is on the van, and somebody is counting boxes.",
            "We asked three owners how they decide what to make before the orders arrive.",
        ],
    },
    {
        "kind": "context",
        "text": "“You only run out of the thing you were sure about,” says Marta, who has made candles for "
        "eleven years.",
    },
    {
        "kind": "changed",
        "before": [
            ("same", "Her answer is a sheet of paper on the wall. ", None),
            ("same", "Each row is a product, each column a week, and a ", None),
            ("link", "red dot", "https://makersledger.example/red-dots"),
            ("same", " means that a supplier closes. ", None),
            ("removed", "It takes her ten minutes on a Friday.", None),
        ],
        "after": [
            ("same", "Her answer is a sheet of paper on the wall. ", None),
            ("same", "Each row is a product, each column a week, and a ", None),
            ("link", "red dot", "https://makersledger.example/red-dots"),
            ("same", " means that a supplier closes. ", None),
            ("added", "She began with ", None),
            ("placed", "a one-page stock planner", "https://northlight-shelving.example/workshop-planner"),
            ("added", ", and it takes her ten minutes on a Friday.", None),
        ],
    },
    {"kind": "same", "paragraphs": ["The second owner has no paper at all."]},
]

CHECKS_PASSED = [
    {"name": "Exactly one new link", "is_passed": True, "detail": None},
    {
        "name": "The address and the anchor text are yours, letter by letter",
        "is_passed": True,
        "detail": None,
    },
    {"name": "Only one paragraph differs", "is_passed": True, "detail": "Paragraph 5 of 19"},
    {"name": "Not in a heading, not in the first sentence", "is_passed": True, "detail": None},
    {"name": "No existing link was touched", "is_passed": True, "detail": "4 before, 4 after"},
    {"name": "At most 22 new words", "is_passed": True, "detail": "9 words"},
]
CHECKS_FAILED = [
    *CHECKS_PASSED[:4],
    {
        "name": "The link is not in the first sentence",
        "is_passed": False,
        "detail": "It stands in the first sentence of paragraph 1. The next attempt is told so.",
    },
]

VERSIONS = [
    {
        "id": "v3",
        "number": 3,
        "created_at": NOW - timedelta(minutes=2),
        "words": "Passed",
        "tone": "good",
        "icon": "check",
        "note": "asked again: anchor reads unnaturally",
        "href": "#versions",
        "can_choose": True,
    },
    {
        "id": "v2",
        "number": 2,
        "created_at": NOW - timedelta(hours=3),
        "words": "Passed",
        "tone": "good",
        "icon": "check",
        "note": None,
        "href": "#versions",
        "can_choose": True,
    },
    {
        "id": "v1",
        "number": 1,
        "created_at": NOW - timedelta(days=1),
        "words": "Out of date",
        "tone": "neutral",
        "icon": "clock",
        "note": "the article has changed since",
        "href": "#versions",
        "can_choose": False,
    },
]

EVENTS = [
    {
        "at": NOW,
        "title": "Sent back by the editor",
        "actor": "Jonas, editor",
        "text": "The sentence is right, but it belongs one paragraph later, where the planner is explained.",
        "tone": "warn",
        "icon": "return",
    },
    {
        "at": NOW - timedelta(hours=2),
        "title": "Submitted for review",
        "actor": "ada@lovelace.example",
        "text": None,
        "tone": "accent",
        "icon": "arrow-right",
    },
    {
        "at": NOW - timedelta(hours=3),
        "title": "Version 2 is ready",
        "actor": "Galley",
        "text": None,
        "tone": "good",
        "icon": "check",
    },
    {
        "at": NOW - timedelta(hours=4),
        "title": "The first attempt failed its checks",
        "actor": "Galley",
        "text": None,
        "tone": "bad",
        "icon": "cross",
    },
    {
        "at": NOW - timedelta(days=1),
        "title": "Paid €129.00",
        "actor": "ada@lovelace.example",
        "text": None,
        "tone": "neutral",
        "icon": "receipt",
    },
]

ORDER_COLUMNS: list[dict[str, Any]] = [
    {"label": "Order", "href": "#tables"},
    {"label": "Status"},
    {"label": "Payment"},
    {"label": "Price", "is_numeric": True, "href": "#tables"},
    {"label": "Updated", "href": "#tables", "sorted": "descending"},
    {"label": "Actions", "is_hidden": True},
]
ORDERS = [
    {
        "number": number,
        "article": article,
        "status": status,
        "payment": payment,
        "cents": cents,
        "at": NOW - timedelta(hours=hours),
    }
    for number, article, status, payment, cents, hours in [
        ("GAL-20418", "How small workshops plan their winter stock", "PROCESSING", "paid", 12900, 0),
        ("GAL-20417", "A quiet guide to choosing an espresso grinder", "QUALITY_CHECK", "paid", 8900, 3),
        ("GAL-20402", "Was ein Fahrradkeller über ein Haus verrät", "FAILED", "refund_pending", 104500, 26),
        ("GAL-20388", "Ten rooms that taught us about light", "COMPLETED", "paid", 15900, 90),
    ]
]

SAMPLE_LETTERS = [
    {
        "href": "#letters",
        "subject": "Your link is ready to review",
        "to": "ada@lovelace.example",
        "state": state,
        "at": NOW - timedelta(minutes=7 * index),
        "kind": "orders.ready",
    }
    for index, state in enumerate(LETTER_STATES)
]

LATENCY = [
    (f"{hour}:00", value)
    for hour, value in enumerate([40, 44, 39, 61, 180, 92, 55, 48, 47, 51, 46, 42], start=3)
]

PROBLEMS = {
    "target_url": "Enter an address that we can reach, like https://example.com/page",
    "anchor": "Enter the words of the link",
    "email": "Enter one e-mail address, like name@example.com",
    "placement": "Choose where the text may be changed",
    "agreed": "Agree to the terms to continue",
}
NICHES = [("", "Any"), ("business", "Small business"), ("food", "Food and drink"), ("cycling", "Cycling")]
REASONS = [
    ("too_early", "Placed too early", "The link comes before the reader knows why."),
    ("unnatural", "The anchor reads unnaturally", None),
    ("wrong_section", "In the wrong section", None),
]

TRACEBACK = """Temporary: the site answered 503 (Service Unavailable)
  at fetch https://makersledger.example/winter-stock
  attempt 2 of 3, next in 4.2 s"""


def contents() -> dict[str, Any]:
    """Everything the gallery's template names, in lower case: `{"articles": [...], "runs": {...}, ...}`."""
    return {name.lower(): value for name, value in globals().items() if name.isupper()}
