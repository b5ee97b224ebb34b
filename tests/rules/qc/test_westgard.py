"""Westgard's rules on their worked examples, exactly; on boundaries; and on what history counts."""

from __future__ import annotations

from random import Random

import pytest

from rules.qc.westgard import THREE_LEVELS, TWO_LEVELS, WARNING, Rule, Run, Target, Violation, judge

L1, L2 = Target(100, 4), Target(200, 5)
RUNS = [
    (102, 199), (109, 204), (113, 201), (108.4, 211), (109, 189), (104.4, 205.5), (100, 199), (101, 190),
]  # fmt: skip
EXPECTED: list[set[str]] = [
    set(),
    {"1-2s run L1"},
    {"1-2s run L1", "1-3s run L1", "2-2s within L1"},
    {"1-2s run L1", "1-2s run L2", "2-2s within L1", "2-2s run L1 L2"},
    {"1-2s run L1", "1-2s run L2", "R-4s run L1 L2", "2-2s within L1", "4-1s within L1"},
    {"4-1s within L1"},
    set(),
    set(),
]


def run(*z: float, restart: bool = False, excluded: frozenset[str] = frozenset()) -> Run:
    return Run({f"L{place}": value for place, value in enumerate(z, 1)}, restart, excluded)


def told(found: tuple[Violation, ...]) -> set[str]:
    return {f"{one.rule} {one.scope} {' '.join(one.levels)}" for one in found}


@pytest.mark.parametrize("number", range(len(RUNS)))
def test_the_worked_example_is_exact(number: int) -> None:
    runs = [run(L1.z(a), L2.z(b)) for a, b in RUNS[: number + 1]]
    assert told(judge(runs, ["L1", "L2"], TWO_LEVELS)) == EXPECTED[number]


def names(*runs: Run, rules: tuple[Rule, ...] = THREE_LEVELS, levels: str = "L1 L2 L3") -> set[str]:
    return {str(one.rule) for one in judge(runs, levels.split(), rules)} - set(WARNING)


def test_other_vectors() -> None:
    assert names(run(2.2, 2.4, 0.5)) == {"2of3-2s"}
    assert names(run(2.2, 0.5, 2.4)) == {"2of3-2s"}
    assert names(run(1.2, 1.4, 1.1)) == {"3-1s"}
    assert names(run(-1.2, -1.4, -1.1)) == {"3-1s"}
    four = [run(0.3, 0.2), run(0.1, 0.6), run(0.4, 0.7), run(0.5, 0.2)]
    assert [(one.rule, one.scope) for one in judge(four, ["L1", "L2"], TWO_LEVELS)] == [(Rule.X8, "across")]
    rising = [run(z) for z in (-1.1, -0.8, -0.3, 0.1, 0.2, 0.6, 0.9)]
    assert names(*rising, rules=TWO_LEVELS, levels="L1") == {"7T"}
    falling = [run(-z.z["L1"]) for z in rising]
    assert names(*falling, rules=TWO_LEVELS, levels="L1") == {"7T"}
    tied = [run(z) for z in (-1.1, -0.8, -0.3, -0.3, 0.2, 0.6, 0.9)]
    assert names(*tied, rules=TWO_LEVELS, levels="L1") == set()
    assert names(*rising[1:], rules=TWO_LEVELS, levels="L1") == set()


def test_r_4s_has_two_readings() -> None:
    both = (Rule.R_4S, Rule.R_4S_RANGE)
    assert names(run(2.6, -1.7), rules=both, levels="L1 L2") == {"R-4s range"}
    assert names(run(2.6, -2.1), rules=both, levels="L1 L2") == {"R-4s", "R-4s range"}
    assert names(run(2.0, -2.0), rules=both, levels="L1 L2") == set(), "exactly 4 is not more than 4"
    assert names(run(5.0), rules=both, levels="L1") == set()
    assert names(run(2.5, 0.0), run(-2.5, 0.0), rules=both, levels="L1 L2") == set(), "never over two runs"


