"""The guards that no pack can switch off: a pack that would release everything still releases none of these."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from labmw.model import Flag, VerdictLevel
from labmw.quantity import Quantity
from rules.engine import judge
from rules.guards import ALARMS, CORRECTED, FINAL, GUARDS, IN_DOUBT
from rules.pack import Packs
from tests.rules.cases import ALL_RULES, FLAG, HEAD, HEADER, LIMIT, UNIT, active, case, changed, result, rule

WIDE = HEADER + "K,*,0d,,*,*,mmol/L,-1000000,5.5,,,,,here\n"


@pytest.fixture(scope="module")
def lenient(tmp_path_factory: pytest.TempPathFactory) -> Packs:
    """A pack that only asks for less than 5.5 and passes whatever it cannot know."""
    text = LIMIT.replace("[[rule.test]]", 'if_missing = "pass"\n[[rule.test]]', 1)
    return active(tmp_path_factory.mktemp("lenient"), [text], csv=WIDE, head=HEAD + 'words = ["NEGATIVE"]\n')


SIBLING = result("4.9", key=replace(result().key, run="2"))

CASES: dict[str, tuple[dict[str, Any], VerdictLevel]] = {
    "unterminated": ({"terminated": False}, VerdictLevel.HOLD),
    "quarantined": ({"problem": "unknown-code"}, VerdictLevel.BLOCK),
    "detail": ({"main": False}, VerdictLevel.BLOCK),
    "preliminary": ({"status": "P"}, VerdictLevel.HOLD),
    "corrected": ({"status": "C"}, VerdictLevel.HOLD),
    "instrument-flag": ({"flags": frozenset({Flag.CLOT})}, VerdictLevel.HOLD),
    "unknown-flag": ({"flags": frozenset({Flag.UNKNOWN}), "flags_raw": "Q"}, VerdictLevel.HOLD),
    "rerun": ({"siblings": (SIBLING,)}, VerdictLevel.HOLD),
    "no-patient": ({"patient": None}, VerdictLevel.HOLD),
    "no-rule": ({"loinc": "718-7"}, VerdictLevel.HOLD),
    "missing-value": ({"value": "", "quantity": None}, VerdictLevel.HOLD),
    "word-not-allowed": ({"value": "POSITIVE", "quantity": None}, VerdictLevel.HOLD),
}


def test_the_plain_case_is_released(lenient: Packs) -> None:
    assert judge(case(), lenient).level is VerdictLevel.RELEASE


@pytest.mark.parametrize("code", CASES)
def test_every_guard(lenient: Packs, code: str) -> None:
    changes, level = CASES[code]
    verdict = judge(changed(changes), lenient)
    assert verdict.level is level
    assert code in {one.code for one in verdict.reasons}
    assert not verdict.released


# Stopped packs: test_packs.py; tests for a biologist: test_reserved.py.
@pytest.mark.parametrize("name", [name for name, _ in GUARDS if name not in ("labmw/pack", "labmw/reserved")])
def test_the_variant_without_a_guard_is_noticed(lenient: Packs, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one guard away: one of the cases above must then be released, or hold for another reason only."""
    before = {code: judge(changed(changes), lenient) for code, (changes, _) in CASES.items()}
    monkeypatch.setattr("rules.engine.GUARDS", tuple(one for one in GUARDS if one[0] != name))
    after = {code: judge(changed(changes), lenient) for code, (changes, _) in CASES.items()}
    assert any(after[code].level < before[code].level for code in CASES)


@pytest.mark.parametrize(
    "status", [*sorted(FINAL), *sorted(CORRECTED), "P", "I", "S", "N", "W", "X", "M", "Q", "D", "U", "f", "F ", "?"]
)
def test_only_final_statuses_are_final(lenient: Packs, status: str) -> None:
    assert judge(case(status=status), lenient).released is (status in {"", "F", "V", "R"})


@pytest.mark.parametrize("flag", list(Flag))
def test_flags_by_which_the_analyzer_doubts_itself(lenient: Packs, flag: Flag) -> None:
    held = flag in IN_DOUBT | {Flag.UNKNOWN, Flag.RERUN}
    assert judge(case(flags=frozenset({flag})), lenient).released is not held
    assert not (IN_DOUBT & ALARMS)


def test_reruns(lenient: Packs) -> None:
    other_test = result(loinc="718-7")
    detail = replace(SIBLING, main=False)
    index = replace(SIBLING, index="H")
    itself = result()
    assert judge(case(siblings=(other_test, detail, index, itself)), lenient).released
    assert not judge(case(earlier_runs=1), lenient).released
    facts = dict(
        judge(case(siblings=(SIBLING, replace(SIBLING, quantity=None, value="ERROR"))), lenient).reasons[0].facts
    )
    assert facts["others"] == "4.9 mmol/L, ERROR"


def test_an_index_is_no_result(lenient: Packs) -> None:
    assert judge(case(index="H"), lenient).level is VerdictLevel.BLOCK


def test_words(lenient: Packs) -> None:
    assert judge(case("NEGATIVE"), lenient).released
    for word in ("negative", "NEGATIVE ", "DETECTED", " "):
        assert not judge(case(word), lenient).released
    not_a_number = Quantity(Decimal("NaN"), "", "mmol/L")
    verdict = judge(case("NEGATIVE", quantity=not_a_number), lenient)
    assert "missing-value" in {one.code for one in verdict.reasons}


def test_a_number_where_only_words_are_judged(tmp_path: Path) -> None:
    head = HEAD.replace('limits = "limits.csv"\n', "") + 'words = ["NEGATIVE"]\n'
    packs = active(tmp_path, [FLAG], head=head)
    assert judge(case("NEGATIVE"), packs).released
    assert {one.code for one in judge(case("4.2"), packs).reasons} == {"no-rule"}


def test_a_rule_that_compares_runs_takes_the_place_of_the_person(tmp_path: Path) -> None:
    text = rule(
        "RUNS", "rerun", keys='percent = 5\nsource = "here"\nif_missing = "hold"',
        fires=f'value = "4.2", {UNIT}, runs = ["6.0"]', passes=f'value = "4.2", {UNIT}, runs = ["4.1"]',
    )  # fmt: skip
    known = case(earlier_runs=1, runs=(result("4.1"),))
    assert not judge(known, active(tmp_path / "without")).released
    assert judge(known, active(tmp_path / "with", (*ALL_RULES, text))).released
    assert not judge(case(earlier_runs=1), active(tmp_path / "unknown", (*ALL_RULES, text))).released
    weak = text.replace('if_missing = "hold"', 'if_missing = "pass"')
    assert not judge(known, active(tmp_path / "weak", (*ALL_RULES, weak))).released, (
        "a rule that lets the unknown pass compares nothing"
    )
