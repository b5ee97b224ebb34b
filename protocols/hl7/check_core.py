"""Is a message sound HL7, whatever the profile? Header, structure, required fields, tables, times and values."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from protocols.hl7 import charset, values
from protocols.hl7.check_fields import FieldRule, in_table, longest, matching, required, rule, table_code, time
from protocols.hl7.check_subject import Subject
from protocols.hl7.deviation import Deviation, Severity
from protocols.hl7.er7 import NULL, Segment
from protocols.hl7.grammar import Misfit
from protocols.hl7.grammars import ALTERNATIVES, STRUCTURES
from protocols.hl7.tables import IN_FIELD, USER_DEFINED

_TEXT = ("ST", "TX", "FT")
_MOST_FIELDS = 100  # of a segment whose codes are looked up: no segment of HL7 has more
_CH2, _CH3, _CH4, _CH7, _CH13 = (f"HL7 2.5.1 chapter {n}" for n in ("2", "3", "4", "7", "13"))

REQUIRED: tuple[FieldRule, ...] = (
    rule("HL7-MSH-7", "*", "MSH-7", required, _CH2),
    rule("HL7-MSH-9", "*", "MSH-9", required, _CH2),
    rule("HL7-MSH-10", "*", "MSH-10", required, _CH2),
    rule("HL7-MSH-10-LENGTH", "*", "MSH-10", longest(199), _CH2),
    rule("HL7-MSH-11", "*", "MSH-11", required, _CH2),
    rule("HL7-MSH-12", "*", "MSH-12", required, _CH2),
    rule("HL7-MSH-12-TABLE", "*", "MSH-12", in_table("0104"), "HL7 table 0104"),
    rule("HL7-MSA-1", "*", "MSA-1", required, _CH2),
    rule("HL7-MSA-2", "*", "MSA-2", required, _CH2),
    rule("HL7-QPD-1", "*", "QPD-1", required, "HL7 2.5.1 chapter 5"),
    rule("HL7-PID-3", "*", "PID-3", required, _CH3),
    rule("HL7-PID-5", "*", "PID-5", required, _CH3),
    rule("HL7-PV1-2", "*", "PV1-2", required, _CH3),
    rule("HL7-MRG-1", "*", "MRG-1", required, _CH3),
    rule("HL7-EVN-2", "*", "EVN-2", required, _CH3),
    rule("HL7-ORC-1", "*", "ORC-1", required, _CH4),
    rule("HL7-OBR-4", "*", "OBR-4", required, _CH4),
    rule("HL7-OBX-3", "*", "OBX-3", required, _CH7),
    rule("HL7-OBX-11", "*", "OBX-11", required, _CH7),
    rule("HL7-SPM-4", "*", "SPM-4", required, _CH7),
    rule("HL7-TCD-1", "*", "TCD-1", required, _CH13),
    rule("HL7-INV-1", "*", "INV-1", required, _CH13),
    rule("HL7-INV-2", "*", "INV-2", required, _CH13),
)

_TIMES: dict[str, tuple[float, ...]] = {
    "MSH": (7,),
    "EVN": (2, 3, 6),
    "PID": (7, 29, 33),
    "ORC": (9, 15),
    "TQ1": (7, 8),
    "OBR": (6, 7, 8, 14, 22, 36),
    "OBX": (12, 14, 19),
    "SPM": (17, 17.2, 18, 19),
    "SAC": (7,),
    "INV": (12, 13),
    "EQU": (2,),
}
"""Fields that hold a date-time; SPM-17 is a range, its end is a component of its own."""
TIMES: tuple[FieldRule, ...] = tuple(
    rule(f"HL7-TIME-{name}-{n}", "*", f"{name}-{n}", time, "HL7 2.5.1 chapter 2.A.77")
    for name, fields in _TIMES.items()
    for n in fields
)


SET_IDS: tuple[FieldRule, ...] = tuple(
    rule(f"HL7-SET-ID-{name}", "*", f"{name}-1", matching("[0-9]{1,9}", "1, 2, 3 ..."), "HL7 2.5.1 chapter 2.A.66")
    for name in ("PID", "PV1", "TQ1", "OBR", "OBX", "SPM", "NTE")
)
"""Segments whose first field counts them."""


def check_core(subject: Subject) -> Iterator[Deviation]:
    """Every deviation from HL7 itself."""
    yield from _header(subject)
    yield from _structure(subject)
    yield from subject.apply(REQUIRED)
    yield from subject.apply(TIMES)
    yield from subject.apply(SET_IDS)
    for place, item in enumerate(subject.segments):
        yield from _tables(subject, place, item)
        if item.name == "OBX":
            yield from _value(subject, place, item)
        elif item.name == "ERR" and subject.message.version >= "2.5":
            yield from _error(subject, place, item)


def _header(subject: Subject) -> Iterator[Deviation]:
    message = subject.message
    declared = message.header.field(18)
    if charset.encoding_of(message.header.component(18)) is None:
        yield subject.tell(0, 18, "HL7-CHARSET", "HL7 table 0211", "hl7-table", _found(declared, "0211"))
    elif message.charset_problem:
        facts = (("found", declared or "ASCII"), ("read", message.encoding))
        yield subject.tell(0, 18, "HL7-CHARSET-BYTES", f"{_CH2}, MSH-18", "hl7-charset", facts)
    if message.line_end_problem:
        yield from _line_ends(subject)
    if not message.header.field(9):
        return
    kind = (message.code, message.trigger)
    if subject.structure is None:
        yield subject.tell(
            0, 9, "HL7-TYPE", "HL7 table 0076", "hl7-type-unknown", (("found", message.header.field(9)),)
        )
        return
    expected = (STRUCTURES.get(kind, subject.structure), *ALTERNATIVES.get(kind, ()))
    if message.structure and message.structure not in expected:
        facts = (("found", message.structure), ("allowed", ", ".join(expected)))
        yield subject.tell(0, 9, "HL7-STRUCTURE", "HL7 table 0354", "hl7-value", facts, component=3)


def _line_ends(subject: Subject) -> Iterator[Deviation]:
    fed = next((place for place, item in enumerate(subject.segments) if "\n" in item.line), None)
    if fed is not None:
        yield subject.tell(fed, 0, "HL7-LINE-FEED", f"{_CH2}, formatted text", "hl7-line-feed")
    else:
        yield subject.tell(0, 0, "HL7-LINE-END", f"{_CH2}, message construction", "hl7-line-end")


def _structure(subject: Subject) -> Iterator[Deviation]:
    if subject.tree is None:
        return
    source = f"structure {subject.tree.structure}"
    for offence in subject.tree.offences:
        facts = (("segment", offence.segment), ("group", offence.group))
        code = f"hl7-grammar-{offence.misfit.value}"
        rule_name = f"HL7-GRAMMAR-{offence.misfit.name}"
        if offence.misfit is Misfit.MISSING:
            yield Deviation(offence.segment, 0, 0, rule_name, source, Severity.ERROR, code, facts, offence.place)
        else:
            severity = Severity.WARNING if offence.misfit is Misfit.FOREIGN else Severity.ERROR
            yield subject.tell(offence.place, 0, rule_name, source, code, facts, severity)


def _found(text: str, table: str) -> tuple[tuple[str, str], ...]:
    return (("found", text), ("table", table))


def _tables(subject: Subject, place: int, item: Segment) -> Iterator[Deviation]:
    for n in range(1, min(len(item.fields), _MOST_FIELDS)):
        own = IN_FIELD.get((item.name, n))
        value = item.field(n)
        if not value or value == NULL or (own is None and "HL7" not in value):
            continue
        if (item.name, n) == ("OBX", 5) and item.component(2) in _TEXT:
            continue
        for code, table in table_code(item, n, own):
            severity = Severity.WARNING if table in USER_DEFINED else Severity.ERROR
            yield subject.tell(
                place, n, f"HL7-TABLE-{table}", f"HL7 table {table}", "hl7-table", _found(code, table), severity
            )


def _value(subject: Subject, place: int, obx: Segment) -> Iterator[Deviation]:
    kind, field = obx.component(2), obx.field(5)
    if not field or field == NULL:
        return
    if not kind:
        yield subject.tell(place, 2, "HL7-OBX-2", _CH7, "hl7-value-type-absent")
        return
    fits = True
    match kind:
        case "NM" | "SN":
            fits = not isinstance(values.decode(obx), values.Unread)
        case "DT" | "TM" | "TS" | "DTM":
            fits = bool(_CLOCK.fullmatch(obx.component(5))) if kind == "TM" else time(obx, 5, 1) is None
        case "CE" | "CWE" | "CNE":
            fits = any(obx.component(5, c) for c in (1, 2, 4, 5, 9))
        case "ED":
            fits = _is_document(obx)
    if not fits:
        yield subject.tell(
            place,
            5,
            f"HL7-VALUE-{kind}",
            "HL7 2.5.1 chapter 2.A",
            "hl7-value-unfit",
            (("found", field), ("type", kind)),
        )


_CLOCK = re.compile("(?:[01][0-9]|2[0-3])(?:[0-5][0-9](?:[0-5][0-9](?:[.][0-9]{1,4})?)?)?(?:[+-][0-9]{4})?", re.ASCII)


def _is_document(obx: Segment) -> bool:
    encoding, data = obx.component(5, 4), obx.component(5, 5)
    if encoding != "Base64":
        return encoding in ("A", "Hex") and bool(data)
    try:
        return bool(base64.b64decode(data, validate=True))
    except ValueError:
        return False


def _error(subject: Subject, place: int, err: Segment) -> Iterator[Deviation]:
    if err.component(1, 4) and not err.field(3):  # the place of the code before version 2.5
        yield subject.tell(place, 1, "HL7-ERR-1", _CH2, "hl7-forbidden", (("found", err.field(1)),))
    elif not err.field(3):
        yield subject.tell(place, 3, "HL7-ERR-3", _CH2, "hl7-required")
    if not err.field(4):
        yield subject.tell(place, 4, "HL7-ERR-4", _CH2, "hl7-required")
    location = err.component(2)
    if location and not re.fullmatch("[A-Z][A-Z0-9]{2}", location):
        yield subject.tell(place, 2, "HL7-ERR-2", _CH2, "hl7-location", (("found", err.field(2)),))
