"""How long to wait before the next attempt: exponential back-off with a cap and jitter, so that a LIS that returns is not stormed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """`base` seconds after the first failure, `factor` times more after each further one, never more than `cap`; +-`jitter` of it."""

    base: float = 2.0
    factor: float = 2.0
    cap: float = 300.0
    jitter: float = 0.2
    chance: Callable[[], float] = random.random

    def delay(self, failures: int) -> float:
        """Return the seconds to wait after so many failures in a row (1 or more)."""
        try:
            plain = min(self.cap, self.base * float(self.factor) ** (max(failures, 1) - 1))
        except OverflowError:
            plain = self.cap
        return plain * (1 + self.jitter * (2 * self.chance() - 1))
