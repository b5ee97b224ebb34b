"""Has the method drifted, as the patients themselves tell? Moving average and median, EWMA, and Bull's, over truncated results.

No parameter here is good for everybody: control limits are the quantiles of the laboratory's own quiet months, and what a choice detects is
told as the number of patients until a planted bias is noticed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Series = Sequence[float]
Smooth = Callable[[Series], list[float]]


def truncated(values: Iterable[float], low: float, high: float, *, winsorise: bool = False) -> list[float]:
    """Leave out what lies outside, or move it to the limit."""
    if winsorise:
        return [min(high, max(low, value)) for value in values]
    return [value for value in values if low <= value <= high]


def moving_average(size: int) -> Smooth:
    """Return the mean of the last so many, from the first full window on."""

    def smooth(values: Series) -> list[float]:
        found, total = [], 0.0
        for place, value in enumerate(values):
            total += value - (values[place - size] if place >= size else 0.0)
            if place >= size - 1:
                found.append(total / size)
        return found

    return smooth


def moving_median(size: int) -> Smooth:
    """Return the median of the last so many."""
    return lambda values: [statistics.median(values[end - size : end]) for end in range(size, len(values) + 1)]


def ewma(weight: float, start: float) -> Smooth:
    """Return E = weight x + (1 - weight) E before, from a start value on."""

    def smooth(values: Series) -> list[float]:
        found, last = [], start
        for value in values:
            last = weight * value + (1 - weight) * last
            found.append(last)
        return found

    return smooth


def ewma_sd(sd: float, weight: float) -> float:
    """Return the SD that an EWMA settles at."""
    return sd * math.sqrt(weight / (2 - weight))


def bull(start: float, size: int = 20, power: float = 0.5) -> Smooth:
    """Return Bull's X-B, one per batch: outliers weigh by the root of their distance, with its sign."""

    def smooth(values: Series) -> list[float]:
        found, last = [], start
        for end in range(size, len(values) + 1, size):
            batch = values[end - size : end]
            pull = sum(math.copysign(abs(value - last) ** power, value - last) for value in batch) / size
            last += math.copysign(abs(pull) ** (1 / power), pull)
            found.append(last)
        return found

    return smooth


@dataclass(frozen=True, slots=True)
class Limits:
    """Between these the average is quiet."""

    low: float
    high: float

    def alarm(self, value: float) -> bool:
        """True outside."""
        return not self.low <= value <= self.high


def limits(quiet: Series, false_alarms: float) -> Limits:
    """Return the limits that so small a share of a quiet series exceeds, half on each side; raises ValueError for a short series."""
    if len(quiet) * false_alarms < 2:
        need = math.ceil(2 / false_alarms)
        raise ValueError(f"{len(quiet)} values cannot show a share of {false_alarms:g}; give at least {need}")
    ordered = sorted(quiet)
    outside = math.floor(len(ordered) * false_alarms / 2)
    return Limits(ordered[outside], ordered[-1 - outside])


@dataclass(frozen=True, slots=True)
class Detection:
    """How many patients a planted bias goes unnoticed: median and 95th percentile of the attempts, and how many never saw it."""

    name: str
    bias: float
    median: float | None
    worst: float | None
    unnoticed: int


def detection(
    name: str, smooth: Smooth, values: Series, quiet: Limits, bias: float, *, warm: int, every: int, length: int
) -> Detection:
    """Plant a bias at many places of a real series and count the patients until the alarm."""
    counts: list[int] = []
    unnoticed = 0
    for start in range(warm, len(values) - length, every):
        stretch = [*values[start - warm : start], *(value + bias for value in values[start : start + length])]
        whole = smooth(stretch)
        per = len(stretch) / max(1, len(whole))  # Bull's gives one value per batch
        first = next(
            (
                place
                for place, value in enumerate(whole)
                if _patient(place, len(whole), len(stretch), per) > warm and quiet.alarm(value)
            ),
            None,
        )
        if first is None:
            unnoticed += 1
        else:
            counts.append(_patient(first, len(whole), len(stretch), per) - warm)
    if not counts:
        return Detection(name, bias, None, None, unnoticed)
    ordered = sorted(counts)
    return Detection(
        name,
        bias,
        statistics.median(ordered),
        ordered[min(len(ordered) - 1, math.ceil(0.95 * len(ordered)) - 1)],
        unnoticed,
    )


def _patient(place: int, averages: int, patients: int, per: float) -> int:
    """Return after how many patients an average is known."""
    return patients - averages + place + 1 if per < 2 else round((place + 1) * per)
