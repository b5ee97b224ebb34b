"""Whose is it? The identities that the LIS tells: kept, changed, merged, and freed of an INS that is withdrawn (PAM.FR, RNIV).

The number that stands for a patient here is the one of the agreed authority. PID is kept whole without its INS; the INS has a table of its
own, and whatever holds it is known, so that it can be removed from everywhere. No INS ever gets into the audit chain or into the history.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date

from labmw.lab.late import patient_changed
from labmw.lab.lis_ins import forget_ins, keep_ins
from labmw.lab.lis_told import Doubt, Told, audit, quarantine
from labmw.store import schema, statements
from labmw.store.encryption.shredding import write_anew
from labmw.store.statements import archive, identities
from labmw.store.transaction import Row, Transaction
from protocols.hl7.adt import Identity, IdentityEvent, is_ins, without_ins
from protocols.hl7.datatypes import Identifier
from protocols.hl7.er7 import Segment
from protocols.hl7.pid import brought_up_to_date, restated

_NOT_A_PATIENTS = frozenset({"AN", "VN", "NH", "SS", "INS", "INS-C", "PPN", "DL", "NI", "NNFRA"})
"""CX-5 of numbers that are of a stay, or of the person everywhere (table 0203): never the patient's number in this laboratory."""
TRAITS = ("family", "given", "birth", "sex")


def number_of(identifiers: Sequence[Identifier], authority: str) -> Identifier | None:
    """The identifier that stands for the patient: the agreed authority's, a PI before one whose type is not said; None when there is none."""
    fit = [
        item
        for item in identifiers
        if item.id.strip()
        and not is_ins(item)
        and item.type not in _NOT_A_PATIENTS
        and (not authority or authority in (item.authority, item.universal_id))
    ]
    return next((item for item in fit if item.type == "PI"), fit[0] if fit else None)


def resolve(site: str, number: str) -> Transaction[str]:
    """The patient whom a number means today: after a merge, the one that was kept."""
    for row in (yield identities.aliases_of(site, [number])):
        return str(row.patient)
    return number


def keep_identity(told: Told, identity: Identity) -> Transaction[str | Doubt]:
    """Keep what a PID says of a patient; return the patient's number here, or why nobody can say who it is."""
    assert identity.pid is not None
    named = number_of(identity.patient.identifiers, told.terms.authority)
    if named is None:
        return Doubt("patient-without-number", (("authority", told.terms.authority or "PI"),))
    patient = yield from resolve(told.site, named.id.strip())
    rows = yield statements.patients_among(told.site, [patient])
    known = rows[0] if rows else None
    if known is not None and (other := _other_authority(told, known, named, patient)):
        return Doubt("patient-of-another-authority", (("patient", patient), ("authority", other)))
    yield statements.insert_once(schema.message_patient, site=told.site, message=told.message, patient=patient)
    if known is not None and patient != named.id.strip():
        return (
            patient  # a sender that has not heard of a merge: what it says of the old number is not news of the new one
        )
    pid = Segment(brought_up_to_date(known.pid if known else "", restated(without_ins(identity.pid))))
    traits = traits_of(pid)
    changed = [name for name in TRAITS if known is not None and getattr(known, name) != traits[name]]
    yield statements.insert_or_update(
        schema.patient, site=told.site, identifier=patient, **traits, pid=pid.line, updated_at=told.at
    )
    if known is None:
        yield from note(told, patient, "created", {})
    elif changed:
        yield from note(told, patient, "changed", {"what": ", ".join(changed)})
        if "birth" in changed or "sex" in changed:  # limits ask for them
            yield from patient_changed(told.site, patient, "late-patient", told.at)
    strict = [name for name in changed if getattr(known, name)] + _birth_place(known, pid)
    yield from keep_ins(told, patient, identity, _statuses(pid), strict)
    return patient


def traits_of(pid: Segment) -> dict[str, str]:
    """Birth name (type L, else the first), given name, birth date as ISO and sex, as the columns of a patient."""
    names = range(1, len(pid.repetitions(5)) + 1)
    legal = next((r for r in names if pid.component(5, 7, repetition=r) == "L"), 1)
    day = pid.component(7)[:8]
    birth = f"{day[:4]}-{day[4:6]}-{day[6:]}" if len(day) == 8 and day.isascii() and day.isdecimal() else ""
    return {
        "family": pid.component(5, 1, repetition=legal),
        "given": pid.component(5, 2, repetition=legal),
        "birth": birth if _is_a_day(birth) else "",
        "sex": pid.component(8),
    }


def _is_a_day(text: str) -> bool:
    try:
        return bool(text) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _statuses(pid: Segment) -> list[str]:
    return [pid.component(32, repetition=r) for r in range(1, len(pid.repetitions(32)) + 1)]


def _birth_place(known: Row | None, pid: Segment) -> list[str]:
    """The fifth strict trait: its code stands in PID-11 of type BDL."""
    before, now = (_bdl(Segment(known.pid)) if known and known.pid else ""), _bdl(pid)
    return ["birth place"] if before and before != now else []


def _bdl(pid: Segment) -> str:
    repeated = range(1, len(pid.repetitions(11)) + 1)
    return next(
        (pid.component(11, 9, repetition=r) for r in repeated if pid.component(11, 7, repetition=r) == "BDL"), ""
    )


