"""How are results told to the laboratory that asked for them (LAB-36)? Under its own numbers, with its own patient, and who performed them (IHE ILW)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from labmw.delivery.observed import Telling, observation, withdrawn
from labmw.delivery.partner_orders import header_of, pid_of, time_of
from labmw.errors import DeliveryError, DeliveryWaits
from labmw.lab.nouns import specimen_of
from labmw.lab.partner_reflex import is_unnumbered
from labmw.lab.sub_orders import service_of, tests_in
from labmw.store import statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import lis as lis_stored
from labmw.store.transaction import Row, Transaction
from labmw.terms import PartnerTerms
from protocols.errors import Hl7Error
from protocols.hl7.datatypes import Code, EntityId, Identifier, Organisation, Person
from protocols.hl7.er7 import Segment
from protocols.hl7.ilw_results import REPORT, write_sub_results
from protocols.hl7.ltw_results import result_status
from protocols.hl7.pid import in_place_of_pid
from protocols.hl7.report import Observation, Report, ReportOrder, ReportPatient, ReportSpecimen
from protocols.hl7.values import Document


def write_reported(terms: PartnerTerms, auto_release_text: str, outbox: Row) -> Transaction[bytes]:
    """The ORU^R01 of an outbox row that carries results; raises DeliveryError when it cannot be written truthfully, DeliveryWaits when not yet."""
    rows = yield statements.report_of(outbox.id)
    taken_back = yield lis_stored.withdrawals_in(outbox.id)
    gone = yield lis_stored.withdrawn_in(outbox.id)
    everything = [*rows, *gone]
    if not everything:
        raise DeliveryError(
            f"outbox row {outbox.id} carries no result; look at it with `labmw result show {outbox.specimen}`"
        )
    patients = {row.patient for row in everything}
    if len(patients) != 1:
        raise DeliveryError(f"outbox row {outbox.id} carries results of several patients; report this fault")
    (patient,) = patients
    site, zone = terms.lis.site, terms.lis.zone
    asked = yield stored.sub_orders_on(site, outbox.specimen)
    mine = [row for row in asked if row.role == "subcontractor" and row.patient == patient]
    tubes = [specimen_of(row) for row in (yield statements.specimens_among(site, [outbox.specimen]))]
    tube = next((one for one in tubes if one.patient == patient), None)
    before = yield lis_stored.sent_before(site, outbox.specimen, patient, outbox.destination, outbox.id)
    reported = yield lis_stored.reported_tests(site, outbox.specimen, patient)
    telling = Telling(zone, auto_release_text, "labmw", terms.profile.withdrawn, frozenset(row.loinc for row in before))
    performer = replace(terms.us, name=terms.site_name)
    observed: list[tuple[Row, Observation]] = [
        (row, replace(observation(telling, row, tube), performer=performer)) for row in rows
    ]
    observed += [
        (row, replace(withdrawn(telling, row, one), performer=performer))
        for row, one in zip(gone, taken_back, strict=True)
    ]
    orders: list[ReportOrder] = []
    for asking in mine:
        found = [(row, one) for row, one in observed if row.loinc in tests_in(asking)]
        if found and is_unnumbered(asking):
            raise DeliveryWaits(f"{asking.partner} has not given the added sub-order {asking.number} a number yet")
        if found:
            complete = set(tests_in(asking)) <= {row.loinc for row in reported}
            orders += yield from _order(terms, asking, found, complete, outbox)
    if not orders:
        raise DeliveryError(
            f"no sub-order of {terms.partner.name} asks for what was measured on {outbox.specimen}; look at it with `labmw interlab show`"
        )
    pid = yield from pid_of(site, patient, ins=terms.profile.ins)
    report = Report(header_of(terms, outbox), ReportPatient((Identifier(patient, site, type="PI"),)), tuple(orders))
    try:
        return in_place_of_pid(write_sub_results(report, terms.profile), pid.line)
    except Hl7Error as error:
        raise DeliveryError(f"no truthful report can be written: {error}") from error


def _order(
    terms: PartnerTerms, asking: Row, found: Sequence[tuple[Row, Observation]], complete: bool, outbox: Row
) -> Transaction[list[ReportOrder]]:
    """The results of one sub-order, and its report as a document when all of them are there."""
    ordered = yield stored.orders_of_sub_orders([asking.id])
    origins = yield lis_stored.origins_of(terms.lis.site, [one.id for one in ordered])
    orc = Segment(origins[0].orc) if origins and origins[0].orc else Segment("ORC")
    obr = Segment(origins[0].obr) if origins and origins[0].obr else Segment("OBR")
    spm = Segment(origins[0].spm) if origins and origins[0].spm else Segment("SPM")
    observations = tuple(one for _, one in found)
    moments = [row.decided_at for row, _ in found if "decided_at" in row.columns]
    number = EntityId.read_inside(spm, 2, 1) or EntityId(asking.specimen, asking.authority)
    specimen = ReportSpecimen(number, Code.read(spm, 4) or Code("UNK", "Unknown", "HL70487"))
    order = ReportOrder(
        service=service_of(asking),
        placer=EntityId(asking.number, asking.authority),
        filler=EntityId(asking.filler, asking.filler_authority),
        observations=observations,
        status=result_status([one.status for one in observations], complete),
        group=EntityId(asking.group_number, asking.group_authority) if asking.group_number else None,
        changed=time_of(asking.updated_at, terms.lis.zone),
        prescriber=Person.read(obr, 16) or Person.read(orc, 12),
        collected=obr.component(7),
        reported=time_of(max(moments) if moments else outbox.created_at, terms.lis.zone),
        specimens=(specimen,),
        facility=Organisation.read(orc, 21) or Organisation(terms.partner.facility or terms.partner.name, "D"),
    )
    if terms.partner.report != "pdf" or order.status not in ("F", "C"):
        return [order]
    printed = [row for row in (yield stored.documents_of([asking.id])) if row.direction == f"out/{outbox.id}"]
    if not printed:
        raise DeliveryWaits(f"the report of sub-order {asking.number} is being printed")
    kind, subtype = terms.profile.document
    page = Observation(
        REPORT, Document(kind, subtype, printed[-1].data), status="F", performer=observations[0].performer
    )
    return [order, replace(order, service=REPORT, observations=(page,), status="F", specimens=())]


def printed_text(row: Row) -> list[str]:
    """What the report says of one result: test, value, unit, range, flags."""
    return [row.test_name or row.code, f"{row.comparator}{row.number or row.value}", row.unit_raw or row.unit, row.range_raw.split("^")[0],
            " ".join(json.loads(row.flags))]  # fmt: skip
