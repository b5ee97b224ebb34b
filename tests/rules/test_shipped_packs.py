"""The four example packs: they load, their examples hold, and they know the tests and units of the shipped drivers."""

from __future__ import annotations

import importlib
import pkgutil
import tomllib
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

import drivers
from labmw.driver import Driver
from labmw.driver.declaration import Evidence
from labmw.model import Flag
from labmw.quantity import Quantity
from rules.engine import critical, judge
from rules.pack import NOTHING, SHIPPED, Pack, Packs, load_all
from tests.rules.cases import case, sign

PACKS, BROKEN = load_all([SHIPPED])
SIGNED = Packs.of(PACKS, sign(*PACKS))
DRIVERS: list[Driver] = [
    importlib.import_module(f"drivers.{module.name}").DRIVER for module in pkgutil.iter_modules(drivers.__path__)
]


def test_they_load_and_judge_nothing_until_signed() -> None:
    assert BROKEN == ()
    assert {pack.id for pack in PACKS} == {"blood-gas", "chemistry", "coagulation", "haematology", "immunoassay"}
    unsigned = Packs.of(PACKS, ())
    assert unsigned.active == ()
    assert {one.code for one in unsigned.inactive} == {"pack-unsigned"}
    assert not judge(case(), unsigned).released
    assert judge(case(), SIGNED).released


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.id)
def test_each_rule_has_examples_and_each_number_a_source(pack: Pack) -> None:
    for rule in pack.rules:
        own = [example for one, example in pack.examples if one is rule]
        assert len(own) >= 2
        assert not rule.check.sourced or rule.source in pack.sources
    assert all(row.source for row in pack.limits.rows)


def numbers() -> list[Any]:
    found = []
    for driver in DRIVERS:
        if driver.evidence is Evidence.UNVERIFIED:
            continue  # nothing that it reads leaves quarantine
        for test in driver.tests.values():
            if test.loinc and not test.text:
                found += [
                    pytest.param(test.loinc, unit, id=f"{driver.name} {test.loinc} {unit}")
                    for unit in (test.unit, *test.also)
                ]
    return found


@pytest.mark.parametrize(("loinc", "unit"), numbers())
def test_every_number_of_the_shipped_drivers_has_limits_in_its_unit(loinc: str, unit: str) -> None:
    plan = SIGNED.plan(loinc)
    assert plan.numbers, "no pack judges it"
    assert any(unit in step.limits for step in plan.steps)


NEVER_RELEASED = {"883-9", "10331-7", "882-1", "890-4"}
"""ABO, Rh, both, and the antibody screen: no example pack judges them, so that no signature can let one go without a person."""


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_every_word_of_the_shipped_drivers_is_judged(driver: Driver) -> None:
    for test in driver.tests.values():
        if test.loinc in NEVER_RELEASED:
            assert SIGNED.plan(test.loinc) == NOTHING
            for word in test.values:
                verdict = judge(case(word, loinc=test.loinc), SIGNED)
                assert (verdict.released, [one.code for one in verdict.reasons]) == (False, ["no-rule"])
        elif test.loinc and test.values:
            allowed = SIGNED.plan(test.loinc).words & set(test.values)
            assert allowed
            assert not allowed & {"DETECTED", "POSITIVE"}


# (one unit, another, how many of the second are one of the first)
SAME: list[tuple[str, str, Decimal | int]] = [
    ("10*9/L", "10*3/uL", 1), ("10*12/L", "10*6/uL", 1), ("fL", "um3", 1), ("g/L", "g/dL", Decimal("0.1")), ("%", "L/L", Decimal("0.01")),
    ("m[IU]/L", "u[IU]/mL", 1), ("ug/L", "ng/mL", 1), ("mg/L", "mg/dL", Decimal("0.1")), ("10*9/L", "10*12/L", Decimal("0.001")),
]  # fmt: skip


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.id)
def test_rows_of_one_test_in_two_units_say_the_same(pack: Pack) -> None:
    for first, second in product(pack.limits.rows, pack.limits.rows):
        if (first.analyte, first.sex, first.start, first.ward) != (
            second.analyte,
            second.sex,
            second.start,
            second.ward,
        ):
            continue
        for one, other, factor in SAME:
            if (first.unit, second.unit) == (one, other):
                for kind, bounds in first.bounds.items():
                    ends = [(bounds.low, second.bounds[kind].low), (bounds.high, second.bounds[kind].high)]
                    assert all(x is None if y is None else x is not None and x * factor == y for x, y in ends), (
                        first.place,
                        second.place,
                    )


def test_absolute_deltas_in_two_units_say_the_same() -> None:
    text = (SHIPPED / "haematology" / "pack.toml").read_text(encoding="utf-8")
    rules = tomllib.loads(text)["rule"]
    assert [rule["limit"] for rule in rules if rule.get("mode") == "absolute"] == [{"fL": 5, "um3": 5}]


@pytest.mark.parametrize(
    ("text", "unit", "loinc", "code"),
    [
        ("6.8", "mmol/L", "2823-3", "critical"), ("4.2", "mmol/L", "2823-3", None), ("504", "mg/dL", "2345-7", "critical"),
        ("474", "mg/dL", "2345-7", None), ("4.6", "g/dL", "718-7", "critical"), ("13.8", "%", "4544-3", "critical"), ("139", "10*3/uL", "777-3", None),
    ],
)  # fmt: skip
def test_critical_values(text: str, unit: str, loinc: str, code: str | None) -> None:
    found = critical(case(text, unit, loinc=loinc), SIGNED)
    assert (None if found is None else found.code) == code


def test_a_first_viral_load_goes_to_a_biologist() -> None:
    one = case("60.96", "{copies}/mL", loinc="20447-9", flags=frozenset({Flag.NORMAL}))
    assert {reason.code for reason in judge(one, SIGNED).reasons} == {"no-previous", "first-positive"}
    assert judge(case("NOT DETECTED", loinc="20447-9"), SIGNED).released
    assert not judge(case("DETECTED", loinc="5017-9"), SIGNED).released


def test_unit_confusion_is_caught() -> None:
    """Haemoglobin of 140 g/L sent as 140 g/dL, glucose of 5.1 mmol/L sent as mg/dL, a logarithm sent as copies."""
    for number, unit, loinc in (
        ("140", "g/dL", "718-7"),
        ("5.1", "mg/dL", "2345-7"),
        ("3.00", "{Log_copies}/mL", "20447-9"),
    ):
        assert not judge(case(number, unit, loinc=loinc, quantity=Quantity(Decimal(number), "", unit)), SIGNED).released
