"""From a result that was stored to a verdict: rules judge, and ONE transaction keeps the verdict and starts the next step (law 7).

Works from `work` rows, never in the path of an ACK. A message's results are judged together: siblings see each other, and what is
released of one specimen leaves in one report.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from labmw.clock import Clock, read_stamp, stamp
from labmw.errors import StoreError, StoreUnfit
from labmw.lab import sameness, tapped
from labmw.lab.acting import act
from labmw.lab.afterwards import let_go, look_again_later, tell_siblings
from labmw.lab.earlier import history_of, indices_of
from labmw.lab.late import recall, told_of
from labmw.lab.nouns import patient_of, specimen_of
from labmw.lab.practice import Practice
from labmw.lab.qc_gate import Quality, standings
from labmw.lab.quality import CONTROL, judge_controls
from labmw.lab.responsible import answered_for, on_duty
from labmw.lab.results import result_of_row
from labmw.lab.routes import Takes, everything
from labmw.lab.sameness import withheld
from labmw.lab.shadowing import Shadow, watch
from labmw.lab.spreading import Judged as WithVerdict
from labmw.lab.spreading import spread, with_reasons
from labmw.lab.stopping import against, stops, watch_rate
from labmw.lab.surroundings import Surroundings, around
from labmw.lab.verdict_rows import audit_row, verdict_row, weightiest
from labmw.metrics import CONTROLS, HELD, VERDICTS
from labmw.model import (
    Case,
    HilIndices,
    Patient,
    Previous,
    Reason,
    Result,
    Specimen,
    Verdict,
    VerdictLevel,
)
from labmw.store import schema, statements
from labmw.store.statements import analyzers
from labmw.store.transaction import Row, Store, Transaction
from rules.engine import judge
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
AGAIN_BESIDE = 5  # messages judged again per round in which new ones wait
ATTEMPTS = 5  # then the results are held: an error must never release, and never hide
CALM = 0.02  # seconds without a sender that waits for its commit: then nobody's acknowledgment is delayed by a judgment
GIVES_WAY = (
    2.0  # seconds after which results are judged although senders wait: an upload without end must not hold them back
)
CONTROLS_AT_ONCE = 500  # a control that waits holds the patients behind it: after a stop, all of them come first


@dataclass(frozen=True, slots=True)
class Judged:
    """What one message's verification came to: (link, verdict, the reason that weighed most) per result."""

    verdicts: tuple[tuple[str, str, str], ...]
    reports: int
    ordered: bool = False  # a LAW analyzer is owed an order
    stopped: tuple[str, ...] = ()  # analyzers that a jump of the release rate has stopped
    recalled: int = 0


Script = Callable[..., Transaction[Judged]]


