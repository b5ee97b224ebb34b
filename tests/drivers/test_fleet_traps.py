"""The traps of the wire, asked of every driver: what it has not declared is never read as a number, a unit, a tube or a patient's result."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.decoder import Decoder
from labmw.driver.declaration import Driver, Evidence, Hl7Driver, Test
from labmw.driver.value import is_logarithm, read_coded, read_detail, read_main
from labmw.line.registry import Registry
from labmw.model import Disposition
from labmw.quantity import NumberFormat
from labmw.tube_form import AS_WRITTEN

COMPOSED = Path(__file__).parents[1] / "captures"
REGISTRY = Registry.find()
PARIS = ZoneInfo("Europe/Paris")
DRIVERS = sorted(REGISTRY.drivers.values(), key=lambda one: one.name)
BY_NAME = [pytest.param(one, id=one.name) for one in DRIVERS]
OWN = [
    pytest.param(one, path, id=f"{one.name}:{path.name}")
    for one in DRIVERS
    for path in sorted((COMPOSED / one.name).glob("composed-*"))
]

WANTED = """
XN-1000, XN-550, XP-300, ABX Pentra 80, Yumizen H500, BC-5380, Alinity hq, DxH 900, cobas c 111, cobas c 311, cobas e 411, cobas pro, cobas pure, ARCHITECT i2000SR, Alinity c,
Atellica CH, DxC 700 AU, DxI 800, Access 2, Vitros 3600, LIAISON XL, VIDAS, MAGLUMI 800, XL 640, BS-200, STA-R Max, ACL TOP 750, CA-600, CS-2500, CN-6000, HLC-723 G8, D-10, D-100,
CAPILLARYS 3, Urisys 1100, ABL90 FLEX, GEM Premier 3500, RAPIDPoint 500, DCA Vantage, Afinion 2, IH-1000, Vision, Echo, Phadia 250, Analyzer I, GeneXpert Dx, m2000rt, cobas 4800,
cobas 5800, cobas 6800, VITEK 2, BACTEC FX
"""
"""The commonest families of French laboratories: each has a file, proven or listed apart."""
NO_NUMBERS = ("", " ", "---", "+++", "----", "++++", "*****", ">", "<", "<>5", "5-7", "5/7", "NaN", "inf", "1.2.3", "٣", "5 mg", "0x1F", "1_000", "5^6")  # fmt: skip
MARKS = {"7,41": ",", "1,234.5": ",", "1.234,5": ",", "12 345": " ", "12'345": "'", "1234.5": ".", "3.26E+05": "E"}
"""Texts whose number depends on what a mark means, and the mark that has to be declared for it."""


@pytest.mark.parametrize("model", [one.strip() for one in WANTED.split(",")])
def test_a_family_has_a_file(model: str) -> None:
    assert [one.name for one in DRIVERS if model in one.models], f"no driver names {model}"


def measured(driver: Driver) -> list[Test]:
    """The tests of a driver whose values are numbers; one of our own where it maps none."""
    return [one for one in driver.tests.values() if not one.text] or [Test("2823-3", "mmol/L")]


def declared(form: NumberFormat, text: str) -> bool:
    """Whether the family says what the marks in a text mean."""
    if MARKS[text] == "E":
        return form.exponent
    groups = re.split(r"[.,]", text)
    if len(groups) > 2:  # two marks: one groups
        return form.thousands == MARKS[text] or form.thousands == text[len(groups[0])]
    return MARKS[text] in form.decimal or MARKS[text] == form.thousands


def guessed(driver: Driver) -> list[str]:
    """The texts that a driver reads as numbers although nothing that it declares says which."""
    found = []
    for test in measured(driver):
        unit = next((sent for sent, meant in driver.units.items() if meant == test.unit), test.unit)
        for text in (*NO_NUMBERS, *MARKS):
            read = read_main(text, unit, test, driver)
            if read.number is not None and not (text in MARKS and declared(driver.numbers, text)):
                found.append(text)
            assert read.number is not None or read.problem or text.strip() in test.values
    return found


@pytest.mark.parametrize("driver", BY_NAME)
def test_no_mark_is_guessed_and_no_masked_value_is_a_number(driver: Driver) -> None:
    assert guessed(driver) == []


def test_a_driver_that_guesses_would_be_noticed() -> None:
    """The variant that breaks it: reading behind a mark that the family does not declare."""
    lenient = replace(REGISTRY.named("sysmex-xn"), numbers=NumberFormat(decimal=".,"))
    assert not declared(REGISTRY.named("sysmex-xn").numbers, "7,41")
    assert read_main("7,41", "10*3/uL", lenient.tests["WBC"], lenient).number == "7.41"
    assert read_main("7,41", "10*3/uL", lenient.tests["WBC"], REGISTRY.named("sysmex-xn")).number is None


@pytest.mark.parametrize("driver", BY_NAME)
@pytest.mark.parametrize("mark", ["<", ">", "<=", ">=", "≤", "≥"])
def test_a_comparator_stays_with_its_number(driver: Driver, mark: str) -> None:
    for test in measured(driver):
        read = read_main(f"{mark} 5", test.unit, test, driver)
        assert read.comparator == {"≤": "<=", "≥": ">="}.get(mark, mark)
        assert read.number == "5"


@pytest.mark.parametrize("driver", BY_NAME)
def test_a_unit_that_nobody_declared_is_not_taken(driver: Driver) -> None:
    for test in measured(driver):
        for sent in ("furlong", "mol/fortnight", "Gs", "x" * 200):
            read = read_main("5", sent, test, driver)
            assert read.problem or read.ucum in (test.unit, *test.also)
            assert read.ucum != sent
        if test.unit and is_logarithm(test.unit):
            assert read_main("5", "{copies}/mL", test, driver).problem
    for sent in ("furlong", "{copies}/mL", "[IU]/mL"):
        assert read_detail("5", sent, "log", driver).ucum in {"", *driver.details.get("log", {}).values()}
        if isinstance(driver, Hl7Driver) and driver.coded:
            assert read_coded("5", sent, "L", driver).problem == "unknown-unit"


@pytest.mark.parametrize("driver", BY_NAME)
def test_identifiers_of_tubes_are_as_written_where_no_document_says_otherwise(driver: Driver) -> None:
    """No shipped family pads or checks by itself: a barcode reader does, and its laboratory says so."""
    assert driver.tube == AS_WRITTEN


@pytest.mark.parametrize(("driver", "capture"), OWN)
def test_what_was_composed_names_its_driver_and_a_control_is_no_patients(driver: Driver, capture: Path) -> None:
    for one in Decoder(REGISTRY, driver if not driver.recognises else None, PARIS).decode(capture).messages:
        assert one.reading.driver == driver.name
        assert driver.evidence > Evidence.UNVERIFIED or all(result.problem for result in one.reading.results)
        if "control" in capture.name:
            assert one.reading.kind == "qc-result" or not any(r.main for r in one.reading.results)
            assert all(result.control or not result.main for result in one.reading.results)


@pytest.mark.parametrize(("driver", "capture"), [one for one in OWN if str(one.values[1]).endswith(".astm")])
@pytest.mark.parametrize("processing", ["T", "D"])
def test_training_and_debugging_report_nothing(driver: Driver, capture: Path, processing: str) -> None:
    if not driver.practice:
        pytest.skip("this family writes T and D of patients too")
    text = re.sub(rb"\x02\d|[\x03\x17][0-9A-F]{2}\r\n|[\x04\x05]", b"", capture.read_bytes())
    head, _, rest = text.partition(b"\r")
    cells = (head + b"|" * 14).split(b"|")
    cells[11] = processing.encode()
    bare = b"|".join(cells) + b"\r" + rest
    for one in Decoder(REGISTRY, driver, PARIS).read("practice", bare).messages:
        assert (one.reading.disposition, one.reading.reason) == (Disposition.QUARANTINED, "not-production")
        assert all(result.problem for result in one.reading.results if result.main)
