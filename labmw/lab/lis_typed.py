"""Who typed an order while the LIS was away, and does the LIS agree when it is back? Label and two identifiers, held against what it sends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from labmw.clock import stamp
from labmw.lab.awaited import call_up
from labmw.lab.lis_told import Doubt, Told, audit, raise_task
from labmw.lab.lis_tubes import LEAD
from labmw.store import schema, statements
from labmw.store.statements import lis as stored
from labmw.store.statements import tasks
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction

TASK = "typed-order"
MISMATCH = "typed-mismatch"


@dataclass(frozen=True, slots=True)
class Typed:
    """What a person reads off a tube's label and the request form."""

    specimen: str
    patient: str
    birth: date
    tests: tuple[str, ...]  # LOINC
    family: str = ""
    kind: str = ""
    priority: str = "R"


def keep_typed(site: str, typed: Typed, window_days: int, by: str, now: datetime) -> Transaction[Doubt | None]:
    """Keep typed orders as orders of a tube that the LIS has yet to confirm; return why they cannot be kept."""
    at = stamp(now)
    known = yield statements.patients_among(site, [typed.patient])
    birth = typed.birth.isoformat()
    if known and known[0].birth and known[0].birth != birth:
        return Doubt("typed-birth-differs", (("patient", typed.patient),))
    owners = {
        row.patient
        for row in (yield statements.specimens_among(site, [typed.specimen]))
        if row.valid_from <= at and (row.valid_to is None or at <= row.valid_to)
    }
    if owners - {typed.patient}:
        return Doubt(
            "tube-of-another", (("specimen", typed.specimen), ("patient", typed.patient), ("other", owners.pop()))
        )
    if (yield statements.materials_among(site, [typed.specimen], at=at)):
        return Doubt("tube-is-control", (("specimen", typed.specimen),))
    if not known:
        yield statements.insert(
            schema.patient, site=site, identifier=typed.patient, family=typed.family, birth=birth, updated_at=at
        )
    if not owners:
        yield statements.insert(
            schema.specimen,
            site=site,
            identifier=typed.specimen,
            kind=typed.kind,
            valid_from=stamp(now - LEAD),
            valid_to=stamp(now + timedelta(days=window_days)),
            patient=typed.patient,
        )
    ordered = yield statements.orders_among(site, [typed.specimen])
    there = {row.loinc for row in ordered if row.state == "open"}
    for loinc in typed.tests:
        if loinc in there:
            continue
        yield statements.insert_or_update(
            schema.order,
            site=site,
            specimen=typed.specimen,
            loinc=loinc,
            placer="",
            priority=typed.priority,
            ordered_at=at,
            state="open",
            test_name=loinc,
            updated_at=at,
        )
    yield from call_up(site, [typed.specimen], at)
    if not (yield stored.provisional_on(site, [typed.specimen])):
        yield statements.insert(
            schema.provisional,
            site=site,
            specimen=typed.specimen,
            patient=typed.patient,
            birth=birth,
            family=typed.family,
            typed_by=by,
            typed_at=at,
        )
    facts = {"specimen": typed.specimen, "patient": typed.patient, "by": by}
    yield from raise_task(site, TASK, f"specimen/{typed.specimen}", typed.specimen, facts, at)
    yield from audit(site, at, by, "order-typed", f"specimen/{typed.specimen}", " ".join(typed.tests))
    return None


def reconcile(told: Told, label: str, patient: str) -> Transaction[Doubt | None]:
    """The LIS orders on a tube: if orders were typed for it, do tube and both identifiers agree? Return what does not."""
    rows = yield stored.provisional_on(told.site, [label])
    if not rows:
        return None
    known = yield statements.patients_among(told.site, [patient])
    birth = known[0].birth if known else ""
    for row in rows:
        agrees = row.patient == patient and birth in ("", row.birth)
        state = "reconciled" if agrees else "mismatch"
        yield change(schema.provisional, row.id, state=state, settled_at=told.at, message=told.message)
        why = f"message/{told.message}"
        yield tasks.close_task(
            told.site, TASK, f"specimen/{label}", at=told.at, by=told.terms.name, why=f"{state} by {why}"
        )
        yield from audit(told.site, told.at, told.terms.name, f"typed-{state}", f"specimen/{label}", why)
        if not agrees:
            yield from _void(told, label, row)
            facts = {"specimen": label, "typed": row.patient, "patient": patient, "by": row.typed_by}
            yield from raise_task(told.site, MISMATCH, f"specimen/{label}", label, facts, told.at)
            return Doubt(MISMATCH, tuple(facts.items()))
    return None


def _void(told: Told, label: str, row: Row) -> Transaction[None]:
    """The label was read wrongly, or the form: nothing that was typed counts any more, and nothing measured for it leaves."""
    for one in (yield stored.typed_on(told.site, label)):
        yield change(schema.order, one.id, state="cancelled", updated_at=told.at)
    for tube in (yield statements.specimens_among(told.site, [label])):
        if tube.patient == row.patient and (tube.valid_to is None or tube.valid_to > told.at):
            yield change(schema.specimen, tube.id, valid_to=told.at)
    yield stored.block_results(told.site, label, row.patient)
    for waiting in (yield stored.unsent_of_specimen(told.site, label, row.patient)):
        yield change(schema.outbox, waiting.id, state="dead", last_error="typed for another patient than the LIS says")
