"""How far may this result go, when nobody has asked why? The rules of one test as one compiled function over plain numbers.

It answers only where every number is exactly known and nothing is unusual, and then says what `engine.judge` says (proven by the tests of
the replay); everywhere else it answers None, and the engine itself judges. Rules that ask for more than numbers are left to it too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from labmw.model import Case, Flag, Previous, Sex, VerdictLevel
from rules.age import Age, age
from rules.analyte import Analyte
from rules.checks.when import WhenCheck
from rules.expression.compiled import Compiled, Values, Words, compiled
from rules.expression.tree import Truth, numbers
from rules.expression.unit import alike
from rules.expression.walk import Known, truth
from rules.guards import FINAL, IN_DOUBT
from rules.interval import Interval
from rules.kleene import Truth as Answer
from rules.limits import Row, UnitLimits
from rules.pack import Packs, Step
from rules.replay.lower import HOURS, Lowered, lower, prefix
from rules.subject import Scope

DOUBTFUL = IN_DOUBT | {Flag.UNKNOWN}
RELEASE = VerdictLevel.RELEASE
_HOUR = timedelta(hours=1)
_DAYS_A_YEAR = 365.2425
_SEXES = {Sex.FEMALE: "F", Sex.MALE: "M"}


@dataclass(frozen=True, slots=True)
class Fired:
    """One rule that fired, and what it compared."""

    rule: str
    level: VerdictLevel
    detail: str


class _Unusual(Exception):
    """Something that only the engine can judge."""


Read = Callable[[Case, Previous | None], float | None]
MOST_ROWS = 10_000  # limits remembered for a test; then they are looked up again


@dataclass(frozen=True, slots=True)
class _Part:
    """One condition: of which step, whether it goes before the rule's own, and what it then asks for."""

    step: Step
    before: bool
    tree: Truth
    level: VerdictLevel
    unknown: VerdictLevel


@dataclass(slots=True)
class _Plan:
    """The rules of one test in one unit, and for each number that they ask for, where in the case it is."""

    parts: tuple[_Part, ...]
    asked: Compiled
    own: tuple[int, ...]  # places of the value itself
    siblings: tuple[tuple[int, str, str], ...]  # place, LOINC code, unit
    read: tuple[tuple[int, Read], ...]
    limits: tuple[tuple[int, UnitLimits, str], ...]  # place, table, column
    words: tuple[Callable[[Case], str | None], ...]
    scoped: bool
    history: bool
    rows: dict[tuple[object, ...], tuple[tuple[int, float | None], ...]] = field(default_factory=dict)


