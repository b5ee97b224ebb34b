"""What does a partner report (LAB-36)? ONE transaction matches results to our sub-orders, checks them, and starts the life of any result (house §4).

The partner's values, ranges, units and comments stay as they were sent; our rules may hold them and never alter them. A result for a sub-order that we
never sent, or for another person, goes no further, and the partner is told (AE). Absence is not withdrawal: a later message need not repeat everything.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labmw import SOFTWARE_VERSION
from labmw.clock import stamp
from labmw.lab.lis_told import Doubt, Told, quarantine, raise_task
from labmw.lab.partner_documents import take_documents
from labmw.lab.partner_matching import another_person, sub_order_of
from labmw.lab.partner_reading import ObservationRead, flags_text, read_observation
from labmw.lab.partner_recall import Recall, take_back
from labmw.lab.partner_version import Fate, Version, judge
from labmw.lab.placement import QUARANTINED, VERIFY, identity
from labmw.lab.rows import STRIDE
from labmw.lab.shipments import tube_arrived
from labmw.lab.sub_orders import Cause, move, note, tests_in
from labmw.model import ResultKey
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import partners
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from labmw.terms import PartnerTerms
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.er7 import Message
from protocols.hl7.ilw_results import observations_of, said_of
from protocols.hl7.ilw_states import Event, State
from protocols.hl7.report import Observation, Report, ReportOrder

CHANGED = "interlab-changed-final"


@dataclass(slots=True)
class ResultsTaken:
    """What was done of one message's results."""

    doubts: list[Doubt] = field(default_factory=list)
    errors: list[ErrorDetail] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    verify: bool = False
    ordinal: int = 0

    def refused(self, doubt: Doubt, error: ErrorDetail) -> None:
        """Say no, to a person and to the partner."""
        self.doubts.append(doubt)
        self.errors.append(error)


def take_sub_results(
    told: Told, terms: PartnerTerms, report: Report, message: Message | None = None
) -> Transaction[ResultsTaken]:
    """Do what a report says, order by order."""
    taken = ResultsTaken()
    name = terms.partner.name
    entries = yield partners.catalogue_at(told.site, name, told.at)
    verbatim = _verbatim(report, message)
    place = 0
    said_at = stamp(told.time(report.header.when) or told.now)
    for number, order in enumerate(report.orders, 1):
        row = yield from sub_order_of(told, name, order)
        if row is None:
            placer = order.placer.id if order.placer else (order.filler.id if order.filler else "")
            error = ErrorDetail("204", "Sub-order unknown to the requester", Location("OBR", number, 2))
            taken.refused(Doubt("interlab-unknown-order", (("order", placer), ("partner", name))), error)
            place += len(order.observations)
            continue
        yield statements.insert_once(schema.message_patient, site=told.site, message=told.message, patient=row.patient)
        cause = Cause(told.site, told.at, told.message, name)
        if what := (yield from another_person(told, report, row)):
            yield from note(row, "identity-mismatch", row.state, cause, {"what": what})
            facts = (("order", row.number), ("partner", name), ("what", what))
            field_ = {"family": 5, "given": 5, "birth": 7, "sex": 8}.get(what, 3)
            error = ErrorDetail(
                "204", f"PID is not the patient of sub-order {row.number} ({what})", Location("PID", 1, field_)
            )
            taken.refused(Doubt("interlab-identity", facts), error)
            place += len(order.observations)
            continue
        step = _Order(told, terms, row, order, said_at, entries, cause, taken, verbatim, place)
        yield from step.take()
        place += len(order.observations)
    for doubt in dict.fromkeys(taken.doubts):  # a report and its document say the same
        yield from quarantine(told, doubt)
    if taken.verify:
        work = {"site": told.site, "kind": VERIFY, "message": told.message, "due_at": told.at, "attempts": 0}
        yield statements.insert_rows(schema.work, [work | {"created_at": told.at}])
    return taken


def _verbatim(report: Report, message: Message | None) -> list[str]:
    """Each OBX of the message with the notes under it, as sent; none where they cannot be told apart."""
    if message is None:
        return []
    found: list[list[str]] = []
    inside = False
    for item in message.segments:
        if item.name == "OBX":
            found.append([item.line])
            inside = True
        elif item.name == "NTE" and inside:
            found[-1].append(item.line)
        else:
            inside = False
    whole = sum(len(order.observations) for order in report.orders)
    return ["\r".join(lines) for lines in found] if len(found) == whole else []


