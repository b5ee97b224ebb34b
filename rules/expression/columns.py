"""How are a million results judged at once? The tree as Polars expressions: one for numbers that are known, one for bounds.

A number `K` is the column `K`; where it may be a bound, its ends are the columns `K<` and `K>` and whether they are open `K<(` and `K>)`.
Words are columns of text, flags columns named `flag:clot`. No column may hold NaN or infinity, ends excepted: `clean` sees to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
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

LOW, HIGH, LOW_OPEN, HIGH_OPEN = "<", ">", "<(", ">)"


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
            return _said(node)


def _said(node: Condition) -> pl.Expr:
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


def _less(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """Law 10: below, by more than the relative difference that is equality."""
    return (b > a) & (b - a >= EQUAL * pl.max_horizontal(a.abs(), b.abs()))


def _between(sign: Comparing, a: pl.Expr, b: pl.Expr) -> pl.Expr:
    match sign:
        case "<":
            return _less(a, b)
        case ">":
            return _less(b, a)
        case "<=":
            return ~_less(b, a)
        case ">=":
            return ~_less(a, b)
        case "==":
            return ~(_less(a, b) | _less(b, a))
        case "!=":
            return _less(a, b) | _less(b, a)


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


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a number lies, as in `rules.interval`; null ends are missing."""

    low: pl.Expr
    high: pl.Expr
    low_open: pl.Expr
    high_open: pl.Expr


def bounds(node: Condition) -> pl.Expr:
    """Return a condition over numbers of which some are only bounds: true or false where it is so for all that they may be."""
    match node:
        case Compare(sign=sign, left=left, right=right):
            return _compared(sign, _span(left), _span(right))
        case Missing(operand=operand) if not isinstance(operand, str):
            return _span(operand).low.is_null()
        case Not(operand=operand):
            return ~bounds(operand)
        case All(parts=parts):
            return reduce(lambda a, b: a & b, map(bounds, parts))
        case Any(parts=parts):
            return reduce(lambda a, b: a | b, map(bounds, parts))
        case _:
            return _said(node)


def _known(truth: pl.Expr, *spans: _Span) -> pl.Expr:
    present = reduce(lambda a, b: a & b, (one.low.is_not_null() for one in spans))
    return pl.when(present).then(truth)


def _compared(sign: Comparing, a: _Span, b: _Span) -> pl.Expr:
    match sign:
        case "<":
            return _under(a, b)
        case ">":
            return _under(b, a)
        case "<=":
            return ~_under(b, a)
        case ">=":
            return ~_under(a, b)
        case "==":
            return _equal(a, b)
        case "!=":
            return ~_equal(a, b)


def _under(a: _Span, b: _Span) -> pl.Expr:
    surely = _less(a.high, b.low) | ((a.high_open | b.low_open) & ~_less(b.low, a.high))
    never = ~_less(a.low, b.high)
    return _known(pl.when(surely).then(pl.lit(True)).when(never).then(pl.lit(False)), a, b)


def _equal(a: _Span, b: _Span) -> pl.Expr:
    both = (a.low == a.high) & (b.low == b.high)
    apart = (_under(a, b).fill_null(False)) | (_under(b, a).fill_null(False))
    exact = ~(_less(a.low, b.low) | _less(b.low, a.low))
    return _known(pl.when(both).then(exact).when(apart).then(pl.lit(False)), a, b)


def _kept(low: pl.Expr, high: pl.Expr, low_open: pl.Expr, high_open: pl.Expr) -> _Span:
    """Return a span, missing where it has left the range of binary64 altogether."""
    there = (low != math.inf) & (high != -math.inf)
    return _Span(pl.when(there).then(low), pl.when(there).then(high), low_open, high_open)