def _other_authority(told: Told, known: Row, named: Identifier, patient: str) -> str:
    """The authority under which a number is known, when another one gives it now: two hospitals may both have a patient 17."""
    if told.terms.authority or not known.pid or named.id.strip() != patient:
        return ""
    kept = [Identifier.read(Segment(known.pid), 3, r) for r in range(1, len(Segment(known.pid).repetitions(3)) + 1)]
    same = [item for item in kept if item and item.id.strip() == patient and item.authority]
    if not same or not named.authority or any(item.authority == named.authority for item in same):
        return ""
    return same[0].authority


# --- events -----------------------------------------------------------------------------------------------------------------

_HAPPENED = {"A01": "admitted", "A03": "discharged", "A04": "registered"}


def keep_event(told: Told, event: IdentityEvent) -> Transaction[list[Doubt]]:
    """Do what an ADT message says; return what could not be done, which waits for a person."""
    doubts: list[Doubt] = []
    withdrawn = [one.number for one in event.replaced_ins if one.number]
    for identity, replaced in event.identities:
        named = number_of(identity.patient.identifiers, told.terms.authority)
        if event.trigger in ("A40", "A47") and named is not None:
            for item in replaced:
                old = number_of([item], told.terms.authority)
                if old is not None and old.id.strip() != named.id.strip():
                    yield from merge(told, old.id.strip(), named.id.strip())
        patient = yield from keep_identity(told, identity)
        if isinstance(patient, Doubt):
            doubts.append(patient)
        elif event.trigger in _HAPPENED:
            yield from note(told, patient, _HAPPENED[event.trigger], {})
    if event.trigger == "A47":
        yield from _withdraw(told, event, withdrawn)
    for doubt in doubts:
        yield from quarantine(told, doubt)
    return doubts


def _withdraw(told: Told, event: IdentityEvent, numbers: Sequence[str]) -> Transaction[None]:
    """An INS was changed or removed: every copy of the old one goes, wherever it is and whoever has it."""
    holders = {row.patient: row.number for row in (yield identities.ins_holders(told.site, numbers))} if numbers else {}
    for patient, number in holders.items():
        yield from forget_ins(told, patient, [number], "withdrawn")
    for identity, _ in event.identities:
        named = number_of(identity.patient.identifiers, told.terms.authority)
        if named is None:
            continue
        patient = yield from resolve(told.site, named.id.strip())
        yield from forget_ins(told, patient, numbers, "withdrawn")


def merge(told: Told, old: str, new: str) -> Transaction[None]:
    """One person had two numbers: everything under the old one belongs to the new one, and whoever still says the old one means it (A40)."""
    was = yield from resolve(told.site, old)
    for row in (yield identities.aliases_of(told.site, [new])):
        yield identities.drop(schema.patient_alias, row.id)  # the LIS uses that number again
    if was == new:
        was = old
    for step in (*identities.moves(told.site, was, new), *archive.follows(told.site, was, new)):  # noqa: UP028 -- `yield from` a list cannot be sent the rows
        yield step
    earlier = [row.mapping() | {"patient": new} for row in (yield identities.previous_of_patient(told.site, was))]
    for one in earlier:
        yield identities.drop(schema.previous, one.pop("id"))
    if earlier:
        yield statements.insert_rows_once(schema.previous, earlier)
    for row in (yield identities.messages_of_patient(told.site, was)):
        yield statements.insert_once(schema.message_patient, site=told.site, message=row.id, patient=new)
    for row in (yield identities.outbox_of_patient(told.site, new)):
        if row.state != "delivered":  # written again, about the patient as he or she is known now
            yield from write_anew(schema.outbox, row, payload=None)
    known = yield statements.patients_among(told.site, [was])
    if known and not (yield statements.patients_among(told.site, [new])):
        kept = {name: getattr(known[0], name) for name in (*TRAITS, "pid")}
        yield statements.insert(schema.patient, site=told.site, identifier=new, **kept, updated_at=told.at)
    for row in known:
        yield identities.drop(schema.patient, row.id)
    for row in (yield identities.ins_of(told.site, [was])):
        yield identities.drop(schema.ins, row.id)  # of the same person: the one that is kept brings its own
    yield identities.aliases_move(told.site, was, new)
    for number in dict.fromkeys((old, was)):
        yield statements.insert_or_update(
            schema.patient_alias, site=told.site, identifier=number, patient=new, at=told.at, message=told.message
        )
    yield from patient_changed(told.site, new, "late-patient", told.at)
    yield from note(told, was, "merged-into", {"patient": new})
    yield from note(told, new, "merged", {"patient": old})
    yield from audit(told.site, told.at, told.terms.name, "patient-merged", f"patient/{new}", f"patient/{old}")


def note(told: Told, patient: str, what: str, detail: Mapping[str, str]) -> Transaction[None]:
    """Keep what happened to an identity, without any trait or number of the person."""
    yield statements.insert(
        schema.patient_history,
        site=told.site,
        patient=patient,
        at=told.at,
        what=what,
        message=told.message,
        detail=json.dumps(dict(detail), sort_keys=True, ensure_ascii=False),
    )