@dataclass(slots=True)
class Verification:
    """Takes work rows and turns them into verdicts until it is cancelled."""

    site: str
    store: Store
    clock: Clock
    packs: Callable[[], Packs]
    destinations: Sequence[str]
    wake_delivery: Callable[[], None]
    takes: Takes = everything
    shadows: Callable[[], Sequence[Shadow]] = tuple
    practice: Practice = field(default_factory=Practice)
    again: Script | None = None  # what judges once more when a fact came late; labmw.lab.reconsidering has it
    wake_orders: Callable[[], None] = lambda: (
        None
    )  # an analyzer is owed something, or is out or back by its quality control
    signal: asyncio.Event = field(default_factory=asyncio.Event)
    rest: float = 1.0  # seconds between looks when nobody wakes us
    lease: float = 60.0  # seconds; what a dead process had claimed comes back after it
    who: str = field(default_factory=lambda: f"pid {os.getpid()}")
    unfinished: bool = False  # the store has failed in the middle of a step: what it claimed is ours still

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self.signal.clear()
            try:
                done = await self.step()
            except StoreError as error:
                self.unfinished = True
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
        # In the order in which they came: a control that failed is known before the patients' results behind it are judged.
        self.unfinished = False
        for row in sorted(due, key=lambda row: int(row.id)):
            await self._give_way(read_stamp(row.created_at))
            await self._one(row)
        return len(due)

    async def _give_way(self, since: datetime) -> None:
        """Wait while senders wait for their commits, until the work is `GIVES_WAY` old (or the clock was set back)."""
        while (calm := self.store.calm()) < CALM:
            if not timedelta() <= self.clock.now() - since < timedelta(seconds=GIVES_WAY):
                return
            await asyncio.sleep(CALM - calm)

    def _claim(self) -> Transaction[list[Row]]:
        now = self.clock.now()
        until = stamp(now + timedelta(seconds=self.lease))
        if self.unfinished:  # without this it would wait for its own lease
            yield statements.release_our_work(self.site, self.who)
        controls = yield statements.claim_work(
            self.site, kind=CONTROL, limit=CONTROLS_AT_ONCE, now=stamp(now), until=until, who=self.who
        )
        results = yield statements.claim_work(self.site, limit=BATCH, now=stamp(now), until=until, who=self.who)
        first = controls + results
        if self.again is None:
            return first
        # What came late is looked at beside what is new, a little at a time: neither keeps the other waiting for ever.
        most = AGAIN_BESIDE if first else BATCH
        late = yield statements.claim_work(
            self.site, kind="again", limit=most, now=stamp(now), until=until, who=self.who
        )
        return first + late

    async def _one(self, row: Row) -> None:
        now = self.clock.now()
        give_up = row.attempts > ATTEMPTS
        judge_it = verify if row.kind == "verify" or self.again is None else self.again
        try:
            if row.kind == CONTROL:
                await self._controls(row, stamp(now), give_up=give_up)
                return
            script = judge_it(
                self.site, row.id, row.message, stamp(now), self.packs(), self.destinations, self.practice,
                takes=self.takes, shadows=self.shadows(), give_up=give_up, why=row.why,
            )  # fmt: skip
            judged = await self.store.run(script)
        except StoreError as error:
            if not isinstance(error, StoreUnfit):
                self.unfinished = True  # taken up as soon as the store is back, uncounted
                raise
            await self._later(row, now, error)
            return
        except Exception as error:
            # Whatever a rule, a row or a driver's data does, the result is not lost and not released, and the others go on.
            await self._later(row, now, error)
            return
        for link, verdict, reason in judged.verdicts:
            VERDICTS.labels(link, verdict).inc()
            if reason:
                HELD.labels(link, reason).inc()
        for analyzer in judged.stopped:
            log.error(
                "more is released than ever before; the analyzer is stopped until two people say go on", link=analyzer
            )
        if judged.reports:
            self.wake_delivery()
        if judged.ordered:
            self.wake_orders()

    async def _controls(self, row: Row, now: str, *, give_up: bool) -> None:
        controls = await self.store.run(judge_controls(self.site, row.id, row.message, now, give_up=give_up))
        for link, test, level, state in controls.points:
            CONTROLS.labels(link, state).inc()
            if state == "out":
                log.warning("quality control is out", link=link, test=test, level=level)
        if controls.points:
            self.wake_orders()  # an analyzer may be out for a test, or back

    async def _later(self, row: Row, now: datetime, error: Exception) -> None:
        log.error(
            "verification failed; the results wait",
            message=row.message,
            attempt=row.attempts,
            why=str(error),
            exc_info=error,
        )
        due = now + timedelta(seconds=2.0 ** min(row.attempts, ATTEMPTS))
        await self.store.run(self._postpone(row.id, stamp(due)))

    def _postpone(self, work: int, due: str) -> Transaction[None]:
        yield statements.postpone_work(work, who=self.who, due=due)


def verify(
    site: str,
    work: int,
    message: int,
    now: str,
    packs: Packs,
    destinations: Sequence[str],
    practice: Practice | None = None,
    *,
    takes: Takes = everything,
    shadows: Sequence[Shadow] = (),
    give_up: bool = False,
    why: str = "",
) -> Transaction[Judged]:
    """Judge one message's waiting results; `give_up` holds them all instead, after too many failures."""
    practice = practice or Practice()
    if not (yield statements.finish_work(work)):
        return Judged((), 0)  # somebody else has done it
    rows = yield statements.results_to_verify(message)
    if not rows:
        return Judged((), 0)
    verdicts: list[WithVerdict] = [(row, GIVEN_UP) for row in rows]
    left: list[tuple[Row, Reason]] = []
    known: Surroundings | None = None
    if not give_up:
        verdicts, left, known = yield from conclude(site, message, rows, packs, practice, now, shadows)
    responsible = known.responsible if known is not None else ""
    yield statements.insert_rows(
        schema.verdict, [verdict_row(site, row, verdict, packs, now, responsible) for row, verdict in verdicts]
    )
    yield statements.results_become([(row.id, "verify", STATE_OF[verdict.level]) for row, verdict in verdicts])
    yield statements.insert_rows(schema.audit, [audit_row(site, row, verdict, now) for row, verdict in verdicts])
    done = [] if known is None else (yield from act(site, verdicts, known, practice, now))
    # After what was asked: a call is one.
    reports = yield from let_go(site, verdicts, known, destinations, practice, now, takes)
    for row, reason in left:
        yield from recall(site, row.id, reason.code, told_of(reason), now)
    if known is not None:
        yield from look_again_later(site, message, verdicts, known, now)
        yield from tell_siblings(site, message, rows, known, now)
    stopped = (yield from watch_rate(site, verdicts, now)) if practice.watch_rate else []
    told = tuple((row.link, verdict.level.name.lower(), weightiest(verdict)) for row, verdict in verdicts)
    return Judged(told, reports, any(one.ordered for one in done), tuple(stopped), len(left))