class Quick:
    """The packs in force, compiled test by test when one is first asked for."""

    def __init__(self, packs: Packs) -> None:
        self._packs = packs
        self._plans: dict[tuple[str, str], _Plan | None] = {}

    def level(self, case: Case) -> VerdictLevel | None:
        """Return the verdict's level; None where the engine must be asked."""
        found = self._ask(case)
        if found is None:
            return None
        answers, plan = found[0], found[1]
        if not answers:
            return RELEASE
        return max((level for _, level, _ in _weighed(plan, answers, case)), default=RELEASE)

    def explained(self, case: Case) -> tuple[VerdictLevel, tuple[Fired, ...]] | None:
        """Return the level, and every rule that fired with the comparisons that it made; None where the engine must be asked."""
        found = self._ask(case)
        if found is None:
            return None
        answers, plan, values, words, flags = found
        weighed = _weighed(plan, answers, case)
        fired = []
        for part, level, answer in weighed:
            if answer is True and not part.before:
                trace: list[str] = []
                known = {
                    name: None if v is None else Interval(v, v)
                    for name, v in zip(plan.asked.numbers, values, strict=True)
                }
                truth(part.tree, Known(known, dict(zip(plan.asked.words, words, strict=True)), flags), trace)
                fired.append(Fired(part.step.name, level, "; ".join(trace)))
        return max((level for _, level, _ in weighed), default=RELEASE), tuple(fired)

    def _ask(self, case: Case) -> tuple[list[tuple[int, Answer]], _Plan, Values, Words, frozenset[str]] | None:
        result, quantity = case.result, case.result.quantity
        if (
            quantity is None or quantity.comparator or quantity.number < 0 or result.problem or not result.main or result.index or not case.terminated
            or result.status not in FINAL or case.earlier_runs or case.history is None or case.patient is None or case.specimen is None
            or (result.flags and not result.flags.isdisjoint(DOUBTFUL)) or result.completed is None
        ):  # fmt: skip
            return None
        key = (result.loinc, quantity.unit)
        plan = self._plans[key] if key in self._plans else self._plans.setdefault(key, self._compiled(*key))
        if plan is None:
            return None
        try:
            values = _values(plan, case, float(quantity.number))
        except _Unusual:
            return None
        words = [read(case) for read in plan.words]
        flags: frozenset[str] = result.flags  # a flag is a text
        return plan.asked.judge(values, words, flags), plan, values, words, flags

    def _compiled(self, loinc: str, code: str) -> _Plan | None:
        plan = self._packs.plan(loinc)
        if not plan.packs or not plan.numbers or plan.stopped or plan.reserved:
            return None
        parts: list[_Part] = []
        tables: dict[str, UnitLimits] = {}
        for step in plan.steps:
            made = lower(step, code or "1")
            check = step.rule.check
            elsewhere = isinstance(check, WhenCheck) and check.numeric and check.unit != code
            if not isinstance(made, Lowered) or elsewhere:
                return None
            parts += [_Part(step, True, tree, level, RELEASE) for tree, level in made.before]
            parts.append(_Part(step, False, made.tree, step.rule.verdict, made.unknown))
            if code in step.limits:
                tables[prefix(step)] = step.limits[code]
        asked = compiled([part.tree for part in parts])
        own: list[int] = []
        siblings: list[tuple[int, str, str]] = []
        read: list[tuple[int, Read]] = []
        limits: list[tuple[int, UnitLimits, str]] = []
        for place, name in enumerate(asked.numbers):
            before = next((one for one in tables if name.startswith(one)), None)
            if name == "value":
                own.append(place)
            elif before is not None:
                limits.append((place, tables[before], name.removeprefix(before)))
            elif name in _READ:
                read.append((place, _READ[name]))
            else:
                means = {(one.loincs, one.unit) for one in _aliases(name, plan.steps)}
                if len(means) > 1:
                    return None  # two packs mean two tests by one alias
                [(loincs, unit)] = means
                if loinc in loincs and (len(loincs) > 1 or not alike(code, unit)):
                    return None
                if loinc in loincs:
                    own.append(place)
                else:
                    siblings += [(place, one, unit) for one in loincs]
        scoped = any(part.step.rule.scope != Scope() or part.step.rule.exemptions for part in parts)
        history = bool({"previous", "hours"} & set(asked.numbers))
        words = tuple(_WORDS[name] for name in asked.words)
        return _Plan(
            tuple(parts), asked, tuple(own), tuple(siblings), tuple(read), tuple(limits), words, scoped, history
        )


def _aliases(name: str, steps: tuple[Step, ...]) -> list[Analyte]:
    return [
        step.rule.check.pack[name]
        for step in steps
        if isinstance(step.rule.check, WhenCheck) and name in numbers(step.rule.check.tree)
    ]


def _values(plan: _Plan, case: Case, value: float) -> list[float | None]:
    here = {one.loinc: one for one in case.siblings}
    if len(here) != len(case.siblings) or case.result.loinc in here:
        raise _Unusual
    found: list[float | None] = [None] * len(plan.asked.numbers)
    for place in plan.own:
        found[place] = value
    for place, loinc, code in plan.siblings:
        one = here.get(loinc)
        if one is not None:
            quantity = one.quantity
            if (
                quantity is None
                or quantity.comparator
                or one.problem
                or not one.main
                or one.index
                or found[place] is not None
            ):
                raise _Unusual
            if quantity.unit != code and not alike(quantity.unit, code):
                raise _Unusual
            found[place] = float(quantity.number)
    previous = _previous(case) if plan.history else None
    for place, read in plan.read:
        found[place] = read(case, previous)
    if plan.limits:
        for place, limit in _row(plan, case):
            found[place] = limit
    return found


