"""Where may the true value of a measurement lie? A point, or for `<0.1` an interval; comparisons hold for all of it or are unknown.

Arithmetic is binary64 and a relative difference below 1e-9 is equality (house law 10), so that every reader of a rule finds the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from labmw.quantity import Quantity
from rules.kleene import Truth, both, negation

EQUAL = 1e-9  # relative difference below which two numbers are one


def same(a: float, b: float) -> bool:
    """True when two numbers are equal within the relative difference; zero equals only zero, infinity only itself."""
    return a == b or (abs(a - b) < EQUAL * max(abs(a), abs(b)) and math.isfinite(a) and math.isfinite(b))


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`; an open end is not part of it. A point has equal, closed ends."""

    low: float
    high: float
    low_open: bool = False
    high_open: bool = False

    @property
    def point(self) -> bool:
        """True when there is only one value."""
        return self.low == self.high


def interval(quantity: Quantity) -> Interval | None:
    """Return where the true value lies; None when the number has no binary64 (NaN, infinity, or too large).

    `<0.1` is [0, 0.1): what a laboratory counts or weighs is not negative. Below zero or at zero there is no such floor.
    """
    number = finite(quantity.number)
    if number is None:
        return None
    floor, floor_open = (0.0, False) if number > 0 else (-math.inf, True)
    match quantity.comparator:
        case "":
            return Interval(number, number)
        case "<":
            return Interval(floor, number, floor_open, True)
        case "<=":
            return Interval(floor, number, floor_open, False)
        case ">":
            return Interval(number, math.inf, True, True)
        case ">=":
            return Interval(number, math.inf, False, True)
        case _:  # a comparator nobody defined says nothing about the value
            return None


def finite(number: Decimal) -> float | None:
    """Return the binary64 nearest to an exact decimal; None for NaN, infinity and what overflows."""
    value = float(number) if number.is_finite() else math.inf
    return value if math.isfinite(value) else None


def below(a: Interval, limit: float) -> Truth:
    """Is the true value less than the limit? Exactly at the limit is not below it."""
    if (a.high < limit and not same(a.high, limit)) or (a.high_open and same(a.high, limit)):
        return True
    return False if a.low > limit or same(a.low, limit) else None


def above(a: Interval, limit: float) -> Truth:
    """Is the true value greater than the limit? Exactly at the limit is not above it."""
    if (a.low > limit and not same(a.low, limit)) or (a.low_open and same(a.low, limit)):
        return True
    return False if a.high < limit or same(a.high, limit) else None


def within(a: Interval, low: float, high: float) -> Truth:
    """Is the true value between two limits, both included?"""
    return both(negation(below(a, low)), negation(above(a, high)))


def difference(a: Interval, b: Interval) -> Interval:
    """Return a - b, wherever both may lie."""
    return Interval(
        _minus(a.low, b.high, -math.inf),
        _minus(a.high, b.low, math.inf),
        a.low_open or b.high_open,
        a.high_open or b.low_open,
    )


def _minus(x: float, y: float, widest: float) -> float:
    return widest if math.isinf(x) or math.isinf(y) else x - y


def percent(a: Interval, b: Interval) -> Interval | None:
    """Return (a - b) / b * 100; None where b may be zero or either may be negative: the ratio then says nothing.

    Rising in a and falling in b, so the ends of the one meet the opposite ends of the other; with a = 0 it is -100 for every b.
    """
    if a.low < 0 or b.low < 0 or b.low == 0:
        return None
    low = -100.0 if math.isinf(b.high) else (a.low - b.high) / b.high * 100
    high = (a.high - b.low) / b.low * 100
    return Interval(low, high, a.low_open or (b.high_open and a.low != 0), a.high_open or (b.low_open and a.high != 0))


def divided(a: Interval, by: float) -> Interval:
    """Return a / by for a positive number."""
    return Interval(a.low / by, a.high / by, a.low_open, a.high_open)


def size(a: Interval) -> Interval:
    """Return the absolute value of a, wherever it may lie."""
    if a.low >= 0:
        return a
    if a.high <= 0:
        return Interval(-a.high, -a.low, a.high_open, a.low_open)
    if -a.low == a.high:
        return Interval(0.0, a.high, False, a.low_open and a.high_open)
    return Interval(0.0, a.high, False, a.high_open) if a.high > -a.low else Interval(0.0, -a.low, False, a.low_open)


def negative(a: Interval) -> Interval:
    """Return -a."""
    return Interval(-a.high, -a.low, a.high_open, a.low_open)


def show(a: Interval) -> str:
    """Write an interval as traces show it: `6.8`, `[0, 0.1)`."""
    if a.point:
        return f"{a.low:.12g}"
    return f"{'(' if a.low_open else '['}{a.low:.12g}, {a.high:.12g}{')' if a.high_open else ']'}"
