"""What came of one kind of fault: the two numbers that must be nought, and what else is worth a word."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """`expect_loss`: the variant that breaks the law; it must be found to lose, or the others prove nothing."""

    name: str
    acknowledged: int
    lost: int
    twice: int
    faults: int = 0  # of `labmw store check` afterwards
    expect_loss: bool = False
    detail: str = ""
    skip: str = ""

    @staticmethod
    def skipped(name: str, why: str) -> Outcome:
        """Not tried, and why."""
        return Outcome(name, 0, 0, 0, skip=why)

    @property
    def well(self) -> bool:
        """As it must be."""
        if self.skip:
            return True
        if self.expect_loss:
            return self.lost > 0
        return self.lost == self.twice == self.faults == 0 and self.acknowledged > 0
