"""Where in a record does a driver find something? The places it declares, looked up; escapes decoded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from labmw.driver.declaration import Driver, Field, TestId
from labmw.model import Flag
from protocols.astm.record import Delimiters, Record, unescape


def components(record: Record, number: int, repeat: int) -> tuple[str, ...]:
    """Decoded components of one repeat of a field."""
    return tuple(record.components(number, repeat))


def cut(text: str, delimiters: Delimiters) -> tuple[str, ...]:
    """Decoded components of a repeat that was cut out already: a field with many repeats is split once, not once for each."""
    return tuple([unescape(part, delimiters) for part in text.split(delimiters.component)])


def pick(components: Sequence[str], place: Field) -> str:
    """The component a place means; "" beyond the end."""
    if place.bare and len(components) == 1:
        return components[0]
    wanted = place.component or 1
    return components[wanted - 1] if wanted <= len(components) else ""


def text(record: Record, place: Field) -> str:
    """The decoded text of a place; component 0 is the whole field."""
    raw, marks = record.field(place.field), record.delimiters
    if marks.repeat in raw or marks.escape in raw or place.repeat > 1:
        return pick(components(record, place.field, place.repeat), place) if place.component else decoded(raw, record)
    if not place.component:
        return raw
    if marks.component not in raw:  # as most fields are
        return raw if place.component == 1 or place.bare else ""
    return pick(raw.split(marks.component), place)


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


def ordered(text: str, delimiters: Delimiters, driver: Driver) -> str:
    """The test code that one repeat of O.5 orders."""
    parts = cut(text, delimiters)
    if driver.split and len(parts) > 1:
        return driver.split(parts).code
    return pick(parts, replace(driver.ordered, bare=True))


def specimens(record: Record, place: Field) -> tuple[str, ...]:
    """Every specimen identifier that a field names, blanks at the ends taken off; an order may name several (LIS02-A2 9.4.3)."""
    found = [pick(cut(text, record.delimiters), place).strip() for text in record.repeats(place.field)]
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


def flags(record: Record, driver: Driver) -> frozenset[Flag]:
    """What the letters of the flag field say; one that the driver does not map is unknown, never ignored."""
    found: set[str] = set()
    for text in record.repeats(driver.flag.field):
        parts = cut(text, record.delimiters)
        for part in [pick(parts, driver.flag)] if driver.flag.component else parts:
            letters = part.split(driver.flag_separator) if driver.flag_separator else [part]
            found.update(letter.strip() for letter in letters)
    found -= {"", driver.mean_flag, *driver.silent}
    return frozenset(driver.flags.get(letter, Flag.UNKNOWN) for letter in found)
