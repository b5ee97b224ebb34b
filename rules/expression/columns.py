"""How are a million results judged at once? The tree as one Polars expression, for numbers that are known or missing.

A number `K` is the column `K`, words are columns of text, flags columns named `flag:clot`. No column may hold NaN or infinity: whoever
reads a history sees to it. Rows whose numbers are only bounds are for `bounds`.
"""

from __future__ import annotations

from functools import reduce

import polars as pl

from rules.expression.compiled import edges
from rules.expression.tree import (
    All,
    Among,
    Any,
    Arithmetic,
    Call,
    Compare,
    Comparing,
    Constant,
    Flagged,
    Missing,
    Name,
    Negative,
    Not,
    Number,
)
from rules.expression.tree import Truth as Condition
from rules.interval import EQUAL


def points(node: Condition) -> pl.Expr:
    """Return a condition over numbers that are known or null."""
    match node:
        case Compare(sign=sign, left=left, right=right):
            if isinstance(left, Constant) and not isinstance(right, Constant):
                return _against(_TURNED[sign], _whole(right), left.number)
            if isinstance(right, Constant):
                return _against(sign, _whole(left), right.number)
            return _between(sign, _whole(left), _whole(right))
        case Missing(operand=operand) if not isinstance(operand, str):
            return _whole(operand).is_null()
        case Not(operand=operand):
            return ~points(operand)
        case All(parts=parts):
            return reduce(lambda a, b: a & b, map(points, parts))
        case Any(parts=parts):
            return reduce(lambda a, b: a | b, map(points, parts))
        case _:
            return said(node)


def said(node: Condition) -> pl.Expr:
    """Return a condition on words or flags."""
    match node:
        case Among(name=name, words=words):
            return pl.col(name) == words[0] if len(words) == 1 else pl.col(name).is_in(words)
        case Flagged(flag=flag):
            return pl.col(f"flag:{flag}")
        case Missing(operand=str() as name):
            return pl.col(name).is_null()
        case _:
            raise AssertionError(node)


def _real(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value)


def _whole(node: Number) -> pl.Expr:
    made = _number(node)
    return made if isinstance(node, Constant | Name) else _real(made)


def _number(node: Number) -> pl.Expr:
    match node:
        case Constant(number=value):
            return pl.lit(value, dtype=pl.Float64)
        case Name(name=name):
            return pl.col(name)
        case Arithmetic(sign="/", left=left, right=right):
            divisor = _whole(right)
            return pl.when(divisor != 0).then(_number(left) / divisor)
        case Arithmetic(sign="+", left=left, right=right):
            return _number(left) + _number(right)
        case Arithmetic(sign="-", left=left, right=right):
            return _number(left) - _number(right)
        case Arithmetic(left=left, right=right):
            return _number(left) * _number(right)
        case Negative(operand=operand):
            return -_number(operand)
        case Call(function="abs", operands=(operand,)):
            return _number(operand).abs()
        case Call(function="round", operands=(operand,), digits=digits):
            power = 10.0**digits
            return _real(_number(operand) * power + 0.5).floor() / power
        case Call(function=function, operands=operands):
            inner = [_whole(one) for one in operands]
            chosen = pl.min_horizontal(inner) if function == "min" else pl.max_horizontal(inner)
            return pl.when(reduce(lambda a, b: a & b, (one.is_not_null() for one in inner))).then(chosen)


_TURNED: dict[Comparing, Comparing] = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


def less(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """Law 10: below, by more than the relative difference that is equality."""
    return (b > a) & (b - a >= EQUAL * pl.max_horizontal(a.abs(), b.abs()))


def _between(sign: Comparing, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    match sign:
        case "<":
            return less(a, b)
        case ">":
            return less(b, a)
        case "<=":
            return ~less(b, a)
        case ">=":
            return ~less(a, b)
        case "==":
            return ~(less(a, b) | less(b, a))
        case "!=":
            return less(a, b) | less(b, a)


def _against(sign: Comparing, a: pl.Expr, limit: float) -> pl.Expr:
    low, high = edges(limit)
    match sign:
        case "<":
            return a < low
        case ">":
            return a > high
        case "<=":
            return a <= high
        case ">=":
            return a >= low
        case "==":
            return (a >= low) & (a <= high)
        case "!=":
            return (a < low) | (a > high)


def above(value: pl.Expr, limit: float) -> pl.Expr:
    """Return whether numbers exceed a limit by more than what is equality."""
    return _against(">", value, limit)
