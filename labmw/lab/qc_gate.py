"""May a patient's result leave, as quality control of its test stands on its analyzer? Asked once per message, before any verdict is kept.

A control that failed holds, whatever was declared. Whether a control must have been there at all, how old it may be, and whether the next one
must pass too (bracketed), is declared per test (`labmw qc plan`). A derogation lets go, says so in the verdict, and goes out as a comment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from labmw.clock import read_stamp, stamp
from labmw.lab.quality import device_of, most_specific, test_of
from labmw.lab.supplies import Recorded, Supply, supply_of
from labmw.model import Module, Reason, Verdict, VerdictLevel
from labmw.phrases import Language, say
from labmw.store.statements import average as averages
from labmw.store.statements import control as stored
from labmw.store.statements import supplies as recorded
from labmw.store.transaction import Row, Transaction
from rules.qc.gate import Control, leaves

RULE = "labmw/qc"  # as reasons and traces name it
LOOKED_BACK = timedelta(days=31)  # for the control before a result that came after the next one
MOST_CALIBRATIONS = 20  # of a test looked at behind a result that may have come late; what is older is not known
BAD = ("out", "unjudged")


@dataclass(frozen=True, slots=True)
class Standing:
    """What quality control says of one result: what is known of its module, why it may not leave, and the evidence in one line."""

    module: Module
    evidence: str
    objections: tuple[Reason, ...] = ()
    derogation: Row | None = None

    def over(self, verdict: Verdict, language: Language) -> Verdict:
        """The verdict with what quality control has to say: a hold, or the mark of a derogation; the most severe wins."""
        if not self.objections:
            return replace(verdict, trace=(*verdict.trace, (RULE, "passed", self.evidence)))
        trace = (*verdict.trace, (RULE, "fired", self.evidence))
        if self.derogation is None:
            # The most severe first, as the engine leaves them.
            reasons = sorted((*self.objections, *verdict.reasons), key=lambda one: -one.level)
            return replace(verdict, level=max(verdict.level, VerdictLevel.HOLD), reasons=tuple(reasons), trace=trace)
        row = self.derogation
        facts = (
            ("number", str(row.id)), ("until", row.until[:16].replace("T", " ")), ("by", row.approved_by), ("asked", row.asked_by), ("why", row.why),
            ("instead", ", ".join(sorted({one.code for one in self.objections}))),
        )  # fmt: skip
        mark = Reason("qc-derogation", VerdictLevel.COMMENT, RULE, facts)
        return replace(
            verdict, level=max(verdict.level, VerdictLevel.COMMENT), reasons=(*verdict.reasons, mark), trace=trace,
            comments=(*verdict.comments, say("qc-derogation-comment", language, number=row.id)),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Known:
    """What the store says of quality control of the tests of one message."""

    states: Sequence[Row]
    plans: Sequence[Row]
    targets: Sequence[Row]
    points: Sequence[Row]
    derogations: Sequence[Row]
    averages: Sequence[Row]
    behind: Sequence[Row]
    waiting: frozenset[str]  # links with controls that came before and are not judged yet
    now: datetime


@dataclass(frozen=True, slots=True)
class Quality:
    """What quality control says of the results of one message, and what else must be asked when some of them leave."""

    standings: Mapping[int, Standing]  # by result; those of tests that nobody controls are left out
    supplies: Mapping[int, Supply] = field(
        default_factory=dict
    )  # by result; of which nobody has said anything are left out
    averaged: bool = False  # an average of patients is followed for one of the tests
    rostered: bool = False  # the laboratory keeps a roster

    def over(self, result: int, verdict: Verdict, language: Language) -> Verdict:
        """A result's verdict with what quality control has to say of it."""
        if result in self.standings:
            verdict = self.standings[result].over(verdict, language)
        return self.supplies[result].over(verdict) if result in self.supplies else verdict

    def module(self, row: Row) -> Module | None:
        """What rules may ask of the module that measured a result."""
        standing, supply = self.standings.get(row.id), self.supplies.get(row.id)
        known = standing.module if standing is not None else None
        return known if supply is None else supply.within(known, row.analyzer)


