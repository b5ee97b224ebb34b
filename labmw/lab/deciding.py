"""What does a person decide about a result in quarantine, or an alert? Each decision is one transaction, with its author and reason in the audit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from labmw.clock import read_stamp
from labmw.lab.nouns import patient_of, specimen_of
from labmw.lab.placement import DETAIL, VERIFY
from labmw.lab.results import result_of_row
from labmw.lab.rights import Undecidable
from labmw.model import Case, Specimen
from labmw.store import schema, statements
from labmw.store.statements import quarantine as stored
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction
from rules.engine import critical
from rules.pack import Packs

ABOUT_THE_TUBE: Final = frozenset({"no-order", "specimen-window", "identity-mismatch"})
"""Reasons that ask whose the result is. Of any other, the value itself is in doubt: mend what reads it, and replay."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decides, when, and why."""

    site: str
    at: str
    by: str
    why: str


def discard(decision: Decision, entry: int) -> Transaction[Row]:
    """Put an entry away: what it shows is kept, and goes nowhere."""
    found = yield from _entry(decision, entry)
    yield from _close(decision, found, "discarded")
    yield audited(
        decision.site, at=decision.at, who=decision.by, what="discarded", subject=_subject(found), why=decision.why,
        entry=entry, reason=found.reason,
    )  # fmt: skip
    return found


def assign(decision: Decision, entry: int, specimen: str, packs: Packs) -> Transaction[Row]:
    """Say whose a result is: from here it goes the way of any result. The tube must be known, of one patient, with an order for the test."""
    found = yield from _entry(decision, entry)
    if found.result is None or found.reason not in ABOUT_THE_TUBE:
        raise Undecidable("quarantine-not-the-tube", entry=entry, reason=found.reason)
    (row,) = yield stored.result_numbered(found.result)
    moment = read_stamp(row.completed_at or row.received_at)
    tubes = [specimen_of(one) for one in (yield statements.specimens_among(decision.site, [specimen]))]
    tube = _tube(tubes, specimen, moment)
    orders = yield statements.orders_among(decision.site, [specimen])
    main = bool(row.main) and not row.serum_index
    if main and row.loinc not in {one.loinc for one in orders}:
        raise Undecidable("quarantine-no-order", specimen=specimen, test=row.test_name or row.code)
    state = VERIFY if main else DETAIL
    if not (yield stored.assign_result(row.id, specimen=specimen, patient=tube.patient, becomes=state)):
        raise Undecidable("quarantine-closed", entry=entry)
    yield from _close(decision, found, "replayed")
    if main and not (yield stored.work_of_message(found.message)):
        yield statements.insert(
            schema.work,
            site=decision.site,
            kind=VERIFY,
            message=found.message,
            due_at=decision.at,
            created_at=decision.at,
        )
    if main:
        yield from _alert(decision, row, tube, packs)
    yield audited(
        decision.site, at=decision.at, who=decision.by, what="assigned", subject=_subject(found), why=decision.why,
        entry=entry, reason=found.reason, sent=row.specimen, specimen=specimen, patient=tube.patient,
    )  # fmt: skip
    return found


def close_alert(decision: Decision, alert: int) -> Transaction[Row]:
    """Note that somebody has acted on an alert, who and how."""
    rows = yield stored.close_alert(decision.site, alert, at=decision.at, by=decision.by)
    if not rows:
        raise Undecidable("alert-closed", alert=alert)
    yield audited(
        decision.site, at=decision.at, who=decision.by, what="alert-closed", subject=f"result/{rows[0].result}",
        why=decision.why, alert=alert, kind=rows[0].kind,
    )  # fmt: skip
    return rows[0]


def _entry(decision: Decision, entry: int) -> Transaction[Row]:
    rows = yield stored.quarantine_entry(decision.site, entry)
    if not rows or rows[0].state != "open":
        raise Undecidable("quarantine-closed", entry=entry)
    return rows[0]


def _close(decision: Decision, entry: Row, becomes: str) -> Transaction[None]:
    if not (yield stored.close_entry(entry.id, becomes=becomes, at=decision.at, by=decision.by, why=decision.why)):
        raise Undecidable("quarantine-closed", entry=entry.id)


def _tube(tubes: Sequence[Specimen], specimen: str, moment: datetime) -> Specimen:
    """The tube that carried this identifier at a moment; a person may not assign to a tube that nobody knows."""
    valid = [
        tube
        for tube in tubes
        if (tube.valid_from is None or tube.valid_from <= moment) and (tube.valid_to is None or moment <= tube.valid_to)
    ]
    if len({tube.patient for tube in valid}) != 1:
        raise Undecidable("quarantine-no-tube", specimen=specimen)
    return valid[0]


def _alert(decision: Decision, row: Row, tube: Specimen, packs: Packs) -> Transaction[None]:
    """A critical value raises its alert also when its patient becomes known late."""
    patients = yield statements.patients_among(decision.site, [tube.patient])
    patient = patient_of(patients[0]) if patients else None
    case = Case(result_of_row(row), patient, tube, terminated=True, now=read_stamp(decision.at))
    reason = critical(case, packs)
    if reason is not None:
        facts = dict(reason.facts) | {
            "rule": reason.rule,
            "specimen": tube.identifier,
            "test": row.test_name or row.code,
        }
        values = {
            "kind": "critical",
            "facts": json.dumps(facts, sort_keys=True),
            "raised_at": decision.at,
            "state": "open",
        }
        yield statements.insert_once(schema.alert, site=decision.site, result=row.id, **values)


def _subject(entry: Row) -> str:
    return f"message/{entry.message}" if entry.result is None else f"result/{entry.result}"
