"""From a result that was stored to a verdict: rules judge, and ONE transaction keeps the verdict and starts the next step (law 7).

Works from `work` rows, never in the path of an ACK. A message's results are judged together: siblings see each other, and what is
released of one specimen leaves in one report.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog

from labmw.clock import Clock, read_stamp, stamp
from labmw.errors import StoreError
from labmw.lab.intake import patient_of, quantity_of, specimen_of
from labmw.metrics import HELD, VERDICTS
from labmw.model import (
    Case,
    Flag,
    HilIndices,
    Patient,
    Previous,
    Reason,
    Result,
    ResultKey,
    Specimen,
    Verdict,
    VerdictLevel,
)
from labmw.partner import BY_PARTNER
from labmw.store import schema, statements
from labmw.store.json_text import json_list, json_object
from labmw.store.statements import interlab
from labmw.store.transaction import Row, Store, Transaction
from rules.checks.hil import INDICES
from rules.engine import judge
from rules.guards import CORRECTED, FINAL, IN_DOUBT
from rules.pack import Packs

log = structlog.get_logger("labmw.lab")

STATE_OF = {
    VerdictLevel.RELEASE: "released",
    VerdictLevel.COMMENT: "released",
    VerdictLevel.REVIEW: "held",
    VerdictLevel.HOLD: "held",
    VerdictLevel.BLOCK: "blocked",
}
BATCH = 20  # messages per round; each is its own transaction, so that intake's commits slip in between
ATTEMPTS = 5  # then the results are held: an error must never release, and never hide
HISTORY = timedelta(days=366)
HISTORY_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """What one message's verification came to: (link, verdict, the reason that weighed most) per result."""

    verdicts: tuple[tuple[str, str, str], ...]
    reports: int


@dataclass(slots=True)
class Verification:
    """Takes work rows and turns them into verdicts until it is cancelled."""

    site: str
    store: Store
    clock: Clock
    packs: Callable[[], Packs]
    destinations: Sequence[str]
    wake_delivery: Callable[[], None]
    signal: asyncio.Event = field(default_factory=asyncio.Event)
    rest: float = 1.0  # seconds between looks when nobody wakes us
    lease: float = 60.0  # seconds; what a dead process had claimed comes back after it
    who: str = field(default_factory=lambda: f"pid {os.getpid()}")

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self.signal.clear()
            try:
                done = await self.step()
            except StoreError as error:
                log.error("verification waits for the store", why=str(error))
                done = 0
            except (
                Exception
            ) as error:  # the lines must not die of what happens here; what was claimed comes back after its lease
                log.exception("verification failed; it goes on", why=str(error))
                done = 0
            if done:
                continue
            try:
                async with asyncio.timeout(self.rest):
                    await self.signal.wait()
            except TimeoutError:
                pass

    async def step(self) -> int:
        """Do what is due; return how many messages were judged."""
        due = await self.store.run(self._claim())
        for row in sorted(due, key=lambda row: int(row.id)):
            await self._one(row)
        return len(due)

    def _claim(self) -> Transaction[list[Row]]:
        now = self.clock.now()
        until = stamp(now + timedelta(seconds=self.lease))
        return (yield statements.claim_work(self.site, limit=BATCH, now=stamp(now), until=until, who=self.who))

    async def _one(self, row: Row) -> None:
        now = self.clock.now()
        give_up = row.attempts > ATTEMPTS
        script = verify(self.site, row.id, row.message, stamp(now), self.packs(), self.destinations, give_up=give_up)
        try:
            judged = await self.store.run(script)
        except Exception as error:
            # Whatever a rule, a row or a driver's data does, the result is not lost and not released, and the others go on.
            log.exception(
                "verification failed; the results wait", message=row.message, attempt=row.attempts, why=str(error)
            )
            due = now + timedelta(seconds=2.0 ** min(row.attempts, ATTEMPTS))
            await self.store.run(self._postpone(row.id, stamp(due)))
            return
        for link, verdict, reason in judged.verdicts:
            VERDICTS.labels(link, verdict).inc()
            if reason:
                HELD.labels(link, reason).inc()
        if judged.reports:
            self.wake_delivery()

    def _postpone(self, work: int, due: str) -> Transaction[None]:
        yield statements.postpone_work(work, who=self.who, due=due)


