"""How are results judged at once when some of their numbers are only bounds? The tree node by node, each as four columns.

The ends of a number `K` are the columns `K<` and `K>`, and whether they are open `K<(` and `K>)`. Every node is kept before the next one
uses it: written as one expression, a few nested products have a hundred thousand nodes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

import polars as pl

from rules.expression.columns import less, said
from rules.expression.tree import (
    All,
    Any,
    Arithmetic,
    Call,
    Compare,
    Comparing,
    Constant,
    Missing,
    Name,
    Negative,
    Not,
    Number,
)
from rules.expression.tree import Truth as Condition

LOW, HIGH, LOW_OPEN, HIGH_OPEN = "<", ">", "<(", ">)"


def bounds(table: pl.DataFrame, node: Condition) -> pl.Series:
    """Return a condition over the rows of a table: true or false where it is so for all that the numbers may be."""
    return _Reader(table).judged(node)


@dataclass(frozen=True, slots=True)
class _Span:
    """Where a number lies, as in `rules.interval`; null ends are missing."""

    low: pl.Expr
    high: pl.Expr
    low_open: pl.Expr
    high_open: pl.Expr


class _Reader:
    """Reads conditions over one table, which grows by what is in between."""

    def __init__(self, table: pl.DataFrame) -> None:
        self._table, self._count = table, 0

    def judged(self, node: Condition) -> pl.Series:
        made = self._truth(node)  # first, since the table grows meanwhile
        return self._table.with_columns(made.alias("truth"))["truth"]

    def _keep(self, made: pl.Expr) -> pl.Expr:
        self._count += 1
        name = f"between {self._count}"
        self._table = self._table.with_columns(made.alias(name))
        return pl.col(name)

    def _held(self, a: _Span) -> _Span:
        return _Span(*(self._keep(one) for one in (a.low, a.high, a.low_open, a.high_open)))

    def _truth(self, node: Condition) -> pl.Expr:
        match node:
            case Compare(sign=sign, left=left, right=right):
                return self._keep(_compared(sign, self._span(left), self._span(right)))
            case Missing(operand=operand) if not isinstance(operand, str):
                return self._span(operand).low.is_null()
            case Not(operand=operand):
                return ~self._truth(operand)
            case All(parts=parts):
                return reduce(lambda a, b: a & b, map(self._truth, parts))
            case Any(parts=parts):
                return reduce(lambda a, b: a | b, map(self._truth, parts))
            case _:
                return said(node)

    def _span(self, node: Number) -> _Span:
        match node:
            case Constant(number=value):
                exact, shut = pl.lit(value, dtype=pl.Float64), pl.lit(False)
                return _Span(exact, exact, shut, shut)
            case Name(name=name):
                return _Span(*(pl.col(f"{name}{end}") for end in (LOW, HIGH, LOW_OPEN, HIGH_OPEN)))
            case Arithmetic(sign=sign, left=left, right=right):
                return self._held(_reckoned(sign, self._span(left), self._span(right)))
            case Negative(operand=operand):
                return _turned(self._span(operand))
            case Call(function="abs", operands=(operand,)):
                return self._held(_size(self._span(operand)))
            case Call(function="round", operands=(operand,), digits=digits):
                return self._held(_rounded(self._span(operand), 10.0**digits))
            case Call(function=function, operands=operands):
                turn: Callable[[_Span], _Span] = (lambda one: one) if function == "min" else _turned
                spans = [turn(self._span(one)) for one in operands]
                return turn(reduce(lambda a, b: self._held(_least(a, b)), spans))


def _reckoned(sign: str, a: _Span, b: _Span) -> _Span:
    match sign:
        case "+":
            return _kept(a.low + b.low, a.high + b.high, a.low_open | b.low_open, a.high_open | b.high_open)
        case "-":
            return _kept(a.low - b.high, a.high - b.low, a.low_open | b.high_open, a.high_open | b.low_open)
        case "*":
            return _spanned(a, b, _product)
        case _:
            safe = (b.low > 0) | (b.high < 0)
            divisor = _Span(pl.when(safe).then(b.low), pl.when(safe).then(b.high), b.low_open, b.high_open)
            return _spanned(a, divisor, _quotient)


def _rounded(a: _Span, power: float) -> _Span:
    shut = pl.lit(False)
    return _kept((a.low * power + 0.5).floor() / power, (a.high * power + 0.5).floor() / power, shut, shut)


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
    surely = less(a.high, b.low) | ((a.high_open | b.low_open) & ~less(b.low, a.high))
    never = ~less(a.low, b.high)
    return _known(pl.when(surely).then(pl.lit(True)).when(never).then(pl.lit(False)), a, b)


def _equal(a: _Span, b: _Span) -> pl.Expr:
    both = (a.low == a.high) & (b.low == b.high)
    apart = (_under(a, b).fill_null(False)) | (_under(b, a).fill_null(False))
    exact = ~(less(a.low, b.low) | less(b.low, a.low))
    return _known(pl.when(both).then(exact).when(apart).then(pl.lit(False)), a, b)


def _kept(low: pl.Expr, high: pl.Expr, low_open: pl.Expr, high_open: pl.Expr) -> _Span:
    """Return a span, missing where it has left the range of binary64 altogether."""
    there = (low != math.inf) & (high != -math.inf)
    return _Span(pl.when(there).then(low), pl.when(there).then(high), low_open, high_open)


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


def _spanned(a: _Span, b: _Span, combine: Callable[[_End, _End], _End]) -> _Span:
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
