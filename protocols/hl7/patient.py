"""Who is the patient of an order or a result? PID and PV1 as the order named him or her."""

from __future__ import annotations

from protocols.hl7.datatypes import Identifier, PersonName
from protocols.hl7.er7 import Segment
from protocols.hl7.fields import each, identifiers
from protocols.hl7.report import ReportPatient


def read_patient(pid: Segment, pv1: Segment | None = None) -> ReportPatient:
    """The patient in PID and PV1, with every identifier as sent; which of them may be used is told in ``adt``."""
    names = [PersonName.read(pid, 5, r) for r in each(pid, 5)]
    reliability = tuple(pid.component(32, repetition=r) for r in each(pid, 32))
    return ReportPatient(
        identifiers(pid, 3),
        tuple(name for name in names if name),
        pid.component(7),
        pid.component(8),
        Identifier.read(pid, 18),
        tuple(code for code in reliability if code),
        (pv1.component(2) if pv1 else "") or "U",
    )
