"""Do we and each partner agree, day by day? Orders without tubes, results without orders, what is late or unanswered, gaps in file numbers; read-only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from labmw.clock import read_stamp, stamp
from labmw.lab.partner_watch import late_now
from labmw.partner import Partner
from labmw.store import schema, statements
from labmw.store.statements import interlab as stored
from labmw.store.statements import partners as exchanged
from labmw.store.statements.worklist import change
from labmw.store.transaction import Row, Transaction
from protocols.hl7.ilw_states import State

UNANSWERED = timedelta(hours=1)  # after which a sub-order that was sent should have been accepted or refused
WITHOUT_TUBE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not agree: a phrase and its facts."""

    partner: str
    what: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What was found, and the share of tests that went elsewhere."""

    differences: tuple[Difference, ...]
    total: int
    transmitted: int
    days: int

    @property
    def share(self) -> float:
        """Percent of the tests ordered that other laboratories were asked for."""
        return 100.0 * self.transmitted / self.total if self.total else 0.0

    def well(self, cap: float) -> bool:
        """Whether everything agrees and the share is under the cap."""
        return not self.differences and (not self.total or self.share < cap)

    def as_json(self, cap: float) -> dict[str, Any]:
        """For scripts."""
        return {
            "schema": "labmw-reconciliation/1", "days": self.days, "ordered": self.total, "transmitted": self.transmitted,
            "share": round(self.share, 2), "cap": cap, "differences": [asdict(one) | {"facts": dict(one.facts)} for one in self.differences],
        }  # fmt: skip


def reconcile(site: str, partners: Sequence[Partner], at: str, days: int) -> Transaction[Reconciliation]:
    """Hold both sides against each other, as far as they have told."""
    now = read_stamp(at)
    since = stamp(now - timedelta(days=days))
    rows = yield stored.sub_orders_open(site)
    late = yield from late_now(site, at)
    unknown = yield statements.quarantine_open(site)
    found: list[Difference] = []
    for partner in partners:
        name = partner.name
        for row in late:
            if row.partner == name:
                found.append(_about(row, "reconcile-late"))
        found += _open(rows, name, at)
        for entry in unknown:
            facts = json.loads(entry.facts)
            if entry.reason == "interlab-unknown-order" and facts.get("partner") == name:
                found.append(Difference(name, "reconcile-unknown", (("order", facts.get("order") or "–"),)))
        for box in (yield exchanged.boxes_of(site, name)):
            found += _boxed(box, (yield exchanged.tubes_in(box.id)), since, at)
        files = yield exchanged.files_of(site, name)
        found += _gaps(files, name)
        found += _refused(files, name, since)
    (counted,) = yield stored.transmitted_since(site, since)
    return Reconciliation(tuple(found), int(counted.total or 0), int(counted.transmitted or 0), days)


def _about(row: Row, what: str) -> Difference:
    return Difference(row.partner, what, (("order", row.number), ("specimen", row.specimen), ("state", row.state)))


def _open(rows: Sequence[Row], partner: str, at: str) -> Iterator[Difference]:
    """What was said and not answered, and what was asked of us and whose tube has not come."""
    now = read_stamp(at)
    for row in rows:
        if row.partner != partner:
            continue
        age = now - read_stamp(row.updated_at)
        if row.role == "requester" and row.state in (State.CREATED, State.SENT, State.CANCEL_SENT) and age > UNANSWERED:
            yield _about(row, "reconcile-unanswered")
        if (
            row.role == "subcontractor"
            and row.state == State.ACCEPTED
            and now - read_stamp(row.created_at) > WITHOUT_TUBE
        ):
            yield _about(row, "reconcile-without-tube")


def _boxed(box: Row, tubes: Sequence[Row], since: str, at: str) -> Iterator[Difference]:
    """Tubes that were shipped or announced and of which nothing was heard, that nobody asks for, or that could not be used."""
    left = box.shipped_at if box.direction == "out" else box.opened_at
    overdue = left is not None and read_stamp(at) - read_stamp(left) > WITHOUT_TUBE
    named = sum(one.state != "unexpected" for one in tubes)
    if box.announced is not None and overdue and named < box.announced:
        facts = (("box", box.number), ("named", str(named)), ("announced", str(box.announced)))
        yield Difference(box.partner, "reconcile-box", facts)
    for one in tubes:
        state = "missing" if one.state in ("packed", "announced") and overdue else one.state
        if state == "unexpected" and (one.at >= since or box.state == "announced"):
            yield Difference(box.partner, "reconcile-tube-unasked", (("box", box.number), ("specimen", one.specimen)))
        elif state == "missing" or (state == "non-conforming" and one.at >= since):
            facts = (("box", box.number), ("specimen", one.specimen), ("state", state))
            yield Difference(box.partner, "reconcile-tube", facts)


def _gaps(files: Sequence[Row], partner: str) -> Iterator[Difference]:
    """Numbers of the partner's files that are missing between the first and the last."""
    numbers = sorted({row.number for row in files if row.direction == "in" and row.number is not None})
    for before, after in pairwise(numbers):
        if after - before > 1:
            missing = f"{before + 1}" if after - before == 2 else f"{before + 1}–{after - 1}"
            yield Difference(partner, "reconcile-gap", (("numbers", missing),))


def _refused(files: Sequence[Row], partner: str, since: str) -> Iterator[Difference]:
    """Files of the partner that could not be read, or came in another character set than agreed."""
    for row in files:
        if row.direction != "in" or row.at < since:
            continue
        if row.state == "rejected":
            yield Difference(partner, "reconcile-file-refused", (("file", row.name), ("why", row.detail or "–")))
        elif row.detail.startswith("charset "):
            facts = (("file", row.name), ("found", row.detail.removeprefix("charset ")))
            yield Difference(partner, "reconcile-charset", facts)


def resend_since(site: str, partner: str, since: str, at: str) -> Transaction[int]:
    """Send everything again that a partner has acknowledged since a moment, or refused: it has lost it, or mended what it refused; repeats it knows by their number."""
    rows = yield stored.delivered_since(site, partner, since)
    refused = yield stored.refused_since(site, partner, since)
    for row in (*rows, *refused):
        yield change(schema.outbox, row.id, state="waiting", due_at=at, attempts=0)
    return len(rows) + len(refused)
