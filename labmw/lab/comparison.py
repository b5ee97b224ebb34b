"""Does the LIS hold what labmw has delivered? Each delivered result against what the LIS says in its feed of all that it releases.

An acknowledgment proves that a message arrived, and with some systems not even that it was kept: this proves what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from labmw.lab.lis_told import raise_task
from labmw.store.statements import lis as stored
from labmw.store.statements import tasks
from labmw.store.transaction import Row, Transaction

TASK = "lis-differs"
GONE = frozenset({"X", "D", "W"})  # OBX-11 of what the LIS has taken back


@dataclass(frozen=True, slots=True)
class Difference:
    """One test of one tube on which both sides disagree: `what` is a code of the catalogue."""

    what: str
    specimen: str
    loinc: str
    test: str
    result: int
    ours: str
    theirs: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was compared, and what differs; `heard` is when the LIS last said what it holds, "" when never."""

    compared: int
    differences: tuple[Difference, ...]
    heard: str


def compare(site: str, destination: str, since: str, before: str) -> Transaction[Comparison]:
    """Compare the newest result of every tube and test that was delivered in a time."""
    newest: dict[tuple[str, str], Row] = {}
    for row in (yield stored.delivered_between(site, destination, since, before)):
        newest[row.specimen, row.loinc] = row
    held: dict[tuple[str, str], list[Row]] = {}
    tubes = sorted({specimen for specimen, _ in newest})
    for start in range(0, len(tubes), 1000):
        for row in (yield stored.held_by_lis(site, tubes[start : start + 1000])):
            held.setdefault((row.specimen, row.loinc), []).append(row)
    heard = yield stored.lis_heard(site)
    found = [
        difference for key, row in newest.items() if (difference := _difference(row, held.get(key, ()))) is not None
    ]
    return Comparison(len(newest), tuple(found), (heard[0].at if heard else None) or "")


def _difference(row: Row, held: Sequence[Row]) -> Difference | None:
    ours = " ".join(filter(None, (f"{row.comparator}{row.number or row.value}", row.unit)))
    standing = [one for one in held if one.status not in GONE]
    theirs = _shown(standing or held)

    def differs(what: str) -> Difference:
        return Difference(what, row.specimen, row.loinc, row.test_name or row.code, row.id, ours, theirs)

    if row.state == "withdrawn":
        return differs("lis-still-holds") if standing else None
    if not held:
        return differs("lis-lacks")
    if not standing:
        return differs("lis-took-back")
    return None if any(same(row, one) for one in standing) else differs("lis-holds-another")


def _shown(rows: Iterable[Row]) -> str:
    return ", ".join(" ".join(filter(None, (f"{one.comparator}{one.value}", one.unit, one.status))) for one in rows)


def same(row: Row, one: Row) -> bool:
    """Whether both say the same: numbers by their value (5.40 is 5.4), with comparator and unit; texts word for word."""
    if not row.number:
        return bool(row.value.strip() == one.value.strip())
    try:
        equal = Decimal(row.number) == Decimal(one.value)
    except InvalidOperation:
        return False
    return equal and row.comparator == one.comparator and row.unit == one.unit


def keep_comparison(site: str, comparison: Comparison, at: str, by: str) -> Transaction[None]:
    """A task for each difference; those that are no difference any more are done."""
    subjects = set()
    for one in comparison.differences:
        subject = f"{one.specimen}/{one.loinc}"
        subjects.add(subject)
        facts = {
            "specimen": one.specimen,
            "test": one.test,
            "ours": one.ours,
            "theirs": one.theirs or "—",
            "what": one.what,
        }
        yield from raise_task(site, TASK, subject, one.specimen, facts, at)
    for row in (yield tasks.open_tasks(site)):
        if row.kind == TASK and row.subject not in subjects:
            yield tasks.close_task(site, TASK, row.subject, at=at, by=by, why="they agree now")
