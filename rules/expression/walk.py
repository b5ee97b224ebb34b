"""What was compared with what? The tree walked node by node, bounds included, and every condition written down as it came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rules.expression.arithmetic import absolute, compare, greatest, least, opposite, point, reckon, rounded
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
    Negative,
    Not,
    Number,
)
from rules.expression.tree import Truth as Condition
from rules.interval import Interval, show
from rules.kleene import Truth, both, either, negation, word


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one result; a name that is not here, or None, is missing."""

    numbers: Mapping[str, Interval | None]
    words: Mapping[str, str | None]
    flags: frozenset[str]


def truth(node: Condition, known: Known, trace: list[str] | None = None) -> Truth:
    """Return true, false or unknown; into `trace` goes every condition with its values. All parts are looked at, also when one decides."""
    match node:
        case Compare(sign=sign, left=left, right=right):
            one, other = number(left, known), number(right, known)
            found = compare(sign, one, other)
            shown = f"{node} [{_shown(one)} vs {_shown(other)}]"
        case Among(name=name, words=words):
            said = known.words.get(name)
            found = None if said is None else said in words
            shown = f"{node} [{'missing' if said is None else said}]"
        case Flagged(flag=flag):
            found = flag in known.flags
            shown = f"{node} [{' '.join(sorted(known.flags))}]"
        case Missing(operand=operand):
            found = (known.words.get(operand) if isinstance(operand, str) else number(operand, known)) is None
            shown = str(node)
        case Not(operand=operand):
            return negation(truth(operand, known, trace))
        case All(parts=parts):
            found = True
            for one_part in parts:
                found = both(found, truth(one_part, known, trace))
            return found
        case Any(parts=parts):
            found = False
            for one_part in parts:
                found = either(found, truth(one_part, known, trace))
            return found
    if trace is not None:
        trace.append(f"{shown} -> {word(found)}")
    return found


def number(node: Number, known: Known) -> Interval | None:
    """Return where a number lies; None where it is missing."""
    match node:
        case Constant(number=value):
            return point(value)
        case Name(name=name):
            return known.numbers.get(name)
        case Arithmetic(sign=sign, left=left, right=right):
            return reckon(sign, number(left, known), number(right, known))
        case Negative(operand=operand):
            return opposite(number(operand, known))
        case Call(function="abs", operands=(operand,)):
            return absolute(number(operand, known))
        case Call(function="round", operands=(operand,), digits=digits):
            return rounded(number(operand, known), digits)
        case Call(function=function, operands=(first, *others)):
            found = number(first, known)
            for one in others:
                found = (least if function == "min" else greatest)(found, number(one, known))
            return found
        case Call():
            raise AssertionError("a function without operands is never read")


def _shown(value: Interval | None) -> str:
    return "missing" if value is None else show(value)
