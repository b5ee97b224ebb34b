"""Intervals against brute force: a comparison is only known when every value inside agrees."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.quantity import Quantity
from rules.interval import (
    Interval,
    above,
    below,
    difference,
    divided,
    finite,
    interval,
    negative,
    percent,
    same,
    show,
    size,
    within,
)
from rules.kleene import Truth, agreement

GRID = st.integers(0, 12).map(lambda n: n / 4)


@st.composite
def intervals(draw: st.DrawFn, least: float = 0.0) -> Interval:
    """A point or a real interval with ends on a grid of quarters."""
    low, high = sorted((least + draw(GRID), least + draw(GRID)))
    if low == high:
        return Interval(low, high)
    return Interval(low, high, draw(st.booleans()), draw(st.booleans()))


def inside(a: Interval) -> list[float]:
    """Values that lie in the interval, its ends and close to them included."""
    if a.point:
        return [a.low]
    step = (a.high - a.low) / 1000
    values = [a.low + step * n for n in range(1, 1000)]
    return values + ([] if a.low_open else [a.low]) + ([] if a.high_open else [a.high])


@given(intervals(), GRID)
def test_comparisons_agree_with_every_value_inside(a: Interval, limit: float) -> None:
    values = inside(a)
    assert below(a, limit) == agreement(value < limit for value in values)
    assert above(a, limit) == agreement(value > limit for value in values)


@given(intervals(), GRID, GRID)
def test_within(a: Interval, one: float, other: float) -> None:
    low, high = sorted((one, other))
    found = within(a, low, high)
    if found is not None:
        assert all((low <= value <= high) is found for value in inside(a))


@given(intervals(), intervals())
def test_difference_contains_every_difference(a: Interval, b: Interval) -> None:
    found = difference(a, b)
    for x in inside(a)[::97] + inside(a)[-2:]:
        for y in inside(b)[::97] + inside(b)[-2:]:
            assert contains(found, x - y)
            assert contains(size(found), abs(x - y))
            assert contains(negative(found), y - x)


@given(intervals(), intervals(least=0.25))
def test_percent_contains_every_change_and_reaches_its_ends(a: Interval, b: Interval) -> None:
    found = percent(a, b)
    assert found is not None
    for x in inside(a)[::97] + inside(a)[-2:]:
        for y in inside(b)[::97] + inside(b)[-2:]:
            assert contains(found, (x - y) / y * 100)
    if not (a.low_open or b.high_open):
        assert same(found.low, (a.low - b.high) / b.high * 100) or found.low == 0 == a.low - b.high


def contains(a: Interval, value: float) -> bool:
    slack = 1e-9 * max(1.0, abs(value))
    return a.low - slack <= value <= a.high + slack and not (
        (a.low_open and value < a.low) or (a.high_open and value > a.high)
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [("<0.1", "[0, 0.1)"), ("<=0.1", "[0, 0.1]"), (">500", "(500, inf)"), (">=500", "[500, inf)")],
)
def test_censored_values_are_intervals(text: str, shown: str) -> None:
    comparator = text.rstrip("0123456789.")
    found = interval(Quantity(Decimal(text.removeprefix(comparator)), comparator, "g/L"))
    assert found is not None
    assert show(found) == shown


def test_below_zero_there_is_no_floor() -> None:
    assert interval(Quantity(Decimal("-3"), "<")) == Interval(-math.inf, -3.0, True, True)
    assert interval(Quantity(Decimal(0), "<")) == Interval(-math.inf, 0.0, True, True)


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "1e400"])
def test_what_is_no_number_is_nothing(number: str) -> None:
    assert finite(Decimal(number)) is None
    assert interval(Quantity(Decimal(number))) is None


def test_an_unknown_comparator_says_nothing() -> None:
    assert interval(Quantity(Decimal(1), "~")) is None


def test_a_comparison_is_strict_and_a_relative_difference_below_1e_9_is_equality() -> None:
    for limit in (5.5, 1e6, 1e-6):
        at, just = Interval(limit, limit), Interval(limit * (1 + 1e-8), limit * (1 + 1e-8))
        hardly = Interval(limit * (1 + 1e-10), limit * (1 + 1e-10))
        assert above(at, limit) is False
        assert below(at, limit) is False
        assert above(hardly, limit) is False
        assert above(just, limit) is True
    assert same(0.1 + 0.2, 0.3)
    assert same(0.0, 0.0)
    assert not same(0.0, 1e-300)
    assert same(math.inf, math.inf)
    assert not same(math.inf, 1.0)


@pytest.mark.parametrize(
    ("a", "limit", "is_below", "is_above"),
    [
        (Interval(0, 0.1, False, True), 0.1, True, False),
        (Interval(0, 0.1), 0.1, None, False),
        (Interval(0, 0.1, False, True), 0.05, None, None),
        (Interval(500, math.inf, True, True), 500, False, True),
        (Interval(500, math.inf, False, True), 500, False, None),
        (Interval(500, math.inf, True, True), 600, None, None),
    ],
)
def test_censored_values_at_a_limit(a: Interval, limit: float, is_below: Truth, is_above: Truth) -> None:
    assert below(a, limit) is is_below
    assert above(a, limit) is is_above


def test_percent_of_what_may_be_zero_or_negative_is_nothing() -> None:
    one = Interval(1, 1)
    assert percent(one, Interval(0, 0)) is None
    assert percent(one, Interval(0, 1, True, True)) is None
    assert percent(one, Interval(-1, -1)) is None
    assert percent(Interval(-1, 1), one) is None


def test_percent_with_endless_ends() -> None:
    assert percent(Interval(2, 2), Interval(1, math.inf, True, True)) == Interval(-100.0, 100.0, True, True)
    assert percent(Interval(1, math.inf, True, True), Interval(1, 1)) == Interval(0.0, math.inf, True, True)
    assert percent(Interval(0, 0), Interval(1, 2, False, True)) == Interval(-100.0, -100.0, False, False)


def test_difference_with_endless_ends() -> None:
    endless = Interval(1, math.inf, True, True)
    assert difference(endless, endless) == Interval(-math.inf, math.inf, True, True)


def test_size_and_division() -> None:
    assert size(Interval(1, 2)) == Interval(1, 2)
    assert size(Interval(-3, -1, True, False)) == Interval(1, 3, False, True)
    assert size(Interval(-1, 2, False, True)) == Interval(0.0, 2, False, True)
    assert size(Interval(-2, 1, True, False)) == Interval(0.0, 2, False, True)
    assert size(Interval(-2, 2, True, False)) == Interval(0.0, 2, False, False)
    assert size(Interval(-2, 2, True, True)) == Interval(0.0, 2, False, True)
    assert divided(Interval(2, 4, True, False), 2) == Interval(1, 2, True, False)
    assert show(Interval(0.1 + 0.2, 0.1 + 0.2)) == "0.3"
