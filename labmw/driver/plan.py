"""How is one record read quickly with a driver? Its places made into functions once, and what it says of codes and flags kept.

A menu has some hundred codes and a few dozen flags: what a driver makes of each is worked out at its first coming. A plan holds for one
driver and one set of delimiters; both are values, so nothing that is kept here can ever change its meaning.
"""

from __future__ import annotations

from collections.abc import Callable

from labmw.driver import places
from labmw.driver.declaration import Driver, Field, Test, TestId
from labmw.driver.kept import Kept
from labmw.model import Flag
from protocols.astm.record import Delimiters, Record, unescape

Pick = Callable[[list[str]], str]
"""The decoded text of a place in the padded fields of a record."""

_PLANS = 256
_plans: dict[tuple[int, Delimiters], Plan] = {}


class Plan:
    """A driver made ready for records with these delimiters."""

    def __init__(self, driver: Driver, delimiters: Delimiters) -> None:
        self.driver = driver
        self._delimiters = delimiters
        numbered = (driver.test, driver.value, driver.unit, driver.range, driver.flag)
        self.width = max(14, *(place.field for place in numbered), *(place.field for place in _optional(driver)))
        self.at_test, self.at_value, self.at_unit, self.at_range, self.at_flag = (place.field - 1 for place in numbered)
        self.value = self._pick(driver.value)
        self.value_or = self._pick(driver.value_or) if driver.value_or else None
        self.unit = self._pick(driver.unit)
        self.status = self._pick(driver.status)
        self.operator = self._pick(driver.operator)
        self.instrument = self._pick(driver.instrument)
        self.completed = self._pick_in_result(driver.completed)
        self.completed_or = self._pick_in_result(driver.completed_or)
        self.run = self._pick_in_result(driver.run)
        self.material_in_result = any(place.record == "R" for place in driver.material)
        self._codes = Kept[str]()
        self._tests = Kept[tuple[TestId, Test | None]]()
        self._flags = Kept[frozenset[Flag]]()

    def cells(self, record: Record) -> list[str]:
        """The fields of a record as sent, padded: `cells[n - 1]` is field n."""
        fields = record.fields
        missing = self.width - len(fields)
        return [*fields, *[""] * missing] if missing > 0 else fields

    def test(self, raw: str, record: Record) -> tuple[TestId, Test | None]:
        """What R.3 names, and the test that the driver knows under it."""
        found = self._tests.get(raw)
        if found is None:
            test_id = places.identify(record, self.driver)
            found = test_id, self.driver.tests.get(test_id.key or test_id.code)
            self._tests.keep(raw, found)
        return found

    def code(self, raw: str) -> str:
        """The test code that one repeat of O.5 orders."""
        found = self._codes.get(raw)
        if found is None:
            found = places.ordered(raw, self._delimiters, self.driver)
            self._codes.keep(raw, found)
        return found

    def flags(self, raw: str, record: Record) -> frozenset[Flag]:
        """What the letters of a flag field say."""
        found = self._flags.get(raw)
        if found is None:
            found = places.flags(record, self.driver)
            self._flags.keep(raw, found)
        return found

    def _pick_in_result(self, place: Field | None) -> Pick | None:
        """A place that may lie in the order above instead."""
        return self._pick(place) if place is not None and place.record == "R" else None

    def _pick(self, place: Field) -> Pick:
        delimiters, n = self._delimiters, place.field - 1
        component, repeat, escape = delimiters.component, delimiters.repeat, delimiters.escape
        first = place.repeat == 1 and (place.component == 1 or place.bare)

        def whole(cells: list[str]) -> str:
            raw = cells[n]
            return unescape(raw, delimiters) if escape in raw else raw

        def part(cells: list[str]) -> str:
            raw = cells[n]
            if component not in raw and repeat not in raw and escape not in raw:
                return raw if first else ""
            repeats = raw.split(repeat)
            if place.repeat > len(repeats):
                return ""
            return places.pick([unescape(one, delimiters) for one in repeats[place.repeat - 1].split(component)], place)

        return part if place.component else whole


def _optional(driver: Driver) -> list[Field]:
    places_ = (driver.status, driver.operator, driver.instrument, driver.completed, driver.completed_or, driver.run)
    return [place for place in (*places_, driver.value_or) if place is not None]


def plan_of(driver: Driver, delimiters: Delimiters) -> Plan:
    """The plan of a driver; it is made once. The plan holds its driver, whose number can therefore not become another's."""
    key = id(driver), delimiters
    plan = _plans.get(key)
    if plan is None:
        if len(_plans) >= _PLANS:
            _plans.clear()
        plan = _plans[key] = Plan(driver, delimiters)
    return plan
