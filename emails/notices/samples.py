"""Facts to show each letter of this slice with."""

from collections.abc import Mapping

SAMPLES: Mapping[str, Mapping[str, object]] = {
    "message": {
        "subject": "Your export is ready",
        "body": (
            "Hello Mira,\n\nthe export that you asked for has **1,204 rows**. "
            "Download it within a week: <https://galley.example/reports>\n\n"
            "- Columns are as before\n- Amounts are in cents\n"
        ),
    },
}
