"""Which average of patients notices a bias soonest, at the false alarms a laboratory can live with? Asked of its own history.

Limits are set on the first half of the results and every figure is told for the second half: what was not looked at while choosing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rules.qc.averages import Detection, Limits, Smooth, bull, detection, ewma, limits, moving_average, moving_median

FEWEST = 2_000  # results: a quantile that is reached once in thousands cannot be read off fewer


@dataclass(frozen=True, slots=True)
class Choice:
    """One way of averaging, as a plan keeps it: `size` results or a `weight`, beginning at `start`, truncated, quiet between limits."""

    algorithm: str
    size: int
    weight: float | None
    start: float
    truncate: tuple[float, float]
    quiet: Limits
    false_alarms: int  # in the second half, of `results`
    results: int
    detection: Detection

    @property
    def name(self) -> str:
        """As a table shows it."""
        return f"{self.algorithm} {self.weight if self.weight is not None else self.size}"


def tune(values: Sequence[float], bias: float | None, false_alarms: float, outside: float = 0.02) -> tuple[Choice, ...]:
    """Return each way with what it notices, the soonest first; raises ValueError for too few results.

    `bias` in the unit of the results, half of their SD when not given; `outside`: the share of results that truncation leaves out.
    """
    if len(values) < FEWEST:
        raise ValueError(f"{len(values)} results are too few to set limits; give at least {FEWEST}")
    half = len(values) // 2
    ordered = sorted(values[:half])
    cut = max(1, int(half * outside / 2))
    low, high = ordered[cut], ordered[-1 - cut]
    first = [value for value in values[:half] if low <= value <= high]
    second = [value for value in values[half:] if low <= value <= high]
    start = statistics.fmean(first)
    planted = bias if bias is not None else statistics.stdev(first) / 2
    ways: list[tuple[str, int, float | None, Smooth]] = [
        *(("mean", size, None, moving_average(size)) for size in (20, 50, 100)),
        ("median", 50, None, moving_median(50)),
        *(("ewma", 0, weight, ewma(weight, start)) for weight in (0.05, 0.02)),
        ("bull", 20, None, bull(start, 20)),
    ]
    found = []
    for algorithm, size, weight, smooth in ways:
        settle = math.ceil(3 / weight) if weight is not None else 5 * size if algorithm == "bull" else size
        per = size if algorithm == "bull" else 1  # an alarm is possible once per batch
        try:
            quiet = limits(smooth(first)[settle // per :], min(0.49, false_alarms * per))
        except ValueError:
            continue  # too few averages for so rare an alarm
        length = max(200, min(2_000, len(second) // 4))
        every = max(1, (len(second) - length - settle) // 60)
        noticed = detection(algorithm, smooth, second, quiet, planted, warm=settle, every=every, length=length)
        loud = _alarms(smooth(second)[settle // per :], quiet)
        found.append(Choice(algorithm, size, weight, start, (low, high), quiet, loud, len(second), noticed))
    if not found:
        raise ValueError("this history is too short for so few false alarms; give a longer one, or allow more of them")
    return tuple(sorted(found, key=lambda one: (one.detection.unnoticed, one.detection.median or math.inf)))


def _alarms(averages: Sequence[float], quiet: Limits) -> int:
    """How many times the average leaves its limits: one long excursion is one alarm."""
    loud = [quiet.alarm(value) for value in averages]
    return sum(now and not before for before, now in zip([False, *loud], loud, strict=False))
