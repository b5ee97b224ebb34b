"""Which faults of a driver are found before it meets a message?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from labmw.driver.check import claimed_evidence, faults, loinc_check_digit
from labmw.driver.declaration import Control, Driver, Evidence, Field, Hl7Driver, Test
from labmw.model import Flag

GOOD = Driver(name="acme-x100", evidence=Evidence.MANUAL, tests={"TSH": Test("3016-3", "m[IU]/L")})
SAID = "Acme.\n\nSource: Acme X100 Host Interface, rev. 4, p. 12.\nEvidence: manual.\n"


def test_a_good_driver_has_no_faults() -> None:
    assert faults(GOOD, SAID) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "Acme X100"}, "lower-case"),
        ({"evidence": Evidence.UNVERIFIED}, "claims evidence"),
        ({"recognises": "("}, "regular expression"),
        ({"control": Control(specimen="[")}, "regular expression"),
        ({"tests": {"TSH": Test("3016-4", "m[IU]/L")}}, "check digit"),
        ({"tests": {"TSH": Test("", "m[IU]/L")}}, "no LOINC"),
        ({"tests": {"TSH": Test("3016-3", "mIU/L")}}, "not UCUM"),
        ({"tests": {"PCR": Test("94500-6", text=True)}}, "no words"),
        ({"tests": {"PCR": Test("94500-6", "mmol/L", text=True, values=("POSITIVE",))}}, "leave one"),
        ({"units": {"G/L": "giga"}}, "not UCUM"),
        ({"flags": {"H": "high!"}}, "not one of labmw's flags"),
        ({"specimen": Field("Z", 3)}, "no record"),
        ({"value": Field("R", 0)}, "counted from 1"),
        ({"material": (Field("O", 16),)}, "accepts none"),
    ],
)
def test_a_fault_is_told_with_its_place(change: dict[str, Any], word: str) -> None:
    found = faults(replace(GOOD, **change), SAID)
    assert len(found) == 1
    assert word in found[0]


def test_source_and_evidence_must_be_said() -> None:
    assert len(faults(GOOD, "Acme.")) == 2
    assert claimed_evidence(SAID) == "manual"
    assert "names no capture" in faults(replace(GOOD, evidence=Evidence.CAPTURE), SAID.replace("manual", "capture"))[0]


@pytest.mark.parametrize("code", ["2823-3", "6690-2", "20447-9", "94500-6", "718-7"])
def test_check_digits(code: str) -> None:
    assert loinc_check_digit(code)
    number, digit = code.split("-")
    assert not any(loinc_check_digit(f"{number}-{other}") for other in range(10) if str(other) != digit)


@pytest.mark.parametrize("code", ["", "-", "2823", "2823-", "-3", "2823-33", "28a3-3", "2823 3"])
def test_what_is_no_loinc_code(code: str) -> None:
    assert not loinc_check_digit(code)


def test_flags_are_labmws_own() -> None:
    assert faults(replace(GOOD, flags={"H": Flag.HIGH}, alarms={"58": Flag.HAEMOLYSIS}), SAID) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"specimen": Field("O", 3)}, "no segment"),
        ({"specimen_or": (Field("ZZZ", 3),)}, "no segment"),
        ({"marks": (Field("OBX", 0),)}, "counted from 1"),
        ({"awos": Field("OBR", 2, 1, sub=0)}, "counted from 1"),
        ({"protocol": "astm"}, "use Hl7Driver"),
    ],
)
def test_a_fault_of_an_hl7_driver_is_told(change: dict[str, Any], word: str) -> None:
    good = Hl7Driver(name="acme-x100", evidence=Evidence.MANUAL)
    assert faults(good, SAID) == []
    assert any(word in fault for fault in faults(replace(good, **change), SAID))


def test_an_astm_driver_has_no_subcomponents_and_cannot_speak_hl7() -> None:
    assert "no subcomponents" in faults(replace(GOOD, unit=Field("R", 5, 1, sub=2)), SAID)[0]
    assert any("use Hl7Driver" in fault for fault in faults(replace(GOOD, protocol="hl7"), SAID))
