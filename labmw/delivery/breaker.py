"""Is this destination being spoken to? Closed: yes. Open: not until a pause is over. Then one message tries it, and decides.

Opens at once when the destination cannot be reached or does not acknowledge, and when it refuses one message after the other: whoever refuses
everything is wrongly set up, and without a pause the whole morning would be dead letters (decision 0032). The time is the clock's seconds
that never go back: a clock that is set does not hold delivery up.
"""

from __future__ import annotations

from dataclasses import dataclass

from labmw.clock import Clock
from labmw.delivery.patience import Patience

REFUSALS = 10
"""Messages refused in a row until the destination is given a pause."""


@dataclass(slots=True)
class Breaker:
    """The circuit breaker of one destination."""

    clock: Clock
    patience: Patience
    refusals: int = REFUSALS
    failures: int = 0  # in a row: it was away, or silent
    refused: int = 0  # in a row
    _until: float = 0.0

    @property
    def closed(self) -> bool:
        """Whether the destination takes messages, as far as is known."""
        return not self.failures and self.refused < self.refusals

    @property
    def wait(self) -> float:
        """Seconds until a message may be tried; 0 when it may be now."""
        return 0.0 if self.closed else max(0.0, self._until - self.clock.monotonic())

    def most(self, batch: int) -> int:
        """How many messages may be claimed now: while it is open one, which tries."""
        return batch if self.closed else 1

    def failed(self) -> float:
        """The destination as a whole does not take messages; returns the seconds of the pause."""
        self.failures += 1
        return self._pause(self.failures)

    def was_refused(self) -> float:
        """A message was refused; returns the seconds of the pause, 0 as long as others are not kept back for it."""
        self.failures = 0  # it answers
        self.refused += 1
        return 0.0 if self.closed else self._pause(self.refused - self.refusals + 1)

    def worked(self) -> int:
        """A message was taken: everything may go; returns how many had failed or been refused before it."""
        before = self.failures + self.refused
        self.failures = self.refused = 0
        return before

    def _pause(self, times: int) -> float:
        seconds = self.patience.delay(times)
        self._until = self.clock.monotonic() + seconds
        return seconds
