"""From a control result that was stored to the state of its test: judged once by Westgard's rules, in ONE transaction (law 7).

Control results reach this from `work` rows of the kind `control`, which verification takes before patients' results that came later. What it
leaves in `qc_state` is what `labmw.lab.qc_gate` asks before a patient's result may leave.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from labmw.clock import read_stamp, stamp
from labmw.lab.late import quality_failed
from labmw.lab.placement import VERIFY
from labmw.model import Flag
from labmw.store import schema, statements
from labmw.store.json_text import json_list
from labmw.store.statements import control as stored
from labmw.store.statements import quarantine as entries
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction
from rules.guards import IN_DOUBT
from rules.qc.standing import Measured, Standing, default_rules, stand
from rules.qc.westgard import Rule

CONTROL: Final = "control"
RUN: Final = timedelta(minutes=120)  # levels measured within it make one run, where no plan says otherwise
LOOKED_BACK: Final = timedelta(days=400)
MOST: Final = 120  # points: forty runs of three levels, and no rule looks back on more than twelve
UNJUDGED, OUT = "unjudged", "out"
BRACKET: Final = "qc-bracket"

UNKNOWABLE: Final = frozenset({"lot", "target", "unit"})
"""What keeps a control from being judged at all. Any other doubt is a control that did not pass."""


@dataclass(frozen=True, slots=True)
class ControlsJudged:
    """What one message's controls came to: (link, test, level, state), and how many bracketed results are judged again."""

    points: tuple[tuple[str, str, str, str], ...]
    again: int


def judge_controls(site: str, work: int, message: int, now: str, *, give_up: bool = False) -> Transaction[ControlsJudged]:  # fmt: skip
    """Judge the control results of one message; `give_up` writes them down unjudged, after too many failures."""
    if not (yield statements.finish_work(work)):
        return ControlsJudged((), 0)  # somebody else has done it
    rows = yield stored.controls_to_judge(message)
    if not rows:
        return ControlsJudged((), 0)
    behind = yield stored.contributions_behind(message)
    materials = yield stored.lots_among(site, sorted({row.specimen for row in rows}))
    found: list[tuple[str, str, str, str]] = []
    touched: dict[tuple[str, str], None] = {}
    for row in rows:
        state, level = yield from _judge_one(site, row, behind, materials, now, give_up=give_up)
        found.append((row.link, test_of(row), level, state))
        touched[row.analyzer, test_of(row)] = None
    again = 0
    for analyzer, test in touched:
        again += yield from _brackets_closed(site, analyzer, test, now)
    return ControlsJudged(tuple(found), again)


def test_of(row: Row) -> str:
    """By what a result's test is known to quality control: its LOINC code, else the analyzer's own."""
    return str(row.loinc or row.code)


def moment_of(row: Row) -> str:
    """When a control was measured; never later than it came: a clock that runs ahead must not make every later control look old."""
    return str(min(row.completed_at or row.received_at, row.received_at))


def device_of(behind: Sequence[Row], result: int) -> str:
    """The module that an analyzer names beside a result; "" where it names none."""
    return next((one.name for one in behind if one.result == result and one.kind == "device"), "")


def most_specific(rows: Sequence[Row], *, analyzer: str, link: str, module: str, test: str) -> Row | None:
    """Of targets or plans in force, the one for exactly this analyzer and module, else the more general, the newest first."""
    fitting = [
        row
        for row in rows
        if row.test == test and row.analyzer in ("", analyzer, link) and row.module in ("", module)
    ]  # fmt: skip
    return max(fitting, key=lambda row: (row.module != "", row.analyzer != "", row.id), default=None)


