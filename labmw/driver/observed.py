"""What does OBX-5 hold: which text, and which part of it is to be read as a number? OBX-2 says it, not always truly."""

from __future__ import annotations

from labmw.driver.declaration import Field, Hl7Driver, Measure
from protocols.hl7.er7 import NULL, Segment, unescape

NUMERIC = frozenset({"NM", "SN", "ST", ""})
"""OBX-2 of what may stand for a number: numbers sent as text are common, a type left out is met (CITM)."""
CODED = frozenset({"CE", "CWE", "CNE"})


def pick(segment: Segment | None, place: Field) -> str:
    """The decoded text of a place; the whole field as sent where it names no component."""
    if segment is None:
        return ""
    if not place.component:
        return segment.field(place.field)
    return segment.component(place.field, place.component, place.sub, place.repeat)


def repeated(segment: Segment, n: int, c: int = 1) -> list[str]:
    """Component c of every repetition, decoded; a field with many repetitions is split once, not once for each."""
    separators = segment.separators
    cut = [text.split(separators.component) for text in segment.repetitions(n)]
    texts = [parts[c - 1].partition(separators.subcomponent)[0] if c <= len(parts) else "" for parts in cut]
    return ["" if text == NULL else unescape(text, separators, segment.encoding) for text in texts]


def value_text(obx: Segment, kind: str, driver: Hl7Driver) -> str:
    """OBX-5 as text, escapes decoded: the declared component, the number of an SN, or the field as sent where it has several parts."""
    place = driver.value
    if place.component:
        found = pick(obx, place)
        return found if found or driver.value_or is None else pick(obx, driver.value_or)
    raw, separators = obx.field(place.field), obx.separators
    if separators.component not in raw and separators.repetition not in raw:
        return obx.text(place.field) if separators.escape in raw else raw
    components = obx.components(place.field)
    filled = [text for text in components if text]
    if kind == "SN" and len(components) == 2 and not components[0]:
        return components[1]
    if separators.repetition not in raw and len(filled) == 1 and components[0]:
        return filled[0]
    return raw


def measured(obx: Segment, kind: str, value: str, driver: Hl7Driver) -> Measure | None:
    """What is to be read of the value as a number or a word; None where the type says that it is no measurement."""
    if kind not in NUMERIC or obx.separators.repetition in obx.field(driver.value.field):
        return None
    if driver.measure is not None:
        return driver.measure(value)
    if kind == "SN" and not driver.value.component:
        return _structured(obx, driver.value.field)
    return Measure(value, missing=value == NULL)


def _structured(obx: Segment, n: int) -> Measure | None:
    """SN: comparator, number, separator, second number. A ratio, a range and a category such as 2+ are no single number."""
    comparator, first, separator, second = (obx.component(n, c) for c in range(1, 5))
    if separator or second or comparator not in ("", "=", "<", ">", "<=", ">="):
        return None
    return Measure(("" if comparator == "=" else comparator) + first)


def stray(obx: Segment, driver: Hl7Driver) -> str:
    """OBX-5 where it holds parts that the driver does not read (every delimiter is looked at, law 11)."""
    place, raw = driver.value, obx.field(driver.value.field)
    if not place.component:
        return raw if obx.separators.repetition in raw else ""
    read_from = {place.component} | ({driver.value_or.component} if driver.value_or else set())
    filled = {n for n, text in enumerate(obx.components(place.field), 1) if text.strip()}
    return raw if obx.separators.repetition in raw or filled - read_from or len(filled) > 1 else ""