def conclude(
    site: str,
    message: int,
    rows: Sequence[Row],
    packs: Packs,
    practice: Practice,
    now: str,
    shadows: Sequence[Shadow] = (),
) -> Transaction[tuple[list[WithVerdict], list[tuple[Row, Reason]], Surroundings]]:
    """Judge results by the rules, and by what no rule knows: the analyzer itself, quality control, what is stopped, who answers for it.

    Also told: what the verdicts of the others reach, and what has left and is reached.
    """
    facts = yield from _facts(site, rows, message, now, practice)
    known = yield from around(site, message, rows, facts.specimens, packs, practice, now)
    terminated = bool(rows[0].terminated)
    cases = [(row, known.case(row, facts.case(row, terminated))) for row in rows]
    verdicts = [(row, judge(case, packs)) for row, case in cases]
    if shadows:
        judged = [(row, case, one) for (row, case), (_, one) in zip(cases, verdicts, strict=True)]
        yield from watch(site, judged, shadows, now)
    objections = yield from _objections(site, message, rows, practice.taps)
    verdicts = [(row, withheld(one, objections[row.id])) for row, one in verdicts]
    verdicts = [(row, facts.quality.over(row.id, one, packs.language)) for row, one in verdicts]
    stopped = yield from stops(site)
    verdicts = [(row, with_reasons(verdict, against(row, verdict, stopped))) for row, verdict in verdicts]
    spread_out, left = spread(verdicts, known)
    leaves = any(one.released for _, one in spread_out)
    responsible = (yield from on_duty(site, now)) if facts.quality.rostered and leaves else ""
    wards = {row.id: tube.ward for row in rows if (tube := facts.specimens.get((row.specimen, row.patient)))}
    known = replace(known, wards=wards, averaged=facts.quality.averaged, responsible=responsible or "")
    return [(row, answered_for(one, responsible)) for row, one in spread_out], left, known


def _objections(
    site: str, message: int, rows: Sequence[Row], taps: frozenset[str]
) -> Transaction[dict[int, list[Reason]]]:
    """What speaks against each result beside its value: an analyzer that nobody has accepted, a time that cannot be believed."""
    changed = sameness.reasons((yield analyzers.waiting_on(site, rows[0].link)))
    only_heard = [tapped.reason(rows[0].link)] if rows[0].link in taps else []
    found = {row.id: [*only_heard, *changed] for row in rows}
    for row in (yield analyzers.doubts_of_message(message)):
        if row.result in found:
            facts = tuple(sorted(json.loads(row.facts).items()))
            found[row.result].append(Reason(row.code, VerdictLevel.HOLD, "labmw/clock", facts))
    return found


GIVEN_UP = Verdict(VerdictLevel.HOLD, (Reason("rule-error", VerdictLevel.HOLD),), ())


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
    quality: Quality
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
            module=self.quality.module(row),
        )


def _facts(site: str, rows: Sequence[Row], message: int, now: str, practice: Practice) -> Transaction[_Facts]:
    tubes = sorted({row.specimen for row in rows})
    owners = sorted({row.patient for row in rows if row.patient})
    specimens = {
        (row.identifier, row.patient): specimen_of(row) for row in (yield statements.specimens_among(site, tubes))
    }
    known = (yield statements.patients_among(site, owners)) if owners else []
    patients = {row.identifier: patient_of(row) for row in known}
    history = yield from history_of(site, rows, owners, now)
    indices = indices_of((yield statements.indices_among(site, tubes)))
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
        (yield from standings(site, rows, message, now, practice.zone)),
        now,
    )
