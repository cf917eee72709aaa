"""One set of facts for every letter: what the gallery page shows and the tests render."""

from collections.abc import Mapping

from emails import Letter, write_letter
from emails.accounts import samples as accounts
from emails.jobs import samples as jobs
from emails.notices import samples as notices
from emails.orders import samples as orders

SAMPLES: Mapping[str, Mapping[str, object]] = {
    **{f"accounts.{name}": facts for name, facts in accounts.SAMPLES.items()},
    **{f"jobs.{name}": facts for name, facts in jobs.SAMPLES.items()},
    **{f"notices.{name}": facts for name, facts in notices.SAMPLES.items()},
    **{f"orders.{name}": facts for name, facts in orders.SAMPLES.items()},
}


def sample(kind: str, *, unsubscribe_url: str | None = None, is_test: bool = False) -> Letter:
    """The letter `kind` as an example, to an address that nobody can have."""
    return write_letter(
        kind, "mira@hollow-hill.example", SAMPLES[kind], unsubscribe_url=unsubscribe_url, is_test=is_test
    )