def standings(site: str, rows: Sequence[Row], message: int, now: str, zone: tzinfo = UTC) -> Transaction[Quality]:
    """Ask once whether quality control has anything to say of these tests, and only then what; `zone` is the laboratory's."""
    told: dict[str, set[str]] = {
        what: set() for what in ("control", "average", "waits", "roster", "supply", "material")
    }
    for row in (yield stored.quality_among(site, sorted({test_of(row) for row in rows}), message)):
        told[row.what].add(row.name)
    controlled = told["control"] | told["average"] | {test_of(row) for row in rows if row.link in told["waits"]}
    averaged, rostered = bool(told["average"]), bool(told["roster"])
    behind: Sequence[Row] = []
    if controlled or told["supply"] or told["material"]:
        behind = yield stored.contributions_behind(message)
    supplies: Mapping[int, Supply] = {}
    if told["supply"] or told["material"]:
        supplies = yield from _supplies(site, rows, behind, zone)
    if not controlled:
        return Quality({}, supplies, averaged, rostered)
    tests = sorted(controlled)
    measured = min(row.completed_at or row.received_at for row in rows)
    plans = yield stored.plans_open(site, tests)
    gated = [row.max_age for row in plans if row.gate != "none"]
    states = yield stored.qc_states(site, tests)
    came_late = any(one.at > measured for one in states)
    back = max([timedelta(minutes=one) for one in gated] + [LOOKED_BACK] * came_late, default=timedelta(0))
    oldest = stamp(read_stamp(measured) - back)
    known = _Known(
        states=states,
        plans=plans,
        targets=(yield stored.targets_open(site, tests)) if gated else [],
        points=(yield stored.points_since(site, tests, oldest)) if gated or came_late else [],
        derogations=(yield stored.derogations_approved(site, tests)),
        averages=(yield averages.averages_of(site, tests)) if told["average"] else [],
        behind=behind,
        waiting=frozenset(told["waits"]),
        now=read_stamp(now),
    )
    found = {row.id: _standing(row, known) for row in rows if test_of(row) in controlled}
    return Quality(found, supplies, averaged, rostered)


def _supplies(site: str, rows: Sequence[Row], behind: Sequence[Row], zone: tzinfo) -> Transaction[Mapping[int, Supply]]:
    """With which calibration and reagents each result was measured."""
    tests = sorted({test_of(row) for row in rows})
    moments = sorted(row.completed_at or row.received_at for row in rows)
    known = Recorded(
        (yield recorded.calibrations_before(site, tests, moments[-1], most=MOST_CALIBRATIONS)),
        (yield recorded.reagents(site, tests, moments[0])),
        (yield recorded.lots(site, tests)),
    )
    return {row.id: supply_of(row, test_of(row), device_of(behind, row.id), behind, known, zone) for row in rows}


def _standing(row: Row, known: _Known) -> Standing:
    test, module = test_of(row), device_of(known.behind, row.id)
    here = {"analyzer": row.analyzer, "link": row.link, "module": module, "test": test}
    states = [
        one for one in known.states if one.analyzer == row.analyzer and one.test == test and _fits(one.module, module)
    ]
    plan = most_specific(known.plans, **here)
    measured = read_stamp(row.completed_at or row.received_at)
    objections: list[Reason] = []
    failed = [one for one in states if one.state == "out"]
    if row.link in known.waiting and (states or plan is not None):
        objections.append(_objection("qc-waits", test=row.test_name or test))
    for one in failed:
        objections.append(
            _objection("qc-out", test=row.test_name or test, level=one.level, rule=one.rule, at=_shown(one.at))
        )
    if plan is not None and plan.gate != "none" and not failed:
        objections += _by_plan(row, plan, known, states, measured, module)
    average = next((one for one in known.averages if (one.analyzer, one.test) == (row.analyzer, test)), None)
    if average is not None and average.state == "alarm":
        objections.append(
            _objection(
                "qc-average", test=row.test_name or test, value=average.value or "-", since=_shown(average.since)
            )
        )
    evidence = "; ".join(
        [f"level {one.level} {one.state} {one.rule} at {_shown(one.at)}".replace("  ", " ") for one in states]
        + ([f"average {average.value} {average.state}"] if average is not None else [])
    ) or "no control"  # fmt: skip
    derogation = next((one for one in known.derogations if _covers(one, row, test, module, known.now)), None)
    return Standing(_module(states, average, module, known, row), evidence, tuple(objections), derogation)


