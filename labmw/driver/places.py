"""Where in a record does a driver find something? The places it declares, looked up; escapes decoded."""

from __future__ import annotations

import re
from collections.abc import Sequence

from labmw.driver.declaration import Driver, Field, TestId
from protocols.astm.record import Record, unescape


def components(record: Record, number: int, repeat: int) -> tuple[str, ...]:
    """Decoded components of one repeat of a field."""
    return tuple(record.components(number, repeat))


def pick(components: Sequence[str], place: Field) -> str:
    """The component a place means; "" beyond the end."""
    if place.bare and len(components) == 1:
        return components[0]
    wanted = place.component or 1
    return components[wanted - 1] if wanted <= len(components) else ""


def text(record: Record, place: Field) -> str:
    """The decoded text of a place; component 0 is the whole field."""
    if not place.component:
        return decoded(record.field(place.field), record)
    return pick(components(record, place.field, place.repeat), place)


def decoded(raw: str, record: Record) -> str:
    """Text of a record with its escape sequences decoded."""
    return unescape(raw, record.delimiters)


def first(records: Sequence[Record], place: Field | None) -> str:
    """The first filled place of its kind in the message: serial number, software version."""
    if place is None:
        return ""
    found = (text(record, place).strip() for record in records if record.type == place.record)
    return next((one for one in found if one), "")


def identify(record: Record, driver: Driver) -> TestId:
    """What R.3 names, by the family's rule."""
    parts = components(record, driver.test.field, driver.test.repeat)
    if driver.split:
        return driver.split(parts)
    return TestId(pick(parts, driver.test))


def specimens(record: Record, driver: Driver) -> tuple[str, ...]:
    """Every specimen identifier that a record names, blanks at the ends taken off; an order may name several (LIS02-A2 9.4.3)."""
    place = driver.specimen
    found = [
        pick(components(record, place.field, repeat), place).strip()
        for repeat in range(1, len(record.repeats(place.field)) + 1)
    ]
    return tuple(one for one in found if one)


def is_control_header(header: Record | None, driver: Driver) -> bool:
    """Whether the header says that everything below it is quality control (H.12 = Q)."""
    return bool(header and driver.control.processing_id and header.field(12) == "Q")


def is_control(record: Record, specimen: str, driver: Driver) -> bool:
    """Whether this order was measured on a control material, in the ways the family marks it."""
    control = driver.control
    return (
        (control.action and "Q" in record.repeats(12))
        or bool(control.specimen and re.search(control.specimen, specimen))
        or bool(control.descriptor and re.search(control.descriptor, record.field(16)))
        or bool(control.position and re.search(control.position, record.field(4)))
    )


def stray(record: Record, driver: Driver) -> str:
    """Return the value field when it holds parts that the driver does not read (every delimiter is looked at, law 11)."""
    place = driver.value
    if not place.component:
        return ""
    if len(record.repeats(place.field)) > 1:
        return record.field(place.field)
    read_from = {place.component} | ({driver.value_or.component} if driver.value_or else set())
    parts = components(record, place.field, 1)
    filled = {n for n, part in enumerate(parts, 1) if part.strip()}
    return record.field(place.field) if filled - read_from or len(filled) > 1 else ""
