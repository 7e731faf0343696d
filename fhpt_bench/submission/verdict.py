"""What was found out about one file, check by check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from fhpt_bench.submission.again import Findings

State = Literal["holds", "differs", "unchecked"]
FEW = 5


@dataclass(frozen=True)
class Check:
    """One thing that was, or could not be, held against another."""

    name: str
    state: State
    said: str


@dataclass
class Verdict:
    """All that was found out about one file."""

    file: str
    model: str
    protocol: str
    checks: list[Check] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``verified``; ``verified in part`` where something could not be checked; ``differs``."""
        states = {check.state for check in self.checks}
        return "differs" if "differs" in states else "verified in part" if "unchecked" in states else "verified"

    @property
    def differences(self) -> list[str]:
        return [f"{check.name}: {check.said}" for check in self.checks if check.state == "differs"]

    def add(self, name: str, wrong: Sequence[str], right: str) -> bool:
        """A check that holds, and says ``right``, where nothing is ``wrong``."""
        self.checks.append(Check(name, "differs", some(wrong)) if wrong else Check(name, "holds", right))
        return not wrong

    def skip(self, name: str, why: str) -> None:
        self.checks.append(Check(name, "unchecked", why))

    def found(self, name: str, findings: Findings, right: str) -> None:
        """A recomputation: what differs, what is the same, and what of it was not done."""
        if findings.differ or findings.same:
            self.add(name, findings.differ, right)
        if findings.unchecked:
            self.skip(name, f"not done again: {some(findings.unchecked)}")


def some(items: Sequence[str]) -> str:
    """The first ``FEW``, and how many more there are."""
    more = len(items) - FEW
    return "; ".join(items[:FEW]) + (f"; and {more} more" if more > 0 else "")
