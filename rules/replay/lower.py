"""What does a rule compare, as one expression over the columns of a history? None where the history does not hold what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from labmw.model import VerdictLevel
from rules.checks.bounds import BoundsCheck
from rules.checks.delta import DeltaCheck
from rules.checks.flag import FlagCheck
from rules.checks.hil import INDICES, HilCheck
from rules.checks.rcv import RcvCheck
from rules.checks.specimen import RetestCheck, StabilityCheck
from rules.checks.when import WhenCheck
from rules.expression.tree import (
    All,
    Among,
    Any,
    Arithmetic,
    Call,
    Compare,
    Constant,
    Flagged,
    Missing,
    Name,
    Not,
    Number,
    Truth,
)
from rules.pack import Step

VALUE, PREVIOUS, HOURS = Name("value"), Name("previous"), Name("hours")
_PER = {"rate-per-hour": 1.0, "rate-per-day": 24.0}


@dataclass(frozen=True, slots=True)
class Lowered:
    """A condition; what is asked for where it is unknown; and what goes before it: (when this is so, then that level)."""

    tree: Truth
    unknown: VerdictLevel
    before: tuple[tuple[Truth, VerdictLevel], ...] = ()


def lower(step: Step, unit: str) -> Lowered | VerdictLevel | None:
    """Return a rule about results in one unit as an expression; a level where it says the same of all of them."""
    check, rule = step.rule.check, step.rule
    match check:
        case BoundsCheck(kind=kind):
            if unit not in step.limits:
                return VerdictLevel.HOLD
            low, high, row = (Name(f"{prefix(step)}{name}") for name in (f"{kind}_lo", f"{kind}_hi", "row"))
            outside = Any((Compare("<", VALUE, low), Compare(">", VALUE, high)))
            return Lowered(outside, rule.if_missing, ((Missing(row), VerdictLevel.HOLD),))
        case DeltaCheck():
            return _delta(check, unit, rule.if_missing)
        case RcvCheck(up=up, down=down):
            one, other = _delta(up, unit, rule.if_missing), _delta(down, unit, rule.if_missing)
            assert isinstance(one, Lowered) and isinstance(other, Lowered)  # a percentage has no unit
            return Lowered(Any((one.tree, other.tree)), rule.if_missing, one.before)
        case HilCheck():
            return _hil(check, rule.if_missing)
        case FlagCheck(flags=flags):
            found = tuple(Flagged(flag.value) for flag in sorted(flags))
            return Lowered(found[0] if len(found) == 1 else Any(found), rule.if_missing)
        case WhenCheck(tree=tree):
            return Lowered(tree, rule.if_missing)
        case StabilityCheck(limit=limit):
            return Lowered(Compare(">", Name("tube_hours"), _hours(limit)), rule.if_missing)
        case RetestCheck(minimum=minimum):
            soon = All((Not(Missing(PREVIOUS)), Compare("<", HOURS, _hours(minimum))))
            return Lowered(soon, rule.if_missing)
        case _:
            return None


def prefix(step: Step) -> str:
    """Return what the columns of a pack's limits begin with: two packs may have limits for one test."""
    return f"{step.name.partition('/')[0]}:"


def _hours(span: timedelta) -> Constant:
    return Constant(span / timedelta(hours=1))


def _delta(check: DeltaCheck, unit: str, missing: VerdictLevel) -> Lowered | VerdictLevel:
    limit = check.limit.get("" if check.mode == "percent" else unit)
    if limit is None:
        return VerdictLevel.HOLD
    change: Number = Arithmetic("-", VALUE, PREVIOUS)
    if check.mode == "percent":
        ratio = Arithmetic("-", Arithmetic("/", VALUE, PREVIOUS), Constant(1.0))
        change = Arithmetic("*", ratio, Constant(100.0))
    elif check.mode in _PER:
        change = Arithmetic("/", change, Arithmetic("/", HOURS, Constant(_PER[check.mode])))
    if check.direction == "both":
        change = Call("abs", (change,))
    bound = float(limit)
    tree = (
        Compare("<", change, Constant(-bound)) if check.direction == "down" else Compare(">", change, Constant(bound))
    )
    nothing = Any((Missing(PREVIOUS), Compare(">", HOURS, _hours(check.window))))
    return Lowered(tree, missing, ((nothing, check.no_previous),))


def _hil(check: HilCheck, missing: VerdictLevel) -> Lowered:
    name, flag = INDICES[check.index]
    flagged, index = Flagged(flag.value), Name(name)
    if set(check.threshold) == {""}:
        return Lowered(Any((flagged, Compare(">", index, Constant(float(check.threshold[""]))))), missing)
    named = {driver: float(limit) for driver, limit in check.threshold.items() if driver}
    each = [All((Among("driver", (driver,)), Compare(">", index, Constant(limit)))) for driver, limit in named.items()]
    others = Not(Among("driver", tuple(named)))
    before: tuple[tuple[Truth, VerdictLevel], ...] = ()
    if "" in check.threshold:
        each.append(All((others, Compare(">", index, Constant(float(check.threshold[""]))))))
    else:
        before = ((All((Not(flagged), others)), missing),)
    return Lowered(Any((flagged, *each)), missing, before)
