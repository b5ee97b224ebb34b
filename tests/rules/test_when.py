"""Does a rule that spells out a condition do what it says, and is a mistake in it refused with file, line and remedy?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from labmw.errors import PackError
from labmw.model import Case, Flag, HilIndices, Result, ResultKey, VerdictLevel
from labmw.quantity import Quantity
from rules.engine import judge
from rules.pack import load
from tests.rules.cases import HEAD, HEADER, LIMIT, NOON, TUBE, UNIT, active, before, case, write

ANALYTES = """
[analytes.CA]
loinc = ["2000-8"]
unit = "mmol/L"
words = ["not measured"]
name.en = "Calcium"
name.fr = "Calcium"
[analytes.ALB]
loinc = ["1751-7"]
words = ["x"]
name.en = "Albumin"
name.fr = "Albumine"
"""
HEAD_K = HEAD.replace('loinc = ["2823-3"]', 'loinc = ["2823-3"]\nunit = "mmol/L"') + ANALYTES


def rule(when: str, *, fires: str, passes: str, keys: str = "", analytes: str = '["K"]') -> str:
    return f"""
[[rule]]
id = "WHEN"
analytes = {analytes}
when = '''{when}'''
verdict = "hold"
source = "here"
message.en = "{{value}}: {{condition}}"
message.fr = "{{value}} : {{condition}}"
{keys}
[[rule.test]]
name = "fires"
given = {{ {fires} }}
expect = "hold"
[[rule.test]]
name = "passes"
given = {{ {passes} }}
expect = "release"
"""


CSV = HEADER + "K,*,0d,,*,*,mmol/L,3.0,5.5,,,,,here\n"
LIMIT_K = LIMIT.replace('check = "limit"', 'check = "limit"\nanalytes = ["K"]')
EDTA = rule(
    "value > 5.2 and CA < 1.9",
    fires=f'value = "5.4", {UNIT}, with = {{ CA = "1.1" }}',
    passes=f'value = "5.4", {UNIT}, with = {{ CA = "2.3" }}',
    keys='if_missing = "review"',
)


def sibling(loinc: str, text: str, unit: str, **changes: Any) -> Result:
    key = ResultKey("site", "analyzer", "tube", "x", "", "", "")
    return replace(Result(key, text, Quantity(Decimal(text), "", unit), loinc=loinc), **changes)


def outcome(folder: Path, one: Case, text: str = EDTA) -> tuple[VerdictLevel, str, str]:
    verdict = judge(one, active(folder, (LIMIT_K, text), head=HEAD_K, csv=CSV))
    word, detail = next((word, detail) for name, word, detail in verdict.trace if name == "small/WHEN")
    return verdict.level, word, detail


def test_it_fires_passes_and_is_unknown(tmp_path: Path) -> None:
    calcium = sibling("2000-8", "1.1", "mmol/L")
    low = case("5.4", siblings=(calcium,))
    assert outcome(tmp_path, low) == (
        VerdictLevel.HOLD,
        "fired",
        "value > 5.2 [5.4 vs 5.2] -> true; CA < 1.9 [1.1 vs 1.9] -> true",
    )
    assert outcome(tmp_path, case("5.4"))[:2] == (VerdictLevel.REVIEW, "unknown")
    assert outcome(tmp_path, case("4.4"))[:2] == (VerdictLevel.RELEASE, "passed"), (
        "what is missing decides nothing here"
    )
    for twice in (calcium, replace(calcium, quantity=Quantity(Decimal("2.2"), "", "mmol/L"))):
        assert outcome(tmp_path, case("5.4", siblings=(calcium, twice)))[1] == "unknown", "two results are no fact"
    assert outcome(tmp_path, case("5.4", siblings=(replace(calcium, problem="no-order"),)))[1] == "unknown"
    assert outcome(tmp_path, case("5.4", siblings=(replace(calcium, main=False),)))[1] == "unknown"
    assert outcome(tmp_path, case("5.4", siblings=(replace(calcium, quantity=None, value="low"),)))[1] == "unknown"


def test_another_unit_holds_and_is_named(tmp_path: Path) -> None:
    packs = active(tmp_path, (LIMIT_K, EDTA), head=HEAD_K, csv=CSV)
    verdict = judge(case("5.4", siblings=(sibling("2000-8", "4.4", "mg/dL"),)), packs)
    assert verdict.level is VerdictLevel.HOLD
    assert [(one.code, dict(one.facts)["names"]) for one in verdict.reasons] == [("condition-unit", "CA")]


@pytest.mark.parametrize(
    ("when", "changes", "word"),
    [
        ("abs(value - previous) > 1 and hours <= 48", {"history": (before("3.0"), before("9", 30))}, "fired"),
        ("abs(value - previous) > 1 and hours <= 48", {"history": (before("3.0", 60),)}, "passed"),
        ("abs(value - previous) > 1", {"history": (before("3.0", method="other"),), "method": "mine"}, "unknown"),
        ("abs(value - previous) > 1", {"history": None}, "unknown"),
        ("hours > 1", {"history": ()}, "unknown"),
        ("tube_hours > 5", {"specimen": replace(TUBE, collected=NOON - timedelta(hours=6))}, "fired"),
        ("tube_hours > 5", {"specimen": replace(TUBE, collected=NOON + timedelta(hours=6))}, "unknown"),
        ("tube_hours > 5", {"specimen": None}, "unknown"),
        ("age > 39.9 and value > 1", {}, "fired"),
        ("age > 39.9", {"patient": None}, "unknown"),
        ("haemolysis > 50 or icterus > 3", {"indices": HilIndices(Decimal(60))}, "fired"),
        ("haemolysis > 50 or icterus > 3", {"indices": None}, "unknown"),
        ("haemolysis > 50", {"indices": HilIndices(Decimal(40), beyond=frozenset({"haemolysis"}))}, "unknown"),
        ("haemolysis > 50", {"indices": HilIndices(Decimal(60), beyond=frozenset({"haemolysis"}))}, "fired"),
        ("runs > 0 and K > 1", {}, "passed"),
        ('sex == "F" and ward == "MED" and specimen == "SER" and driver == "acme-x100"', {}, "fired"),
        ('method == "x"', {}, "unknown"),
        ('mode == "night"', {"mode": "night"}, "fired"),
        ('mode == "night"', {}, "unknown"),
        ('"clot" in flags', {"flags": frozenset({Flag.CLOT})}, "fired"),
        ('"clot" in flags', {}, "passed"),
        ("value > 5.2", {"quantity": Quantity(Decimal(5), ">", "mmol/L")}, "unknown"),
        ("value > 4.9", {"quantity": Quantity(Decimal(5), ">", "mmol/L")}, "fired"),
    ],
)  # fmt: skip
def test_the_vocabulary(tmp_path: Path, when: str, changes: dict[str, Any], word: str) -> None:
    """Judged by the check itself, since these conditions have no examples that a pack could show."""
    from rules.analyte import Analyte
    from rules.checks.finding import About
    from rules.checks.when import read_when
    from rules.strict import Table
    from rules.subject import subject

    potassium = Analyte("K", ("2823-3",), {"en": "K", "fr": "K"}, frozenset(), "mmol/L")
    check = read_when(Table("pack.toml", "rule[1]", {"when": when}), About(("K",), {"K": potassium}))
    found = check.judge(subject(case(**changes)), {})
    assert {True: "fired", False: "passed", None: "unknown"}[found.truth] == word


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ("valeu > 6", "did you mean 'value'"), ("value > ALB", r'say in which unit the pack takes it: \[analytes.ALB\] unit'), ("value > tube_hours", "compares value in mmol/L with tube_hours in h"),
        ("__import__('os')", "Python knows and this language does not"), ("value > 6 and", "is not an expression"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_with_file_line_and_remedy(tmp_path: Path, when: str, problem: str) -> None:
    text = HEAD_K + LIMIT_K + EDTA.replace("value > 5.2 and CA < 1.9", when)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if row.startswith("when"))
    with pytest.raises(PackError, match=problem) as error:
        load(write(tmp_path, text))
    assert f"pack.toml: line {line}, rule[2] (WHEN).when: column " in str(error.value)


def test_a_missing_example_and_a_missing_source_are_refused(tmp_path: Path) -> None:
    without = EDTA[: EDTA.rindex("[[rule.test]]")]
    with pytest.raises(PackError, match="has no example in which it does not fire"):
        load(write(tmp_path, HEAD_K + LIMIT_K + without, CSV))
    with pytest.raises(PackError, match="source: is missing"):
        load(write(tmp_path, HEAD_K + LIMIT_K + EDTA.replace('source = "here"', ""), CSV))
    with pytest.raises(PackError, match=r"nobody.* is not known here"):
        load(write(tmp_path, HEAD_K + LIMIT_K + EDTA.replace("{condition}", "{nobody}"), CSV))


def test_value_needs_one_unit(tmp_path: Path) -> None:
    text = EDTA.replace('analytes = ["K"]', 'analytes = ["K", "ALB"]')
    with pytest.raises(PackError, match="'value' has no one unit"):
        load(write(tmp_path, HEAD_K + LIMIT_K + text, CSV))
    with pytest.raises(PackError, match="'mmoles' is not a unit"):
        load(write(tmp_path, HEAD_K.replace('unit = "mmol/L"', 'unit = "mmoles"') + LIMIT_K + EDTA, CSV))


def test_examples_may_say_what_else_was_measured(tmp_path: Path) -> None:
    wrong = EDTA.replace('with = { CA = "1.1" }', 'with = { CAA = "1.1" }')
    with pytest.raises(PackError, match="did you mean 'CA'"):
        load(write(tmp_path, HEAD_K + LIMIT_K + wrong, CSV))
    tube = rule(
        "tube_hours > 4",
        fires=f'value = "4", {UNIT}, collected = "6h"',
        passes=f'value = "4", {UNIT}, collected = "2h"',
    )
    assert load(write(tmp_path, HEAD_K + LIMIT_K + tube, CSV)).rules[1].check.name == "when"
    with pytest.raises(PackError, match="is not a time span"):
        load(write(tmp_path, HEAD_K + LIMIT_K + tube.replace("6h", "long"), CSV))


def test_a_word_is_exempt_from_a_condition_on_the_value(tmp_path: Path) -> None:
    packs = active(tmp_path, (LIMIT_K, rule("K > 5 or CA > 3", fires=f'value = "5.2", {UNIT}', passes=f'value = "4", {UNIT}, with = {{ CA = "2" }}', analytes='["K", "CA"]', keys='if_missing = "pass"').replace("given = {", 'given = { analyte = "K",')), head=HEAD_K, csv=CSV)  # fmt: skip
    verdict = judge(case("not measured", loinc="2000-8", value="not measured", quantity=None), packs)
    assert [word for name, word, _ in verdict.trace if name == "small/WHEN"] == ["unknown"]