def _row(plan: _Plan, case: Case) -> tuple[tuple[int, float | None], ...]:
    """Return the limits that hold, each row looked up once for all patients alike."""
    patient, tube = case.patient, case.specimen
    assert patient is not None and tube is not None
    key = (tube.ward, tube.kind, patient.sex, patient.birth, None if tube.collected is None else tube.collected.date())
    found = plan.rows.get(key)
    if found is None:
        sex, old = _SEXES.get(patient.sex), _age(case)
        if sex is None or old is None or not tube.ward or not tube.kind:
            raise _Unusual
        if len(plan.rows) >= MOST_ROWS:
            plan.rows.clear()
        made = [
            (place, _limit(limits.row(tube.ward, tube.kind, sex, old), column)) for place, limits, column in plan.limits
        ]
        plan.rows[key] = found = tuple(made)
    return found


def _limit(row: Row | None, column: str) -> float | None:
    if row is None:
        return None
    if column == "row":
        return 0.0
    kind, _, end = column.partition("_")
    bound = row.bounds[kind].low64 if end == "lo" else row.bounds[kind].high64
    return (-math.inf if end == "lo" else math.inf) if bound is None else bound


def _age(case: Case) -> Age | None:
    assert case.patient is not None and case.specimen is not None
    if case.patient.birth is None or case.specimen.collected is None:
        return None
    return age(case.patient.birth, case.specimen.collected.date())


def _previous(case: Case) -> Previous | None:
    completed = case.result.completed
    assert completed is not None and case.result.quantity is not None
    code = case.result.quantity.unit
    last: Previous | None = None
    for one in case.history or ():
        if one.completed >= completed:
            continue
        if (
            one.method != case.method
            or one.laboratory != case.laboratory
            or one.quantity.unit != code
            or one.quantity.comparator
        ):
            raise _Unusual
        if last is None or one.completed > last.completed:
            last = one
    if last is not None and last.quantity.number <= 0:  # no ratio can be made of it
        raise _Unusual
    return last


def _index(name: str) -> Read:
    def read(case: Case, previous: Previous | None) -> float | None:
        found = None if case.indices is None else getattr(case.indices, name)
        if case.indices is not None and name in case.indices.beyond:
            raise _Unusual
        return None if found is None else float(found)

    return read


def _hours(case: Case, previous: Previous | None) -> float | None:
    assert case.result.completed is not None
    return None if previous is None else (case.result.completed - previous.completed) / _HOUR


def _tube(case: Case, previous: Previous | None) -> float | None:
    collected = case.specimen.collected if case.specimen is not None else None
    if collected is None or case.result.completed is None or case.result.completed < collected:
        return None
    return (case.result.completed - collected) / _HOUR


def _years(case: Case, previous: Previous | None) -> float | None:
    found = _age(case)
    return None if found is None else found.days / _DAYS_A_YEAR


_READ: Mapping[str, Read] = {
    "previous": lambda case, previous: None if previous is None else float(previous.quantity.number),
    HOURS.name: _hours, "tube_hours": _tube, "age": _years, "runs": lambda case, previous: 0.0,
    "haemolysis": _index("haemolysis"), "icterus": _index("icterus"), "lipaemia": _index("lipaemia"),
}  # fmt: skip
_WORDS: Mapping[str, Callable[[Case], str | None]] = {
    "sex": lambda case: _SEXES.get(case.patient.sex) if case.patient is not None else None,
    "ward": lambda case: case.specimen.ward or None if case.specimen is not None else None,
    "specimen": lambda case: case.specimen.kind or None if case.specimen is not None else None,
    "driver": lambda case: case.result.driver or None,
    "method": lambda case: case.method or None,
    "mode": lambda case: case.mode or None,
}


def _weighed(plan: _Plan, answers: list[tuple[int, Answer]], case: Case) -> list[tuple[_Part, VerdictLevel, Answer]]:
    """Return what each answer asks for; what goes before a rule's own condition decides alone."""
    found: list[tuple[_Part, VerdictLevel, Answer]] = []
    decided: Step | None = None
    for place, answer in answers:
        part = plan.parts[place]
        if part.step is decided or (plan.scoped and _exempt(part.step, case)):
            continue
        if part.before:
            if answer is True:
                decided = part.step
                found.append((part, part.level, answer))
        else:
            found.append((part, part.level if answer else part.unknown, answer))
    return found


def _exempt(step: Step, case: Case) -> bool:
    drivers, driver = step.rule.scope.drivers, case.result.driver
    ward = case.specimen.ward if case.specimen is not None else ""
    wards = step.rule.scope.wards
    outside = bool(drivers and driver and driver not in drivers) or bool(wards and ward and ward not in wards)
    return outside or any(ward in one.scope.wards for one in step.rule.exemptions)
