"""Sigma, new lots, gates and the averages of patients, on the figures that are published for them."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from rules.qc import averages
from rules.qc.gate import Control, leaves, light, since_last_good
from rules.qc.lots import Point, cumulative, levey_jennings, provisional
from rules.qc.sigma import plan, sigma
from rules.qc.westgard import Rule, Target

DAY = date(2026, 1, 1)
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_sigma() -> None:
    assert round(sigma(7.6, 1.5, 1.4), 2) == 4.36
    assert sigma(7.6, -1.5, 1.4) == sigma(7.6, 1.5, 1.4)
    with pytest.raises(ValueError, match="has no sigma"):
        sigma(7.6, 1.5, 0)


@pytest.mark.parametrize(
    ("value", "levels", "last", "measurements", "runs"),
    [
        (6.0, 2, Rule.W1_3S, 2, 1), (5.0, 2, Rule.R_4S, 2, 1), (4.0, 2, Rule.W4_1S, 4, 1), (3.9, 2, Rule.X8, 4, 2),
        (6.2, 3, Rule.W1_3S, 3, 1), (5.9, 3, Rule.R_4S, 3, 1), (4.36, 3, Rule.W3_1S, 3, 1), (1.0, 3, Rule.X6, 6, 1),
    ],
)  # fmt: skip
def test_the_choice_of_rules(value: float, levels: int, last: Rule, measurements: int, runs: int) -> None:
    made = plan(value, levels)
    assert (made.rules[-1], made.measurements, made.runs) == (last, measurements, runs)
    assert Rule.W1_2S not in made.rules


def test_no_plan_for_one_level() -> None:
    with pytest.raises(ValueError, match="two or three"):
        plan(5, 1)


def points(*values: float, rejected: int = -1) -> list[Point]:
    return [Point(value, DAY + timedelta(days=place // 2), place == rejected) for place, value in enumerate(values)]


def test_a_new_lot_takes_its_own_mean_and_the_old_cv() -> None:
    made = provisional(points(*[100.0, 102.0] * 10), historical_cv=2.0)
    assert (made.target.mean, made.target.sd, made.points, made.days, made.complete) == (101.0, 2.02, 20, 10, True)
    assert made.estimate_again == 100
    early = provisional(points(*[100.0] * 10, 900.0, rejected=10), historical_cv=2.0)
    assert (early.complete, early.estimate_again, early.target.mean) == (False, 20, 100.0)
    assert provisional(points(*[100.0] * 100), 2.0).estimate_again is None
    with pytest.raises(ValueError, match="too few"):
        provisional(points(*[100.0] * 9), 2.0)


def test_rejected_points_are_shown_and_not_counted() -> None:
    some = points(99, 100, 101, 150, rejected=3)
    assert cumulative(some) == Target(100, 1)
    assert [(z, rejected) for _, z, rejected in levey_jennings(some, Target(100, 1))] == [
        (-1, False),
        (0, False),
        (1, False),
        (50, True),
    ]
    with pytest.raises(ValueError, match="two points"):
        cumulative(some[:1])


def test_the_light() -> None:
    day = timedelta(hours=24)
    assert light(None, NOW, day) == "red"
    assert light(Control(NOW, False), NOW, day) == "red"
    assert light(Control(NOW - HOUR, True), NOW, day) == "green"
    assert light(Control(NOW - 23 * HOUR, True), NOW, day) == "amber"
    assert light(Control(NOW - 24 * HOUR, True), NOW, day) == "amber"
    assert light(Control(NOW - 25 * HOUR, True), NOW, day) == "red"
    assert light(Control(NOW, True), NOW, day, patients=95, most=100) == "amber"
    assert light(Control(NOW, True), NOW, day, patients=101, most=100) == "red"


def test_start_only_and_bracketed() -> None:
    good, bad, later = Control(NOW, True), Control(NOW + 4 * HOUR, False), NOW + HOUR
    assert leaves(later, [good], bracketed=False) is True
    assert leaves(later, [good], bracketed=True) is None
    assert leaves(later, [good, Control(NOW + 2 * HOUR, True)], bracketed=True) is True
    assert leaves(later, [good, bad], bracketed=True) is False
    assert leaves(NOW + 5 * HOUR, [good, bad], bracketed=False) is False
    assert leaves(NOW - HOUR, [good], bracketed=False) is False
    assert leaves(later, [], bracketed=True) is False
    measured = [NOW - HOUR, NOW + HOUR, NOW + 2 * HOUR, NOW + 5 * HOUR]
    assert since_last_good(measured, [good, bad]) == (1, 2)
    assert since_last_good(measured, [bad]) == (0, 1, 2)
    assert since_last_good(measured, [good]) == () == since_last_good(measured, [])


def test_ewma_as_published() -> None:
    assert [round(one, 3) for one in averages.ewma(0.1, 140)([141, 143, 138])] == [140.1, 140.39, 140.151]
    assert round(averages.ewma_sd(1.0, 0.1), 4) == 0.2294


def test_bull_damps_an_outlier() -> None:
    batch = [88, 91, 90, 92, 89, 93, 90, 91, 87, 94, 90, 92, 88, 91, 90, 95, 89, 90, 92, 70]
    assert sum(batch) / 20 == 89.6
    assert [round(one, 3) for one in averages.bull(90)(batch)] == [90.012]


def test_moving_windows() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 10.0]
    assert averages.moving_average(2)(values) == [1.5, 2.5, 3.5, 7.0]
    assert averages.moving_median(3)(values) == [2.0, 3.0, 4.0]
    assert averages.truncated(values, 2, 4) == [2.0, 3.0, 4.0]
    assert averages.truncated(values, 2, 4, winsorise=True) == [2.0, 2.0, 3.0, 4.0, 4.0]


def test_limits_come_from_quiet_months() -> None:
    found = averages.limits([float(one) for one in range(1000)], 0.01)
    assert (found.low, found.high) == (5.0, 994.0)
    assert found.alarm(4.9) and found.alarm(995) and not found.alarm(5) and found.alarm(math.nan)
    with pytest.raises(ValueError, match="give at least 2000"):
        averages.limits([1.0] * 100, 0.001)


def test_a_bias_is_noticed_after_so_many_patients() -> None:
    random = Random(3)
    values = [random.gauss(140, 3) for _ in range(12000)]
    smooth = averages.ewma(0.05, 140)
    quiet = averages.limits(smooth(values), 0.001)
    large = averages.detection("ewma .05", smooth, values, quiet, 3.0, warm=200, every=500, length=400)
    small = averages.detection("ewma .05", smooth, values, quiet, 1.5, warm=200, every=500, length=400)
    assert large.median is not None and small.median is not None and large.worst is not None
    assert large.median < small.median < 200 and large.median <= large.worst
    none = averages.detection(
        "ewma .05", smooth, values, averages.Limits(0, 1000), 3.0, warm=200, every=2000, length=100
    )
    assert none.median is None and none.unnoticed > 0
    batches = averages.bull(140)
    wide = averages.limits(batches(values), 0.01)
    assert averages.detection("bull", batches, values, wide, 3.0, warm=200, every=1000, length=400).median is not None
