"""What does a person decide about quality control? Materials, lots, targets, plans, corrective actions, derogations: each with author and reason.

Nothing is overwritten: what a person sets ends what was set before, and both stay. Tightening takes one person and works at once; what loosens
(a plan that asks for less, a derogation) takes two.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from labmw.clock import read_stamp, stamp
from labmw.lab.deciding import Decision
from labmw.lab.rights import Undecidable
from labmw.store import schema, statements
from labmw.store.statements import control as stored
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction
from rules.qc.standing import default_rules
from rules.qc.westgard import WARNING, Rule

GATES: Final = ("none", "start", "bracket")  # from the loosest to the tightest
LONGEST_DEROGATION: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class Target:
    """What a lot should measure: mean and SD in a UCUM unit, or a word; "" as analyzer or module stands for all."""

    analyzer: str
    module: str
    test: str
    material: str
    lot: str
    source: str
    unit: str = ""
    mean: Decimal | None = None
    sd: Decimal | None = None
    expected: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a test is controlled: Westgard's rules, the gate for patients, how old a control may be, and the total error allowed (percent)."""

    analyzer: str
    module: str
    test: str
    gate: str
    rules: tuple[Rule, ...] = ()
    max_age: timedelta = timedelta(0)
    run: timedelta = timedelta(minutes=120)
    allowed: Decimal | None = None
    allowed_source: str = ""


def add_material(decision: Decision, identifier: str, name: str, level: str, since: str = "") -> Transaction[None]:
    """Register a control material by the identifier that analyzers read on it."""
    if any(
        row.lot == "" and _in_use(row, decision.at) for row in (yield stored.lots_among(decision.site, [identifier]))
    ):
        raise Undecidable("qc-material-known", material=identifier)
    if (yield statements.specimens_among(decision.site, [identifier])):
        raise Undecidable("qc-material-tube", material=identifier)
    yield statements.insert_or_update(
        schema.material,
        site=decision.site,
        identifier=identifier,
        lot="",
        name=name,
        level=level,
        valid_from=since,
        valid_to=None,
    )
    yield _audited(decision, "qc-material", identifier, name=name, level=level)


def add_lot(decision: Decision, identifier: str, lot: str, since: str, until: str | None) -> Transaction[None]:
    """Put a lot of a registered material into use; two lots under one identifier at a time could not be told apart."""
    known = yield stored.lots_among(decision.site, [identifier])
    material = next((row for row in known if row.lot == "" and _in_use(row, decision.at)), None)
    if material is None:
        raise Undecidable("qc-material-unknown", material=identifier)
    for row in known:
        overlaps = row.valid_from <= (until or "9") and (row.valid_to is None or row.valid_to > since)
        if row.lot and row.lot != lot and overlaps:
            raise Undecidable("qc-lot-overlaps", material=identifier, lot=row.lot, other=lot)
    yield statements.insert_or_update(
        schema.material, site=decision.site, identifier=identifier, lot=lot, name=material.name, level=material.level, valid_from=since,
        valid_to=until,
    )  # fmt: skip
    yield _audited(decision, "qc-lot", f"{identifier}/{lot}", since=since, until=until or "")


def close_lot(decision: Decision, identifier: str, lot: str) -> Transaction[int]:
    """Take a lot (with "": a material) out of use, and end its targets; returns how many."""
    if not (yield stored.close_lot(decision.site, identifier, lot, at=decision.at)):
        raise Undecidable("qc-lot-unknown", material=identifier, lot=lot or "-")
    ended = 0
    for row in (yield stored.targets_open(decision.site)):
        if row.material == identifier and lot in ("", row.lot):
            yield stored.end(schema.qc_target, decision.site, row.id, at=decision.at)
            ended += 1
    yield _audited(decision, "qc-lot-closed", f"{identifier}/{lot}", targets=ended)
    return ended


def set_target(decision: Decision, target: Target) -> Transaction[None]:
    """Say what a lot should measure from now on; points that were judged keep the target they were judged with."""
    known = yield stored.lots_among(decision.site, [target.material])
    if not any(row.lot == target.lot and _in_use(row, decision.at) for row in known if row.lot):
        raise Undecidable("qc-lot-unknown", material=target.material, lot=target.lot)
    where = (target.analyzer, target.module, target.test, target.material, target.lot)
    for row in (yield stored.targets_open(decision.site, [target.test])):
        if (row.analyzer, row.module, row.test, row.material, row.lot) == where:
            yield stored.end(schema.qc_target, decision.site, row.id, at=decision.at)
    values = asdict(target) | {
        "mean": None if target.mean is None else f"{target.mean:f}", "sd": None if target.sd is None else f"{target.sd:f}",
        "set_at": decision.at, "set_by": decision.by, "why": decision.why,
    }  # fmt: skip
    yield statements.insert(schema.qc_target, site=decision.site, **values)
    told = {name: str(value) for name, value in asdict(target).items() if value not in ("", None)}
    yield _audited(decision, "qc-target", f"{target.test}/{target.material}/{target.lot}", **told)


def set_targets(decision: Decision, targets: Sequence[Target]) -> Transaction[int]:
    """All targets of a sheet, or none."""
    for target in targets:
        yield from set_target(decision, target)
    return len(targets)