def _judge_one(
    site: str, row: Row, behind: Sequence[Row], materials: Sequence[Row], now: str, *, give_up: bool
) -> Transaction[tuple[str, str]]:
    test, at = test_of(row), moment_of(row)
    module = device_of(behind, row.id)
    lot, level = _lot(materials, row.specimen, at)
    here = {"analyzer": row.analyzer, "link": row.link, "module": module, "test": test}
    plan = most_specific((yield stored.plans_open(site, [test])), **here)
    targets = [
        one for one in (yield stored.targets_open(site, [test])) if (one.material, one.lot) == (row.specimen, lot)
    ]
    target = most_specific(targets, **here) if lot else None
    doubt = "error" if give_up else _doubt(row, lot, target)
    since = stamp(read_stamp(at) - LOOKED_BACK)
    newest_first = yield stored.points_before(site, row.analyzer, test, since=since, most=MOST)
    history = [one for one in reversed(newest_first) if one.module == module and one.at <= at]
    run = _run(history, level, at, timedelta(minutes=plan.run_minutes) if plan is not None else RUN, row.id)
    kept = {
        "site": site, "result": row.id, "link": row.link, "analyzer": row.analyzer, "module": module, "test": test,
        "test_name": row.test_name or row.code, "material": row.specimen, "lot": lot, "level": level,
        "reagent_lot": next((one.lot for one in behind if one.result == row.id and one.kind in ("SR", "MR")), ""),
        "at": at, "run": run, "value": f"{row.comparator}{row.number or row.value}", "unit": row.unit,
        "number": row.number, "doubt": doubt,
        "mean": target.mean if target is not None else None, "sd": target.sd if target is not None else None,
    }  # fmt: skip
    states: Mapping[str, str] = {level: UNJUDGED if doubt in UNKNOWABLE | {"error"} else OUT}
    standing: Standing | None = None
    if not doubt and target is not None and target.mean is None:
        states = {level: "in-control"}  # the word that was expected
    elif not doubt and target is not None:
        standing = yield from _stand(site, kept, history, plan)
        states = standing.states
        kept["z"] = str(_measured(kept).z.quantize(Decimal("0.0001")))
    broken = standing.broken(level) if standing is not None else ()
    kept |= {"state": states[level], "broken": _broken(standing, level) if broken else "[]"}
    yield statements.insert(schema.qc_point, **{"z": None, **kept})
    if standing is not None:
        yield from _others_of_the_run(history, run, level, standing)
    known = {one.level: one for one in (yield stored.qc_states(site, [test])) if (one.analyzer, one.module) == (row.analyzer, module)}  # fmt: skip
    held = [one.at for one in history if one.level == level and one.state in ("in-control", "warning")]
    if states[level] == OUT and (before := known.get(level)) is not None and before.state != OUT:
        facts = {
            "level": level,
            "rule": (standing.rule(level) if standing is not None else "") or doubt,
            "lot": lot,
            "test": kept["test_name"],
        }
        yield from quality_failed(site, row.analyzer, row.loinc, max(held, default=since), now, facts)
    for other, state in states.items():
        before = known.get(other)
        if before is not None and before.at > at and state != OUT:
            continue  # a control that comes late: a newer one stands, unless this one failed
        rule = (standing.rule(other) if standing is not None else "") or ("" if state == "in-control" else doubt)
        yield from _keep_state(site, kept, other, state, rule, standing, before, now)
    return states[level], level


def _stand(site: str, kept: Mapping[str, Any], history: Sequence[Row], plan: Row | None) -> Transaction[Standing]:
    usable = [_measured(one.mapping()) for one in history if not one.doubt and one.mean is not None]
    points = [*usable, _measured(kept)]
    levels = sorted({one.level for one in points})
    chosen = json.loads(plan.rules) if plan is not None else []
    rules = tuple(Rule(name) for name in chosen) or default_rules(len(levels))
    restarts = [read_stamp(one.at) for one in (yield stored.restarts_of(site, kept["test"])) if _concerns(one, kept)]
    return stand(points, levels, rules, restarts)


def _concerns(row: Row, kept: Mapping[str, Any]) -> bool:
    return row.analyzer in ("", kept["analyzer"], kept["link"]) and row.module in ("", kept["module"])


def _measured(point: Mapping[str, Any]) -> Measured:
    return Measured(
        point["level"], point["lot"], read_stamp(point["at"]), point["run"], Decimal(point["number"]), Decimal(point["mean"]),
        Decimal(point["sd"]), bool(point.get("excluded_at")),
    )  # fmt: skip


def _broken(standing: Standing | None, level: str) -> str:
    if standing is None:
        return "[]"
    return json_list(
        [
            {"rule": str(one.rule), "scope": one.scope, "levels": list(one.levels), "z": [round(z, 4) for z in one.z]}
            for one in standing.broken(level)
        ]
    )


def _others_of_the_run(history: Sequence[Row], run: str, level: str, standing: Standing) -> Transaction[None]:
    """R-4s, and rules across levels, say something of levels that were measured before in this run."""
    changes = [
        (one.id, standing.states[one.level], _broken(standing, one.level))
        for one in history
        if one.run == run and one.level != level and not one.doubt and one.level in standing.states
    ]
    if changes:
        yield stored.rejudge_points(changes)


