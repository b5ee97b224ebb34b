"""What must not be sent is refused, with the place and the remedy."""

import pytest

from protocols.errors import Hl7Error
from protocols.hl7 import strict
from protocols.hl7.datatypes import Code
from protocols.hl7.segment import Field


@pytest.mark.parametrize(
    "time",
    [
        "",
        "2026",
        "202603",
        "20260315",
        "202603150830",
        "20260315083015",
        "20260315083015.1234",
        "20260315083015+0100",
        "20240229",
        "2026-0500",
        "20260315000000-0330",
    ],
)
def test_times(time: str) -> None:
    strict.check_time("OBX-14", time)


@pytest.mark.parametrize(
    "time",
    [
        "26",
        "20261",
        "20261301",
        "20230229",
        "2026031525",
        "202603152460",
        "20260315083060",
        "2026-03-15",
        "20260315T0830",
        "20260315083015+1500",
        "20260315083015+0160",
        "20260315083015Z",
        "2026+01",
        "00000101",
        " 20260315",
        "20260315\n",
        "٢٠٢٦",
    ],
)
def test_impossible_times(time: str) -> None:
    with pytest.raises(Hl7Error, match="OBX-14"):
        strict.check_time("OBX-14", time)


def test_codes() -> None:
    strict.check_code("OBX-3", Code("14749-6", "", "LN"))
    strict.check_code("OBX-3", Code("", "", "", "GLU", "", "99LAB"))
    strict.check_code("OBR-4", Code("14749-6", "Glucose", "LN"), with_text=True)
    for code in (
        Code(""),
        Code("x"),
        Code("", "x", "LN"),
        Code("14749-6", "", "LN", "GLU"),
        Code("", "", "LN", "GLU", "", "99LAB"),
    ):
        with pytest.raises(Hl7Error, match="OBX-3"):
            strict.check_code("OBX-3", code)
    with pytest.raises(Hl7Error, match="name of the test"):
        strict.check_code("OBR-4", Code("14749-6", "", "LN"), with_text=True)


@pytest.mark.parametrize(
    "unit",
    [
        None,
        Code(""),
        Code("mmol/L"),
        Code("mmol/L", "", "LN"),
        Code("g / L", "", "UCUM"),
        Code("µmol/L", "", "UCUM"),
        Code("", "mmol/L", "UCUM"),
    ],
)
def test_units(unit: Code | None) -> None:
    strict.check_unit("OBX-6", Code("10*9/L", "G/L", "UCUM"))
    with pytest.raises(Hl7Error, match=r"OBX-6.*write it in ASCII|OBX-6.*1 for a pure number"):
        strict.check_unit("OBX-6", unit)


@pytest.mark.parametrize(
    ("row", "place"),
    [
        (["PID", "a\nb"], "PID-1"),
        (["OBX", None, None, None, None, "ok\nok", "a\nb"], "OBX-6"),
        (["NTE", None, None, ["ok", ("a", ("b", "\t"))]], "NTE-3"),
        (["PID", "\x7f"], "PID-1"),
        (["PID", "\x85"], "PID-1"),
        (["PID", None, "L\udce9a"], "PID-2"),
    ],
)
def test_control_characters_and_bytes_that_were_no_text(row: list[Field], place: str) -> None:
    with pytest.raises(Hl7Error, match=f"{place} holds"):
        strict.check_texts(row)


def test_clean_texts() -> None:
    strict.check_texts(["OBX", None, ("Léa", None), None, None, "one\ntwo µ\N{NO-BREAK SPACE}"])
    strict.check_texts(["NTE", None, None, "one\ntwo"])
