"""Is one field as a rule wants it? What a rule about a field can ask, written as data in the rule tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from protocols.errors import Hl7Error
from protocols.hl7 import strict
from protocols.hl7.deviation import Facts, Severity
from protocols.hl7.er7 import NULL, Segment, unescape
from protocols.hl7.tables import BY_SYSTEM, TABLES

Complaint = tuple[str, Facts]
Test = Callable[[Segment, int, int], Complaint | None]
_LONGEST = 60
_MOST_REPETITIONS = 100  # of a coded field that are looked at


@dataclass(frozen=True, slots=True)
class Place:
    """A field, or a component of it: OBX-3, OBR-4.3."""

    segment: str
    field: int
    component: int = 0

    @classmethod
    def read(cls, text: str) -> Place:
        """The place that a rule table names."""
        match = re.fullmatch(r"([A-Z][A-Z0-9]{2})-([0-9]+)(?:\.([0-9]+))?", text)
        if not match:
            raise Hl7Error(f"{text!r} is no place: write OBX-3 or OBR-4.3")
        return cls(match[1], int(match[2]), int(match[3] or 0))


@dataclass(frozen=True, slots=True)
class FieldRule:
    """A rule about one field, in these types of message (``*`` for all)."""

    name: str
    messages: frozenset[str]
    place: Place
    test: Test
    source: str
    severity: Severity = Severity.ERROR


def rule(
    name: str, messages: str, place: str, test: Test, source: str, severity: Severity = Severity.ERROR
) -> FieldRule:
    """One line of a rule table; ``messages`` are types such as OML^O33, or ``*``."""
    return FieldRule(name, frozenset(messages.split()), Place.read(place), test, source, severity)


def shown(text: str) -> str:
    """A value as a fact: short."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _value(segment: Segment, n: int, c: int) -> str:
    return segment.component(n, c) if c else segment.field(n)


def required(segment: Segment, n: int, c: int) -> Complaint | None:
    """Something stands there; the null counts, a component must have a text."""
    return None if _value(segment, n, c) else ("hl7-required", ())


def part(segment: Segment, n: int, c: int) -> Complaint | None:
    """The component is filled, if the field is; whether the field is filled is another rule's business."""
    return required(segment, n, c) if segment.field(n) else None


def forbidden(segment: Segment, n: int, c: int) -> Complaint | None:
    """Nothing stands there."""
    value = _value(segment, n, c)
    return ("hl7-forbidden", (("found", shown(value)),)) if value else None


def one_of(*allowed: str) -> Test:
    """The first component is one of these; an empty field is another rule's business."""

    def test(segment: Segment, n: int, c: int) -> Complaint | None:
        value = segment.component(n, c or 1)
        if not segment.field(n) or value in allowed:
            return None
        return "hl7-value", (("found", shown(value or segment.field(n))), ("allowed", ", ".join(allowed)))

    return test


def filled_with(*allowed: str) -> Test:
    """As ``one_of``, and the field may not be empty."""
    inner = one_of(*allowed)

    def test(segment: Segment, n: int, c: int) -> Complaint | None:
        return required(segment, n, 0) or inner(segment, n, c)

    return test


def table_code(segment: Segment, n: int, own: str | None) -> Iterator[tuple[str, str]]:
    """Codes of a field that their table does not have, each with the table: the one the code names, else the field's own."""
    declared = segment.separators
    for part in segment.repetitions(n)[:_MOST_REPETITIONS]:
        cells = part.split(declared.component, 3)
        code = unescape(cells[0].partition(declared.subcomponent)[0], declared, segment.encoding)
        system = cells[2] if len(cells) > 2 else ""
        table = BY_SYSTEM.get(system, own if not system or system == f"HL7{own}" else None)
        if table and code and code != NULL and code not in TABLES[table]:
            yield code, table


def in_table(number: str) -> Test:
    """The code, if there is one, is in this HL7 table."""

    def test(segment: Segment, n: int, c: int) -> Complaint | None:
        value = segment.component(n, c or 1)
        if not value or value in TABLES[number]:
            return None
        return "hl7-table", (("found", shown(value)), ("table", number))

    return test


def time(segment: Segment, n: int, c: int) -> Complaint | None:
    """An HL7 date-time that exists, or nothing."""
    value = segment.component(n, c or 1)
    try:
        strict.check_time("", value)
    except Hl7Error:
        return "hl7-time", (("found", shown(value)),)
    return None


def zoned(segment: Segment, n: int, c: int) -> Complaint | None:
    """A time, if there is one, says its offset from UTC."""
    value = segment.component(n, c or 1)
    if len(value) < 12 or re.search("[+-][0-9]{4}$", value):
        return None
    return "hl7-no-offset", (("found", shown(value)),)


def parts(number: int) -> Test:
    """The field, if it is filled, has this many components, none of them empty."""

    def test(segment: Segment, n: int, c: int) -> Complaint | None:
        value = segment.field(n)
        if not value or value == NULL or all(segment.component(n, part) for part in range(1, number + 1)):
            return None
        return "hl7-components", (("found", shown(value)), ("wanted", str(number)))

    return test


def matching(pattern: str, wanted: str) -> Test:
    """The first component, if there is one, is written so."""

    def test(segment: Segment, n: int, c: int) -> Complaint | None:
        value = segment.component(n, c or 1)
        if not value or value == NULL or re.fullmatch(pattern, value, re.ASCII):
            return None
        return "hl7-value", (("found", shown(value)), ("allowed", wanted))

    return test


def systematic(segment: Segment, n: int, c: int) -> Complaint | None:
    """A code, if there is one, says of which coding system it is."""
    value = segment.field(n)
    if not value or value == NULL or not segment.component(n, 1) or segment.component(n, 3):
        return None
    return "hl7-no-system", (("found", shown(value)),)


def longest(size: int) -> Test:
    """The field has at most so many characters."""

    def test(segment: Segment, n: int, c: int) -> Complaint | None:
        length = len(_value(segment, n, c))
        return ("hl7-too-long", (("length", str(length)), ("allowed", str(size)))) if length > size else None

    return test
