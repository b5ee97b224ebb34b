"""How is a patient's PID kept whole? In the standard separators, brought up to date field by field, and with the INS only where it may be."""

from __future__ import annotations

from protocols.errors import Hl7Error
from protocols.hl7.adt import QUALIFIED, Ins, is_ins
from protocols.hl7.datatypes import Identifier
from protocols.hl7.er7 import NULL, Message, Segment, encode_field, unescape
from protocols.hl7.fields import each
from protocols.hl7.separators import STANDARD

_AUTHORITIES = {
    "1.2.250.1.213.1.4.8": "ASIP-SANTE-INS-NIR",
    "1.2.250.1.213.1.4.9": "ASIP-SANTE-INS-NIA",
    "1.2.250.1.213.1.4.10": "ASIP-SANTE-INS-NIR",
    "1.2.250.1.213.1.4.11": "ASIP-SANTE-INS-NIR",
}


def restated(segment: Segment) -> Segment:
    """The same content in the standard separators and in Unicode: nothing is added, left out or put in another place."""
    if segment.separators[:5] == STANDARD[:5]:
        return Segment(segment.line, STANDARD)
    cells = [_field(segment, cell) for cell in segment.fields[1:]]
    return Segment(STANDARD.field.join([segment.name, *cells]), STANDARD)


def _field(segment: Segment, cell: str) -> str:
    marks = segment.separators

    def written(text: str) -> str:
        return text if text == NULL else encode_field(unescape(text, marks, segment.encoding))

    return STANDARD.repetition.join(
        STANDARD.component.join(
            STANDARD.subcomponent.join(written(part) for part in component.split(marks.subcomponent))
            for component in repetition.split(marks.component)
        )
        for repetition in cell.split(marks.repetition)
    )


def brought_up_to_date(known: str, told: Segment) -> str:
    """The PID that is known with the fields of a newer one (both restated): an empty field says nothing, the null ``""`` empties."""
    old = Segment(known).fields if known else []
    new = told.fields
    size = max(len(old), len(new))
    cells = ["PID"]
    for n in range(1, size):
        before, now = (cells_[n] if n < len(cells_) else "" for cells_ in (old, new))
        cells.append("" if now == NULL else now or before)
    while not cells[-1]:
        cells.pop()
    return STANDARD.field.join(cells)


def with_ins(pid: str, ins: Ins | None) -> str:
    """A kept PID as it leaves: the INS first in PID-3, and only for a qualified identity (PID-32 = VALI)."""
    segment = Segment(pid)
    if ins is None or QUALIFIED not in [segment.component(32, repetition=r) for r in each(segment, 32)]:
        return pid
    number = Identifier(ins.number, _AUTHORITIES.get(ins.oid, ""), ins.oid, "ISO", "INS")
    cells = segment.fields.copy()
    others = [part for r, part in enumerate(segment.repetitions(3), 1) if not _is_ins(segment, r)]
    cells[3] = STANDARD.repetition.join([encode_field(number.components()), *others])
    return STANDARD.field.join(cells)


def _is_ins(segment: Segment, r: int) -> bool:
    item = Identifier.read(segment, 3, r)
    return item is not None and is_ins(item)


def in_place_of_pid(message: bytes, pid: str) -> bytes:
    """A message of ours (standard separators, UTF-8) with another PID.

    Raises: Hl7Error for a message without PID, and a PID that cannot be written.
    """
    read = Message.parse(message)
    old = read.first("PID")
    if old is None:
        raise Hl7Error("the message has no PID to put another in the place of")
    if any(character in pid for character in "\r\n\x0b\x1c"):
        raise Hl7Error("PID holds a line end or a character that ends a block: the LIS must send the patient again")
    return message.replace(f"\r{old.line}\r".encode(), f"\r{pid}\r".encode(), 1)