@pytest.mark.parametrize(("z", "rule"), [(2.0, Rule.W1_2S), (3.0, Rule.W1_3S), (-2.0, Rule.W1_2S), (-3.0, Rule.W1_3S)])
def test_exactly_at_a_limit_is_no_violation(z: float, rule: Rule) -> None:
    assert judge([run(z)], ["L1"], [rule]) == ()
    beyond = z * (1 + 1e-6)
    assert [one.rule for one in judge([run(beyond)], ["L1"], [rule])] == [rule]


@pytest.mark.parametrize(("rule", "count"), [(Rule.X6, 6), (Rule.X8, 8), (Rule.X9, 9), (Rule.X10, 10), (Rule.X12, 12)])
def test_zero_and_the_other_side_break_a_sequence(rule: Rule, count: int) -> None:
    same = [run(0.2)] * count
    assert told(judge(same, ["L1"], [rule])) == {f"{rule} within L1"}
    assert judge(same[1:], ["L1"], [rule]) == ()
    for breaking in (0.0, -0.1):
        assert judge([*same[:3], run(breaking), *same[4:]], ["L1"], [rule]) == ()


def test_a_violation_ends_in_the_newest_run() -> None:
    runs = [run(2.5), run(2.6), run(0.1)]
    assert names(*runs[:2], rules=TWO_LEVELS, levels="L1") == {"2-2s"}
    assert names(*runs, rules=TWO_LEVELS, levels="L1") == set()
    assert names(run(2.5), run(2.6), run(0.1), levels="L1") == set(), "2of3 ends in the newest too"
    assert names(run(2.5), run(0.1), run(2.6), levels="L1") == {"2of3-2s"}


def test_history_restarts_and_technical_errors_count_for_nothing() -> None:
    before = [run(1.5), run(1.5), run(1.5)]
    assert names(*before, run(1.5), rules=TWO_LEVELS, levels="L1") == {"4-1s"}
    assert names(*before, run(1.5, restart=True), rules=TWO_LEVELS, levels="L1") == set()
    assert names(run(4.0, excluded=frozenset({"L1"})), rules=TWO_LEVELS, levels="L1") == set()
    skipped = [run(1.5), run(1.5), run(-9.0, excluded=frozenset({"L1"})), run(1.5), run(1.5)]
    assert names(*skipped, rules=TWO_LEVELS, levels="L1") == {"4-1s"}
    assert judge([], ["L1"], TWO_LEVELS) == ()
    assert names(Run({"L2": 3.5}), rules=TWO_LEVELS, levels="L1 L2") == {"1-3s"}, "a level may be missing"


def test_only_the_warning_rejects_nothing() -> None:
    assert [one.rejects for one in judge([run(2.5)], ["L1"], TWO_LEVELS)] == [False]
    assert {one.rejects for one in judge([run(3.5)], ["L1"], [Rule.W1_3S])} == {True}


@pytest.mark.parametrize(("mean", "sd"), [(1.0, 0.0), (1.0, -1.0), (float("inf"), 1.0), (1.0, float("nan"))])
def test_a_target_without_spread_is_refused(mean: float, sd: float) -> None:
    with pytest.raises(ValueError, match="check the lot"):
        Target(mean, sd)


def test_false_rejection_and_detection_are_as_simulated() -> None:
    """N = 2, first run: 1-2s alone rejects 8.7 % of good runs; 1-3s, 2-2s, R-4s reject 0.6 % and notice 86 % of shifts by 3 SD."""
    random = Random(1)
    rules = [Rule.W1_3S, Rule.W2_2S, Rule.R_4S]
    good = [run(random.gauss(0, 1), random.gauss(0, 1)) for _ in range(8000)]
    shifted = [run(one.z["L1"] + 3, one.z["L2"] + 3) for one in good]

    def share(runs: list[Run], wanted: list[Rule]) -> float:
        return sum(bool(judge([one], ["L1", "L2"], wanted)) for one in runs) / len(runs)

    assert abs(share(good, [Rule.W1_2S]) - 0.087) < 0.01
    assert share(good, rules) < 0.012
    assert abs(share(shifted, rules) - 0.86) < 0.02