def verify(
    site: str, work: int, message: int, now: str, packs: Packs, destinations: Sequence[str], *, give_up: bool = False
) -> Transaction[Judged]:
    """Judge one message's waiting results; `give_up` holds them all instead, after too many failures."""
    if not (yield statements.finish_work(work)):
        return Judged((), 0)  # somebody else has done it
    rows = yield statements.results_to_verify(message)
    if not rows:
        return Judged((), 0)
    verdicts: list[tuple[Row, Verdict]] = [(row, GIVEN_UP) for row in rows]
    if not give_up:
        facts = yield from _facts(site, rows, now)
        terminated = bool(rows[0].terminated)
        verdicts = [(row, judge(facts.case(row, terminated), packs)) for row in rows]
    yield statements.insert_rows(
        schema.verdict, [_verdict_row(site, row, verdict, packs, now) for row, verdict in verdicts]
    )
    yield statements.results_become([(row.id, "verify", STATE_OF[verdict.level]) for row, verdict in verdicts])
    yield statements.insert_rows(schema.audit, [_audit_row(site, row, verdict, now) for row, verdict in verdicts])
    released = [row for row, verdict in verdicts if verdict.released]
    reports = 0
    requesters = yield from _requesters(site, released)
    # By patient too: a recycled barcode can bring results of two people in one message (law 6).
    for specimen, patient in dict.fromkeys((row.specimen, row.patient) for row in released):
        for destination in requesters.get((specimen, patient), destinations):
            carried = [row for row in released if (row.specimen, row.patient) == (specimen, patient)]
            yield from _report(site, destination, specimen, message, carried, now)
            reports += 1
    return Judged(
        tuple((row.link, verdict.level.name.lower(), _weightiest(verdict)) for row, verdict in verdicts), reports
    )


def _requesters(site: str, rows: Sequence[Row]) -> Transaction[dict[tuple[str, str], tuple[str, ...]]]:
    """For which laboratory a tube was measured, of those that are not this one's: results of it go there, and to nobody else."""
    if not rows:
        return {}
    found = yield interlab.requesters_of(site, sorted({row.specimen for row in rows}))
    return {(row.specimen, row.patient): (row.partner,) for row in found}


GIVEN_UP = Verdict(VerdictLevel.HOLD, (Reason("rule-error", VerdictLevel.HOLD),), ())


def _weightiest(verdict: Verdict) -> str:
    """Return the code of the reason that decided; "" for a release."""
    if verdict.released:
        return ""
    return max(verdict.reasons, key=lambda reason: reason.level).code if verdict.reasons else "unexplained"