def _keep_state(
    site: str, kept: Mapping[str, Any], level: str, state: str, rule: str, standing: Standing | None, before: Row | None, now: str
) -> Transaction[None]:  # fmt: skip
    same = before is not None and before.state == state
    at = kept["at"] if level == kept["level"] or before is None else before.at
    at = at if before is None else max(at, before.at)
    yield statements.insert_or_update(
        schema.qc_state, site=site, analyzer=kept["analyzer"], module=kept["module"], test=kept["test"], level=level, link=kept["link"],
        test_name=kept["test_name"], material=kept["material"] if level == kept["level"] or before is None else before.material,
        lot=kept["lot"] if level == kept["level"] or before is None else before.lot, state=state, rule=rule,
        points=_broken(standing, level), at=at, since=before.since if same and before is not None else now,
    )  # fmt: skip
    if state == OUT or (before is not None and before.state == OUT and state != OUT):
        subject = f"qc/{kept['link']}/{kept['test']}/{level}"
        yield audited(
            site, at=now, who="labmw", what="qc-out" if state == OUT else "qc-passed", subject=subject, why=rule, result=kept["result"],
            analyzer=kept["analyzer"], module=kept["module"], lot=kept["lot"], value=kept["value"], z=str(kept.get("z") or ""),
        )  # fmt: skip


def _lot(materials: Sequence[Row], identifier: str, at: str) -> tuple[str, str]:
    """Which lot of a material was in use, and which level it is; "" where none, or more than one, can be meant."""
    own = [one for one in materials if one.identifier == identifier]
    used = [one for one in own if one.lot and one.valid_from <= at and (one.valid_to is None or at <= one.valid_to)]
    lots = {one.lot for one in used}
    named = next((one.level for one in [*used, *reversed(own)] if one.level), identifier)
    return (used[-1].lot if len(lots) == 1 else ""), named


def _doubt(row: Row, lot: str, target: Row | None) -> str:
    """Why a control cannot be compared with its target, or cannot pass; "" when it can be judged."""
    if not lot:
        return "lot"
    if target is None:
        return "target"
    if any(Flag(flag) in IN_DOUBT for flag in json.loads(row.flags)):
        return "flag"
    if target.mean is None:
        return "" if row.value.strip().casefold() == target.expected.casefold() else "word"
    if row.number is None or row.comparator:
        return "number"
    return "" if row.unit == target.unit else "unit"


def _run(history: Sequence[Row], level: str, at: str, within: timedelta, result: int) -> str:
    """The run this control belongs to: the newest one, where it is young enough and has not had this level yet."""
    if history:
        members = [one for one in history if one.run == history[-1].run]
        first = min(read_stamp(one.at) for one in members)
        if read_stamp(at) - first <= within and all(one.level != level for one in members):
            return str(history[-1].run)
    return f"{at}/{result}"


def _brackets_closed(site: str, analyzer: str, test: str, now: str) -> Transaction[int]:
    """Judge again what waited for this control alone: its bracket is closed, well or not."""
    waiting = [row for row in (yield stored.held_in_brackets(site, analyzer, test)) if _only_the_bracket(row)]
    if not waiting:
        return 0
    states = [row for row in (yield stored.qc_states(site, [test])) if row.analyzer == analyzer]
    closed = [row for row in waiting if _closed(read_stamp(row.completed_at or row.received_at), states)]
    if not closed:
        return 0
    yield statements.results_become([(row.id, "held", VERIFY) for row in closed])
    for message in sorted({row.message for row in closed}):
        if not (yield entries.work_of_message(message)):
            yield statements.insert(schema.work, site=site, kind=VERIFY, message=message, due_at=now, created_at=now)
    return len(closed)


def _only_the_bracket(row: Row) -> bool:
    return all(one["code"] == BRACKET for one in json.loads(row.reasons) if one["level"] in ("review", "hold", "block"))


def _closed(measured: datetime, states: Sequence[Row]) -> bool:
    after = [row for row in states if read_stamp(row.at) > measured]
    return any(row.state == OUT for row in after) or (len(after) == len(states) and all(row.state in ("in-control", "warning") for row in after))  # fmt: skip
