"""Is anything lost, and is anything there twice? The three sides held against each other; pure.

Law 5: *lost* is what an analyzer was told it may forget and that is in no final state, or that the store believes delivered and the LIS has
not got; *twice* is what the store or the LIS has more often than it was sent. What nobody has sent must not be there at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from labmw.cli.demo.sides import Planted, Sides, Stored

FINAL = frozenset({"held", "blocked", "quarantined", "control", "detail", "delivered", "dead", "withdrawn"}) | {
    "technical",
    "rejected",
}
WITH_ANALYZER = frozenset(
    {"accepted", "in-process", "resulted", "not-performed", "unable"}
)  # says the store of an order
NO_WORK = "no-work"  # what a planted case may expect: the analyzer asked and was told that there is nothing to do
LEFT = frozenset({"released", "delivered", "dead"})  # the rules have let them go


@dataclass(frozen=True, slots=True)
class Tally:
    """The figures of one analyzer, or of all."""

    name: str
    sent: int = 0
    stored: int = 0
    released: int = 0
    held: int = 0
    quarantined: int = 0
    details: int = 0
    delivered: int = 0
    received: int = 0  # by the LIS
    lost: int = 0
    twice: int = 0

    def plus(self, other: Tally) -> Tally:
        """Add the figures of another analyzer."""
        names = [name for name in self.__slots__ if name != "name"]
        return replace(self, **{name: getattr(self, name) + getattr(other, name) for name in names})


@dataclass(frozen=True, slots=True)
class Outcome:
    """One planted case: whether it ended where it must, and what was found."""

    case: Planted
    well: bool
    found: tuple[tuple[str, str, int], ...]  # state, reason, how many


@dataclass(frozen=True, slots=True)
class Count:
    """What came out."""

    tallies: tuple[Tally, ...]
    lost: tuple[tuple[str, ...], ...]  # analyzer, specimen, code, value, why
    twice: tuple[tuple[str, ...], ...]
    strangers: tuple[tuple[str, ...], ...]  # in the store and sent by nobody, or with the LIS and not in the store
    misgiven: tuple[tuple[str, ...], ...]  # orders of which store and analyzer do not say the same
    unsent: int  # never acknowledged: still with the analyzer, which keeps it
    outcomes: tuple[Outcome, ...]

    @property
    def total(self) -> Tally:
        """All analyzers together."""
        whole = Tally("")
        for one in self.tallies:
            whole = whole.plus(one)
        return whole

    @property
    def well(self) -> bool:
        """True when nothing is lost, twice or strange, and every planted case ended where it must."""
        planted = all(outcome.well for outcome in self.outcomes)
        return planted and not (self.lost or self.twice or self.strangers or self.misgiven or self.unsent)


def count(sides: Sides) -> Count:
    """Hold the three sides against each other."""
    lost = [*_never_stored(sides), *_stuck(sides.stored), *_never_received(sides)]
    twice = [*_stored_twice(sides), *_received_twice(sides)]
    strangers = list(_strangers(sides))
    outcomes = tuple(_outcome(case, sides) for case in sides.planted)
    return Count(
        tuple(_tally(name, sides, lost, twice) for name in sides.analyzers),
        tuple(lost),
        tuple(twice),
        tuple(strangers),
        tuple(_misgiven(sides)),
        sum(not one.acknowledged for one in sides.sent),
        outcomes,
    )


def _never_stored(sides: Sides) -> Iterable[tuple[str, ...]]:
    there = Counter(row.key for row in sides.stored)
    for one in sides.sent:
        if there[one.key]:
            there[one.key] -= 1
        elif one.acknowledged:
            yield one.analyzer, one.specimen, one.code, one.value, "acknowledged-not-stored"


def _stuck(stored: Iterable[Stored]) -> Iterable[tuple[str, ...]]:
    for row in stored:
        if row.state not in FINAL:
            yield row.analyzer, row.specimen, row.code, row.value, f"stuck-{row.state}"


def _never_received(sides: Sides) -> Iterable[tuple[str, ...]]:
    got = Counter(one.report for one in sides.reported)
    for row in sides.stored:
        if row.state == "delivered":
            if got[row.report]:
                got[row.report] -= 1
            else:
                yield row.analyzer, row.specimen, row.code, row.value, "delivered-not-received"


def _stored_twice(sides: Sides) -> Iterable[tuple[str, ...]]:
    wanted = Counter(one.key for one in sides.sent)
    for key, times in Counter(row.key for row in sides.stored).items():
        if times > wanted[key] > 0:
            yield (*key[:4], "stored-twice")


def _received_twice(sides: Sides) -> Iterable[tuple[str, ...]]:
    """What the LIS has more often than it was sent, whatever the store believes of it."""
    owners = {row.report: row for row in sides.stored}
    wanted = Counter(row.report for row in sides.stored)
    for report, times in Counter(one.report for one in sides.reported).items():
        row = owners.get(report)
        if times > max(1, wanted[report]):
            yield row.analyzer if row else "", *report, "received-twice"


def _strangers(sides: Sides) -> Iterable[tuple[str, ...]]:
    """What must not be there at all: stored and sent by nobody, or with the LIS and not in the store, under this value."""
    sent = {one.key for one in sides.sent}
    for row in sides.stored:
        if row.key not in sent:
            yield row.analyzer, row.specimen, row.code, row.value, "sent-by-nobody"
    stored = {row.report for row in sides.stored}
    for one in sides.reported:
        if one.report not in stored:
            yield "", one.specimen, one.code, one.value, "received-not-stored"


def _misgiven(sides: Sides) -> Iterable[tuple[str, ...]]:
    """Orders that an analyzer has and the store does not know to be there, or the other way round."""
    nameless = {
        one.analyzer for one in sides.held if not one.awos
    }  # LIS02-A2: specimen and test are all that names an order
    held = {(one.analyzer, one.awos or f"{one.specimen}/{one.code}"): one for one in sides.held}
    given = {
        (one.analyzer, f"{one.specimen}/{one.code}" if one.analyzer in nameless else one.awos): one
        for one in sides.given
    }
    for key, one in held.items():
        known = given.get(key)
        if known is None or known.state not in WITH_ANALYZER:
            yield one.analyzer, one.specimen, one.code, one.awos, "held-not-given"
        elif one.state == "CM" and known.state not in ("resulted", "not-performed"):
            yield one.analyzer, one.specimen, one.code, one.awos, "done-not-noted"
    for key, one in given.items():
        if one.state in WITH_ANALYZER and key not in held:
            yield one.analyzer, one.specimen, one.code, one.awos, "given-not-held"


def _tally(name: str, sides: Sides, lost: list[tuple[str, ...]], twice: list[tuple[str, ...]]) -> Tally:
    rows = [row for row in sides.stored if row.analyzer == name]
    states = Counter(row.state for row in rows)
    ours = {row.report for row in rows}
    return Tally(
        name,
        sent=sum(one.analyzer == name for one in sides.sent),
        stored=len(rows),
        released=sum(states[state] for state in LEFT),
        held=states["held"] + states["blocked"],
        quarantined=states["quarantined"],
        details=states["detail"] + states["control"],
        delivered=states["delivered"],
        received=sum(one.report in ours for one in sides.reported),
        lost=sum(one[0] == name for one in lost),
        twice=sum(one[0] == name for one in twice),
    )


def _outcome(case: Planted, sides: Sides) -> Outcome:
    """Look where a planted case ended."""
    rows = [row for row in sides.stored if row.analyzer == case.analyzer and row.specimen == case.specimen]
    if not case.expect:
        well = (
            len(rows) == case.results
            and len({row.key for row in rows}) == case.results
            and all(row.state in FINAL for row in rows)
        )
        return Outcome(case, well, _found(rows))
    if [one["state"] for one in case.expect] == [NO_WORK]:
        given = any(one.analyzer == case.analyzer and one.specimen == case.specimen for one in sides.given)
        return Outcome(case, not rows and not given, _found(rows) or ((NO_WORK, "", 1),) * (not given))
    well = True
    seen: list[Stored] = []
    for expected in case.expect:
        about = [row for row in rows if not expected["test"] or (expected["test"] == row.code and row.main)]
        well = well and bool(about) and all(_meets(row, expected["state"], expected["reason"]) for row in about)
        seen += about
    return Outcome(case, well, _found(seen))


def _meets(row: Stored, state: str, reason: str) -> bool:
    states = ("held", "blocked") if state == "held" else (state,)
    return row.state in states and (not reason or reason in {code for code, _ in row.reasons})


def _found(rows: Iterable[Stored]) -> tuple[tuple[str, str, int], ...]:
    counted = Counter((row.state, ", ".join(dict.fromkeys(code for code, _ in row.reasons))) for row in rows)
    return tuple((state, reason, number) for (state, reason), number in sorted(counted.items()))
