"""Is this driver fit for use? The questions that can be asked of the value alone, before it meets a message."""

from __future__ import annotations

import re

from labmw import tube_form
from labmw.driver import ordering
from labmw.driver.declaration import Driver, Evidence, Field, Hl7Driver
from labmw.driver.laying import PlainDriver
from labmw.model import Flag
from labmw.quantity import is_ucum
from protocols.plain.message import NAMES as PLAIN

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LETTERS = frozenset("HPORCQMS")
_SEGMENTS = frozenset(
    {"MSH", "PID", "SPM", "SAC", "ORC", "OBR", "TQ1", "OBX", "QPD", "QRD"}
)  # those that stand open above an OBX
_LAST_OF_OBX = 30  # 2.8.2; the last that IHE LAW uses
_CLAIM = re.compile(r"^Evidence:\s*(\w+)", re.MULTILINE)
_SOURCE = re.compile(r"^Source:\s*\S", re.MULTILINE)


def loinc_check_digit(code: str) -> bool:
    """True when the number behind the hyphen is the mod 10 check digit of the one before it (LOINC manual, appendix C)."""
    number, hyphen, digit = code.rpartition("-")
    if not hyphen or not number.isdecimal() or len(digit) != 1 or not digit.isdecimal():
        return False
    total = 0
    for place, figure in enumerate(reversed(number)):
        doubled = int(figure) * 2 if place % 2 == 0 else int(figure)
        total += doubled - 9 if doubled > 9 else doubled
    return (10 - total % 10) % 10 == int(digit)


def claimed_evidence(docstring: str) -> str:
    """The word after "Evidence:" in a driver's docstring; "" when there is none."""
    match = _CLAIM.search(docstring)
    return match.group(1).lower() if match else ""


def faults(driver: Driver, docstring: str) -> list[str]:
    """Everything wrong with a driver, one sentence each with what to do; empty when it may be used."""
    found: list[str] = []
    if not _NAME.fullmatch(driver.name):
        found.append(f"name {driver.name!r}: use lower-case letters, digits and hyphens")
    if not _SOURCE.search(docstring):
        found.append("the docstring has no Source: say which document or capture this was made from")
    claim = claimed_evidence(docstring)
    if claim != driver.evidence.name.lower():
        found.append(
            f"the docstring claims evidence {claim or 'nothing'!r}, the value {driver.evidence.name.lower()!r}: make them one"
        )
    if driver.evidence >= Evidence.CAPTURE and "corpus:" not in docstring and "tests/captures/" not in docstring:
        found.append("evidence capture names no capture: add its path to the docstring")
    found += tube_form.faults(driver.tube)
    if isinstance(driver, Hl7Driver) and driver.tube != tube_form.AS_WRITTEN:
        found.append("tube: identifiers in HL7 are taken as they are; leave it out")
    for pattern in (driver.recognises, driver.control.specimen, driver.control.descriptor, driver.control.position):
        try:
            re.compile(pattern)
        except re.error as error:
            found.append(f"pattern {pattern!r} is not a regular expression ({error}): mend it")
    if (driver.protocol == "hl7") != isinstance(driver, Hl7Driver):
        found.append(f"speaks {driver.protocol} as a {type(driver).__name__}: use Hl7Driver for HL7, Driver for ASTM")
    if (driver.protocol in PLAIN) != isinstance(driver, PlainDriver):
        found.append(f"speaks {driver.protocol} as a {type(driver).__name__}: use PlainDriver for a plain link alone")
    if driver.orders is not None:
        found += ordering.faults(driver.orders)
    found += _test_faults(driver)
    found += _table_faults(driver)
    return found


def _test_faults(driver: Driver) -> list[str]:
    found: list[str] = []
    for code, test in driver.tests.items():
        if not test.loinc and not test.index:
            found.append(f"test {code}: has no LOINC code; only a serum index may go without")
        if test.loinc and not loinc_check_digit(test.loinc):
            found.append(f"test {code}: the check digit of LOINC {test.loinc!r} is wrong; look it up again")
        for unit in (test.unit, *test.also):
            if unit and not is_ucum(unit):
                found.append(f"test {code}: {unit!r} is not UCUM; write it like 10*9/L, mmol/L or [IU]/L")
        if test.text and not test.values:
            found.append(f"test {code}: is qualitative and names no words; list those that it may send")
        if test.text and test.unit:
            found.append(f"test {code}: is qualitative and has a unit; leave one of them out")
    return found


def _table_faults(driver: Driver) -> list[str]:
    found: list[str] = []
    units = [(sent, unit) for sent, unit in driver.units.items()]
    units += [(detail, unit) for detail, table in driver.details.items() for pair in table.items() for unit in pair]
    found += [f"unit {sent!r}: {unit!r} is not UCUM" for sent, unit in units if not is_ucum(unit)]
    for letter, flag in (*driver.flags.items(), *driver.alarms.items()):
        if not isinstance(flag, Flag):
            found.append(f"flag {letter!r}: {flag!r} is not one of labmw's flags; use Flag.{letter} or one of its kin")
    places = [driver.specimen, driver.test, driver.value, driver.unit, driver.range, driver.flag, driver.status]
    places += [driver.operator, driver.completed, driver.instrument, driver.ordered, driver.query, *driver.material]
    places += driver.specimen_or
    optional = [driver.value_or, driver.completed_or, driver.loinc_sent, driver.alarm, driver.serial, driver.software]
    optional.append(driver.run)
    if isinstance(driver, Hl7Driver):
        places += driver.marks
        optional += [driver.awos, driver.assay, driver.analyte, driver.detail]
    places += [place for place in optional if place is not None]
    found += [f"place {place}: {fault}" for place in places if (fault := _place_fault(place, driver.protocol))]
    if driver.material and not driver.materials:
        found.append("says where the material stands and accepts none: list the materials its LOINC codes hold for")
    return found


def _place_fault(place: Field, protocol: str) -> str:
    if protocol != "hl7" and place.record not in _LETTERS:
        return f"{place.record!r} is no record of LIS02-A2"
    if protocol == "hl7" and place.record not in _SEGMENTS:
        return f"{place.record!r} is no segment that stands above a result; use one of {', '.join(sorted(_SEGMENTS))}"
    if place.record == "OBX" and place.field > _LAST_OF_OBX:
        return f"OBX has {_LAST_OF_OBX} fields"
    if place.field < 1 or place.component < 0 or place.repeat < 1 or place.sub < 1:
        return "fields, components, subcomponents and repeats are counted from 1"
    if protocol != "hl7" and place.sub > 1:
        return "LIS02-A2 has no subcomponents"
    return ""
