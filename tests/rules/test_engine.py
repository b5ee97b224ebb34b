"""The verdict: a maximum over everything asked, never lowered by one rule more, never left to an error."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from labmw.model import Case, Flag, HilIndices, Sex, VerdictLevel
from labmw.quantity import Quantity
from rules.checks.bounds import BoundsCheck
from rules.engine import critical, judge, worst
from rules.pack import Packs, Plan
from tests.rules.cases import (
    ABSURD,
    ADULT,
    CRITICAL,
    DELTA,
    FLAG,
    HEAD,
    HEADER,
    HIL,
    LIMIT,
    LIMITS,
    TUBE,
    active,
    before,
    case,
)

LEVELS = st.sampled_from(list(VerdictLevel))
CSV = LIMITS + "K,*,0d,,DIAL,*,mmol/L,3.0,6.5,2.5,6.8,1.5,12,here\n"


# --- the lattice ---


@given(LEVELS, LEVELS, LEVELS)
def test_worst_is_a_lattice(a: VerdictLevel, b: VerdictLevel, c: VerdictLevel) -> None:
    assert worst(a, b) == worst(b, a)
    assert worst(a, worst(b, c)) == worst(worst(a, b), c)
    assert worst(a, a) == a
    assert worst(a, VerdictLevel.RELEASE) == a
    assert worst(a, b) >= a
    assert worst() is VerdictLevel.RELEASE


# --- any case, any rules ---


@st.composite
def cases(draw: st.DrawFn) -> Case:
    text = draw(st.sampled_from(["", "<", ">", "<=", ">="])) + draw(
        st.sampled_from(["1.4", "2.8", "3.0", "4.2", "5.5", "5.6", "6.2", "6.3", "13"])
    )
    history: Any = draw(
        st.sampled_from([None, (), (before("4.0"),), (before("3.9", 100),), (before("4", unit="mg/dL"),)])
    )
    indices = draw(st.sampled_from([None, HilIndices(), HilIndices(Decimal(10)), HilIndices(Decimal(60))]))
    flags: frozenset[Flag] = draw(
        st.frozensets(st.sampled_from([Flag.HIGH, Flag.HAEMOLYSIS, Flag.RERUN, Flag.UNKNOWN]), max_size=2)
    )
    patient = draw(st.sampled_from([None, ADULT, replace(ADULT, sex=Sex.UNKNOWN), replace(ADULT, birth=None)]))
    tube = draw(st.sampled_from([None, TUBE, replace(TUBE, ward="DIAL"), replace(TUBE, ward="")]))
    unit = draw(st.sampled_from(["mmol/L", "mmol/L", "mmol/L", "mg/dL"]))
    return case(text, unit, history=history, indices=indices, flags=flags, patient=patient, specimen=tube)


POLICIES = [
    rule.replace("[[rule.test]]", f'if_missing = "{policy}"\n[[rule.test]]', 1)
    for rule in (LIMIT, CRITICAL, ABSURD, HIL)
    for policy in ("pass", "review")
]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Packs:
    """A pack with many rules; the tests below judge with some of them."""
    rules = [LIMIT, CRITICAL, ABSURD, DELTA, HIL, FLAG]
    named = [rule.replace('id = "', f'id = "{place}-') for place, rule in enumerate([*rules, *POLICIES])]
    return active(tmp_path_factory.mktemp("many"), named, csv=CSV)


def chosen(packs: Packs, places: Sequence[int]) -> Packs:
    """The same packs with only these rules, in this order."""
    plans = {
        loinc: replace(plan, steps=tuple(plan.steps[place] for place in places)) for loinc, plan in packs.plans.items()
    }
    return replace(packs, plans=plans)


PLACES = st.lists(st.integers(0, 5 + len(POLICIES)), unique=True, max_size=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases(), PLACES, st.integers(0, 5 + len(POLICIES)))
def test_one_rule_more_never_lowers_a_verdict(steps: Packs, one: Case, places: list[int], more: int) -> None:
    fewer, all_ = judge(one, chosen(steps, places)), judge(one, chosen(steps, [*places, more]))
    assert all_.level >= fewer.level
    assert set(fewer.reasons) <= set(all_.reasons)


@given(cases(), PLACES, st.randoms())
def test_the_order_of_rules_does_not_matter(steps: Packs, one: Case, places: list[int], random: Any) -> None:
    shuffled = list(places)
    random.shuffle(shuffled)
    first, second = judge(one, chosen(steps, places)), judge(one, chosen(steps, shuffled))
    assert (first.level, first.reasons, set(first.trace)) == (second.level, second.reasons, set(second.trace))


@given(cases())
def test_the_verdict_is_the_worst_reason_and_every_rule_is_in_the_trace(steps: Packs, one: Case) -> None:
    verdict = judge(one, steps)
    assert verdict.level == worst(*(reason.level for reason in verdict.reasons))
    assert [name for name, _, _ in verdict.trace[-len(steps.plan("2823-3").steps) :]] == [
        step.name for step in steps.plan("2823-3").steps
    ]
    assert {word for _, word, _ in verdict.trace} <= {"fired", "passed", "unknown", "exempt"}
    assert verdict.reasons == tuple(sorted(verdict.reasons, key=lambda reason: -reason.level))


# Every situation that must not leave by itself, though the value alone would.
UNKNOWN: dict[str, dict[str, Any]] = {
    "history not available": {"history": None}, "index not measured": {"indices": None}, "unit without limits": {"unit": "mg/dL"},
    "age unknown": {"patient": replace(ADULT, birth=None)}, "birth after collection": {"patient": replace(ADULT, birth=date(2026, 2, 1))},
    "a bound only": {"text": "<5.6"}, "no number": {"quantity": Quantity(Decimal("NaN"), "", "mmol/L")}, "time unknown": {"completed": None},
    "previous in another unit": {"history": (before("4", unit="mg/dL"),)},
}  # fmt: skip
ADULTS = LIMITS.replace("0d,,", "18y,,")
OLDER = [rule.replace("given = { ", 'given = { age = "40y", ') for rule in (LIMIT, CRITICAL, ABSURD, DELTA, HIL, FLAG)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Packs:
    return active(tmp_path_factory.mktemp("whole"), OLDER, csv=ADULTS)


@pytest.mark.parametrize("what", UNKNOWN)
def test_unknown_is_held_by_default(whole: Packs, what: str) -> None:
    verdict = judge(case(**UNKNOWN[what]), whole)
    assert verdict.level is VerdictLevel.HOLD
    assert any(word == "unknown" for _, word, _ in verdict.trace)


def test_known_is_released(whole: Packs) -> None:
    verdict = judge(case(), whole)
    assert (verdict.level, verdict.reasons, verdict.comments) == (VerdictLevel.RELEASE, (), ())
    assert ("small/DELTA", "unknown") in {line[:2] for line in verdict.trace}  # no previous result: not "passed"


def test_the_variant_that_takes_unknown_for_false_is_noticed(whole: Packs, monkeypatch: pytest.MonkeyPatch) -> None:
    """With two-valued logic most of the situations above would be released: this suite tells the difference."""
    from rules import rule as rule_module
    from rules.rule import Outcome, apply

    def careless(*arguments: Any) -> Outcome:
        outcome = apply(*arguments)
        return Outcome("passed", VerdictLevel.RELEASE, outcome.detail) if outcome.word == "unknown" else outcome

    monkeypatch.setattr("rules.engine.apply", careless)
    released = [what for what in UNKNOWN if judge(case(**UNKNOWN[what]), whole).released]
    assert len(released) >= len(UNKNOWN) - 1
    assert rule_module.apply is apply


def test_the_variant_that_takes_a_censored_value_for_a_point_is_noticed(
    whole: Packs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rules.subject
    from rules.interval import interval

    monkeypatch.setattr(rules.subject, "interval", lambda quantity: interval(replace(quantity, comparator="")))
    assert judge(case("<5.0"), whole).released


def test_the_variant_that_converts_nothing_but_compares_anyway_is_noticed(whole: Packs) -> None:
    plan = whole.plan("2823-3")
    careless = {
        "2823-3": replace(
            plan, steps=tuple(replace(s, limits={"mg/dL": next(iter(s.limits.values()))}) for s in plan.steps)
        )
    }
    assert not judge(case("4.2", "mg/dL"), whole).released
    assert judge(case("4.2", "mg/dL"), replace(whole, plans=careless)).released


# --- errors ---


def test_a_rule_that_fails_holds_its_result_and_the_others_still_judge(
    whole: Packs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundsCheck, "judge", lambda *_: 1 / 0)
    verdict = judge(case(flags=frozenset({Flag.HIGH})), whole)
    assert verdict.level is VerdictLevel.HOLD
    assert {one.code for one in verdict.reasons} == {"rule-error", "flag"}
    assert ("small/LIMIT", "unknown", "rule-error ZeroDivisionError: division by zero") in verdict.trace
    found = critical(case(), whole)
    assert found is not None
    assert found.code == "rule-error"


def test_times_that_cannot_be_compared_hold(whole: Packs) -> None:
    naive = case(history=(replace(before("4"), completed=datetime(2026, 1, 14)),))
    assert "rule-error" in {one.code for one in judge(naive, whole).reasons}


def test_a_guard_that_fails_holds(whole: Packs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.engine.GUARDS", (("labmw/x", lambda *_: 1 / 0),))
    assert [(one.code, one.rule) for one in judge(case(), whole).reasons] == [("rule-error", "labmw/x")]


def test_a_case_that_cannot_be_looked_at_is_held(whole: Packs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.engine.subject", lambda _: 1 / 0)
    verdict = judge(case(), whole)
    assert (verdict.level, [one.code for one in verdict.reasons]) == (VerdictLevel.HOLD, ["rule-error"])
    found = critical(case(), whole)
    assert found is not None
    assert found.code == "rule-error"


def test_without_any_pack_everything_is_held() -> None:
    assert [one.code for one in judge(case(), Packs()).reasons] == ["no-rule"]


# --- what rules bring ---


def test_reasons_keep_the_packs_own_sentences(whole: Packs) -> None:
    facts = dict(judge(case("5.6"), whole).reasons[0].facts)
    assert facts["message_en"] == "5.6 mmol/L fired"
    assert facts["message_fr"] == "5.6 mmol/L déclenché"


def test_a_comment_is_released_and_goes_along_in_the_language_of_the_site(tmp_path: Path) -> None:
    packs = active(
        tmp_path,
        [
            LIMIT,
            FLAG.replace('verdict = "hold"', 'verdict = "comment"').replace('expect = "hold"', 'expect = "comment"'),
        ],
        csv=HEADER + "K,*,0d,,*,*,mmol/L,3.0,5.5,,,,,here\n",
    )
    one = case(flags=frozenset({Flag.HIGH}))
    verdict = judge(one, packs)
    assert (verdict.level, verdict.released, verdict.comments) == (
        VerdictLevel.COMMENT,
        True,
        ("4.2 mmol/L déclenché",),
    )
    assert judge(one, replace(packs, language="en")).comments == ("4.2 mmol/L fired",)


def test_an_exempt_ward_is_shown(tmp_path: Path) -> None:
    exempt = '[[rule.exempt]]\nwards = ["DIAL"]\nreason.en = "dialysis"\nreason.fr = "dialyse"\n[[rule.test]]'
    packs = active(tmp_path, [LIMIT, CRITICAL.replace("[[rule.test]]", exempt, 1), ABSURD], csv=CSV)
    high = case("7.0", specimen=replace(TUBE, ward="DIAL"))
    words = {name: (word, detail) for name, word, detail in judge(high, packs).trace}
    assert words["small/CRITICAL"] == ("exempt", "ward DIAL: dialysis / dialyse")
    assert critical(high, packs) is None
    assert critical(case("7.0", specimen=replace(TUBE, ward="")), packs) is not None  # ward unknown: not exempt


def test_a_rule_for_some_drivers_spares_the_others(tmp_path: Path) -> None:
    packs = active(
        tmp_path, [LIMIT, CRITICAL, ABSURD, HIL.replace("[[rule.test]]", 'drivers = ["other"]\n[[rule.test]]', 1)]
    )
    assert judge(case(indices=None), packs).released
    assert not judge(case(indices=None, driver="other"), packs).released
    assert not judge(case(indices=None, driver=""), packs).released


def test_words_exempt_rules_that_need_a_number(tmp_path: Path) -> None:
    packs = active(tmp_path, [LIMIT, CRITICAL, ABSURD, DELTA], head=HEAD + 'words = ["NOT DETECTED"]\n')
    verdict = judge(case("NOT DETECTED"), packs)
    assert verdict.released
    assert ("small/LIMIT", "exempt", "word 'NOT DETECTED'") in verdict.trace


# --- critical values, for the alert at intake ---


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"text": "4.2"}, None), ({"text": "5.6"}, None), ({"text": "6.2"}, None), ({"text": "6.3"}, "critical"), ({"text": "2.7"}, "critical"),
        ({"text": "6.3", "terminated": False, "problem": "no-order"}, "critical"), ({"text": "13"}, "critical"),
        ({"text": "13", "patient": None, "specimen": None}, "critical"), ({"text": ">6.3"}, "critical"),
        ({"text": ">6.0"}, "critical-possible"), ({"text": "6.5", "specimen": replace(TUBE, ward="")}, "critical-possible"),
        ({"text": "6.5", "unit": "mg/dL"}, None), ({"text": "4.2", "loinc": "718-7"}, None), ({"text": "hello"}, None),
        ({"text": "4.2", "flags": frozenset({Flag.CRITICAL_LOW})}, "critical-flag"), ({"text": "4.2", "flags": frozenset({Flag.HIGH})}, None),
        ({"text": "4.2", "loinc": "718-7", "flags": frozenset({Flag.CRITICAL_HIGH})}, "critical-flag"),
        ({"text": ">6.0", "flags": frozenset({Flag.CRITICAL_HIGH})}, "critical-possible"),
    ],
)  # fmt: skip
def test_critical(steps: Packs, changes: dict[str, Any], code: str | None) -> None:
    found = critical(case(**changes), steps)
    assert (None if found is None else found.code) == code


def test_a_policy_that_passes_does_not_silence_the_alert(tmp_path: Path) -> None:
    passing = CRITICAL.replace("[[rule.test]]", 'if_missing = "pass"\n[[rule.test]]', 1)
    found = critical(case(">6.0"), active(tmp_path, [LIMIT, passing, ABSURD]))
    assert found is not None
    assert found.code == "critical-possible"


def test_every_critical_verdict_has_its_alert(steps: Packs) -> None:
    for text, ward in itertools.product(("2.4", "2.6", "6.3", "6.9"), ("MED", "DIAL")):
        one = case(text, specimen=replace(TUBE, ward=ward))
        fired = any("CRITICAL" in name and word == "fired" for name, word, _ in judge(one, steps).trace)
        assert (critical(one, steps) is not None) == fired


def test_a_plan_knows_only_what_can_apply(steps: Packs) -> None:
    plan = steps.plan("2823-3")
    assert isinstance(plan, Plan)
    assert {step.rule.check.name for step in plan.critical} == {"critical"}
