"""How is something measured fairly? In rounds that take turns, so that a noisy minute hits everybody, and told as median and spread."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Batch = Callable[[int], float]
"""Does something so many times; returns the seconds that one time took."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the rounds gave, in one unit."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def low(self) -> float:
        """The least."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The most."""
        return max(self.values)


def ratio(over: Sample, under: Sample) -> Sample:
    """Round by round, how many times the one is the other: what neighbours in time share cancels."""
    return Sample(tuple(a / b for a, b in zip(over.values, under.values, strict=True)))


def here(action: Callable[[], object]) -> Batch:
    """A batch of calls in this process."""

    def batch(times: int) -> float:
        gc.collect()
        began = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - began) / times

    return batch


def take_turns(batches: Mapping[str, Batch], rounds: int, seconds: float) -> dict[str, Sample]:
    """Each batch once a round, in an order that changes, for about so many seconds each time."""
    times = {}
    for name, batch in batches.items():
        batch(3)  # warm
        times[name] = max(3, int(seconds / max(batch(5), 1e-9)))
    taken: dict[str, list[float]] = {name: [] for name in batches}
    for number in range(rounds):
        for name in turned(list(batches), number):
            taken[name].append(batches[name](times[name]))
    return {name: Sample(tuple(values)) for name, values in taken.items()}


def turned(names: Sequence[str], number: int) -> list[str]:
    """The same names, another one first in each round."""
    at = number % len(names)
    return [*names[at:], *names[:at]]
