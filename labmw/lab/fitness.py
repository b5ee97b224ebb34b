"""May an analyzer be given a test, as its quality control stands? What failed takes it out by itself, and what passes lets it back (decision 0074).

A control that failed takes the analyzer out for that test, with a route or without. One that stands in for another must besides be controlled as
its plan asks: what the gate would hold is not moved there. A derogation (two persons) leaves the analyzer in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from labmw.clock import read_stamp
from labmw.lab.quality import OUT, UNJUDGED, most_specific
from labmw.store.statements import control as stored
from labmw.store.transaction import Row, Transaction

QC_OUT: Final = "qc-out"
"""Why an AWOS was taken back: quality control of its test failed on its analyzer (phrase awos-reason-qc-out)."""
Where = tuple[str, str]
"""A line, and a test by its LOINC code."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The control that takes an analyzer out."""

    link: str
    test: str
    level: str
    rule: str
    at: str

    def as_json(self) -> dict[str, str]:
        """As JSON; the moment as the store keeps it."""
        return {"link": self.link, "level": self.level, "rule": self.rule, "at": self.at}


@dataclass(frozen=True, slots=True)
class Fitness:
    """Which analyzers are out for which tests, and which may not stand in for another although no control of theirs failed."""

    failed: Mapping[Where, Failed] = field(default_factory=dict)
    unproven: frozenset[Where] = frozenset()
    proven: frozenset[Where] = frozenset()
    gated: frozenset[Where] = frozenset()  # plans with a gate; line "" is every line
    free: frozenset[Where] = frozenset()  # plans without one

    def out(self, link: str, test: str) -> bool:
        """Whether quality control of a test failed there."""
        return (link, test) in self.failed

    def stands_in(self, link: str, test: str) -> bool:
        """Whether quality control allows that it does a test in another's place."""
        where = (link, test)
        if where in self.failed or where in self.unproven:
            return False
        if where in self.proven or where in self.free:
            return True
        return not {where, ("", test)} & self.gated  # no control was ever seen there: the plan decides

    def of_test(self, test: str) -> tuple[Failed, ...]:
        """Where a test is out."""
        return tuple(one for (_, name), one in self.failed.items() if name == test)

    def changed(self, before: Fitness) -> frozenset[str]:
        """The tests that are other than before."""
        where = (self.failed.keys() ^ before.failed.keys()) | (self.unproven ^ before.unproven)
        where |= (self.proven ^ before.proven) | (self.gated ^ before.gated) | (self.free ^ before.free)
        return frozenset(test for _, test in where)


UNCONTROLLED: Final = Fitness()
"""Quality control has nothing to say."""


def fitness(site: str, tests: Iterable[str], now: datetime, compared: Iterable[str] = ()) -> Transaction[Fitness]:
    """How the analyzers stand for these tests; of those that are `compared`, which analyzer may stand in is asked too."""
    names = sorted(set(tests))
    if not names:
        return UNCONTROLLED
    states = yield stored.qc_states(site, names)
    plans: Sequence[Row] = ()
    if routed := sorted(set(compared) & set(names)):
        plans = yield stored.plans_open(site, routed)
    gated = sorted({row.test for row in plans if row.gate != "none"})
    if not gated and not any(row.state == OUT for row in states):
        return UNCONTROLLED
    derogations = yield stored.derogations_approved(site, names)
    targets = (yield stored.targets_open(site, gated)) if gated else ()
    return stand(states, plans, targets, derogations, now)


def fitness_of_all(site: str, now: datetime, compared: Iterable[str]) -> Transaction[Fitness]:
    """How every analyzer stands: for tests of which a control is out anywhere, and for those that are compared."""
    routed = frozenset(compared)
    out = {row.test for row in (yield stored.tests_out(site))}
    return (yield from fitness(site, out | routed, now, routed))


def stand(
    states: Sequence[Row], plans: Sequence[Row], targets: Sequence[Row], derogations: Sequence[Row], now: datetime
) -> Fitness:
    """What the rows of quality control say of each line and test. Pure."""
    by_line: dict[Where, list[Row]] = {}
    for row in states:
        by_line.setdefault((row.link, row.test), []).append(row)
    failed: dict[Where, Failed] = {}
    unproven: set[Where] = set()
    for (link, test), rows in by_line.items():
        # Another analyzer may have come on the line: the one that was controlled last speaks for it.
        device = max(rows, key=lambda row: (row.at, row.id)).analyzer
        own = [row for row in rows if row.analyzer == device]
        if any(_covers(one, own[0], now) for one in derogations):
            continue
        if (found := _failed(own)) is not None:
            failed[link, test] = Failed(link, test, found.level, found.rule, found.at)
        elif not _as_planned(own, plans, targets, now):
            unproven.add((link, test))
    planned = {
        gate: frozenset((row.analyzer, row.test) for row in plans if (row.gate != "none") is gate)
        for gate in (True, False)
    }
    proven = frozenset(by_line) - unproven - failed.keys()
    return Fitness(
        failed,
        frozenset(unproven),
        proven,
        planned[True],
        planned[False] - planned[True] - {("", row.test) for row in plans},
    )


def _failed(states: Sequence[Row]) -> Row | None:
    """The control that takes an analyzer out; none while it has a module left that no control speaks against."""
    out = [row for row in states if row.state == OUT]
    modules = {row.module for row in states if row.module}
    if not out:
        return None
    if any(row.module == "" for row in out) or modules <= {row.module for row in out}:
        return max(out, key=lambda row: (row.at, row.id))
    return None


def _as_planned(states: Sequence[Row], plans: Sequence[Row], targets: Sequence[Row], now: datetime) -> bool:
    """Whether every level that has a target was controlled, was judged, and not too long ago."""
    one = states[0]
    here = {"analyzer": one.analyzer, "link": one.link, "module": one.module, "test": one.test}
    plan = most_specific(plans, **here)
    if plan is None or plan.gate == "none":
        return True
    asked = {
        (row.material, row.lot)
        for row in targets
        if row.test == one.test and row.analyzer in ("", one.analyzer, one.link)
    }
    if asked - {(row.material, row.lot) for row in states}:
        return False
    oldest = now - timedelta(minutes=plan.max_age)
    return all(row.state != UNJUDGED and read_stamp(row.at) >= oldest for row in states)


def _covers(derogation: Row, state: Row, now: datetime) -> bool:
    return (
        derogation.test in ("*", state.test)
        and derogation.analyzer in ("", state.analyzer, state.link)
        and now <= read_stamp(derogation.until)
    )
