"""How does each released result move the average of patients of its test? In the transaction of its verdict, so that no restart forgets it.

An alarm raises an alert on the result that crossed the limit, and stands in `average_state` until a person has looked: from then on the gate of
quality control holds that test on that analyzer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from labmw.store import schema, statements
from labmw.store.json_text import json_facts, json_list
from labmw.store.statements import average as stored
from labmw.store.statements.audit import audited
from labmw.store.transaction import Row, Transaction
from rules.qc import averages

ALARM: Final = "alarm"
ALGORITHMS: Final = ("mean", "median", "ewma", "bull")


@dataclass(frozen=True, slots=True)
class Average:
    """An average as the last released result left it."""

    plan: int
    kept: tuple[float, ...] = ()  # what it still needs of earlier results, oldest first
    value: float | None = None  # None until the first window or batch is full
    count: int = 0
    state: str = "ok"
    since: str = ""

    @staticmethod
    def of(state: Row | None, plan: Row) -> Average:
        """As the store has it; a new plan begins with nothing."""
        if state is None or state.plan != plan.id:
            return Average(plan.id)
        value = float(state.value) if state.value is not None else None
        return Average(plan.id, tuple(json.loads(state.kept)), value, state.count, state.state, state.since)

    def moved(self, plan: Row, number: float, now: str) -> Average:
        """After one more result; an alarm stays until a person clears it."""
        kept, value = (*self.kept, number), self.value
        if plan.algorithm in ("mean", "median"):
            kept = kept[-plan.size :]
            smooth = averages.moving_average if plan.algorithm == "mean" else averages.moving_median
            value = next(iter(smooth(plan.size)(kept)[-1:]), None)
        elif plan.algorithm == "ewma":
            value, kept = averages.ewma(float(plan.weight), self._last(plan))([number])[-1], ()
        elif len(kept) >= plan.size:
            value, kept = averages.bull(self._last(plan), plan.size)(kept)[-1], ()
        loud = value is not None and averages.Limits(float(plan.low), float(plan.high)).alarm(value)
        state = ALARM if loud or self.state == ALARM else "ok"
        return Average(
            plan.id, kept, value, self.count + 1, state, self.since if state == self.state and self.since else now
        )

    def _last(self, plan: Row) -> float:
        return float(plan.start) if self.value is None else self.value


def follow(site: str, released: Sequence[Row], wards: Mapping[int, str], now: str) -> Transaction[int]:
    """Let these released results move the averages of their tests; returns how many alarms that raised."""
    numbers = [row for row in released if row.loinc and row.number is not None and not row.comparator]
    tests = {row.loinc for row in numbers}
    plans = [plan for plan in (yield stored.average_plans(site)) if plan.test in tests] if tests else []
    if not plans:
        return 0
    states = {(one.analyzer, one.test): one for one in (yield stored.averages_of(site, sorted(tests)))}
    moved: dict[tuple[str, str], tuple[Average, int]] = {}
    alarms = 0
    for row in numbers:
        fitting = [one for one in plans if one.test == row.loinc and one.analyzer in ("", row.analyzer, row.link)]
        plan = max(fitting, key=lambda one: (one.analyzer != "", one.id), default=None)
        if plan is None or row.unit != plan.unit or wards.get(row.id, "") in json.loads(plan.wards):
            continue
        if not float(plan.truncate_low) <= float(row.number) <= float(plan.truncate_high):
            continue
        key = (row.analyzer, row.loinc)
        before = moved[key][0] if key in moved else Average.of(states.get(key), plan)
        after = before.moved(plan, float(row.number), now)
        if after.state != before.state:
            alarms += 1
            yield from _alarm(site, row, plan, after, now)
        moved[key] = (after, row.id)
    for (analyzer, test), (one, result) in moved.items():
        value = None if one.value is None else repr(one.value)
        yield statements.insert_or_update(
            schema.average_state, site=site, analyzer=analyzer, test=test, plan=one.plan, kept=json_list(one.kept), value=value,
            count=one.count, state=one.state, since=one.since, at=now, result=result,
        )  # fmt: skip
    return alarms


def _alarm(site: str, row: Row, plan: Row, after: Average, now: str) -> Transaction[None]:
    facts = {
        "test": row.test_name or row.code, "specimen": row.specimen, "analyzer": row.link, "value": f"{after.value:.6g}", "low": plan.low,
        "high": plan.high, "algorithm": plan.algorithm,
    }  # fmt: skip
    alert = {
        "site": site,
        "result": row.id,
        "kind": "average",
        "facts": json_facts(facts),
        "raised_at": now,
        "state": "open",
    }
    yield statements.insert_rows_once(schema.alert, [alert])
    yield audited(
        site, at=now, who="labmw", what="average-alarm", subject=f"average/{row.analyzer}/{row.loinc}", **facts
    )
