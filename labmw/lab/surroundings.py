"""What do the rules see around a result? Its tube's other results and runs, the patient's other tests, what was ordered, the mode of the hour.

Asked of the store in the transaction of the verdict, so that it is one moment's truth. Per message that is six questions at most, each
bounded: the results of its tubes, their orders, earlier results of their tests from both sources, and only where a pack holds
whole visits the tubes taken with them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from labmw.clock import read_stamp, stamp
from labmw.lab.belonging import owner_of, owners
from labmw.lab.nouns import quantity_of
from labmw.lab.practice import Practice
from labmw.lab.results import result_of_row
from labmw.model import Case, Previous, Reason, Result, Specimen, VerdictLevel
from labmw.partner import BY_PARTNER
from labmw.store import statements
from labmw.store.statements import surroundings as stored
from labmw.store.transaction import Row, Transaction
from rules.pack import Packs
from rules.vocabulary import VISIT

MOST_RESULTS: Final = 2000  # of the tubes of one message, beside its own
HISTORY: Final = timedelta(days=366)
DEPTH: Final = 5  # earlier results of each test
MOST_TUBES: Final = 100
LEFT: Final = ("released", "delivered", "dead", "technical")
WAITING: Final = ("held", "blocked", "technical")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the store knows around the results of one message."""

    message: int
    rows: tuple[Row, ...]  # of their tubes, and of the tubes of their visits; the newest first
    visits: Mapping[tuple[str, str], frozenset[str]]  # (tube, patient) -> the tubes taken with it
    ordered: Mapping[tuple[str, str], frozenset[str]]
    before: Mapping[tuple[str, str], tuple[Previous, ...]]  # (patient, LOINC code)
    said: Mapping[tuple[str, str], tuple[tuple[str, datetime], ...]]
    mode: str
    wards: Mapping[int, str] = field(default_factory=dict)  # of the results that are judged
    averaged: bool = False  # an average of patients is followed for one of their tests
    responsible: str = ""  # the biologist on the roster; "" = none is kept, or nothing leaves
    _tubes: dict[tuple[str, str], list[Row]] = field(init=False, default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for row in self.rows:
            self._tubes.setdefault((row.specimen, row.patient), []).append(row)

    def case(self, row: Row, case: Case) -> Case:
        """The case with what is known around it."""
        here = [one for one in self._on_tube(row) if one.id != row.id]
        others = [one for one in here if one.message != self.message and one.state != "rejected"]
        runs = [one for one in others if one.loinc == row.loinc]
        standing = _standing([one for one in others if one.loinc != row.loinc])
        return replace(
            case,
            siblings=(*case.siblings, *(result_of_row(one) for one in standing)),
            runs=tuple(result_of_row(one) for one in sorted(runs, key=lambda one: int(one.id))),
            # Another laboratory's methods are not compared with ours.
            panel_history=None if row.driver in BY_PARTNER else self._panel(row, standing, case.siblings),
            said_before=self.said.get((row.patient, row.loinc), ()) if row.patient else None,
            ordered=self.ordered.get((row.specimen, row.patient), frozenset()) if row.patient else None,
            received=self.received(row),
            mode=self.mode,
        )

    def received(self, row: Row) -> datetime:
        """When the first result of its tube came."""
        return read_stamp(min(row.received_at, *(one.received_at for one in self._on_tube(row)), row.received_at))

    def _panel(
        self, row: Row, standing: Sequence[Row], siblings: Sequence[Result]
    ) -> tuple[tuple[str, Previous], ...] | None:
        if not row.patient:
            return None
        loincs = {one.loinc for one in standing} | {one.loinc for one in siblings}
        return tuple(
            (loinc, one) for loinc in sorted(loincs - {row.loinc}) for one in self.before.get((row.patient, loinc), ())
        )

    def _on_tube(self, row: Row) -> list[Row]:
        return self._tubes.get((row.specimen, row.patient), [])

    def reached_by(self, row: Row, scope: str, panel: Sequence[str]) -> list[Row]:
        """The other results that a finding about one of them speaks of too."""
        here = [one for one in self.rows if self._together(one, row)] if scope == "visit" else self._on_tube(row)
        return [one for one in here if one.id != row.id and row.patient and (scope != "panel" or one.loinc in panel)]

    def _together(self, one: Row, other: Row) -> bool:
        """Whether two results are of tubes of one visit; the tubes of this message know with which they were taken."""
        if one.patient != other.patient:
            return False
        tubes = self.visits.get((one.specimen, one.patient), frozenset())
        others = self.visits.get((other.specimen, other.patient), frozenset())
        return one.specimen == other.specimen or other.specimen in tubes or one.specimen in others

    def other_run(self, row: Row) -> bool:
        """Whether the test has another run on this tube that a person could have to decide about."""
        return any(one.loinc == row.loinc and one.id != row.id and one.state in WAITING for one in self._on_tube(row))

    def later_run(self, row: Row) -> bool:
        """Whether the test was measured again on this tube since: the later run speaks for it."""
        return any(one.loinc == row.loinc and one.id > row.id and one.state != "rejected" for one in self._on_tube(row))


def reasons_of(row: Row) -> list[Reason]:
    """The reasons of a stored verdict that reach beyond its result."""
    return [
        Reason(
            one["code"],
            VerdictLevel[one["level"].upper()],
            one["rule"],
            tuple(one["facts"].items()),
            one.get("scope", "result"),
            tuple(one.get("panel", ())),
        )
        for one in (json.loads(row.reasons) if row.reasons else ())
    ]


def around(
    site: str,
    message: int,
    rows: Sequence[Row],
    tubes: Mapping[tuple[str, str], Specimen],
    packs: Packs,
    practice: Practice,
    now: str,
) -> Transaction[Surroundings]:
    """Ask the store what bears on the results of one message."""
    names = sorted({row.specimen for row in rows})
    people = sorted({row.patient for row in rows if row.patient})
    moment = read_stamp(now)
    visits: dict[tuple[str, str], frozenset[str]] = {}
    if any(rule.reach == "visit" for pack in packs.active for rule in pack.rules):
        visits = yield from _visits(site, tubes, people)
        names = sorted(set(names).union(*visits.values()))
    found = yield stored.results_on_tubes(site, names, limit=MOST_RESULTS + len(rows))
    loincs = sorted({row.loinc for row in found if row.loinc} | {row.loinc for row in rows if row.loinc})
    before: dict[tuple[str, str], list[Previous]] = {}
    said: dict[tuple[str, str], list[tuple[str, datetime]]] = {}
    if people and loincs:
        first = min((row.completed_at for row in rows if row.completed_at), default=now)
        span = {"since": stamp(moment - HISTORY), "before": first}
        own = yield stored.own_before(site, people, loincs, last=DEPTH, **span)
        told = yield stored.told_before(site, people, loincs, last=DEPTH, **span)
        for row in (*own, *told):
            at = read_stamp(row.completed_at)
            quantity = quantity_of(row.number, row.comparator, row.unit)
            ours = "value" in row.columns
            if quantity is not None:
                method, laboratory = ("", "") if ours else (row.method, row.laboratory)
                one = Previous(quantity, at, row.analyzer, method, laboratory)
                before.setdefault((row.patient, row.loinc), []).append(one)
            elif ours and row.value.strip():
                said.setdefault((row.patient, row.loinc), []).append((row.value, at))
    return Surroundings(
        message,
        tuple(found),
        visits,
        (yield from _ordered(site, rows, tubes)),
        {key: tuple(sorted(some, key=lambda one: one.completed, reverse=True)[:DEPTH]) for key, some in before.items()},
        {key: tuple(sorted(some, key=lambda one: one[1], reverse=True)) for key, some in said.items()},
        practice.mode(moment),
    )


def _standing(rows: Sequence[Row]) -> list[Row]:
    """Of several runs of a test the one that has left; where none has, all: two of them are no fact."""
    found: list[Row] = []
    for loinc in dict.fromkeys(row.loinc for row in rows):
        runs = [row for row in rows if row.loinc == loinc]
        left = [row for row in runs if row.state in LEFT]
        found += left if len(left) == 1 else runs
    return found


def _ordered(
    site: str, rows: Sequence[Row], tubes: Mapping[tuple[str, str], Specimen]
) -> Transaction[dict[tuple[str, str], frozenset[str]]]:
    """What was asked for on each tube of each patient; a number that several patients' tubes carried counts for whom it was ordered."""
    names = sorted({row.specimen for row in rows})
    found: dict[tuple[str, str], set[str]] = {}
    carried = {name: [tube for (number, _), tube in tubes.items() if number == name] for name in names}
    for order in (yield statements.orders_among(site, names)):
        if order.state == "cancelled":
            continue
        here = carried.get(order.specimen, [])
        owner = owner_of(read_stamp(order.ordered_at) if order.ordered_at else None, here)
        for patient in [owner] if owner is not None else (sorted(owners(here)) if len(owners(here)) < 2 else []):
            found.setdefault((order.specimen, patient), set()).add(order.loinc)
    return {key: frozenset(loincs) for key, loincs in found.items()}


def _visits(
    site: str, tubes: Mapping[tuple[str, str], Specimen], people: Sequence[str]
) -> Transaction[dict[tuple[str, str], frozenset[str]]]:
    """The tubes that were collected within some hours of each; a tube without a time of collection is of no visit."""
    timed = {key: tube.collected for key, tube in tubes.items() if tube.collected is not None and key[1] in people}
    if not timed:
        return {}
    span = {"since": stamp(min(timed.values()) - VISIT), "before": stamp(max(timed.values()) + VISIT)}
    taken = yield stored.taken_with(site, people, limit=MOST_TUBES, **span)
    return {
        key: frozenset(
            one.identifier for one in taken if one.patient == key[1] and abs(read_stamp(one.collected) - at) <= VISIT
        )
        for key, at in timed.items()
    }
