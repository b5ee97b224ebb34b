"""What does a person record of calibrations and reagents? A calibration done or failed, a reagent put on board or taken off, a lot accepted or refused.

Each with author and reason, in the audit, and what was held because it was not known is judged again. What speaks against results that have left
puts them on the recall list. Accepting a lot that was refused takes a second person; everything else takes one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from labmw.clock import read_stamp
from labmw.lab.deciding import Decision
from labmw.lab.late import MOST_RECALLED, look_again, recall
from labmw.lab.rights import Undecidable
from labmw.lab.supplies import FAILED
from labmw.store import schema, statements
from labmw.store.statements import supplies as stored
from labmw.store.statements.audit import audited
from labmw.store.statements.control import end
from labmw.store.transaction import Row, Transaction

CALIBRATION: Final = "late-calibration"
REAGENT: Final = "late-reagent"
FOREVER: Final = "9"  # later than every stamp


@dataclass(frozen=True, slots=True)
class Calibrated:
    """One calibration: of a test on an analyzer ("" for all, test "*" for a whole analyzer), when it was done, and with which lots."""

    analyzer: str
    module: str
    test: str
    at: str
    outcome: str
    lot: str = ""
    reagent_lot: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """One reagent on board; `part` tells those of one test apart."""

    analyzer: str
    module: str
    test: str
    lot: str
    opened_at: str
    expires_at: str | None = None
    part: str = ""


def record_calibration(decision: Decision, one: Calibrated) -> Transaction[tuple[int, int]]:
    """Record a calibration; answers its number, and how many results that have left it speaks against."""
    _not_ahead(decision, one.at)
    made = yield statements.insert(
        schema.calibration, site=decision.site, analyzer=one.analyzer, module=one.module, test=one.test, at=one.at,
        outcome=one.outcome, lot=one.lot, reagent_lot=one.reagent_lot, recorded_at=decision.at, by=decision.by, why=decision.why,
    )  # fmt: skip
    yield _audited(
        decision, f"calibration-{one.outcome}", f"{one.analyzer or '*'}/{one.test}", done_at=one.at, module=one.module, lot=one.lot,
        reagent_lot=one.reagent_lot,
    )  # fmt: skip
    left = yield from _since(
        decision, one.analyzer, one.test, one.at, CALIBRATION, one.outcome == FAILED, int(made[0].id)
    )
    return int(made[0].id), left


def withdraw_calibration(decision: Decision, number: int) -> Transaction[tuple[Row, int]]:
    """A calibration was recorded in error: it counts no more. What left since then is listed, unless it said that it had failed."""
    rows = yield stored.end_calibration(decision.site, number, at=decision.at, by=decision.by)
    if not rows:
        raise Undecidable("calibration-unknown", number=number)
    (row,) = rows
    yield _audited(
        decision, "calibration-withdrawn", f"{row.analyzer or '*'}/{row.test}", number=number, outcome=row.outcome
    )
    left = yield from _since(decision, row.analyzer, row.test, row.at, CALIBRATION, row.outcome != FAILED, number)
    return row, left


def load_reagent(decision: Decision, one: Loaded) -> Transaction[int]:
    """Put a reagent on board; the one of the same test and part is off from that moment. Answers its number."""
    _not_ahead(decision, one.opened_at)
    for row in (yield stored.reagents_on_board(decision.site)):
        if (row.analyzer, row.module, row.test, row.part) == (one.analyzer, one.module, one.test, one.part):
            if row.opened_at > one.opened_at:
                raise Undecidable("reagent-newer", lot=row.lot, number=row.id)
            yield stored.remove_reagent(decision.site, row.id, at=one.opened_at)
    made = yield statements.insert(
        schema.reagent, site=decision.site, analyzer=one.analyzer, module=one.module, test=one.test, part=one.part, lot=one.lot,
        opened_at=one.opened_at, expires_at=one.expires_at, set_at=decision.at, set_by=decision.by, why=decision.why,
    )  # fmt: skip
    yield _audited(
        decision, "reagent-loaded", f"{one.analyzer or '*'}/{one.test}", lot=one.lot, part=one.part, since=one.opened_at,
        expires=one.expires_at or "",
    )  # fmt: skip
    yield from _since(decision, one.analyzer, one.test, one.opened_at, REAGENT, False, int(made[0].id))
    return int(made[0].id)


def unload_reagent(decision: Decision, number: int, at: str) -> Transaction[Row]:
    """Take a reagent off from a moment on."""
    _not_ahead(decision, at)
    rows = yield stored.remove_reagent(decision.site, number, at=at)
    if not rows:
        raise Undecidable("reagent-unknown", number=number)
    (row,) = rows
    if at < row.opened_at:
        raise Undecidable("reagent-newer", lot=row.lot, number=number)
    yield _audited(decision, "reagent-unloaded", f"{row.analyzer or '*'}/{row.test}", lot=row.lot, until=at)
    return row


def decide_lot(
    decision: Decision, analyzer: str, test: str, lot: str, *, accepted: bool, second: str = ""
) -> Transaction[int]:
    """Accept or refuse a lot of reagent; answers how many results that have left were measured with a lot that is refused."""
    before = [
        row
        for row in (yield stored.lots(decision.site, [test]))
        if (row.analyzer, row.test, row.lot) == (analyzer, test, lot)
    ]
    if accepted and any(not row.accepted for row in before) and second.casefold() in ("", decision.by.casefold()):
        raise Undecidable("reagent-was-refused", lot=lot, by=before[-1].by)
    for row in before:
        yield end(schema.reagent_lot, decision.site, row.id, at=decision.at)
    yield statements.insert(
        schema.reagent_lot, site=decision.site, analyzer=analyzer, test=test, lot=lot, accepted=int(accepted), at=decision.at,
        by=decision.by, why=decision.why, second=second,
    )  # fmt: skip
    what = "reagent-lot-accepted" if accepted else "reagent-lot-refused"
    yield _audited(decision, what, f"{analyzer or '*'}/{test}", lot=lot, second=second)
    told = {"lot": lot, "by": decision.by, "why": decision.why}
    left = yield from _judge_again(
        decision, (yield stored.measured_with(decision.site, analyzer, test, lot, limit=MOST_RECALLED)), REAGENT, told, not accepted
    )  # fmt: skip
    for row in (yield stored.reagents(decision.site, [test], "")):
        if row.lot == lot and (analyzer in ("", row.analyzer) or not row.analyzer):
            span = {"since": row.opened_at, "before": row.removed_at or FOREVER}
            where = row.analyzer or analyzer
            rows = yield stored.measured_between(decision.site, where, test, limit=MOST_RECALLED, **span)
            left += yield from _judge_again(decision, rows, REAGENT, told, not accepted)
    return left


def _since(
    decision: Decision, analyzer: str, test: str, since: str, cause: str, against: bool, number: int
) -> Transaction[int]:
    """What was measured since then and is concerned: looked at again, and listed where the entry of that number speaks against it."""
    rows = yield stored.measured_between(
        decision.site, analyzer, test, since=since, before=FOREVER, limit=MOST_RECALLED
    )
    facts = {"number": str(number), "by": decision.by, "why": decision.why}
    return (yield from _judge_again(decision, rows, cause, facts, against))


def _judge_again(
    decision: Decision, rows: Sequence[Row], cause: str, facts: Mapping[str, str], against: bool
) -> Transaction[int]:
    """Have what is held judged again; what has left goes on the recall list where the fact speaks against it."""
    left = 0
    if against:
        for row in rows:
            if row.state != "held":
                left += yield from recall(decision.site, row.id, cause, facts, decision.at)
    held = sorted({row.message for row in rows if row.state == "held"})
    yield from look_again(decision.site, held, cause, decision.at)
    return left


def _not_ahead(decision: Decision, at: str) -> None:
    if read_stamp(at) > read_stamp(decision.at):
        raise Undecidable("supply-ahead", at=at[:16].replace("T", " "))


def _audited(decision: Decision, what: str, subject: str, **detail: Any) -> Any:
    return audited(
        decision.site, at=decision.at, who=decision.by, what=what, subject=f"qc/{subject}", why=decision.why, **detail
    )
