"""What does the LIS hold, and what was found before? Its feed of all that it releases: into the history of the rules, and beside what labmw sent.

A result is history only with a number, a unit in UCUM and a time, with the method and the laboratory where they are told: delta checks stay
within both. What labmw has delivered itself is history already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from labmw.clock import stamp
from labmw.errors import QuantityError
from labmw.lab.late import patient_changed
from labmw.lab.lis_patients import number_of, resolve
from labmw.lab.lis_tests import tests_of
from labmw.lab.lis_told import Told
from labmw.quantity import is_ucum, ucum
from labmw.store import schema, statements
from labmw.store.statements import lis as stored
from labmw.store.transaction import Step, Transaction
from protocols.hl7.datatypes import Code
from protocols.hl7.report import Observation, Report, ReportOrder
from protocols.hl7.values import Coded, Numeric, Text

RELEASED = frozenset({"F", "C"})  # OBX-11
RECENT = timedelta(days=2)
"""What was judged that recently is judged again when history comes: later it has been acted on."""
TAKEN_BACK = frozenset({"X", "D", "W"})


@dataclass(frozen=True, slots=True)
class Released:
    """One observation of the feed, with what it belongs to."""

    order: ReportOrder
    observation: Observation
    loinc: str
    specimen: str


def take_released(told: Told, report: Report) -> Transaction[Counter[str]]:
    """Keep what a report of the LIS says; return how many results became history, are held, and were left out for which cause."""
    tally: Counter[str] = Counter()
    named = number_of(report.patient.identifiers, told.terms.authority)
    patient = ""
    if named is not None:
        patient = yield from resolve(told.site, named.id.strip())
        yield statements.insert_once(schema.message_patient, site=told.site, message=told.message, patient=patient)
    placers = [order.placer.id for order in report.orders if order.placer and order.placer.id]
    ordered = (yield stored.orders_of_placer(told.site, placers)) if placers else []
    tubes = {row.placer: row.specimen for row in ordered}
    found = list(_observations(told, report, tubes, tally))
    specimens = sorted({one.specimen for one in found if one.specimen})
    rows = (yield stored.delivered_on(told.site, specimens)) if specimens else []
    ours = {(row.specimen, row.loinc) for row in rows}
    for one in found:
        if one.specimen:
            yield _holds(told, one)
            tally["held"] += 1
        if (one.specimen, one.loinc) in ours:
            tally["own"] += 1
        elif not patient:
            tally["without-patient"] += 1
        else:
            tally[(yield from _history(told, patient, one, report.header.sending_facility))] += 1
    if tally["history"] or tally["taken-back"]:
        yield from patient_changed(told.site, patient, "late-history", told.at, back=RECENT)
    return tally


def _observations(told: Told, report: Report, tubes: dict[str, str], tally: Counter[str]) -> Iterator[Released]:
    for order in report.orders:
        specimen = order.specimens[0].id.id.strip() if order.specimens else ""
        specimen = specimen or tubes.get(order.placer.id if order.placer else "", "")
        for observation in order.observations:
            tests = tests_of(observation.code, told.terms)
            if len(tests) == 1:
                yield Released(order, observation, tests[0], specimen)
            else:
                tally["unknown-test"] += 1


def _holds(told: Told, one: Released) -> Step:
    value = one.observation.value
    number = value if isinstance(value, Numeric) else None
    return statements.insert_or_update(
        schema.lis_holds,
        site=told.site,
        specimen=one.specimen,
        loinc=one.loinc,
        placer=one.order.placer.id if one.order.placer else "",
        value=f"{number.number:f}" if number else _words(value),
        comparator=number.comparator if number else "",
        unit=_unit(one.observation.unit) or "",
        status=one.observation.status,
        message=told.message,
        at=told.at,
    )


def _words(value: object) -> str:
    if isinstance(value, Text):
        return value.text
    return value.code.text or value.code.code if isinstance(value, Coded) else ""


def _unit(code: Code | None) -> str | None:
    """The UCUM unit; "" for none, None for one that nobody has declared."""
    if code is None or code.code in ("", "1"):
        return ""
    if code.system == "UCUM" and is_ucum(code.code):
        return code.code
    try:
        return ucum(code.code)
    except QuantityError:
        return None


def _history(told: Told, patient: str, one: Released, facility: str) -> Transaction[str]:
    """Keep one result as history; return what became of it."""
    observation, order = one.observation, one.order
    texts = (observation.analysed, observation.observed, order.collected, order.reported)
    moment = next(filter(None, (told.time(text) for text in texts)), None)
    if moment is None:
        return "without-time"
    at = stamp(moment)
    if observation.status in TAKEN_BACK:
        yield stored.previous_taken_back(told.site, patient, one.loinc, at, told.terms.name)
        return "taken-back"
    if observation.status not in RELEASED:
        return "not-final"
    value, unit = observation.value, _unit(observation.unit)
    if not isinstance(value, Numeric) or value.separator:
        return "without-number"
    if unit is None:
        return "unknown-unit"
    yield stored.previous_taken_back(told.site, patient, one.loinc, at, told.terms.name)  # it says this now
    laboratory = (observation.performer.name or observation.performer.id) if observation.performer else ""
    producer = observation.producer
    yield statements.insert_once(
        schema.previous,
        site=told.site,
        patient=patient,
        loinc=one.loinc,
        completed_at=at,
        number=f"{value.number:f}",
        comparator=value.comparator,
        unit=unit,
        analyzer=observation.equipment[0].id if observation.equipment else "",
        method=(observation.method.text or observation.method.code) if observation.method else "",
        laboratory=laboratory or ((producer.text or producer.code) if producer else "") or facility,
        source=told.terms.name,
    )
    return "history"
