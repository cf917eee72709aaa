"""What a check found, kept with the version, shown to the customer and given back to the writer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Check:
    """One rule. `title` says the rule as it should be, `detail` what was found instead (empty when passed)."""

    name: str
    title: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class QcReport:
    """All checks, in the order they were made. It passes when each of them does."""

    passed: bool
    checks: tuple[Check, ...]

    @property
    def failures(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    @property
    def reason(self) -> str:
        """Why it failed, in sentences: for the timeline, and for whoever tries again."""
        return " ".join(check.detail for check in self.failures)

    def as_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        return cls(bool(stored["passed"]), tuple(Check(**check) for check in stored["checks"]))


class Findings:
    """Checks as they are made."""

    def __init__(self) -> None:
        self._checks: list[Check] = []

    def add(self, name: str, title: str, *, passed: bool, detail: str) -> None:
        """Notes one check; `detail` is kept only where it failed."""
        self._checks.append(Check(name, title, passed, "" if passed else detail))

    def report(self) -> QcReport:
        return QcReport(all(check.passed for check in self._checks), tuple(self._checks))
