"""How does one reckon with measurements that may be bounds? Interval arithmetic; points give points, in the order as written.

Missing (None) in, missing out; a division by what may be zero, and a number beyond binary64, are missing. An interval always contains
every value that may be true, and an end that cannot be reached is open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rules.expression.tree import Arithmetical, Comparing
from rules.interval import EQUAL, Interval, negative, size
from rules.kleene import Truth, negation

End = tuple[float, bool]  # where it ends, and whether that itself is excluded


def point(number: float) -> Interval:
    """Return a number as an interval."""
    return Interval(number, number)


def real(a: Interval) -> Interval | None:
    """Return the interval, or None where it has left the range of binary64 altogether."""
    return None if a.low == math.inf or a.high == -math.inf else a


def reckon(sign: Arithmetical, a: Interval | None, b: Interval | None) -> Interval | None:
    """Add, subtract, multiply or divide."""
    if a is None or b is None:
        return None
    if sign == "+":
        return real(Interval(a.low + b.low, a.high + b.high, a.low_open or b.low_open, a.high_open or b.high_open))
    if sign == "-":
        return real(Interval(a.low - b.high, a.high - b.low, a.low_open or b.high_open, a.high_open or b.low_open))
    if sign == "/" and b.low <= 0 <= b.high:
        return None
    one: tuple[End, End] = ((a.low, a.low_open), (a.high, a.high_open))
    other: tuple[End, End] = ((b.low, b.low_open), (b.high, b.high_open))
    combine = _product if sign == "*" else _quotient
    return real(_spanned([combine(x, y) for x in one for y in other]))


def _product(x: End, y: End) -> End:
    if 0 in (x[0], y[0]):  # zero times anything is zero, and reached as soon as the zero is
        return 0.0, not ((x[0] == 0 and not x[1]) or (y[0] == 0 and not y[1]))
    return x[0] * y[0], x[1] or y[1]


def _quotient(x: End, y: End) -> End:
    if x[0] == 0:
        return 0.0, x[1]
    if math.isinf(x[0]) and math.isinf(y[0]):  # anything from nothing to everything; the other ends say so
        return 0.0, True
    return x[0] / y[0], x[1] or y[1]


def _spanned(ends: Sequence[End]) -> Interval:
    low = min(end for end, _ in ends)
    high = max(end for end, _ in ends)
    return Interval(
        low, high, all(open_ for end, open_ in ends if end == low), all(open_ for end, open_ in ends if end == high)
    )


def least(a: Interval | None, b: Interval | None) -> Interval | None:
    """Return the smaller of two."""
    if a is None or b is None:
        return None
    low, high = min(a.low, b.low), min(a.high, b.high)
    low_open = (a.low_open or a.low != low) and (b.low_open or b.low != low)
    high_open = (a.high_open and a.high == high) or (b.high_open and b.high == high)
    return Interval(low, high, low_open, high_open)


def greatest(a: Interval | None, b: Interval | None) -> Interval | None:
    """Return the greater of two."""
    if a is None or b is None:
        return None
    found = least(negative(a), negative(b))
    return None if found is None else negative(found)


def absolute(a: Interval | None) -> Interval | None:
    """Return the size of a number."""
    return None if a is None else size(a)


def opposite(a: Interval | None) -> Interval | None:
    """Return -a."""
    return None if a is None else negative(a)


def rounded(a: Interval | None, digits: int) -> Interval | None:
    """Round halves upwards, as floor(x * 10^n + 0.5) / 10^n in every reader; the ends of a bound are then taken as reached."""
    if a is None:
        return None
    power = 10.0**digits
    return real(Interval(_rounded(a.low, power), _rounded(a.high, power)))


def _rounded(number: float, power: float) -> float:
    scaled = number * power + 0.5
    return math.floor(scaled) / power if math.isfinite(scaled) else scaled


def less(a: float, b: float) -> bool:
    """Is a below b by more than the relative difference that is equality?"""
    return b > a and b - a >= EQUAL * max(abs(a), abs(b))


def compare(sign: Comparing, a: Interval | None, b: Interval | None) -> Truth:
    """Compare: true or false only if so for every value that a and b may have."""
    if a is None or b is None:
        return None
    match sign:
        case "<":
            return _below(a, b)
        case ">":
            return _below(b, a)
        case "<=":
            return negation(_below(b, a))
        case ">=":
            return negation(_below(a, b))
        case "==":
            return _equal(a, b)
        case "!=":
            return negation(_equal(a, b))


def _below(a: Interval, b: Interval) -> Truth:
    if less(a.high, b.low) or ((a.high_open or b.low_open) and not less(b.low, a.high)):
        return True
    return False if not less(a.low, b.high) else None


def _equal(a: Interval, b: Interval) -> Truth:
    if a.low == a.high and b.low == b.high:
        return not (less(a.low, b.low) or less(b.low, a.low))
    return False if _below(a, b) is True or _below(b, a) is True else None
