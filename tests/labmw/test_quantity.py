"""How does a text become a number? Exact, with its comparator, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import QuantityError
from labmw.quantity import PLAIN, NumberFormat, Quantity, is_ucum, read_number, ucum

EITHER_MARK = NumberFormat(decimal=".,", decimals=2)
COMMA = NumberFormat(decimal=",")
GROUPED = NumberFormat(thousands=",")
POWERS = NumberFormat(exponent=True)


@pytest.mark.parametrize(
    ("text", "form", "comparator", "number"),
    [
        ("504", PLAIN, "", "504"),
        ("-10.5", PLAIN, "", "-10.5"),
        ("+3", PLAIN, "", "3"),
        (".5", PLAIN, "", "0.5"),
        ("0.0", PLAIN, "", "0.0"),
        ("<15", PLAIN, "<", "15"),
        ("< 40", PLAIN, "<", "40"),
        (">=32", PLAIN, ">=", "32"),
        ("≤ 0.1", PLAIN, "<=", "0.1"),
        (" 6.9 ", PLAIN, "", "6.9"),
        ("7,41", COMMA, "", "7.41"),
        ("60,96", EITHER_MARK, "", "60.96"),
        ("1009.64", EITHER_MARK, "", "1009.64"),
        ("161,152", GROUPED, "", "161152"),
        ("1,234,567.8", GROUPED, "", "1234567.8"),
        ("3.26E+05", POWERS, "", "326000"),
    ],
)
def test_a_number_in_its_format(text: str, form: NumberFormat, comparator: str, number: str) -> None:
    found = read_number(text, form)
    assert found is not None
    assert found == (comparator, Decimal(number))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("161,152", PLAIN),
        ("7,41", PLAIN),
        ("161,152", EITHER_MARK),  # three digits behind the mark: a grouping mark of somebody else
        ("1.234,56", EITHER_MARK),
        ("16,15", GROUPED),
        ("1,2345", GROUPED),
        ("3.26E+05", PLAIN),
        ("3+", PLAIN),
        ("3+^3+^45", PLAIN),
        ("", PLAIN),
        ("<", PLAIN),
        ("<>5", PLAIN),
        ("NaN", PLAIN),
        ("inf", PLAIN),
        ("١٢", PLAIN),  # digits of another script
        ("1 000", PLAIN),
        ("1_000", PLAIN),
        ("0x10", PLAIN),
        ("9" * 31, PLAIN),
        ("5,0", NumberFormat(decimal=",", decimals=0)),
    ],
)
def test_what_is_no_number_is_not_guessed(text: str, form: NumberFormat) -> None:
    assert read_number(text, form) is None


def test_marks_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(QuantityError, match="cannot be told apart"):
        NumberFormat(decimal=",", thousands=",")
    with pytest.raises(QuantityError, match="cannot be told apart"):
        NumberFormat(decimal=".,", thousands=" ")


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_every_plain_decimal_comes_back_exactly(number: Decimal) -> None:
    assert read_number(f"{number:f}") == ("", number)


@given(st.text(max_size=40))
def test_no_text_raises_and_every_number_found_is_finite(text: str) -> None:
    for form in (PLAIN, COMMA, GROUPED, POWERS, EITHER_MARK):
        found = read_number(text, form)
        assert found is None or found[1].is_finite()


def test_unit_strings_stand_for_ucum_codes() -> None:
    assert ucum("G/L") == "10*9/L"  # not gauss per litre
    assert ucum("10E3/uL") == "10*3/uL"
    assert ucum("mg/dl") == "mg/dL"
    assert ucum("Copies / mL") == "{copies}/mL"
    with pytest.raises(QuantityError, match="no alias"):
        ucum("kUA/l")
    with pytest.raises(QuantityError, match="no alias"):
        ucum("furlong")


@pytest.mark.parametrize(
    "unit", ["10*9/L", "mmol/L", "%", "fL", "um3", "[IU]/mL", "{copies}/mL", "{Log_copies}/mL", "L/L", "/uL"]
)
def test_ucum_a_laboratory_uses(unit: str) -> None:
    assert is_ucum(unit)


@pytest.mark.parametrize("unit", ["", "C", "cells", "10*-1.{copies}/mL ", "mmol//L", "G/l ", "1/", "kUA/l"])
def test_what_is_not_ucum(unit: str) -> None:
    assert not is_ucum(unit)


def test_a_quantity_is_written_without_exponent() -> None:
    assert str(Quantity(Decimal("3.26E+05"), "<", "{copies}/mL")) == "<326000 {copies}/mL"
