"""Whose tubes does a requester send? Its patients are kept under its name and number: two laboratories may both have a patient 17.

PID is kept whole without the INS, which goes to its own table and only when it may be used (PID-32 = VALI): it returns with the results.
"""

from __future__ import annotations

from labmw.lab.lis_ins import forget_ins
from labmw.lab.lis_patients import number_of, traits_of
from labmw.lab.lis_told import Doubt, Told
from labmw.store import schema, statements
from labmw.store.statements import identities
from labmw.store.transaction import Transaction
from labmw.terms import PartnerTerms
from protocols.hl7.adt import read_identity, without_ins
from protocols.hl7.er7 import Segment
from protocols.hl7.pid import brought_up_to_date, restated


def keep_partner_patient(told: Told, terms: PartnerTerms, pid: Segment) -> Transaction[str | Doubt]:
    """Keep the patient of a requester; return the number here, or why nobody can say who it is."""
    identity = read_identity(pid)
    named = number_of(identity.patient.identifiers, "")
    if named is None:
        return Doubt("patient-without-number", (("authority", terms.partner.name),))
    patient = terms.ours(named.id.strip())
    rows = yield statements.patients_among(told.site, [patient])
    whole = Segment(brought_up_to_date(rows[0].pid if rows else "", restated(without_ins(pid))))
    traits = traits_of(whole)
    if rows and any(getattr(rows[0], name) and getattr(rows[0], name) != traits[name] for name in ("birth", "sex")):
        return Doubt("interlab-patient-changed", (("patient", patient), ("partner", terms.partner.name)))
    yield statements.insert_or_update(
        schema.patient, site=told.site, identifier=patient, **traits, pid=whole.line, updated_at=told.at
    )
    yield statements.insert_once(schema.message_patient, site=told.site, message=told.message, patient=patient)
    had = yield identities.ins_of(told.site, [patient])
    ins = identity.ins
    if ins is not None and ins.fictitious and not told.terms.ins_fictitious:
        ins = None
    if had and (ins is None or ins.number != had[0].number):
        yield from forget_ins(told, patient, [had[0].number], "replaced" if ins else "no-longer-qualified")
    if ins is not None and not (had and had[0].number == ins.number):
        yield statements.insert_or_update(
            schema.ins,
            site=told.site,
            patient=patient,
            number=ins.number,
            oid=ins.oid,
            message=told.message,
            since=told.at,
        )
    return patient
