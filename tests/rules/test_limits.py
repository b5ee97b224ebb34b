"""Limit tables: the most specific row, unknown patients, and every mistake refused with its line."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import PackError
from rules.age import Age
from rules.limits import LimitTable, Row, UnitLimits, read_limits
from tests.rules.cases import HEADER

ANALYTES = {"K": ("2823-3",), "GLU": ("14749-6", "2345-7")}
ADULT = Age(40 * 365, 480)


def read(*lines: str) -> LimitTable:
    return read_limits("limits.csv", (HEADER + "\n".join(lines)).encode(), ANALYTES)


def limits(*lines: str) -> UnitLimits:
    return read(*lines).of("2823-3")["mmol/L"]


def row(sex: str = "*", ages: str = "0d,", ward: str = "*", specimen: str = "*", numbers: str = "3,6,,,,") -> str:
    return f"K,{sex},{ages},{ward},{specimen},mmol/L,{numbers},s"


def high(found: Row | None) -> Decimal | None:
    return None if found is None else found.bounds["lim"].high


def test_the_most_specific_row_wins_ward_before_specimen_before_sex() -> None:
    table = limits(
        row(numbers="3,1,,,,".replace("3,", "0,")), row(sex="F", numbers="0,2,,,,"), row(specimen="SER", numbers="0,3,,,,"),
        row(specimen="SER", sex="F", numbers="0,4,,,,"), row(ward="DIAL", numbers="0,5,,,,"), row(ward="DIAL", sex="F", numbers="0,6,,,,"),
        row(ward="DIAL", specimen="SER", numbers="0,7,,,,"), row(ward="DIAL", specimen="SER", sex="F", numbers="0,8,,,,"),
    )  # fmt: skip
    found = [
        high(table.row(ward, specimen, sex, ADULT))
        for ward in ("MED", "DIAL")
        for specimen in ("PLAS", "SER")
        for sex in ("M", "F")
    ]
    assert found == [Decimal(n) for n in range(1, 9)]


def test_a_specific_row_that_ends_gives_way_to_the_general_one() -> None:
    table = limits(row(ages="0d,", numbers="0,1,,,,"), row(ages="0d,28d", ward="NEO", numbers="0,2,,,,"))
    assert high(table.row("NEO", "", "F", Age(27, 0))) == 2
    assert high(table.row("NEO", "", "F", Age(28, 0))) == 1


def test_age_bands_are_half_open() -> None:
    table = limits(
        row(ages="0d,28d", numbers="0,1,,,,"),
        row(ages="28d,18y", numbers="0,2,,,,"),
        row(ages="18y,", numbers="0,3,,,,"),
    )
    ages = (Age(0, 0), Age(27, 0), Age(28, 0), Age(6573, 215), Age(6574, 216), ADULT)
    assert [high(table.row("", "", "F", one)) for one in ages] == [1, 1, 2, 2, 3, 3]


def test_before_the_first_band_and_after_the_last_there_is_no_row() -> None:
    table = limits(row(ages="1y,18y"))
    assert table.row("", "", "F", Age(10, 0)) is None
    assert table.row("", "", "F", ADULT) is None


@given(
    sex=st.sampled_from([None, "F", "M"]), ward=st.sampled_from([None, "DIAL", "MED"]),
    specimen=st.sampled_from([None, "SER", "PLAS"]), age=st.sampled_from([None, 0, 30, 500, 7000, 20000]),
)  # fmt: skip
def test_unknown_gives_every_row_that_may_hold(
    sex: str | None, ward: str | None, specimen: str | None, age: int | None
) -> None:
    table = limits(
        row(ages="0d,28d", numbers="0,1,,,,"), row(ages="28d,18y", numbers="0,2,,,,"), row(ages="18y,", numbers="0,3,,,,"),
        row(sex="F", ages="18y,", numbers="0,4,,,,"), row(ward="DIAL", ages="18y,", numbers="0,5,,,,"),
        row(specimen="SER", ages="1m,1y", numbers="0,6,,,,"),
    )  # fmt: skip
    made = None if age is None else Age(age, int(age / 30.4368))
    brute = {
        high(table.row(w, s, x, a))
        for w in (["DIAL", "MED"] if ward is None else [ward])
        for s in (["SER", "PLAS"] if specimen is None else [specimen])
        for x in (["F", "M"] if sex is None else [sex])
        for a in ([Age(n, int(n / 30.4368)) for n in range(0, 20000, 5)] if made is None else [made])
    }
    assert {high(one) for one in table.rows(ward, specimen, sex, made)} == brute


def test_nobody_may_be_forgotten_when_the_age_is_unknown() -> None:
    found = limits(row(ages="18y,")).rows("", "", "F", None)
    assert len(found) == 2
    assert found[-1] is None


def test_units_and_loincs_have_their_own_rows() -> None:
    table = read("GLU,*,,,*,*,mmol/L,3,6,,,,,s", "2345-7,*,,,*,*,mg/dl,60,110,,,,,s")
    assert set(table.of("14749-6")) == {"mmol/L"}
    assert set(table.of("2345-7")) == {"mmol/L", "mg/dL"}
    assert table.of("718-7") == {}
    assert [one.place for one in table.rows] == ["limits.csv:2", "limits.csv:3"]


def test_g_per_l_is_not_gauss() -> None:
    assert set(read("K,*,,,*,*,G/L,3,6,,,,,s").of("2823-3")) == {"10*9/L"}


@pytest.mark.parametrize(
    ("lines", "where", "what"),
    [
        (["NA,*,,,*,*,mmol/L,3,6,,,,,s"], "line 2, analyte", "known are"),
        (["G,*,,,*,*,mmol/L,3,6,,,,,s"], "line 2, analyte", "known are"),
        (["GLUC,*,,,*,*,mmol/L,3,6,,,,,s"], "line 2, analyte", "did you mean 'GLU'"),
        (["718-7,*,,,*,*,mmol/L,3,6,,,,,s"], "line 2, analyte", "declare it in [analytes]"),
        ([row(sex="H")], "line 2, sex", "write F, M, or *"),
        ([row(sex="")], "line 2, sex", "write F, M, or *"),
        ([row(ward="")], "line 2, ward", "write *"),
        ([row(specimen="")], "line 2, specimen", "write *"),
        (["K,*,,,*,*,mmol/L,3,6,,,,,"], "line 2, source", "where the numbers come from"),
        (["K,*,,,*,*,mmole/L,3,6,,,,,s"], "line 2, unit", "UCUM"),
        (["K,*,,,*,*,,3,6,,,,,s"], "line 2, unit", "1 when the test has none"),
        ([row(ages="18,")], "line 2, age_from", "18y"),
        ([row(ages="0d,x")], "line 2, age_to", "18y"),
        ([row(ages="18y,18y")], "line 2", "no age band"),
        ([row(ages="18y,1y")], "line 2", "no age band"),
        ([row(ages="29d,1m")], "line 2", "no age band"),
        ([row(numbers="6,3,,,,")], "line 2, lim_lo", "exchange them"),
        ([row(numbers="3,3,,,,")], "line 2, lim_lo", "exchange them"),
        ([row(numbers="3,6,4,,,")], "line 2", "crit_lo 4 and lim_lo 3 are the wrong way round"),
        ([row(numbers="3,6,,5,,")], "line 2", "lim_hi 6 and crit_hi 5 are the wrong way round"),
        ([row(numbers="3,6,2,7,2.5,")], "line 2", "abs_lo 2.5 and crit_lo 2 are the wrong way round"),
        ([row(numbers="3,6,2,7,,6.5")], "line 2", "crit_hi 7 and abs_hi 6.5 are the wrong way round"),
        ([row(numbers="3,6,,,,5")], "line 2", "lim_hi 6 and abs_hi 5 are the wrong way round"),
        ([row(numbers=",6,7,,,")], "line 2", "the crit limits lie across the lim limits"),
        ([row(numbers="3,,,2,,")], "line 2", "the crit limits lie across the lim limits"),
        ([row(numbers="3,x,,,,")], "line 2, lim_hi", "not a number"),
        ([row(ages="0d,18y"), row(ages="17y,")], "line 2 and line 3", "overlap"),
        ([row(), row()], "line 2 and line 3", "overlap"),
        ([row(ages="0d,28d"), row(ages="1y,")], "line 2 and line 3", "leave a gap"),
        ([row(ages="0d,1m"), row(ages="29d,")], "line 2 and line 3", "overlap"),
        ([row(ages="1m,"), row(ages="29d,")], "line 2 and line 3", "cannot be put in order"),
    ],
)
def test_every_mistake_names_its_line(lines: list[str], where: str, what: str) -> None:
    with pytest.raises(PackError) as caught:
        read(*lines)
    assert str(caught.value).startswith("limits.csv: ")
    assert where in str(caught.value)
    assert what in str(caught.value)


def test_limits_that_touch_are_allowed() -> None:
    read(row(numbers="3,6,3,6,3,6"), row(sex="F", numbers=",6,,7,0,"))
