"""How far may this result go, when nobody has asked why? The rules of one test as one compiled function over plain numbers.

It answers only where every number is exactly known and nothing is unusual, and then says what `engine.judge` says (proven by the tests of
the replay); everywhere else it answers None, and the engine itself judges. Rules that ask for more than numbers are left to it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from labmw.model import Case, Flag, Previous, Result, Sex, VerdictLevel
from rules.age import Age, age
from rules.checks.when import WhenCheck
from rules.expression.compiled import Compiled, Values, Words, compiled
from rules.expression.tree import Truth, numbers
from rules.expression.unit import alike
from rules.expression.walk import Known, truth
from rules.guards import FINAL, IN_DOUBT
from rules.interval import Interval
from rules.kleene import Truth as Answer
from rules.limits import UnitLimits
from rules.pack import Packs, Step
from rules.replay.lower import HOURS, Lowered, lower, prefix

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


Read = Callable[[Case, Mapping[str, Result], Previous | None], float | None]


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
    """The rules of one test in one unit."""

    parts: tuple[_Part, ...]
    asked: Compiled
    readers: tuple[Read | None, ...]  # None: of the limit table
    limits: Mapping[str, tuple[UnitLimits, str]]  # name of a number: the table it comes from, and the column
    scoped: bool
    history: bool
    rows: dict[tuple[object, ...], Mapping[str, float | None]] = field(default_factory=dict)


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
        words = [_WORDS[name](case) for name in plan.asked.words]
        flags: frozenset[str] = frozenset(result.flags)
        return plan.asked.judge(values, words, flags), plan, values, words, flags

    def _compiled(self, loinc: str, code: str) -> _Plan | None:
        plan = self._packs.plan(loinc)
        if not plan.packs or not plan.numbers or plan.stopped:
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
        limits = {
            name: (tables[p], name.removeprefix(p)) for name in asked.numbers for p in tables if name.startswith(p)
        }
        readers = tuple(None if name in limits else self._reader(name, plan.steps) for name in asked.numbers)
        scoped = any(part.step.rule.scope.drivers or part.step.rule.exemptions for part in parts)
        return _Plan(tuple(parts), asked, readers, limits, scoped, bool({"previous", "hours"} & set(asked.numbers)))

    def _reader(self, name: str, steps: tuple[Step, ...]) -> Read:
        if name in _READ:
            return _READ[name]
        packs = [
            step.rule.check.pack[name]
            for step in steps
            if isinstance(step.rule.check, WhenCheck) and name in numbers(step.rule.check.tree)
        ]
        one = packs[0]
        if any((other.loincs, other.unit) != (one.loincs, one.unit) for other in packs):
            return _unusual  # two packs mean two tests by one alias
        return _sibling(one.loincs, one.unit)


def _values(plan: _Plan, case: Case, value: float) -> list[float | None]:
    here: dict[str, Result] = {one.loinc: one for one in case.siblings}
    if len(here) != len(case.siblings) or case.result.loinc in here:
        raise _Unusual
    previous = _previous(case) if plan.history else None
    row = _row(plan, case) if plan.limits else {}
    found: list[float | None] = []
    for name, read in zip(plan.asked.numbers, plan.readers, strict=True):
        if name == "value":
            found.append(value)
        elif read is None:
            found.append(row[name])
        else:
            found.append(read(case, here, previous))
    return found


def _row(plan: _Plan, case: Case) -> Mapping[str, float | None]:
    """Return the limits that hold, each row looked up once for all patients alike."""
    patient, tube = case.patient, case.specimen
    assert patient is not None and tube is not None
    sex = _SEXES.get(patient.sex)
    old = _age(case)
    if sex is None or old is None or not tube.ward or not tube.kind:
        raise _Unusual
    key = (tube.ward, tube.kind, sex, old)
    found = plan.rows.get(key)
    if found is None:
        made: dict[str, float | None] = {}
        for name, (limits, column) in plan.limits.items():
            row = limits.row(tube.ward, tube.kind, sex, old)
            if row is None:
                made[name] = None
            elif column == "row":
                made[name] = 0.0
            else:
                kind, _, end = column.partition("_")
                bound = row.bounds[kind].low64 if end == "lo" else row.bounds[kind].high64
                made[name] = (float("-inf") if end == "lo" else float("inf")) if bound is None else bound
        plan.rows[key] = found = made
    return found


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


def _sibling(loincs: tuple[str, ...], code: str) -> Read:
    def read(case: Case, here: Mapping[str, Result], previous: Previous | None) -> float | None:
        found = [here[loinc] for loinc in loincs if loinc in here]
        if case.result.loinc in loincs:
            found.append(case.result)
        if not found:
            return None
        one = found[0]
        quantity = one.quantity
        if len(found) > 1 or not one.main or one.index or one.problem or quantity is None or quantity.comparator:
            raise _Unusual
        if not alike(quantity.unit, code):
            raise _Unusual
        return float(quantity.number)

    return read


def _unusual(case: Case, here: Mapping[str, Result], previous: Previous | None) -> float | None:
    raise _Unusual


def _index(name: str) -> Read:
    def read(case: Case, here: Mapping[str, Result], previous: Previous | None) -> float | None:
        found = None if case.indices is None else getattr(case.indices, name)
        return None if found is None else float(found)

    return read


def _hours(case: Case, here: Mapping[str, Result], previous: Previous | None) -> float | None:
    assert case.result.completed is not None
    return None if previous is None else (case.result.completed - previous.completed) / _HOUR


def _tube(case: Case, here: Mapping[str, Result], previous: Previous | None) -> float | None:
    collected = case.specimen.collected if case.specimen is not None else None
    if collected is None or case.result.completed is None or case.result.completed < collected:
        return None
    return (case.result.completed - collected) / _HOUR


def _years(case: Case, here: Mapping[str, Result], previous: Previous | None) -> float | None:
    found = _age(case)
    return None if found is None else found.days / _DAYS_A_YEAR


_READ: Mapping[str, Read] = {
    "value": _unusual,  # put in where it is known already
    "previous": lambda case, here, previous: None if previous is None else float(previous.quantity.number),
    HOURS.name: _hours, "tube_hours": _tube, "age": _years, "runs": lambda case, here, previous: 0.0,
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
    return bool(drivers and driver and driver not in drivers) or any(
        ward in one.scope.wards for one in step.rule.exemptions
    )
