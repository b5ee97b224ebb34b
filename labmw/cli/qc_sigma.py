"""What do the points of a test say of its method? Sigma by level against the total error allowed, and the target that a new lot may have."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING

from labmw.clock import read_stamp
from labmw.errors import LabmwError
from labmw.lab.quality import most_specific
from rules.qc.lots import Point, Provisional, provisional
from rules.qc.sigma import Plan, plan, sigma

if TYPE_CHECKING:
    from labmw.store import Row

FEWEST = 20  # points: fewer say nothing of a CV
Found = tuple["Row", int, float, float, float, float, Plan]


class NoSigma(LabmwError):
    """Sigma cannot be told: a code of the catalogue."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def sigmas(points: Sequence[Row], plans: Sequence[Row], allowed: float | None, bias: float | None) -> list[Found]:
    """Return (newest point, count, mean, CV %, bias %, sigma, rules) of each level's newest lot; raises NoSigma.

    Points that were rejected or excluded count for no mean. Without `allowed` the plan's is used.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in points:
        groups.setdefault((row.analyzer, row.module, row.level), []).append(row)
    found: list[Found] = []
    for (analyzer, module, _), own in groups.items():
        newest = own[-1]
        used = [row for row in own if (row.lot, row.mean, row.sd) == (newest.lot, newest.mean, newest.sd)]
        values = [float(row.number) for row in used if row.z is not None and row.state != "out" and not row.excluded_at]
        if len(values) < FEWEST:
            continue
        declared = most_specific(plans, analyzer=analyzer, link=newest.link, module=module, test=newest.test)
        asked = (
            allowed
            if allowed is not None
            else float(declared.allowed)
            if declared is not None and declared.allowed
            else None
        )
        if asked is None:
            raise NoSigma("qc-no-allowed")
        mean = statistics.fmean(values)
        cv = 100 * statistics.stdev(values) / abs(mean) if mean else 0.0
        if not cv > 0:
            continue
        off = (
            bias
            if bias is not None
            else 100 * (mean - float(newest.mean)) / abs(float(newest.mean))
            if float(newest.mean)
            else 0.0
        )
        value = sigma(asked, off, cv)
        levels = len({row.level for row in points})
        found.append((newest, len(values), mean, cv, off, value, plan(value, 3 if levels >= 3 else 2)))
    if not found:
        raise NoSigma("qc-few-points")
    return found


def proposed(points: Sequence[Row], material: str, lot: str) -> tuple[Provisional, float, str]:
    """Return the provisional target of a lot, the historical CV of its level (percent), and the unit; raises NoSigma.

    The CV is that of the lots before, weighted by their points; a maker's range is never taken for a spread.
    """
    own = [
        row
        for row in points
        if (row.material, row.lot) == (material, lot) and row.number is not None and not row.excluded_at
    ]
    if len({row.unit for row in own}) != 1:
        raise NoSigma("qc-few-points-lot")
    levels = {row.level for row in own}
    spreads: list[tuple[float, int]] = []
    before = [
        row
        for row in points
        if row.level in levels and row.z is not None and row.state != "out" and not row.excluded_at
    ]
    for old in {(row.material, row.lot) for row in before} - {(material, lot)}:
        values = [float(row.number) for row in before if (row.material, row.lot) == old]
        if len(values) >= FEWEST and statistics.fmean(values):
            spreads.append((100 * statistics.stdev(values) / abs(statistics.fmean(values)), len(values)))
    if not spreads:
        raise NoSigma("qc-no-spread")
    cv = sum(one * count for one, count in spreads) / sum(count for _, count in spreads)
    made = [Point(float(row.number), read_stamp(row.at).date(), row.state == "out") for row in own]
    try:
        return provisional(made, cv), cv, own[0].unit
    except ValueError:
        raise NoSigma("qc-few-points-lot") from None
