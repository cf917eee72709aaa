"""Facts to show each letter of this slice with."""

from collections.abc import Mapping

SAMPLES: Mapping[str, Mapping[str, object]] = {
    "alert": {
        "board_url": "https://galley.example/admin/queues/orders",
        "words": "More than 100 jobs wait in the queue orders.",
        "since": "21 November 2026, 09:14 UTC",
        "until": None,
    },
}
