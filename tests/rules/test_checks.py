"""The primitives one by one: at the limit, just beyond it, and everything that makes the answer unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import PackError
from labmw.model import Case, Flag, HilIndices, Sex, VerdictLevel
from labmw.quantity import Quantity
from rules.checks import ABSURD, CHECKS, CRITICAL, LIMIT, Check
from rules.checks.delta import DeltaCheck, read_delta, span
from rules.checks.finding import About, Finding, Limits
from rules.checks.flag import FlagCheck, read_flag
from rules.checks.hil import HilCheck, read_hil
from rules.kleene import Truth
from rules.limits import read_limits
from rules.strict import Table
from rules.subject import subject
from tests.rules.cases import ADULT, HEADER, NOON, TUBE, K, before, case

ROWS = """K,F,18y,,*,*,mmol/L,3.0,5.5,2.8,6.2,1.5,12,s
K,M,18y,,*,*,mmol/L,3.0,5.0,2.8,6.0,1.5,12,s
K,*,18y,,DIAL,*,mmol/L,3.0,6.5,2.5,6.8,1.5,12,s
K,*,18y,,*,*,meq/L,3.0,,,,,,s
"""
LIMITS: Limits = read_limits("limits.csv", (HEADER + ROWS).encode(), {"K": (K,)}).of(K)


def ask(check: Check, one: Case, limits: Limits = LIMITS) -> Finding:
    return check.judge(subject(one), limits)


ABOUT = About((), {})


def table(**data: Any) -> Table:
    return Table("pack.toml", "rule[1]", data)


# --- limit, critical, absurd ---


@pytest.mark.parametrize(
    ("text", "limit", "critical", "absurd"),
    [
        ("1.49", True, True, True), ("1.5", True, True, False), ("1.51", True, True, False),
        ("2.79", True, True, False), ("2.8", True, False, False), ("2.81", True, False, False),
        ("2.999999", True, False, False), ("2.9999999999", False, False, False), ("3.0", False, False, False), ("3.01", False, False, False),
        ("5.49", False, False, False), ("5.5", False, False, False), ("5.5000000001", False, False, False), ("5.50001", True, False, False),
        ("6.2", True, False, False), ("6.21", True, True, False), ("12", True, True, False), ("12.01", True, True, True),
        ("<1.5", True, True, True), ("<=1.5", True, True, None), ("<2.8", True, True, None), ("<3.0", True, None, None), ("<4", None, None, None),
        (">6.2", True, True, None), (">=6.2", True, None, None), (">5", None, None, None), (">12", True, True, True),
    ],
)  # fmt: skip
def test_limits_limit_minus_at_and_plus(text: str, limit: Truth, critical: Truth, absurd: Truth) -> None:
    one = case(text)
    assert (ask(LIMIT, one).truth, ask(CRITICAL, one).truth, ask(ABSURD, one).truth) == (limit, critical, absurd)


def test_codes_and_facts() -> None:
    high, low = ask(LIMIT, case("6")), ask(LIMIT, case("2"))
    assert (high.code, low.code) == ("above-limit", "below-limit")
    assert dict(high.facts) == {"value": "6 mmol/L", "limit": "5.5 mmol/L", "sign": ">", "row": "limits.csv:2"}
    assert dict(low.facts)["limit"] == "3.0 mmol/L"
    assert ask(CRITICAL, case("7")).code == "critical"
    assert high.detail == "value < lim_lo [6 vs 3.0] -> false; value > lim_hi [6 vs 5.5] -> true; row limits.csv:2"
    assert ask(LIMIT, case()).facts == ()


def test_a_missing_limit_is_no_limit() -> None:
    assert ask(LIMIT, case("9", "meq/L")).truth is False
    assert ask(CRITICAL, case("9", "meq/L")).truth is False


def test_a_censored_value_is_left_to_the_policy() -> None:
    found = ask(LIMIT, case("<4"))
    assert (found.truth, found.code, found.level, found.possible) == (None, "censored", None, True)


@pytest.mark.parametrize("unit", ["mg/dL", "", "mmol/l", "10*9/L"])
def test_another_unit_is_never_compared(unit: str) -> None:
    found = ask(LIMIT, case("4.2", unit))
    assert (found.truth, found.code, found.level, found.possible) == (None, "unit-mismatch", VerdictLevel.HOLD, False)


def test_without_a_number_there_is_nothing_to_compare() -> None:
    for one in (case("hello"), case(quantity=Quantity(Decimal("NaN"), "", "mmol/L"))):
        found = ask(LIMIT, one)
        assert (found.truth, found.code, found.level) == (None, "missing-value", None)


@pytest.mark.parametrize(
    ("changes", "text", "truth", "code"),
    [
        ({"patient": replace(ADULT, sex=Sex.MALE)}, "5.2", True, "above-limit"),
        ({"patient": replace(ADULT, sex=Sex.UNKNOWN)}, "5.2", None, "demographics"),
        ({"patient": replace(ADULT, sex=Sex.UNKNOWN)}, "4.2", False, ""),
        ({"patient": replace(ADULT, sex=Sex.UNKNOWN)}, "5.6", True, "above-limit"),
        ({"specimen": replace(TUBE, ward="DIAL")}, "6.0", False, ""),
        ({"specimen": replace(TUBE, ward="")}, "6.0", None, "demographics"),
        ({"specimen": replace(TUBE, ward="")}, "6.6", True, "above-limit"),
        ({"patient": replace(ADULT, birth=None)}, "4.2", None, "demographics"),
        ({"patient": replace(ADULT, birth=NOON.date())}, "4.2", None, "no-limits"),
        ({"patient": None, "specimen": None}, "4.2", None, "demographics"),
    ],
)
def test_what_is_unknown_of_the_patient(changes: dict[str, Any], text: str, truth: Truth, code: str) -> None:
    found = ask(LIMIT, case(text, **changes))
    assert found.truth is truth
    if truth is not False:
        assert found.code == code
    if truth is None:
        assert found.level is VerdictLevel.HOLD


def test_an_unknown_sex_may_hide_a_critical_value() -> None:
    unknown = replace(ADULT, sex=Sex.UNKNOWN)
    assert ask(CRITICAL, case("6.1", patient=unknown)).possible
    assert not ask(CRITICAL, case("5.0", patient=replace(ADULT, birth=None))).possible


# --- flag ---


def test_flags() -> None:
    check = FlagCheck(frozenset({Flag.CLOT, Flag.DILUTED}))
    found = ask(check, case(flags=frozenset({Flag.DILUTED, Flag.HIGH})))
    assert (found.truth, dict(found.facts)["flags"]) == (True, "diluted")
    assert ask(check, case(flags=frozenset({Flag.HIGH}))).truth is False
    assert ask(check, case()).truth is False


def test_reading_flags() -> None:
    assert read_flag(table(flags=["clot"]), ABOUT) == FlagCheck(frozenset({Flag.CLOT}))
    for data, what in (({}, "flags: is missing"), ({"flags": ["cloth"]}, "did you mean 'clot'")):
        with pytest.raises(PackError, match=what):
            read_flag(table(**data), ABOUT)


# --- hil ---

HIL = HilCheck("H", {"acme-x100": Decimal(50)}, "mg/dL", "up")


@pytest.mark.parametrize(
    ("index", "truth"), [("0", False), ("49.9", False), ("50", False), ("50.1", True), ("NaN", None)]
)
def test_hil_at_the_threshold(index: str, truth: Truth) -> None:
    found = ask(HIL, case(indices=HilIndices(haemolysis=Decimal(index))))
    assert (found.truth, found.code) == (truth, "haemolysis" if truth is not None else "index-missing")


def test_an_index_that_was_not_measured_is_unknown_not_zero() -> None:
    for indices in (None, HilIndices(icterus=Decimal(1))):
        found = ask(HIL, case(indices=indices))
        assert (found.truth, found.code) == (None, "index-missing")


@pytest.mark.parametrize(("more_than", "truth"), [("10", None), ("50", True), ("500", True)])
def test_an_index_of_more_than_a_number_is_never_below_the_threshold(more_than: str, truth: Truth) -> None:
    found = ask(HIL, case(indices=HilIndices(Decimal(more_than), beyond=frozenset({"haemolysis"}))))
    assert (found.truth, found.code) == (truth, "haemolysis")
    assert dict(found.facts)["index"] == f">{more_than} mg/dL"
    assert found.level is (VerdictLevel.HOLD if truth is None else None)  # not measured is something else


def test_the_analyzers_own_flag_counts_without_an_index() -> None:
    found = ask(HIL, case(indices=None, flags=frozenset({Flag.HAEMOLYSIS})))
    assert (found.truth, found.code) == (True, "haemolysis")


def test_a_threshold_belongs_to_a_driver() -> None:
    found = ask(HIL, case(driver="other"))
    assert (found.truth, found.code) == (None, "index-scale")
    general = replace(HIL, threshold={"": Decimal(2), "acme-x100": Decimal(50)})
    assert ask(general, case(driver="other")).truth is True
    assert ask(general, case()).truth is False


def test_each_index_has_its_own_word() -> None:
    one = case(indices=HilIndices(Decimal(99), Decimal(99), Decimal(99)))
    codes = [ask(replace(HIL, index=letter), one).code for letter in "HIL"]
    assert codes == ["haemolysis", "icterus", "lipaemia"]


def test_reading_hil() -> None:
    assert read_hil(table(index="H", threshold={"acme-x100": 50}, scale="mg/dL", direction="up"), ABOUT) == HIL
    assert read_hil(table(index="L", threshold=2, scale="class", direction="down"), ABOUT).threshold == {"": Decimal(2)}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"index": "X"}, "known are H, I, L"), ({"threshold": "50"}, "is not a number"), ({"threshold": -1}, "threshold: -1 is negative"),
        ({"threshold": {"a": -1}}, "threshold.a: -1 is negative"), ({"scale": ""}, "say on which scale"), ({"direction": "left"}, "known are down, up"),
    ],
)  # fmt: skip
def test_reading_hil_refuses(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(PackError, match=what):
        read_hil(table(**{"index": "H", "threshold": 50, "scale": "mg/dL", "direction": "up", **changes}), ABOUT)


# --- delta ---


def delta(mode: str = "percent", limit: str = "20", unit: str = "", direction: str = "both") -> DeltaCheck:
    return DeltaCheck(mode, {unit: Decimal(limit)}, timedelta(hours=72), direction, VerdictLevel.RELEASE)


@pytest.mark.parametrize(
    ("check", "now", "then", "truth"),
    [
        (delta(), "4.8", "4.0", False), (delta(), "4.81", "4.0", True), (delta(), "3.2", "4.0", False), (delta(), "3.19", "4.0", True),
        (delta(direction="up"), "3.0", "4.0", False), (delta(direction="up"), "4.9", "4.0", True),
        (delta(direction="down"), "5.0", "4.0", False), (delta(direction="down"), "3.1", "4.0", True),
        (delta("absolute", "1.1", "mmol/L"), "5.1", "4.0", False), (delta("absolute", "1.1", "mmol/L"), "5.11", "4.0", True),
        (delta("absolute", "0.1", "mmol/L"), "0.3", "0.2", False),  # 0.3 - 0.2 is not 0.1 in binary64, and is equal to it here
        (delta("rate-per-hour", "0.05", "mmol/L"), "5.2", "4.0", False), (delta("rate-per-hour", "0.05", "mmol/L"), "5.3", "4.0", True),
        (delta("rate-per-day", "1.2", "mmol/L"), "5.2", "4.0", False), (delta("rate-per-day", "1.2", "mmol/L"), "5.3", "4.0", True),
        (delta(), "<4.0", "4.0", None), (delta(), "<3.2", "4.0", True), (delta(), ">4.8", "4.0", True), (delta(), ">4", "4.0", None),
        (delta(), "10", "<4.0", None), (delta(), "4.0", ">3.9", None), (delta("absolute", "1", "mmol/L"), "9", "<4.0", True),
        (delta(), "4.0", "0", None),
    ],
)  # fmt: skip
def test_delta_limits(check: DeltaCheck, now: str, then: str, truth: Truth) -> None:
    assert ask(check, case(now, history=(before(then),))).truth is truth


def test_delta_facts_name_the_previous_result() -> None:
    found = ask(delta("rate-per-day", "1", "mmol/L"), case("6.0", history=(before("4.0"),)))
    expected = {
        "value": "6.0 mmol/L",
        "previous": "4.0 mmol/L",
        "hours": "24",
        "change": "2 mmol/L/d",
        "limit": "1 mmol/L/d",
        "check": "delta",
    }
    assert dict(found.facts) == expected
    assert "2026-01-14T12:00:00+00:00" in found.detail


@pytest.mark.parametrize(
    ("history", "code", "level"),
    [
        (None, "no-history", None),
        ((), "no-previous", VerdictLevel.RELEASE),
        ((before("4", 73),), "no-previous", VerdictLevel.RELEASE),
        ((before("4", 0),), "no-previous", VerdictLevel.RELEASE),
        ((before("4", -1),), "no-previous", VerdictLevel.RELEASE),
        ((before("4", method="B"),), "no-previous", VerdictLevel.RELEASE),
        ((before("4", laboratory="L2"),), "no-previous", VerdictLevel.RELEASE),
        ((before("4", unit="mg/dL"),), "previous-unit", None),
        ((before("0"),), "previous-unusable", None),
        ((replace(before("4"), quantity=Quantity(Decimal("NaN"), "", "mmol/L")),), "previous-unusable", None),
    ],
)
def test_without_a_comparable_result_delta_is_unknown_never_first_result(
    history: Any, code: str, level: VerdictLevel | None
) -> None:
    found = ask(delta(), case(history=history, method="A", laboratory="L1"))
    assert (found.truth, found.code, found.level) == (None, code, level)


def test_the_newest_comparable_result_counts() -> None:
    history = (
        before("9", 48),
        before("4.1", 24),
        before("9", 12, method="B"),
        before("9", 6, unit="mg/dL"),
        before("9", 72),
    )
    assert ask(delta(), case(history=history, method="A")).truth is False
    assert ask(delta(), case(history=history)).truth is True  # the method is not known here, so 12 h ago is comparable
    assert ask(delta(), case(history=(before("9", 72),))).truth is True  # the window includes its end


def test_a_unit_without_a_delta_limit_is_held() -> None:
    found = ask(delta("absolute", "1", "mmol/L"), case("4", "mg/dL", history=(before("4"),)))
    assert (found.truth, found.code, found.level) == (None, "unit-mismatch", VerdictLevel.HOLD)


def test_delta_needs_a_number_and_a_time() -> None:
    assert ask(delta(), case("hello")).code == "missing-value"
    assert ask(delta(), case(completed=None)).code == "no-time"


@given(now=st.integers(1, 2000), then=st.integers(1, 2000), factor=st.sampled_from([1, 10, 1000]))
def test_percent_does_not_depend_on_the_unit(now: int, then: int, factor: int) -> None:
    one = ask(delta(), case(f"{now}", history=(before(f"{then}"),)))
    scaled = ask(delta(), case(f"{now * factor}", "umol/L", history=(before(f"{then * factor}", unit="umol/L"),)))
    assert one.truth is scaled.truth


def test_spans() -> None:
    assert span("72h") == timedelta(hours=72)
    assert span("7d") == timedelta(days=7)
    for text in ("", "0h", "h", "7", "7w", "1.5h", "999999h"):
        assert span(text) is None


GOOD = {"mode": "absolute", "limit": {"mmol/L": 1}, "window": "3d", "if_no_previous": "pass"}


def test_reading_delta() -> None:
    assert read_delta(table(**GOOD), ABOUT) == replace(delta("absolute", "1", "mmol/L"))
    assert read_delta(table(**{**GOOD, "limit": {"mEq/L": 1}}), ABOUT).limit == {"meq/L": Decimal(1)}
    percent = read_delta(table(mode="percent", limit=20, window="72h", direction="up", if_no_previous="hold"), ABOUT)
    assert percent == replace(delta(direction="up"), no_previous=VerdictLevel.HOLD)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"mode": "relative"}, "known are"), ({"limit": 5}, "limit: has no unit"), ({"limit": {}}, "empty table"),
        ({"limit": {"mmole": 5}}, "is not a unit"), ({"limit": {"mEq/L": 5, "meq/L": 5}}, "names one unit twice"),
        ({"limit": {"mmol/L": 0}}, "not more than zero"), ({"window": "3 days"}, "is not a time span"),
        ({"direction": "left"}, "known are"), ({"if_no_previous": "release"}, "known are hold, pass, review"),
        ({"mode": "percent"}, "is not a number"),
    ],
)  # fmt: skip
def test_reading_delta_refuses(changes: dict[str, Any], what: str) -> None:
    with pytest.raises(PackError, match=what):
        read_delta(table(**{**GOOD, **changes}), ABOUT)


def test_if_no_previous_has_no_default() -> None:
    with pytest.raises(PackError, match="if_no_previous: is missing"):
        read_delta(table(**{key: value for key, value in GOOD.items() if key != "if_no_previous"}), ABOUT)


def test_the_table_of_checks_is_closed_and_names_itself() -> None:
    made: dict[str, Check] = {
        "limit": LIMIT, "critical": CRITICAL, "absurd": ABSURD, "delta": delta(), "flag": FlagCheck(frozenset()), "hil": HIL,
    }  # fmt: skip
    assert set(made) <= set(CHECKS)
    assert all(check.name == name for name, check in made.items())
    assert [CHECKS[name](table(), ABOUT) for name in ("limit", "critical", "absurd")] == [LIMIT, CRITICAL, ABSURD]