def set_plan(decision: Decision, plan: Plan, second: str = "") -> Transaction[None]:
    """Say how a test is controlled; what asks for less than before takes a second person."""
    where = (plan.analyzer, plan.module, plan.test)
    before = next(
        (row for row in (yield stored.plans_open(decision.site, [plan.test])) if (row.analyzer, row.module, row.test) == where), None
    )  # fmt: skip
    less = loosened(before, plan)
    if less and (not second or second.casefold() == decision.by.casefold()):
        raise Undecidable("qc-plan-loosens", what=", ".join(less))
    if before is not None:
        yield stored.end(schema.qc_plan, decision.site, before.id, at=decision.at)
    yield statements.insert(
        schema.qc_plan, site=decision.site, analyzer=plan.analyzer, module=plan.module, test=plan.test,
        rules=json.dumps([str(rule) for rule in plan.rules]), gate=plan.gate, max_age=plan.max_age // timedelta(minutes=1),
        run_minutes=plan.run // timedelta(minutes=1), allowed="" if plan.allowed is None else f"{plan.allowed:f}",
        allowed_source=plan.allowed_source, set_at=decision.at, set_by=decision.by, why=decision.why, second=second,
    )  # fmt: skip
    yield _audited(
        decision, "qc-plan", f"{plan.analyzer or '*'}/{plan.test}", gate=plan.gate, rules=[str(rule) for rule in plan.rules],
        max_age=str(plan.max_age), second=second, loosened=less,
    )  # fmt: skip


def loosened(before: Row | None, plan: Plan) -> list[str]:
    """Say what a new plan asks less of than the one in force; a first plan is compared with what holds without any."""
    found = []
    if before is not None and GATES.index(plan.gate) < GATES.index(before.gate):
        found.append(f"gate {before.gate} -> {plan.gate}")
    if (
        before is not None
        and before.gate != "none"
        and plan.gate != "none"
        and plan.max_age > timedelta(minutes=before.max_age)
    ):
        found.append(f"max-age {timedelta(minutes=before.max_age)} -> {plan.max_age}")
    stood = {Rule(name) for name in json.loads(before.rules)} if before is not None and before.rules != "[]" else set()
    if stood and plan.rules:
        found += [f"without {rule}" for rule in sorted(stood - set(plan.rules) - WARNING)]
    elif stood:
        found += [f"without {rule}" for rule in sorted(stood - set(default_rules(2)) - WARNING)]
    return found


def restart(decision: Decision, analyzer: str, module: str, test: str) -> Transaction[None]:
    """Document a corrective action: rules that look back do not look beyond it. What is out stays out until a control passes."""
    values = {
        "analyzer": analyzer,
        "module": module,
        "test": test,
        "at": decision.at,
        "by": decision.by,
        "why": decision.why,
    }
    yield statements.insert(schema.qc_restart, site=decision.site, **values)
    yield _audited(decision, "qc-restart", f"{analyzer or '*'}/{test}")


def exclude(decision: Decision, number: int) -> Transaction[Row]:
    """Mark a point as a technical error. It stays on the chart; how its level stands is unknown until the next control."""
    rows = yield stored.exclude_point(decision.site, number, at=decision.at, by=decision.by)
    if not rows:
        raise Undecidable("qc-point-unknown", point=number)
    (row,) = rows
    for state in (yield stored.qc_states(decision.site, [row.test])):
        same = (state.analyzer, state.module, state.level) == (row.analyzer, row.module, row.level)
        if same and state.at <= row.at and state.state != "out":
            yield stored.state_is_unknown(
                decision.site, row.analyzer, row.module, row.test, row.level, at=row.at, why="excluded"
            )
    yield _audited(decision, "qc-excluded", f"point/{number}", test=row.test, value=row.value, z=row.z or "")
    return row


def ask_derogation(decision: Decision, analyzer: str, module: str, test: str, until: datetime) -> Transaction[int]:
    """Ask that results of a test may leave although quality control says no; another person must approve."""
    if not decision.at < stamp(until) <= stamp(read_stamp(decision.at) + LONGEST_DEROGATION):
        raise Undecidable("qc-derogation-until", days=LONGEST_DEROGATION.days)
    rows = yield statements.insert(
        schema.qc_derogation, site=decision.site, analyzer=analyzer, module=module, test=test, why=decision.why, until=stamp(until),
        asked_at=decision.at, asked_by=decision.by,
    )  # fmt: skip
    yield _audited(
        decision, "qc-derogation-asked", f"derogation/{rows[0].id}", analyzer=analyzer, test=test, until=stamp(until)
    )
    return int(rows[0].id)


def approve_derogation(decision: Decision, number: int) -> Transaction[Row]:
    """The second person's yes; from here it lets go, until its end."""
    rows = yield stored.approve_derogation(decision.site, number, at=decision.at, by=decision.by)
    if not rows:
        raise Undecidable("qc-derogation-not-yours", derogation=number)
    yield _audited(decision, "qc-derogation-approved", f"derogation/{number}")
    return rows[0]


def end_derogation(decision: Decision, number: int) -> Transaction[Row]:
    """Take a derogation back, at once."""
    rows = yield stored.end_derogation(decision.site, number, at=decision.at, by=decision.by)
    if not rows:
        raise Undecidable("qc-derogation-unknown", derogation=number)
    yield _audited(decision, "qc-derogation-ended", f"derogation/{number}")
    return rows[0]


def _in_use(row: Row, at: str) -> bool:
    return row.valid_from <= at and (row.valid_to is None or row.valid_to > at)


def _audited(decision: Decision, what: str, subject: str, **detail: Any) -> Any:
    return audited(
        decision.site, at=decision.at, who=decision.by, what=what, subject=f"qc/{subject}", why=decision.why, **detail
    )
