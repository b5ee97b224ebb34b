"""What has a bad lot, a wrong calibration, a broken module, mapping or rule touched, what of it has left, and has a person dealt with each line?

A search is read-only until it is opened; then it is kept as it was found, and stays open until every line is closed with a reason. It decides
nothing by itself: a line is closed after the result was measured again, withdrawn, or found to be right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from labmw.store import schema, statements
from labmw.store.statements import lookback as stored
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction

KINDS = stored.KINDS
EVER = ("", "9999")
"""The whole history, as a period."""
CHUNK = 5000
MOST = 50_000
"""Results in one search: what people can close, and the store can write while analyzers wait."""


@dataclass(frozen=True, slots=True)
class Told:
    """One message that carries a result: to whom, what became of it, when it was taken."""

    destination: str
    state: str
    at: str
    control_id: str
    outbox: int


@dataclass(frozen=True, slots=True)
class Touched:
    """One result, and what of it has left."""

    result: int
    patient: str
    specimen: str
    test: str
    value: str
    state: str
    received_at: str
    told: tuple[Told, ...]

    @property
    def left(self) -> bool:
        """Whether somebody outside has it."""
        return any(one.state == "delivered" for one in self.told)


def search(site: str, kind: str, subject: str, since: str = "", before: str = "") -> Transaction[list[Touched]]:
    """Everything that something has touched, by patient; results of no patient come first.

    Of more than MOST results one more than that is returned, and nothing is said of the others.
    """
    rows = yield stored.touched(site, kind, subject, since or EVER[0], before or EVER[1], most=MOST + 1)
    told: dict[int, list[Told]] = {}
    for start in range(0, len(rows), CHUNK):
        for row in (yield stored.left_of([one.id for one in rows[start : start + CHUNK]])):
            one = Told(row.destination, row.state, row.delivered_at or "", row.control_id, row.outbox)
            told.setdefault(row.result, []).append(one)
    return sorted((_touched(row, told.get(row.id, ())) for row in rows), key=lambda one: (one.patient, one.result))


def _touched(row: Row, told: Sequence[Told]) -> Touched:
    return Touched(
        row.id,
        row.patient,
        row.specimen,
        row.test_name or row.code,
        f"{row.value} {row.unit_raw}".strip(),
        row.state,
        row.received_at,
        tuple(sorted(told, key=lambda one: one.outbox)),
    )


def open_lookback(
    site: str, kind: str, subject: str, since: str, before: str, found: Sequence[Touched], *, at: str, by: str, why: str
) -> Transaction[int]:
    """Keep what a search has found until each line is closed; returns its number.

    The search comes before: one through years would keep analyzers waiting for the writer.
    """
    about = {"site": site, "kind": kind, "subject": subject, "since": since, "before": before}
    state = {"state": "open"} if found else {"state": "closed", "closed_at": at}
    made = yield statements.insert(schema.lookback, **about, opened_at=at, by=by, why=why, **state)
    number = int(made[0].id)
    rows = [
        {
            "site": site,
            "lookback": number,
            "result": one.result,
            "patient": one.patient,
            "specimen": one.specimen,
            "found": f"{one.test} {one.value} ({one.state})",
            "told": json.dumps([asdict(each) for each in one.told], ensure_ascii=False),
        }
        for one in found
    ]
    if rows:
        yield statements.insert_rows(schema.lookback_line, rows)
    yield audited(
        site, at=at, who=by, what="lookback-opened", subject=f"lookback/{number}", why=why, kind=kind, of=subject, lines=len(rows)
    )  # fmt: skip
    return number


def close_lines(
    site: str, number: int, lines: Sequence[int], *, at: str, by: str, why: str
) -> Transaction[tuple[list[int], bool]]:
    """Close lines with a reason; returns those that were closed, and whether the search is done with them."""
    closed = []
    for line in lines:
        if (yield stored.close_line(site, number, line, at=at, by=by, why=why)):
            closed.append(line)
            subject = f"lookback/{number}"
            yield audited(site, at=at, who=by, what="lookback-line-closed", subject=subject, why=why, line=line)
    done = bool((yield stored.close_if_done(number, at=at))) if closed else False
    if done:
        yield audited(site, at=at, who=by, what="lookback-closed", subject=f"lookback/{number}", why=why)
    return closed, done
