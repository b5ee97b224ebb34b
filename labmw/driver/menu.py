"""What does a driver make of an HL7 code, a unit and a flag text? Worked out at their first coming, and kept.

A menu has some hundred codes, a dozen units and flags; reading them anew in each of a million results is most of the work. What is kept holds
for one driver, one set of separators and one character set; all are values, so it can never change its meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from labmw.driver.check import loinc_check_digit
from labmw.driver.declaration import Field, Hl7Driver, Test, TestId
from labmw.driver.kept import Kept
from labmw.driver.observed import pick, repeated
from labmw.model import Flag
from protocols.hl7.er7 import Message, Segment, Separators

_STANDARD = frozenset({"", "HL70078", "0078"})  # OBX-8.3 of codes that are not the maker's own
_MENUS = 256
_menus: dict[tuple[int, Separators, str], Menu] = {}


Pick = Callable[[Segment, list[str]], str]
"""The decoded text of a place in an OBX, whose padded fields are given with it."""


class Named(NamedTuple):
    """What OBX-3 (with OBX-4) names. `coded`: taken as sent, because the driver trusts LOINC and UCUM (IHE LAW as written)."""

    test_id: TestId
    test: Test | None
    name: str  # OBX-3.2
    supplemental: bool  # marked S_OTHER, S_RAW ... in OBX-3.4 (IHE LAW)
    coded: bool


class Menu:
    """A driver's codes, units and flags for messages of one notation."""

    def __init__(self, driver: Hl7Driver) -> None:
        self.driver = driver
        self.status = _picker(driver.status)
        self.run = _picker(driver.run)
        self.completed = _picker(driver.completed)
        self.completed_or = _picker(driver.completed_or)
        self.assay_above = driver.assay is not None and driver.assay.record != "OBX"
        self._named = Kept[Named]()
        self._units = Kept[tuple[str, str]]()
        self._flags = Kept[frozenset[Flag]]()

    def named(self, obx: Segment, assay: str = "") -> Named:
        """What this OBX is about; `assay` where the driver reads it in a segment above."""
        key = f"{obx.field(self.driver.test.field)}\r{obx.field(4)}\r{assay}"  # no line of a message holds a CR
        found = self._named.get(key)
        if found is None:
            found = self._named.keep(key, (_named(obx, self.driver, assay)))
        return found

    def unit(self, obx: Segment) -> tuple[str, str]:
        """The unit, and the coding system it is from."""
        place = self.driver.unit
        raw = obx.field(place.field)
        found = self._units.get(raw)
        if found is None:
            found = self._units.keep(raw, (pick(obx, place), obx.component(place.field, 3)))
        return found

    def flags(self, obx: Segment) -> frozenset[Flag]:
        """OBX-8, table 0078, and beside it the maker's own codes, each with its coding system."""
        driver = self.driver
        raw = "\r".join([obx.field(driver.flag.field), *[obx.field(place.field) for place in driver.marks]])
        found = self._flags.get(raw)
        if found is None:
            found = self._flags.keep(raw, (_flags(obx, driver)))
        return found


def menu_of(driver: Hl7Driver, message: Message) -> Menu:
    """The menu of a driver; it is made once. The menu holds its driver, whose number can therefore not become another's."""
    key = id(driver), message.separators, message.encoding
    menu = _menus.get(key)
    if menu is None:
        if len(_menus) >= _MENUS:
            _menus.clear()
        menu = _menus[key] = Menu(driver)
    return menu


def _picker(place: Field | None) -> Pick | None:
    """A place in the OBX as a function; None where there is none, or where it lies in a segment above."""
    if place is None or place.record != "OBX" or not place.component:
        return None
    n, first = place.field, (place.component, place.sub, place.repeat) == (1, 1, 1)

    def picked(obx: Segment, cells: list[str]) -> str:
        raw = cells[n]
        if first and (not raw or raw.isalnum()):  # nothing to take apart
            return raw
        return pick(obx, place)

    return picked


def _named(obx: Segment, driver: Hl7Driver, above: str) -> Named:
    test_id = _identify(obx, driver, above)
    name = obx.component(3, 2)
    supplemental = obx.component(3, 6) == "IHELAW" and obx.component(3, 4).startswith("S_")
    for key in (test_id.key, test_id.assay, test_id.code):
        if key and (found := driver.tests.get(key)):
            return Named(test_id, found, name, supplemental, False)
    if driver.coded and obx.component(3, 3) == "LN" and loinc_check_digit(test_id.code):
        return Named(test_id, Test(test_id.code, name=name), name, supplemental, True)
    return Named(test_id, None, name, supplemental, False)


def _identify(obx: Segment, driver: Hl7Driver, above: str) -> TestId:
    if driver.split is not None:
        return driver.split(tuple(obx.components(driver.test.field)))
    code = pick(obx, driver.test) or obx.component(driver.test.field)
    if driver.detail is None and driver.analyte is None:
        return TestId(code, detail="" if driver.run else obx.field(4))
    assay = pick(obx, driver.assay) if driver.assay and driver.assay.record == "OBX" else above
    analyte = pick(obx, driver.analyte) if driver.analyte else ""
    detail = pick(obx, driver.detail) if driver.detail else ""
    return TestId(code, f"{assay}/{analyte}" if assay and analyte else assay, detail, analyte, assay)


def _flags(obx: Segment, driver: Hl7Driver) -> frozenset[Flag]:
    found: set[Flag] = set()
    n = driver.flag.field
    for code, system in zip(repeated(obx, n), repeated(obx, n, 3), strict=True):
        if code and code not in driver.silent:
            own = driver.flags if system in _STANDARD else driver.alarms
            found.add(own.get(code, Flag.UNKNOWN))
    for place in driver.marks:
        if (code := pick(obx, place)) and code not in driver.silent:
            found.add(driver.alarms.get(code, Flag.UNKNOWN))
    return frozenset(found)
