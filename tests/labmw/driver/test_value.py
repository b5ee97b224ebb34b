"""What does one value stand for? A quantity, or a named doubt; never something in between."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver.declaration import Driver, Test
from labmw.driver.value import read_detail, read_main, read_unknown
from labmw.quantity import NumberFormat

DRIVER = Driver(
    name="acme",
    numbers=NumberFormat(),
    units={"giga": "10*9/L"},
    no_value=frozenset({"NA", "----"}),
    details={"LOG": {"{copies}/mL": "{Log_copies}/mL"}},
)
GLUCOSE = Test("2345-7", "mg/dL", ("g/L",))
COUNT = Test("6690-2", "10*9/L")
LOAD = Test("20447-9", "{copies}/mL", values=("NOT DETECTED",))
LOG_LOAD = Test("29541-0", "{Log_copies}/mL")
WORDS = Test("94500-6", text=True, values=("POSITIVE", "NEGATIVE"))
RATIO = Test("34529-8")


@pytest.mark.parametrize(
    ("text", "unit", "test", "number", "comparator", "ucum"),
    [
        ("504", "mg/dl", GLUCOSE, "504", "", "mg/dL"),
        ("1.04", "g/L", GLUCOSE, "1.04", "", "g/L"),
        ("4.5", "G/L", COUNT, "4.5", "", "10*9/L"),
        ("4.5", "giga", COUNT, "4.5", "", "10*9/L"),
        ("< 40", "copies/mL", LOAD, "40", "<", "{copies}/mL"),
        ("2.3", "", RATIO, "2.3", "", ""),
    ],
)
def test_a_value_that_may_be_believed(
    text: str, unit: str, test: Test, number: str, comparator: str, ucum: str
) -> None:
    read = read_main(text, unit, test, DRIVER)
    assert (read.problem, read.number, read.comparator, read.ucum) == ("", number, comparator, ucum)
    assert read.quantity is not None
    assert read.quantity.unit == ucum


@pytest.mark.parametrize(
    ("text", "unit", "test", "problem"),
    [
        ("161,152", "mg/dl", GLUCOSE, "number-format"),
        ("7,41", "mg/dl", GLUCOSE, "number-format"),
        ("3+", "mg/dl", GLUCOSE, "number-format"),
        ("504", "", GLUCOSE, "unit-missing"),
        ("504", "mg", GLUCOSE, "unit-mismatch"),
        ("504", "mmol/l", GLUCOSE, "unit-mismatch"),
        ("504", "C", GLUCOSE, "unknown-unit"),
        ("504", "10*-1.{copies}/mL", LOAD, "unit-mismatch"),
        ("NA", "mg/dl", GLUCOSE, "value-missing"),
        ("", "mg/dl", GLUCOSE, "value-missing"),
        ("   ", "mg/dl", GLUCOSE, "value-missing"),
        ("Examine", "mg/dl", GLUCOSE, "unexpected-word"),
        ("DETECTED", "copies/mL", LOAD, "unexpected-word"),
        ("MAYBE", "", WORDS, "unexpected-word"),
        ("12", "", WORDS, "unexpected-word"),
        ("1.79", "copies/mL", LOG_LOAD, "log-with-linear-unit"),
        ("2.3", "mg/dL", RATIO, "unit-mismatch"),
    ],
)
def test_a_value_that_goes_to_a_person(text: str, unit: str, test: Test, problem: str) -> None:
    read = read_main(text, unit, test, DRIVER)
    assert read.problem == problem
    assert read.ucum == ""  # a doubtful number never carries a unit


def test_a_word_is_a_result_and_no_number() -> None:
    for text, test in (("NOT DETECTED", LOAD), ("POSITIVE", WORDS)):
        read = read_main(text, "copies/mL", test, DRIVER)
        assert (read.problem, read.number, read.quantity, read.ucum) == ("", None, None, "")


def test_a_logarithm_beside_its_result_never_carries_the_linear_unit() -> None:
    read = read_detail("1.79", "copies/mL", "LOG", DRIVER)
    assert (read.number, read.ucum) == ("1.79", "{Log_copies}/mL")
    assert read_detail("1.79", "IU/mL", "LOG", DRIVER).ucum == ""  # not declared for this unit
    assert read_detail("36.9", "copies/mL", "Ct", DRIVER).ucum == ""
    assert read_detail("POS", "", "", DRIVER).number is None


def test_of_an_unknown_test_the_number_is_read_and_the_unit_is_not() -> None:
    read = read_unknown("199", DRIVER)
    assert read.quantity is not None
    assert (read.number, read.quantity.unit, read.problem) == ("199", "", "")
    assert read_unknown("199^^", DRIVER).number is None


@pytest.mark.parametrize(
    ("text", "unit", "number", "problem"),
    [
        ("532", "10*2.{copies}/mL", "53200", ""),
        ("125", "10*-1.{copies}/mL", "12.5", ""),
        ("1.20", "10*3.{copies}/mL", "1200", ""),
        ("1.204", "10*1.{copies}/mL", "12.04", ""),
        ("532", "{copies}/mL", "532", ""),
        ("532", "10*2.[IU]/mL", "53200", "unit-mismatch"),
        ("532", "10*2{copies}/mL", "532", "unit-mismatch"),
        ("532", "10^2.{copies}/mL", "532", "unknown-unit"),
        ("532", "10*2.10*1.{copies}/mL", "53200", "unit-mismatch"),
    ],
)
def test_a_power_of_ten_in_the_unit_is_multiplied_where_the_family_declares_it(
    text: str, unit: str, number: str, problem: str
) -> None:
    read = read_main(text, unit, LOAD, Driver(name="acme", powers=True))
    assert (read.number, read.problem) == (number, problem)
    assert read.ucum == ("" if problem else "{copies}/mL")


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**12, places=3),
    st.integers(min_value=-99, max_value=99),
)
def test_a_power_of_ten_is_exact(number: Decimal, power: int) -> None:
    read = read_main(f"{number:f}", f"10*{power}.{{copies}}/mL", LOAD, Driver(name="acme", powers=True))
    assert read.quantity is not None
    assert Fraction(read.quantity.number) == Fraction(number) * Fraction(10) ** power
