"""How old is the patient, and in which age band is that? Days for the newborn, calendar months and years after."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

_EDGE = re.compile(r"(\d{1,4})([dwmy])", re.ASCII)
OLDEST = 150  # years; beyond that a birth date is a mistake
_DAYS_A_MONTH = 365.2425 / 12


@dataclass(frozen=True, slots=True)
class Age:
    """Completed days and completed calendar months since birth."""

    days: int
    months: int


@dataclass(frozen=True, slots=True)
class Edge:
    """The first moment of an age band: a number of days, or of calendar months (a year is twelve)."""

    count: int
    months: bool
    text: str

    def reached(self, age: Age) -> bool:
        """True on the day of the birthday and after."""
        return (age.months if self.months else age.days) >= self.count

    @property
    def days(self) -> tuple[int, int]:
        """The fewest and the most days this can be after birth: months are of different length."""
        if not self.months:
            return self.count, self.count
        middle = self.count * _DAYS_A_MONTH
        return (int(middle) - 2, int(middle) + 3) if self.count else (0, 0)

    @property
    def age(self) -> Age:
        """An age that has reached this edge and no later one: what stands for the whole band when the age is unknown."""
        fewest = self.days[0]
        return Age(fewest, self.count if self.months else int(fewest / _DAYS_A_MONTH))


BIRTH = Edge(0, False, "0d")


def edge(text: str) -> Edge | None:
    """Read `0d`, `28d`, `6w`, `3m` or `18y`; None when it is none of these."""
    match = _EDGE.fullmatch(text)
    if not match:
        return None
    count, unit = int(match[1]), match[2]
    if unit in "dw":
        return Edge(count * (7 if unit == "w" else 1), False, text)
    months = count * (12 if unit == "y" else 1)
    return Edge(months, True, text) if months else Edge(0, False, text)


def ordered(first: Edge, second: Edge) -> bool | None:
    """Is the second edge later than the first for everybody? None when that depends on the month (29d and 1m)."""
    if first.months == second.months:
        return first.count < second.count
    if first.days[1] <= second.days[0]:
        return True
    return False if second.days[1] <= first.days[0] else None


def equal(first: Edge, second: Edge) -> bool:
    """True when two texts name one edge: `18y` and `216m`, `28d` and `4w`."""
    return (first.count, first.months) == (second.count, second.months)


def age(birth: date, on: date) -> Age | None:
    """Return the age on a day; None when the birth lies after it, or too long ago to be believed."""
    days = (on - birth).days
    months = (on.year - birth.year) * 12 + on.month - birth.month - (on.day < birth.day)
    if days < 0 or months > OLDEST * 12:
        return None
    return Age(days, months)