def _span(node: Number) -> _Span:
    match node:
        case Constant(number=value):
            exact, shut = pl.lit(value, dtype=pl.Float64), pl.lit(False)
            return _Span(exact, exact, shut, shut)
        case Name(name=name):
            return _Span(*(pl.col(f"{name}{end}") for end in (LOW, HIGH, LOW_OPEN, HIGH_OPEN)))
        case Arithmetic(sign="+", left=left, right=right):
            a, b = _span(left), _span(right)
            return _kept(a.low + b.low, a.high + b.high, a.low_open | b.low_open, a.high_open | b.high_open)
        case Arithmetic(sign="-", left=left, right=right):
            a, b = _span(left), _span(right)
            return _kept(a.low - b.high, a.high - b.low, a.low_open | b.high_open, a.high_open | b.low_open)
        case Arithmetic(sign="*", left=left, right=right):
            return _spanned(_span(left), _span(right), _product)
        case Arithmetic(left=left, right=right):
            a, b = _span(left), _span(right)
            safe = (b.low > 0) | (b.high < 0)
            divisor = _Span(pl.when(safe).then(b.low), pl.when(safe).then(b.high), b.low_open, b.high_open)
            return _spanned(a, divisor, _quotient)
        case Negative(operand=operand):
            return _turned(_span(operand))
        case Call(function="abs", operands=(operand,)):
            return _size(_span(operand))
        case Call(function="round", operands=(operand,), digits=digits):
            a, power, shut = _span(operand), 10.0**digits, pl.lit(False)
            return _kept((a.low * power + 0.5).floor() / power, (a.high * power + 0.5).floor() / power, shut, shut)
        case Call(function="min", operands=operands):
            return reduce(_least, map(_span, operands))
        case Call(operands=operands):
            return _turned(reduce(_least, (_turned(_span(one)) for one in operands)))


def _turned(a: _Span) -> _Span:
    return _Span(-a.high, -a.low, a.high_open, a.low_open)


def _size(a: _Span) -> _Span:
    b = _turned(a)
    positive, negative = a.low >= 0, a.high <= 0
    farther = b.high > a.high
    even = b.high == a.high
    top = pl.when(farther).then(b.high).otherwise(a.high)
    top_open = pl.when(even).then(a.low_open & a.high_open).when(farther).then(a.low_open).otherwise(a.high_open)
    return _Span(
        pl.when(positive).then(a.low).when(negative).then(b.low).when(a.low.is_not_null()).then(pl.lit(0.0)),
        pl.when(positive).then(a.high).when(negative).then(b.high).when(a.low.is_not_null()).then(top),
        pl.when(positive).then(a.low_open).when(negative).then(a.high_open).otherwise(pl.lit(False)),
        pl.when(positive).then(a.high_open).when(negative).then(a.low_open).otherwise(top_open),
    )


def _least(a: _Span, b: _Span) -> _Span:
    there = a.low.is_not_null() & b.low.is_not_null()
    low, high = pl.min_horizontal(a.low, b.low), pl.min_horizontal(a.high, b.high)
    low_open = (a.low_open | (a.low != low)) & (b.low_open | (b.low != low))
    high_open = (a.high_open & (a.high == high)) | (b.high_open & (b.high == high))
    return _Span(pl.when(there).then(low), pl.when(there).then(high), low_open, high_open)


_End = tuple[pl.Expr, pl.Expr]


def _product(x: _End, y: _End) -> _End:
    (a, a_open), (b, b_open) = x, y
    zero = (a == 0) | (b == 0)
    reached = ((a == 0) & ~a_open) | ((b == 0) & ~b_open)
    return pl.when(zero).then(pl.lit(0.0)).otherwise(a * b), pl.when(zero).then(~reached).otherwise(a_open | b_open)


def _quotient(x: _End, y: _End) -> _End:
    (a, a_open), (b, b_open) = x, y
    both = a.is_infinite() & b.is_infinite()
    value = pl.when(a == 0).then(pl.lit(0.0)).when(both).then(pl.lit(0.0)).otherwise(a / b)
    return value, pl.when(a == 0).then(a_open).when(both).then(pl.lit(True)).otherwise(a_open | b_open)


def _spanned(a: _Span, b: _Span, combine: object) -> _Span:
    assert callable(combine)
    there = a.low.is_not_null() & b.low.is_not_null()
    ends: Sequence[_End] = [
        combine(x, y)
        for x in ((a.low, a.low_open), (a.high, a.high_open))
        for y in ((b.low, b.low_open), (b.high, b.high_open))
    ]
    low = pl.min_horizontal([end for end, _ in ends])
    high = pl.max_horizontal([end for end, _ in ends])
    low_open = reduce(lambda p, q: p & q, ((end != low) | open_ for end, open_ in ends))
    high_open = reduce(lambda p, q: p & q, ((end != high) | open_ for end, open_ in ends))
    return _kept(pl.when(there).then(low), pl.when(there).then(high), low_open, high_open)
