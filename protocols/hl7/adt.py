"""Who is this patient, and what changed about the identity? PID and MRG of the ADT messages of IHE PAM, and the French INS.

Rules of the INS (PAM.FR, RNIV): it is used only with a qualified identity, PID-32 = VALI; without, the message is processed
and the INS ignored. A47 changes or removes it, and every copy has to go. PID is kept whole, as it was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from protocols.errors import Hl7Error
from protocols.hl7 import envelope
from protocols.hl7.datatypes import Identifier
from protocols.hl7.er7 import NULL, Message, Segment
from protocols.hl7.fields import each, identifiers
from protocols.hl7.patient import read_patient
from protocols.hl7.report import Header, ReportPatient

TRIGGERS = ("A01", "A03", "A04", "A08", "A28", "A31", "A40", "A47")
"""Admission, discharge, registration, update, a person added and updated, merge, change of an identifier."""

QUALIFIED = "VALI"

NATURES = {
    "1.2.250.1.213.1.4.8": "NIR",
    "1.2.250.1.213.1.4.9": "NIA",
    "1.2.250.1.213.1.4.10": "test",
    "1.2.250.1.213.1.4.11": "demonstration",
}
"""What the authority of an INS says of it; the last two are never a patient's."""

_OLD = frozenset({"1.2.250.1.213.1.4.2", "1.2.250.1.213.1.4.6", "1.2.250.1.213.1.4.7"})  # INS-C, obsolete
_HOLDERS = (("PID", (2, 3, 4)), ("MRG", (1, 2)))  # PID-2 and PID-4 are where older senders repeat identifiers


@dataclass(frozen=True, slots=True)
class Ins:
    """The national health identity: 15 digits with their key, and the authority that says which kind it is."""

    number: str
    oid: str

    @property
    def nature(self) -> str:
        """NIR, NIA, test, demonstration; empty for an authority that gives none."""
        return NATURES.get(self.oid, "")

    @property
    def fictitious(self) -> bool:
        """Whether it belongs to nobody: refused in production."""
        return self.nature in ("test", "demonstration")

    @property
    def sound(self) -> bool:
        """Whether length, key and authority are right."""
        return bool(self.nature) and key_is_right(self.number)


@dataclass(frozen=True, slots=True)
class Identity:
    """A patient as a PID names him or her. ``patient`` never holds an INS; it is beside it, and only when it may be used."""

    patient: ReportPatient
    ins: Ins | None  # qualified and sound
    ignored: str = ""  # why an INS that was sent is not used: unqualified, unsound, several
    removes_ins: bool = False  # PID-3 holds the null for an INS: delete what you have
    birth_place: str = ""  # PID-11 of type BDL, INSEE code
    pid: Segment | None = field(default=None, compare=False)  # whole, as sent


@dataclass(frozen=True, slots=True)
class IdentityEvent:
    """What an ADT message says: the identity now, and for a merge or a change the identifiers that it replaces."""

    header: Header
    trigger: str
    identities: tuple[tuple[Identity, tuple[Identifier, ...]], ...]  # each with the identifiers of its MRG
    occurred: str = ""  # EVN-6, else EVN-2

    @property
    def replaced_ins(self) -> tuple[Ins, ...]:
        """The INS that MRG names: whatever holds one of them has to drop it."""
        return tuple(as_ins(item) for _, merged in self.identities for item in merged if is_ins(item))


def key_is_right(number: str) -> bool:
    """Whether the two digits of the key fit the thirteen before them (Corsica: 2A counts as 19, 2B as 18)."""
    if len(number) != 15 or not number.isascii():
        return False
    digits = number[:5] + number[5:7].replace("2A", "19").replace("2B", "18") + number[7:]
    return digits.isdigit() and 97 - int(digits[:13]) % 97 == int(digits[13:])


def is_ins(item: Identifier) -> bool:
    """Whether this identifier is an INS, by its type or its authority; the NIR used for billing (NH) is not one."""
    if item.type in ("INS", "INS-C"):
        return True
    return item.type != "NH" and (item.universal_id in NATURES or item.universal_id in _OLD)


def as_ins(item: Identifier) -> Ins:
    """The INS in an identifier."""
    return Ins(item.id, item.universal_id)


