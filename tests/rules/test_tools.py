"""The tools of a pack's author: lint, cases at limits, coverage, difference. Each finds what was planted for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import pytest

from rules.boundary import boundaries, unreached
from rules.checks.bounds import BoundsCheck
from rules.checks.finding import Finding, Limits
from rules.checks.when import WhenCheck
from rules.coverage import coverage
from rules.difference import difference
from rules.expression import Vocabulary, read, unit
from rules.lint import lint, never
from rules.load import SHIPPED, load
from rules.subject import Subject
from tests.rules.cases import ALL_RULES, HEAD, HEADER, LIMITS, write
from tests.rules.test_when import CSV, EDTA, HEAD_K, LIMIT_K


@pytest.mark.parametrize("name", sorted(one.parent.name for one in SHIPPED.glob("*/pack.toml")))
def test_the_limits_of_shipped_packs_hold_exactly_where_they_stand(name: str) -> None:
    made = list(boundaries(load(SHIPPED / name)))
    assert len(made) > 10
    assert [one for one in made if not one.holds] == []
    assert {one.expected for one in made} == {"fired", "passed"}


def test_a_limit_that_is_not_where_it_stands_is_noticed(tmp_path: Path) -> None:
    pack = load(write(tmp_path))
    check = next(rule for rule in pack.rules if rule.id == "LIMIT")
    wrong = replace(pack, rules=(replace(check, check=GENEROUS),))
    assert {one.value for one in boundaries(wrong) if not one.holds} == {"5.51 mmol/L", "2.99 mmol/L"}


@dataclass(frozen=True, slots=True)
class Generous(BoundsCheck):
    """Compares with limits a fifth wider than those that stand in the table."""

    def judge(self, one: Subject, limits: Limits) -> Finding:
        found = super(Generous, self).judge(one, limits)
        number = one.case.result.quantity
        assert number is not None
        return replace(found, truth=found.truth and not Decimal("2.5") <= number.number <= Decimal("6.6"))


GENEROUS = Generous("limit", "lim", "below-limit", "above-limit")
ROWS = (
    HEADER
    + "K,F,0d,,*,*,mmol/L,3.0,5.5,2.8,6.2,1.5,12,here\nK,M,0d,,*,*,mmol/L,3.0,5.5,2.8,6.2,1.5,12,here\nK,*,0d,,*,*,mmol/L,3.1,5.4,2.8,6.2,1.5,12,here\n"
)


def test_a_row_that_nobody_reaches_is_told(tmp_path: Path) -> None:
    pack = load(write(tmp_path, csv=ROWS))
    assert [row.place for row in unreached(pack)] == ["limits.csv:4"]
    assert "lint-row-unreached" in {one.code for one in lint(pack)}
    assert {one.row for one in boundaries(pack)} == {"limits.csv:2", "limits.csv:3"}


def test_remarks(tmp_path: Path) -> None:
    twice = ALL_RULES[0].replace('id = "LIMIT"', 'id = "AGAIN"')
    text = HEAD.replace('here = "made up"', 'starting-point = "none"').replace('authors = ["A"]\n', "") + "".join(
        (*ALL_RULES, twice)
    )
    pack = load(write(tmp_path, text.replace('"here"', '"starting-point"'), LIMITS.replace("here", "starting-point")))
    found = {one.code: dict(one.facts) for one in lint(pack)}
    assert found == {
        "lint-rule-twice": {"other": "LIMIT"},
        "lint-no-author": {},
        "lint-starting-points": {"count": "3"},
    }
    whole = load(write(tmp_path / "whole", HEAD_K + LIMIT_K + EDTA, CSV))
    assert {(one.where, one.code) for one in lint(whole)} == {("WHEN", "lint-condition-unseen")}


KNOWN = Vocabulary({"a": unit("1"), "b": unit("1")}, {}, frozenset({"clot"}))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > 6 and a < 5", True), ("a > 6 and a < 7", False), ("a > 6 and b < 5", False), ("a >= 5 and a <= 5", False), ("a > 6 and a < 5 or b > 1", False),
        ("a > 6 and a < 5 or b > 1 and b <= 0", True), ("b > 1 and (a > 6 and a < 5)", True), ('a > 6 and "clot" in flags', False), ("a > 6", False),
    ],
)  # fmt: skip
def test_a_condition_that_can_never_be_true(text: str, expected: bool) -> None:
    assert never(read(text, KNOWN)) is expected


def test_a_rule_that_never_fires_by_its_condition_is_told(tmp_path: Path) -> None:
    pack = load(write(tmp_path, HEAD_K + LIMIT_K + EDTA, CSV))
    rules = tuple(
        replace(rule, check=WhenCheck("a > 6 and a < 5", read("a > 6 and a < 5", KNOWN), "", {})) if rule.id == "WHEN" else rule
        for rule in pack.rules
    )  # fmt: skip
    changed = replace(pack, rules=rules, examples=())
    assert "lint-never-true" in {one.code for one in lint(changed)}


def test_coverage_counts_rules_and_conditions(tmp_path: Path) -> None:
    found = {(one.rule, one.condition): one for one in coverage(load(write(tmp_path, HEAD_K + LIMIT_K + EDTA, CSV)))}
    assert dict(found["WHEN", ""].seen) == {"fired": 1, "passed": 1}
    assert found["WHEN", ""].never == ("unknown",)
    assert dict(found["WHEN", "value > 5.2"].seen) == {"true": 2}
    assert found["WHEN", "value > 5.2"].never == ("false", "unknown")
    assert dict(found["WHEN", "CA < 1.9"].seen) == {"true": 1, "false": 1}


def test_flags_are_never_unknown(tmp_path: Path) -> None:
    text = EDTA.replace("value > 5.2 and CA < 1.9", '"clot" in flags or value > 5.2 and CA < 1.9')
    found = {one.condition: one for one in coverage(load(write(tmp_path, HEAD_K + LIMIT_K + text, CSV)))}
    assert found['"clot" in flags'].never == ("true",)


def test_a_difference_is_told_in_the_words_of_the_pack(tmp_path: Path) -> None:
    old = load(write(tmp_path / "old"))
    assert list(difference(old, old)) == []
    text = HEAD.replace('version = "1"', 'version = "2"') + "".join(ALL_RULES).replace(
        "limit = 20", "limit = 19"
    ).replace('window = "72h"', 'window = "7d"')
    new = load(write(tmp_path / "new", text.replace('id = "FLAG"', 'id = "FLAGS"'), LIMITS.replace("5.5,", "5.4,")))
    found = {(one.where, one.what): (one.before, one.after) for one in difference(old, new)}
    assert found["pack", "version"] == ("1", "2")
    assert found["rule DELTA", "limit"] == ("20", "19")
    assert found["rule DELTA", "window"] == ("72 h", "168 h")
    assert found["rule FLAG", "flags"] == ("high", "") and found["rule FLAGS", "flags"] == ("", "high")
    assert found["limits K mmol/L sex * age 0d- ward * specimen *", "lim_hi"] == ("5.5", "5.4")
    assert not any(what in ("tree", "code", "facts") for _, what in found)