@dataclass(slots=True)
class _Order:
    """One order of a report being taken in."""

    told: Told
    terms: PartnerTerms
    row: Row
    order: ReportOrder
    said_at: str
    entries: Sequence[Row]
    cause: Cause
    taken: ResultsTaken
    verbatim: Sequence[str]
    place: int  # OBX before this order in the message

    def take(self) -> Transaction[None]:
        """Results, where the sub-order is after them, and documents: whether one of these comes too late depends on what comes with it."""
        yield from self._results()
        documents = yield from take_documents(self.told, self.row, self.order, self.cause, self.place)
        self.taken.tally.update("document" if refused is None else "document-cut" for refused in documents)
        for refused in filter(None, documents):
            self.taken.refused(*refused)

    def _results(self) -> Transaction[None]:
        event = said_of(self.order)
        if event is None:
            return
        found = [(at, one) for at, one in observations_of(self.order)]
        contradiction: Doubt | None = None
        filler = self.order.filler
        columns = {"filler": filler.id, "filler_authority": filler.authority} if filler and not self.row.filler else {}
        if not (yield from self._is_old(found)):
            after = yield from move(self.row, event, self.cause, {"status": self.order.status}, **columns)
            contradiction = after if isinstance(after, Doubt) else None
            if contradiction is None:
                yield from tube_arrived(self.row, self.cause, "received")
            if contradiction is None and event in (Event.FINAL, Event.CORRECTED):
                yield from self._orders_done()
        else:
            yield from note(self.row, "out-of-order", self.row.state, self.cause, {"said": self.said_at})
            self.taken.tally["old"] += 1
        if contradiction is not None:
            self.taken.doubts.append(contradiction)
        for at, one in found:
            yield from self._result(at, one, contradiction)

    def _is_old(self, found: Sequence[tuple[int, Observation]]) -> Transaction[bool]:
        """Whether a later message of the partner has already been taken in for this sub-order."""
        known = yield stored.performed_of(self.row.id)
        return bool(found) and any(row.said_at > self.said_at for row in known)

    def _orders_done(self) -> Transaction[None]:
        for row in (yield stored.orders_of_sub_orders([self.row.id])):
            if row.state == "elsewhere":
                yield change(schema.order, row.id, state="done", updated_at=self.told.at)

    # --- one result ------------------------------------------------------------------------------------------------------------

    def _result(self, at: int, one: Observation, contradiction: Doubt | None) -> Transaction[None]:
        told, row = self.told, self.row
        read = read_observation(one, tests_in(row), self.terms, self.entries, self.place + at)
        problem, facts = read.problem, read.facts
        if read.error is not None:
            self.taken.errors.append(read.error)
        if not problem and contradiction is not None:
            problem, facts = contradiction.reason, contradiction.facts
        if not problem and (other := self._performed_elsewhere(one)):
            problem, facts = (
                "interlab-other-laboratory",
                (("laboratory", other), ("partner", row.partner), ("order", row.number)),
            )
        detail = f"{row.number}/{one.sub_id}" if one.sub_id else row.number
        key = ResultKey(told.site, row.partner, row.specimen, read.code or "-", detail, "", "")
        rows = yield statements.results_of_identities(told.site, [identity(key)])
        newest = rows[-1] if rows else None
        history = (yield stored.performed_of_results([one_.id for one_ in rows])) if rows else []
        versions = [version for version in history if version.fate not in (Fate.REPEAT, Fate.OLD)]
        known = None
        if newest is not None:
            said = (newest.value, newest.number or "", newest.comparator, newest.unit_raw)
            last = versions[-1].said_at if versions else ""
            known = Version(newest.status, said, last, newest.state)
        said_now = (read.value, read.number or "", read.comparator, read.unit_raw)
        fate = judge(Version(one.status, said_now, self.said_at), known)
        self.taken.tally[fate.value] += 1
        if fate is Fate.OLD and newest is None:
            return  # a withdrawal of what never came
        columns = self._columns(read, one, key, problem)
        match fate:
            case Fate.REPEAT | Fate.OLD:
                assert newest is not None
                result = int(newest.id)
                repeat = {
                    "site": told.site,
                    "result": result,
                    "message": told.message,
                    "record": at,
                    "seen_at": told.at,
                }
                yield statements.insert_rows(schema.repeat, [repeat])
            case Fate.WITHDRAWN:
                assert newest is not None
                result = int(newest.id)
                why = " ".join(note_.text for note_ in one.comments).strip() or f"withdrawn by {self.row.partner}"
                yield from take_back(self._recall(newest), why, "-")
            case Fate.NEXT:
                assert newest is not None
                result = int(newest.id)
                same = ResultKey(key.site, key.analyzer, key.specimen, key.code, key.detail, newest.run, "")
                columns |= {"key": same.text()}
                yield change(schema.result, result, **columns)
                yield statements.close_quarantine_of_result(
                    result, at=told.at, by="labmw", why=f"sent again in message {told.message}"
                )
            case _:
                if fate is Fate.CHANGED and not problem:
                    assert newest is not None
                    problem = CHANGED
                    facts = (
                        ("test", read.name or read.code),
                        ("was", newest.value),
                        ("now", read.value),
                        ("order", row.number),
                    )
                    columns["state"] = QUARANTINED
                run = "" if newest is None else str(len(rows) + 1)
                full = ResultKey(key.site, key.analyzer, key.specimen, key.code, key.detail, run, "")
                result = told.message * STRIDE + self.taken.ordinal
                self.taken.ordinal += 1
                made = {
                    **self._fixed(),
                    **columns,
                    "id": result,
                    "run": run,
                    "key": full.text(),
                    "identity": identity(key),
                }
                yield statements.insert_rows(schema.result, [made])
                if fate is Fate.RECALL and newest is not None:
                    yield from take_back(self._recall(newest), f"corrected by {self.row.partner}", read.value)
                    yield from note(
                        self.row, "recall", State.CORRECTED.value, self.cause, {"was": newest.value, "now": read.value}
                    )
        yield from self._keep(result, one, read, fate, at)
        if fate in (Fate.REPEAT, Fate.OLD, Fate.WITHDRAWN):
            return
        if problem:
            yield statements.insert(
                schema.quarantine,
                site=told.site,
                message=told.message,
                result=result,
                reason=problem,
                facts=json.dumps(dict(facts) | {"specimen": row.specimen}, sort_keys=True, ensure_ascii=False),
                raised_at=told.at,
            )
            self.taken.tally["quarantined"] += 1
        else:
            self.taken.verify = True
        if read.urgent:
            yield from self._alert(result, read)
        if fate is Fate.CHANGED:
            told_ = {"partner": row.partner, "order": row.number, "test": read.name or read.code, "now": read.value}
            told_["was"] = newest.value if newest is not None else "-"
            yield from raise_task(told.site, CHANGED, f"result/{result}", row.specimen, told_, told.at)

    def _performed_elsewhere(self, one: Observation) -> str:
        """The laboratory that performed a result, when it is not the one that was agreed: passing on is allowed to reference laboratories only."""
        partner = self.terms.partner
        if one.performer is None or not partner.laboratory_id or not one.performer.id:
            return ""
        allowed = {partner.laboratory_id, *partner.also_performed_by}
        return "" if one.performer.id in allowed else f"{one.performer.name} {one.performer.id}".strip()

    def _columns(self, read: ObservationRead, one: Observation, key: ResultKey, problem: str) -> dict[str, Any]:
        """What a version says: set anew by the next one."""
        moment = next(
            (found for text in (one.analysed, self.order.reported, one.observed) if (found := self.told.time(text))),
            None,
        )
        return {
            "message": self.told.message,
            "key": key.text(),
            "value": read.value,
            "number": read.number,
            "comparator": read.comparator,
            "unit": read.unit,
            "unit_raw": read.unit_raw,
            "range_raw": one.range,
            "flags_raw": "~".join(one.flags),
            "flags": flags_text(read.flags),
            "status": one.status,
            "operator": one.responsible.id or one.responsible.family if one.responsible else "",
            "completed_raw": one.analysed,
            "completed_at": stamp(moment) if moment else None,
            "comments": json.dumps([note_.text for note_ in one.comments], ensure_ascii=False),
            "loinc": read.loinc,
            "test_name": read.name,
            "code": read.code,
            "received_at": self.told.at,
            "state": QUARANTINED if problem else VERIFY,
        }

    def _fixed(self) -> dict[str, Any]:
        return {
            "site": self.told.site,
            "record": self.place,
            "ordinal": self.taken.ordinal,
            "link": self.terms.partner.feed,
            "analyzer": self.row.partner,
            "serial": "",
            "specimen": self.row.specimen,
            "patient": self.row.patient,
            "detail": self.row.number,
            "main": 1,
            "serum_index": "",
            "driver": "ilw",
            "driver_version": "",
            "mapping_version": "",
            "analyzer_software": "",
            "software_version": SOFTWARE_VERSION,
        }

    def _keep(self, result: int, one: Observation, read: ObservationRead, fate: Fate, at: int) -> Transaction[None]:
        """Keep the version as it was sent, with who performed it."""
        partner = self.terms.partner
        performer = one.performer
        where = self.place + at - 1
        person = one.director or one.responsible or (one.auto.responsible if one.auto else None)
        yield statements.insert(
            schema.performed,
            site=self.told.site,
            result=result,
            sub_order=self.row.id,
            message=self.told.message,
            status=one.status,
            value=read.value,
            unit=read.unit_raw,
            obx=self.verbatim[where] if where < len(self.verbatim) else "",
            laboratory=(performer.name if performer else "") or partner.laboratory or partner.name,
            laboratory_id=(performer.id if performer else "") or partner.laboratory_id,
            accreditation=partner.accreditation,
            biologist=" ".join(filter(None, (person.given, person.family or person.id))) if person else "",
            validated_at=self.order.reported,
            said_at=self.said_at,
            fate=fate.value,
            at=self.told.at,
        )

    def _recall(self, newest: Row) -> Recall:
        return Recall(self.told, self.terms.destination, self.row, newest)

    def _alert(self, result: int, read: ObservationRead) -> Transaction[None]:
        facts = {"rule": f"partner/{self.row.partner}", "specimen": self.row.specimen, "test": read.name or read.code}
        facts |= {"value": read.value, "unit": read.unit_raw}
        yield statements.insert_once(
            schema.alert,
            site=self.told.site,
            result=result,
            kind="critical",
            facts=json.dumps(facts, sort_keys=True, ensure_ascii=False),
            raised_at=self.told.at,
            state="open",
        )