def _fits(of_state: str, module: str) -> bool:
    """A control without module speaks for the whole analyzer; a result without module is judged by every module's controls."""
    return module == "" or of_state in ("", module)


def _by_plan(
    row: Row, plan: Row, known: _Known, states: Sequence[Row], measured: datetime, module: str
) -> list[Reason]:
    """Each level that has a target must have passed before, not too long ago, and in brackets after the measurement too."""
    test = test_of(row)
    levels = _levels(row, known, module)
    name = row.test_name or test
    if not levels:
        return [_objection("qc-never", test=name, level="-")]
    found = []
    for level in levels:
        own = [
            one for one in known.points
            if one.test == test and one.level == level and one.analyzer == row.analyzer and _fits(one.module, module) and not one.excluded_at
        ]  # fmt: skip
        controls = [Control(read_stamp(one.at), one.state not in BAD) for one in own]
        before = [one for one in controls if one.at <= measured]
        # Points are read back to the oldest that a plan allows; of an older one, the state still tells when it was.
        last = (
            before[-1].at if before else max((read_stamp(one.at) for one in states if one.level == level), default=None)
        )
        limit = timedelta(minutes=plan.max_age)
        if last is None or last > measured:
            found.append(_objection("qc-never", test=name, level=level))
        elif not before or measured - last > limit:
            found.append(
                _objection("qc-late", test=name, level=level, hours=_hours(measured - last), limit=_hours(limit))
            )
        else:
            may = leaves(measured, controls, bracketed=plan.gate == "bracket")
            if may is None:
                found.append(_objection("qc-bracket", test=name, level=level))
            elif not may:
                bad = next(
                    one
                    for one in own
                    if one.state in BAD and (read_stamp(one.at) > measured or read_stamp(one.at) == before[-1].at)
                )
                rule = bad.doubt or ", ".join(one["rule"] for one in json.loads(bad.broken))
                found.append(_objection("qc-out", test=name, level=level, rule=rule, at=_shown(bad.at)))
    return found


def _levels(row: Row, known: _Known, module: str) -> list[str]:
    """The levels that have a target in force for this test here: each of them is asked for."""
    lots = {
        (one.material, one.lot)
        for one in known.targets
        if one.test == test_of(row) and one.analyzer in ("", row.analyzer, row.link) and one.module in ("", module)
    }
    named = {(one.material, one.lot): one.level for one in (*known.states, *known.points)}
    return sorted({named.get(lot, f"{lot[0]} {lot[1]}") for lot in lots})


def _covers(derogation: Row, row: Row, test: str, module: str, now: datetime) -> bool:
    return (
        derogation.test in ("*", test)
        and derogation.analyzer in ("", row.analyzer, row.link)
        and derogation.module in ("", module)
        and now <= read_stamp(derogation.until)
    )


def _module(states: Sequence[Row], average: Row | None, module: str, known: _Known, row: Row) -> Module:
    """What rules of packs may ask of the module: the worst level counts, and the level that was controlled longest ago."""
    words = {one.state for one in states}
    said = (
        "failed"
        if "out" in words
        else ""
        if not words or "unjudged" in words
        else "warning"
        if "warning" in words
        else "ok"
    )
    measured = read_stamp(row.completed_at or row.received_at)
    moments = [_last_before(one, measured, known.points) for one in states]
    controlled = [one for one in moments if one is not None]
    return Module(
        module or row.analyzer, said, min(controlled) if controlled and None not in moments else None,
        average=average.state if average is not None else "",
    )  # fmt: skip


def _last_before(state: Row, measured: datetime, points: Sequence[Row]) -> datetime | None:
    """When a level was controlled last before a measurement; a control after it says nothing of how old that one was."""
    if read_stamp(state.at) <= measured:
        return read_stamp(state.at)
    of = (state.analyzer, state.module, state.test, state.level)
    own = [one for one in points if (one.analyzer, one.module, one.test, one.level) == of and not one.excluded_at]
    return max((at for one in own if (at := read_stamp(one.at)) <= measured), default=None)


def _objection(code: str, **facts: str) -> Reason:
    return Reason(code, VerdictLevel.HOLD, RULE, tuple(facts.items()))


def _shown(at: str) -> str:
    return at[:16].replace("T", " ") + " UTC"


def _hours(span: timedelta) -> str:
    return f"{span / timedelta(hours=1):.4g}"
