"""Blood groups, autoimmunity and viral loads of the m2000: does each driver know what is peculiar to its family?"""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from labmw.driver import astm
from labmw.driver.reading import Reading
from labmw.line.registry import Registry
from labmw.model import Flag
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly

PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()


def records(name: str, *lines: str) -> Reading:
    text = "".join(line + "\r" for line in lines).encode("latin-1")
    (message,) = Assembly().feed(Frame(0, text, True, b""))
    return astm.read(message, REGISTRY.named(name), zone=PARIS)


@pytest.mark.parametrize(
    ("order", "patient", "found"),
    [("", "A17 ", "A17"), ("B18", "A17", "B18"), ("", " A 17", "A 17"), ("", "", "")],
)
def test_euroimmun_names_the_specimen_in_the_order_or_else_in_the_patient(order: str, patient: str, found: str) -> None:
    lines = ("H|\\^&|||", f"P|1||{patient}", f"O|1|{order}||^^^SARSCOV2IGA", "R|1|^^^SARSCOV2IGA|7,41|Ratio|", "L|1|N")
    one = records("euroimmun-analyzer", *lines).results[0]
    assert (one.specimen, one.number, one.problem) == (found, "7.41", "unknown-code" if found else "no-specimen")


@pytest.mark.parametrize(("value", "number"), [(">8", "8"), ("7,41", "7.41"), ("161,152", None), ("7.41", None)])
def test_euroimmun_writes_a_decimal_comma(value: str, number: str | None) -> None:
    lines = ("H|\\^&|||", "P|1||A17", "O|1|||^^^T", f"R|1|^^^T|{value}|Ratio|", "L|1|N")
    assert records("euroimmun-analyzer", *lines).results[0].number == number


ECHO = ("H|\\^&|||Echo|||||LIS|||LIS2-A2|20260310", "P|1|1", "O|1|A17||^^^ABOD Full|R||||||||||Blood^Patient")


def test_echo_reports_interpretations_and_keeps_reactions() -> None:
    rows = [f"R|{n}|^^^{test}|{value}|||||F||o||20260310164429|M0002" for n, (test, value) in enumerate(
        [("Anti-A", "3+^3+^45"), ("ABOD Full Interp", "B Pos"), ("Weak D Interp", "Pos"), ("Screen Interp", "???")], 1)]  # fmt: skip
    well, group, other, unclear = records("immucor-echo", *ECHO, *rows, "L|1|N").results
    assert (well.main, well.number, well.problem) == (False, None, "")
    assert (group.main, group.loinc, group.problem) == (True, "882-1", "")
    assert (other.problem, unclear.problem) == ("unknown-code", "unexpected-word")


def test_ih_1000_keeps_wells_and_never_believes_a_line_of_findings() -> None:
    lines = ("H|\\^&|||Bio-Rad|IH v5.2||||||||20260310", "P|1||P1", "O|1|A17|A17^^^|^^^MO10^^28343^|R")
    rows = [
        "R|1|^^^AntiA^MO10^Bloodgroup^|40^^|C||||R||o^|20260310114103||11|IH-1000|0300768|o",
        "R|2|^^^Result^MO10^Bloodgroup^|A^NEG^NEG^^|C||||S||o^|20260310114103||11|IH-1000|0300768|o",
    ]
    reading = records("biorad-ih1000", *lines, *rows, "L|1|N")
    well, result = reading.results
    assert (well.main, well.number, well.problem, well.time) == (False, None, "", "20260310114103")
    assert (result.problem, reading.serial) == ("unknown-code", "0300768")


def test_vision_words_and_the_unexplained_flag() -> None:
    lines = ("H|\\^&|||OCD^VISION^5.13^J6^|||||||P|LIS2-A|20260310", "P|1", "O|1|A17||ABO-D|N|||||||||CENTBLOOD")
    rows = ["R|1|ABO|AB|||T||F||Automatic||20260310|J6", "R|2|Rh|NTD|||||F||Automatic||20260310|J6"]
    reading = records("ortho-vision", *lines, *rows, "L||")
    group, rhesus = reading.results
    assert (group.loinc, group.problem, group.flags) == ("883-9", "", frozenset({Flag.UNKNOWN}))
    assert rhesus.problem == "unexpected-word"
    assert (reading.serial, reading.software) == ("J6", "5.13")


@pytest.mark.parametrize(
    ("row", "problem", "number"),
    [
        ("^^^a-IgE^tIgE^1|199^^^^|kU/l", "", "199"),
        ("^^^a-IgE^tIgE^1|>5000^^^^|kU/l", "", "5000"),
        ("^^^a-IgE^tIgE^1|199^^^^|kUA/l", "unit-mismatch", "199"),
        ("^^^a-IgE^tIgE^10|199^^^^|kU/l", "unknown-code", "199"),
        ("^^^a-IgE^tIgE^1|Examine^^^^|kU/l", "value-missing", None),
        ("^^^a-IgE^tIgE^1|199^2^^^|kU/l", "unexpected-component", "199"),
        ("^^^t2^sIgE^1|9.34^^^^|kUA/l", "unknown-code", "9.34"),
    ],
)
def test_phadia_values_units_and_words(row: str, problem: str, number: str | None) -> None:
    lines = (
        "H|\\^&|||Phadia.Prime^1.2.0^4.0|||||^x||P|1|20260310",
        "P|1||||||18991230",
        "O|1|A17^N^^0|A17|^^^t2^sIgE^1",
    )
    one = records("phadia-prime", *lines, f"R|1|{row}||||F||||20260310124704|I1000-1", "L|1|N").results[0]
    assert (one.specimen, one.problem, one.number) == ("A17", problem, number)


@pytest.mark.parametrize(
    ("row", "main", "problem", "number"),
    [
        ("HIV0.6ml^1^2^^F|1523|Copies / mL", True, "", "1523"),
        ("HIV0.6ml^1^2^^F|< 40|Copies / mL", True, "", "40"),
        ("HIV0.6ml^1^2^^F|Not detected|Copies / mL", True, "", None),
        ("HIV0.6ml^1^2^^F|Failed|Copies / mL", True, "unexpected-word", None),
        ("HIV0.6ml^1^2^^F|3.18|Log (Copies / mL)", True, "unit-mismatch", "3.18"),
        ("HIV0.6ml^1^2^^I|Detected|", False, "", None),
        ("HIV0.6ml^1^2^^P|-1.00|cycle number", False, "", "-1.00"),
    ],
)
def test_m2000_tells_result_interpretation_and_cycle_apart(
    row: str, main: bool, problem: str, number: str | None
) -> None:
    lines = (
        "H|\\^&|||m2000^8.1.9.0^275^H1P1O1R1C1L1|||||||P|1|20260310",
        "P|1",
        "O|1|A17|A17^R1^A1|^^^HIV0.6ml^HIV0.6ml",
    )
    one = records("abbott-m2000", *lines, f"R|1|^^^HIV0.6ml^{row}||||F||a||20260310122150|275", "L|1").results[0]
    assert (one.main, one.problem, one.number) == (main, problem, number)


def test_m2000_order_that_failed_is_told_without_a_result() -> None:
    order = "O|1|A17|A17^R1^A1|^^^HIV0.6ml^HIV0.6ml|||||||||||||||||||||X"
    reading = records("abbott-m2000", "H|\\^&|||m2000^8.1^275^x|||||||P|1|20260310", "P|1", order, "L|1")
    assert (reading.kind, reading.orders[0].report_type, reading.results) == ("result", "X", ())