def read_identity(pid: Segment, pv1: Segment | None = None) -> Identity:
    """The identity in a PID. An INS without PID-32 = VALI, with a wrong key or authority, or beside another, is ignored."""
    sent = read_patient(pid, pv1)
    found = tuple(item for item in identifiers(pid, 3) if is_ins(item))
    real = [item for item in found if item.id]
    ins, ignored = None, ""
    if real and QUALIFIED not in sent.reliability:
        ignored = "unqualified"
    elif len(real) > 1:
        ignored = "several"
    elif real:
        ins = as_ins(real[0])
        if not ins.sound:
            ins, ignored = None, "unsound"
    return Identity(
        patient=without_ins_identifiers(sent),
        ins=ins,
        ignored=ignored,
        removes_ins=any(pid.is_null(3, 1, r) and _is_ins_repetition(pid, 3, r) for r in each(pid, 3)),
        birth_place=next((pid.component(11, 9, repetition=r) for r in each(pid, 11) if _is_birth(pid, r)), ""),
        pid=pid,
    )


def _is_birth(pid: Segment, repetition: int) -> bool:
    return pid.component(11, 7, repetition=repetition) == "BDL"


def without_ins_identifiers(patient: ReportPatient) -> ReportPatient:
    """The patient without any INS."""
    return replace(patient, identifiers=tuple(item for item in patient.identifiers if item.id and not is_ins(item)))


def usable(patient: ReportPatient) -> ReportPatient:
    """The patient as he or she may be used and sent on: with the INS only if the identity is qualified."""
    return patient if QUALIFIED in patient.reliability else without_ins_identifiers(patient)


def without_ins(segment: Segment) -> Segment:
    """The PID or MRG without its INS: those repetitions are gone, everything else is as it was, byte for byte."""
    fields = dict(_HOLDERS).get(segment.name, ())
    cells = segment.fields.copy()
    for n in fields:
        if n < len(cells):
            kept = [
                part
                for r, part in enumerate(segment.repetitions(n), 1)
                if not _is_ins_repetition(segment, n, r) or segment.is_null(n, 1, r)
            ]
            cells[n] = segment.separators.repetition.join(kept)
    return Segment(segment.separators.field.join(cells), segment.separators, segment.encoding)


def message_without_ins(message: Message) -> bytes:
    """The bytes of a message in which every PID and MRG is without its INS, and everything else as it was."""
    text = message.encode().decode(message.encoding, "surrogateescape")
    for item in message.segments:
        if item.name in dict(_HOLDERS):
            bare = without_ins(item)
            if bare.line != item.line:
                text = text.replace(item.line, bare.line)
    return text.encode(message.encoding, "surrogateescape")


def _is_ins_repetition(segment: Segment, n: int, r: int) -> bool:
    item = Identifier.read(segment, n, r)
    return item is not None and is_ins(item)


def read_adt(message: Message) -> IdentityEvent:
    """What an ADT message says of identities.

    Raises: Hl7Error for another type of message, a trigger that is not served, and no PID.
    """
    envelope.expect(message, "ADT", *TRIGGERS)
    pairs: list[tuple[Identity, tuple[Identifier, ...]]] = []
    pv1 = message.first("PV1")
    for item in message.segments:
        if item.name == "PID":
            pairs.append((read_identity(item, pv1), ()))
        elif item.name == "MRG" and pairs:
            pairs[-1] = (pairs[-1][0], identifiers(item, 1))
    if not pairs:
        raise Hl7Error("there is no PID: an ADT message names a patient")
    evn = message.first("EVN")
    occurred = (evn.component(6) or evn.component(2)) if evn else ""
    return IdentityEvent(envelope.read_header(message.header), message.trigger, tuple(pairs), occurred)


__all__ = [
    "NATURES",
    "NULL",
    "QUALIFIED",
    "TRIGGERS",
    "Identity",
    "IdentityEvent",
    "Ins",
    "as_ins",
    "is_ins",
    "key_is_right",
    "message_without_ins",
    "read_adt",
    "read_identity",
    "usable",
    "without_ins",
    "without_ins_identifiers",
]
