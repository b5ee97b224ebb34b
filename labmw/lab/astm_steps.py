"""What does a message of an ASTM analyzer do in its own transaction: asks for work, or says what became of it.

LIS02-A2 has no identity of an order on the wire: the same test of the same tube on the same line is the same work (protocol notes B.17).
"""

from __future__ import annotations

from collections.abc import Sequence

from labmw.driver.reading import Reading
from labmw.lab import awos
from labmw.lab.awos import State
from labmw.lab.placement import VERIFY, Placement
from labmw.lab.steps import cancel_step
from labmw.store import schema, statements
from labmw.store.statements import host_query as stored
from labmw.store.statements import worklist
from labmw.store.transaction import Row, Transaction

_FINAL = frozenset({"F", "C", "V", "R", ""})  # R.9; an empty one is as good as F for families that send none

MOST_ASKED = 200  # queries that one withdrawal may end
_SHOWN = 8  # tubes named in the row of a query


def few(tubes: Sequence[str]) -> str:
    """A few tubes in words."""
    more = f" (+{len(tubes) - _SHOWN})" if len(tubes) > _SHOWN else ""
    return ", ".join(tubes[:_SHOWN]) + more


def asks(
    site: str, link: str, message: int, kind: str, tubes: Sequence[str], *, asked_at: str, at: str
) -> Transaction[None]:
    """Note in the transaction of its intake that a query is to be answered; a withdrawal ends those that are not answered yet."""
    if kind == "query-cancel":
        for row in (yield stored.queries_open(site, link, most=MOST_ASKED)):
            if row.state == "open":  # what is on its way already comes too late to be kept back
                yield worklist.change(schema.host_query, row.id, state="taken-back", closed_at=at)
    state, closed = ("taken-back", at) if kind == "query-cancel" else ("open", None)
    yield statements.insert(
        schema.host_query,
        site=site,
        link=link,
        message=message,
        state=state,
        tubes=few(tubes),
        asked_at=asked_at,
        closed_at=closed,
    )


def keep_work_done(
    site: str,
    link: str,
    reading: Reading,
    message: int,
    placements: Sequence[Placement],
    numbers: Sequence[int],
    at: str,
) -> Transaction[tuple[str, ...]]:
    """Move on the AWOS of these tubes that a message brings results of, in its own transaction; returns the states they came to."""
    tubes = sorted({one.specimen for one in reading.results if one.specimen and not one.control})
    only = reading.specimens[0] if len(reading.specimens) == 1 else ""  # HL7: it may stand behind its order
    failed = {
        (order.specimen or only, code)
        for order in reading.orders
        if "X" in order.report_type.split("\\")
        for code in order.codes
    }
    tubes = sorted({*tubes, *(specimen for specimen, _ in failed if specimen)})
    if not tubes:
        return ()
    moved: list[str] = []
    for row in (yield stored.awos_of_tubes(site, link, tubes)):
        mine = [
            (read, one, number)
            for read, one, number in zip(reading.results, placements, numbers, strict=True)
            if read.specimen == row.specimen
            and (read.loinc == row.loinc if read.loinc else read.code == row.code)
            and not read.control
        ]
        state = _state(row, [(read.status, read.problem) for read, _, _ in mine], (row.specimen, row.code) in failed)
        if not mine and state == row.state:
            continue
        yield worklist.change(
            schema.awos,
            row.id,
            state=state,
            wanted="" if state in awos.CLOSED else row.wanted,
            waits=0 if state in awos.CLOSED else row.waits,
            reason="" if state == State.RESULTED else row.reason,
            resulted_at=row.resulted_at or (at if mine else None),
            closed_at=at if state in awos.CLOSED and not row.closed_at else row.closed_at,
            updated_at=at,
        )
        if state != row.state:
            moved.append(state)
        ties = [
            {"site": site, "awos": row.id, "result": number, "message": message, "status": read.status}
            for read, _, number in mine
        ]
        if ties:
            yield statements.insert_rows_once(schema.awos_result, ties)
        if state == State.RESULTED and row.order is not None and any(one.state == VERIFY for _, one, _ in mine):
            for other in (yield worklist.others_live([row.order], link)):
                yield from cancel_step(other, awos.DONE_ELSEWHERE, at)
    for tube in sorted(
        {read.specimen for read, one in zip(reading.results, placements, strict=True) if one.state == VERIFY}
    ):
        yield worklist.presented(site, "", tube, at)  # a result says nothing of a test that was kept back here
    return tuple(moved)


def _state(row: Row, seen: Sequence[tuple[str, str]], failed: bool) -> str:
    """The next state of an AWOS by what is reported of it; what was cancelled stays so, its results are for a person."""
    state: str = row.state
    if state in (State.CANCELLED, State.RESULTED):
        return state
    if any(problem != "not-performed" and status in _FINAL for status, problem in seen):
        return State.RESULTED
    if failed or (seen and all(problem == "not-performed" for _, problem in seen)):
        return State.NOT_PERFORMED
    return State.IN_PROCESS if seen else state
