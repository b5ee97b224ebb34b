"""What does a person decide about the averages of patients? Which are followed, and that an alarm's cause is mended; with author and reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal

from labmw.lab.deciding import Decision
from labmw.lab.rights import Undecidable
from labmw.store import schema, statements
from labmw.store.statements import average as stored
from labmw.store.statements import control
from labmw.store.statements.audit import audited
from labmw.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class AveragePlan:
    """How an average is made: `size` results or a `weight`; results outside `truncate` are left out, the average is quiet inside `quiet`."""

    analyzer: str
    test: str
    algorithm: str
    size: int
    weight: Decimal | None
    unit: str
    truncate: tuple[str, str]
    quiet: tuple[str, str]
    start: Decimal | None = None
    wards: tuple[str, ...] = ()


def set_average(decision: Decision, plan: AveragePlan) -> Transaction[None]:
    """Follow an average from now on; it begins with nothing. One that alarms must be cleared first."""
    yield from _end(decision, plan.analyzer, plan.test)
    yield statements.insert(
        schema.average_plan, site=decision.site, analyzer=plan.analyzer, test=plan.test, algorithm=plan.algorithm, size=plan.size,
        weight="" if plan.weight is None else f"{plan.weight:f}", unit=plan.unit, truncate_low=plan.truncate[0], truncate_high=plan.truncate[1],
        low=plan.quiet[0], high=plan.quiet[1], start="" if plan.start is None else f"{plan.start:f}", wards=json.dumps(list(plan.wards)),
        set_at=decision.at, set_by=decision.by, why=decision.why,
    )  # fmt: skip
    yield audited(
        decision.site, at=decision.at, who=decision.by, what="average-set", subject=f"average/{plan.analyzer or '*'}/{plan.test}", why=decision.why,
        algorithm=plan.algorithm, size=plan.size, quiet=list(plan.quiet), truncate=list(plan.truncate),
    )  # fmt: skip


def stop_average(decision: Decision, analyzer: str, test: str) -> Transaction[None]:
    """Follow it no longer."""
    if not (yield from _end(decision, analyzer, test)):
        raise Undecidable("qc-average-unknown", test=test)
    yield audited(decision.site, at=decision.at, who=decision.by, what="average-stopped", subject=f"average/{analyzer or '*'}/{test}", why=decision.why)  # fmt: skip


def clear_average(decision: Decision, analyzer: str, test: str) -> Transaction[None]:
    """Begin an average anew, after its alarm was understood."""
    known = [
        row for row in (yield stored.averages_of(decision.site, [test])) if analyzer in ("*", row.analyzer)
    ]  # fmt: skip
    if not known:
        raise Undecidable("qc-average-unknown", test=test)
    for row in known:
        yield stored.clear_average(decision.site, row.analyzer, test)
        yield audited(
            decision.site, at=decision.at, who=decision.by, what="average-cleared", subject=f"average/{row.analyzer}/{test}", why=decision.why,
            state=row.state, value=row.value or "",
        )  # fmt: skip


def _end(decision: Decision, analyzer: str, test: str) -> Transaction[int]:
    plans = [row for row in (yield stored.average_plans(decision.site)) if (row.analyzer, row.test) == (analyzer, test)]
    for row in plans:
        if any(
            one.plan == row.id and one.state == "alarm" for one in (yield stored.averages_of(decision.site, [test]))
        ):
            raise Undecidable("qc-average-alarms", test=test)
        yield control.end(schema.average_plan, decision.site, row.id, at=decision.at)
        yield stored.forget_averages(decision.site, row.id)
    return len(plans)