def _report(
    site: str, destination: str, specimen: str, message: int, rows: Sequence[Row], now: str
) -> Transaction[None]:
    """Write the outbox row and what it carries, in the verdict's own transaction."""
    control_id = (
        hashlib.sha256(f"{site}/{destination}/{message}/{specimen}/{rows[0].id}".encode()).hexdigest()[:20].upper()
    )
    priority = "S" if any(row.priority == "S" for row in rows) else "R"
    row = {"site": site, "destination": destination, "control_id": control_id, "specimen": specimen, "message": message}
    if priority == "S":
        yield statements.hurry(site, destination, specimen)
    outbox = yield statements.insert(
        schema.outbox, **row, state="waiting", priority=priority, due_at=now, created_at=now
    )
    entries = [{"site": site, "outbox": outbox[0].id, "result": row.id, "destination": destination} for row in rows]
    yield statements.insert_rows(schema.outbox_result, entries)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the store knows about the results of one message."""

    patients: Mapping[str, Patient]
    specimens: Mapping[tuple[str, str], Specimen]
    history: Mapping[tuple[str, str], Sequence[Previous]]
    indices: Mapping[tuple[str, str, str], HilIndices]
    results: Mapping[int, Result]
    runs: Mapping[tuple[str, str, str], int]
    owners: Mapping[int, str]
    now: str

    def case(self, row: Row, terminated: bool) -> Case:
        result = self.results[row.id]
        return Case(
            result=result,
            patient=self.patients.get(row.patient),
            specimen=self.specimens.get((row.specimen, row.patient)),
            history=tuple(self.history.get((row.patient, row.loinc), ())) if row.patient else None,
            indices=self.indices.get((row.analyzer, row.specimen, row.patient)),
            terminated=terminated,
            now=read_stamp(self.now),
            siblings=tuple(
                other
                for id_, other in self.results.items()
                if id_ != row.id and other.key.specimen == row.specimen and self.owners[id_] == row.patient
            ),
            earlier_runs=self.runs.get((row.specimen, row.patient, row.loinc), 1) - 1,
        )


def _facts(site: str, rows: Sequence[Row], now: str) -> Transaction[_Facts]:
    tubes = sorted({row.specimen for row in rows})
    owners = sorted({row.patient for row in rows if row.patient})
    specimens = {
        (row.identifier, row.patient): specimen_of(row) for row in (yield statements.specimens_among(site, tubes))
    }
    known = (yield statements.patients_among(site, owners)) if owners else []
    patients = {row.identifier: patient_of(row) for row in known}
    history = yield from _history(site, rows, owners, now)
    indices = _indices((yield statements.indices_among(site, tubes)))
    counted = yield statements.runs_among(site, tubes)
    runs = {(row.specimen, row.patient, row.loinc): int(row.mapping()["count"]) for row in counted}
    return _Facts(
        patients,
        specimens,
        history,
        indices,
        {row.id: result_of_row(row) for row in rows},
        runs,
        {row.id: row.patient for row in rows},
        now,
    )


def _indices(rows: Sequence[Row]) -> dict[tuple[str, str, str], HilIndices]:
    """The newest serum indices by analyzer, tube and patient: a barcode that was used before brings none of the tube it was on (law 6).

    One that its own analyzer doubts, or has not finished, is not known.
    """
    newest: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in rows:
        newest.setdefault((row.analyzer, row.specimen, row.patient), {})[row.serum_index] = row
    found = {}
    for key, known in newest.items():
        sound = {index: row for index, row in known.items() if row.number and not _in_doubt(row)}
        numbers = {INDICES[index][0]: Decimal(row.number) for index, row in sound.items()}
        beyond = frozenset(INDICES[index][0] for index, row in sound.items() if row.comparator.startswith(">"))
        found[key] = HilIndices(**numbers, beyond=beyond)
    return found


def _in_doubt(row: Row) -> bool:
    return row.status not in FINAL | CORRECTED or any(
        Flag(flag) in IN_DOUBT or Flag(flag) is Flag.UNKNOWN for flag in json.loads(row.flags)
    )


def _history(
    site: str, rows: Sequence[Row], owners: Sequence[str], now: str
) -> Transaction[dict[tuple[str, str], list[Previous]]]:
    """What was found before of the same patients and tests: our own releases, and what the LIS gave us."""
    found: dict[tuple[str, str], list[Previous]] = {}
    if not owners:
        return found
    loincs = sorted({row.loinc for row in rows})
    performer = rows[0].analyzer if rows[0].driver in BY_PARTNER else ""  # a delta stays within one laboratory
    since = stamp(read_stamp(now) - HISTORY)
    before = min((row.completed_at for row in rows if row.completed_at), default=now)
    for row in (yield statements.imported_history(site, owners, loincs, since=since, before=before)):
        if performer and row.laboratory != performer:
            continue
        if (quantity := quantity_of(row.number, row.comparator, row.unit)) is not None:
            one = Previous(quantity, read_stamp(row.completed_at), row.analyzer, row.method, row.laboratory)
            found.setdefault((row.patient, row.loinc), []).append(one)
    for row in (yield statements.own_history(site, owners, loincs, since=since, before=before)):
        if performer != (row.analyzer if row.driver in BY_PARTNER else ""):
            continue
        if (quantity := quantity_of(row.number, row.comparator, row.unit)) is not None:
            one = Previous(quantity, read_stamp(row.completed_at), row.analyzer)
            found.setdefault((row.patient, row.loinc), []).append(one)
    for earlier in found.values():
        earlier.sort(key=lambda previous: previous.completed, reverse=True)
        del earlier[HISTORY_DEPTH:]
    return found


def result_of_row(row: Row) -> Result:
    """Make the noun from its row."""
    return Result(
        key=ResultKey(row.site, row.analyzer, row.specimen, row.code, row.detail, row.run, row.completed_raw),
        value=row.value,
        quantity=quantity_of(row.number, row.comparator, row.unit),
        unit_raw=row.unit_raw,
        loinc=row.loinc,
        test_name=row.test_name,
        range_raw=row.range_raw,
        flags_raw=row.flags_raw,
        flags=frozenset(Flag(flag) for flag in json.loads(row.flags)),
        status=row.status,
        operator=row.operator,
        completed=read_stamp(row.completed_at) if row.completed_at else None,
        main=bool(row.main),
        index=row.serum_index,
        comments=tuple(json.loads(row.comments)),
        driver=row.driver,
        driver_version=row.driver_version,
        mapping_version=row.mapping_version,
        software=row.analyzer_software,
    )


def _verdict_row(site: str, row: Row, verdict: Verdict, packs: Packs, now: str) -> Mapping[str, Any]:
    reasons = [
        {"code": one.code, "level": one.level.name.lower(), "rule": one.rule, "facts": dict(one.facts)}
        for one in verdict.reasons
    ]
    return {
        "site": site,
        "result": row.id,
        "level": int(verdict.level),
        "reasons": json_list(reasons),
        "trace": json_list(verdict.trace),
        "packs": json_list([{"pack": name, "signed_by": packs.signers.get(name, "")} for name in verdict.packs]),
        "comments": json_list(verdict.comments),
        "decided_at": now,
        "decided_by": "rules",
    }


def _audit_row(site: str, row: Row, verdict: Verdict, now: str) -> Mapping[str, Any]:
    detail = {
        "verdict": verdict.level.name.lower(),
        "packs": list(verdict.packs),
        "reasons": [one.code for one in verdict.reasons],
    }
    return {
        "site": site,
        "at": now,
        "who": "labmw",
        "what": "verified",
        "subject": f"result/{row.id}",
        "why": _weightiest(verdict),
        "detail": json_object(detail),
    }
