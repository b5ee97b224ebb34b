"""What should a new lot of control material measure? Its own mean as observed, and the spread that the method has always had."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from rules.qc.westgard import Target

FEWEST, ENOUGH, DAYS, SETTLED = 10, 20, 10, 100


@dataclass(frozen=True, slots=True)
class Point:
    """One control result; `rejected` stays visible and counts for no mean."""

    value: float
    day: date
    rejected: bool = False


@dataclass(frozen=True, slots=True)
class Provisional:
    """A target for a new lot, and whether the parallel period is over; `estimate_again` is at how many points to look at it next."""

    target: Target
    points: int
    days: int
    complete: bool
    estimate_again: int | None


def provisional(points: Sequence[Point], historical_cv: float) -> Provisional:
    """Return the target of a lot measured in parallel: observed mean, SD = mean x historical CV (in percent), never the maker's range.

    Raises ValueError with fewer than ten points: measure on.
    """
    used = [point for point in points if not point.rejected]
    if len(used) < FEWEST:
        raise ValueError(
            f"{len(used)} points are too few for a target; measure at least {FEWEST}, better {ENOUGH} over {DAYS} days"
        )
    mean = statistics.fmean(point.value for point in used)
    days = len({point.day for point in used})
    again = next((count for count in (ENOUGH, SETTLED) if len(used) < count), None)
    target = Target(mean, abs(mean) * historical_cv / 100)
    return Provisional(target, len(used), days, len(used) >= ENOUGH and days >= DAYS, again)


def cumulative(points: Sequence[Point]) -> Target:
    """Return mean and SD of what was not rejected; raises ValueError with fewer than two points or without any spread."""
    values = [point.value for point in points if not point.rejected]
    if len(values) < 2:
        raise ValueError("an SD needs two points; measure on")
    return Target(statistics.fmean(values), statistics.stdev(values))


def levey_jennings(points: Sequence[Point], target: Target) -> tuple[tuple[date, float, bool], ...]:
    """Return what the chart shows: day, z, and whether the point was rejected; every point, in order."""
    return tuple((point.day, target.z(point.value), point.rejected) for point in points if math.isfinite(point.value))
