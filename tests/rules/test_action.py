"""What a rule may ask for: read strictly, asked once, and added to the prescription only under a signed protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from labmw.errors import PackError
from labmw.model import VerdictLevel
from rules.difference import difference
from rules.engine import judge
from rules.pack import Packs, load
from tests.rules.cases import HEAD, HEADER, UNIT, case, rule, sign, write

PROTOCOL = """
[protocols.P-1]
title.en = "Potassium again"
title.fr = "Potassium encore"
source = "agreed on 3 March, minute 12"
"""
MORE = """
[analytes.CA]
loinc = ["2000-8"]
name.en = "Calcium"
name.fr = "Calcium"
words = ["none"]
"""

ONLY = HEADER + "K,*,0d,,*,*,mmol/L,3.0,5.5,,,,,here\n"


def packs(folder: Path, keys: str, *, protocols: tuple[str, ...] = (), verdict: str = "hold") -> Packs:
    one = rule(
        "LIMIT",
        "limit",
        verdict=verdict,
        keys=f'analytes = ["K"]\n{keys}',
        fires=f'value = "5.6", {UNIT}',
        passes=f'value = "4.2", {UNIT}',
    )
    pack = load(write(folder, HEAD + MORE + PROTOCOL + one, ONLY))
    return Packs.of([pack], [replace(signed, protocols=protocols) for signed in sign(pack)])


def test_a_fired_rule_asks_and_one_that_did_not_fire_does_not(tmp_path: Path) -> None:
    known = packs(tmp_path, 'action = ["rerun", "dilute:10", "route:analyzer-2", "call"]')
    asked = judge(case("5.6"), known).actions
    assert [(one.kind, one.target, one.agreed) for one in asked] == [
        ("rerun", "", True), ("dilute", "10", True), ("route", "analyzer-2", True), ("call", "", True)
    ]  # fmt: skip
    assert asked[0].rule == "small/LIMIT" and asked[0].pack.startswith("small@1#")
    assert judge(case("4.2"), known).actions == ()


def test_what_could_not_be_evaluated_asks_for_nothing(tmp_path: Path) -> None:
    known = packs(tmp_path, 'action = ["rerun"]')
    found = judge(case("", quantity=None), known)
    assert found.level is VerdictLevel.HOLD and found.actions == ()


@pytest.mark.parametrize(("signed", "agreed"), [((), False), (("P-1",), True), (("P-2",), False)])
def test_a_test_is_added_only_under_a_protocol_that_is_signed(
    tmp_path: Path, signed: tuple[str, ...], agreed: bool
) -> None:
    [asked] = judge(case("5.6"), packs(tmp_path, 'action = ["add-on:CA"]\nprotocol = "P-1"', protocols=signed)).actions
    assert (asked.kind, asked.target, asked.agreed, asked.protocol) == ("add-on", "2000-8", agreed, "P-1")
    assert dict(asked.facts)["test_fr"] == "Calcium"


def test_without_a_protocol_an_addition_is_never_agreed(tmp_path: Path) -> None:
    [asked] = judge(case("5.6"), packs(tmp_path, 'action = ["reflex:CA"]', protocols=("", "P-1"))).actions
    assert not asked.agreed


def test_a_test_that_another_pack_judges_is_named_by_its_code(tmp_path: Path) -> None:
    [asked] = judge(case("5.6"), packs(tmp_path, 'action = ["reflex:718-7"]')).actions
    assert (asked.target, asked.facts) == ("718-7", ())


def test_a_comment_goes_with_a_result_that_is_held_too(tmp_path: Path) -> None:
    found = judge(case("5.6"), packs(tmp_path, 'action = ["comment"]'))
    assert found.comments == ("5.6 mmol/L déclenché",) and found.actions == ()


def test_a_scope_reaches_beyond_the_result_when_the_rule_fires(tmp_path: Path) -> None:
    [reason] = judge(case("5.6"), packs(tmp_path, 'scope = "sample"')).reasons
    assert reason.scope == "sample"
    [reason] = judge(case("5.6"), packs(tmp_path / "panel", 'scope = "panel"')).reasons
    assert (reason.scope, reason.panel) == ("panel", ("2823-3",))
    unknown = judge(case("", quantity=None), packs(tmp_path / "unknown", 'scope = "sample"')).reasons
    assert {one.scope for one in unknown} == {"result"}


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ('action = ["measure"]', "is no action"),
        ('action = ["rerun:2"]', "is no action"),
        ('action = ["dilute"]', "is no action"),
        ('action = ["dilute:1"]', "is no dilution"),
        ('action = ["dilute:1000000"]', "is no dilution"),
        ('action = ["reflex:MG"]', "is neither an analyte"),
        ('action = "rerun"', "is not a list"),
        ('scope = "ward"', "did you mean|known are"),
        ('action = ["add-on:CA"]\nprotocol = "P-9"', "is not there"),
        ('action = ["rerun"]\nprotocol = "P-1"', "adds no test"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(tmp_path: Path, keys: str, where: str) -> None:
    with pytest.raises(PackError, match=where) as told:
        packs(tmp_path, keys)
    assert "line " in str(told.value)


def test_a_scope_on_a_comment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="holds nothing"):
        text = rule(
            "F",
            "flag",
            verdict="comment",
            keys='flags = ["high"]\nscope = "sample"',
            fires=f'value = "4.2", {UNIT}, flags = ["high"]',
            passes=f'value = "4.2", {UNIT}',
            expect="comment",
        )
        load(write(tmp_path, HEAD + text, ONLY))


def test_a_change_of_scope_action_or_class_is_shown_to_who_signs(tmp_path: Path) -> None:
    old, new = (
        packs(tmp_path / name, keys).active[0]
        for name, keys in (("a", 'scope = "sample"'), ("b", 'action = ["add-on:CA"]\nprotocol = "P-1"'))
    )
    found = {(one.where, one.what): (one.before, one.after) for one in difference(old, new)}
    assert found["rule LIMIT", "scope"] == ("sample", "") and found["rule LIMIT", "action"] == ("", "add-on:2000-8")
    assert found["rule LIMIT", "protocol"] == ("", "P-1")
    words = replace(
        old, analytes={**old.analytes, "CA": replace(old.analytes["CA"], words=frozenset({"x"}), kind="genetics")}
    )
    found = {(one.where, one.what): (one.before, one.after) for one in difference(old, words)}
    assert found == {("analyte CA", "words"): ("none", "x"), ("analyte CA", "class"): ("", "genetics")}
