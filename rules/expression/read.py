"""How does a text become a tree? Python's own grammar is read, everything outside a short closed list is refused, types and units are checked.

Nothing is ever evaluated while reading. A bare number takes the unit of what it is compared with or added to.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

from labmw.errors import QuantityError
from rules.expression.tree import (
    All,
    Among,
    Any,
    Arithmetic,
    Arithmetical,
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
    Truth,
)
from rules.expression.unit import NONE, Unit, unit
from rules.strict import nearest

LONGEST = 500  # characters
DEEPEST = 12  # nodes inside nodes
MOST_DIGITS = 6

_ARITHMETIC: Mapping[type[ast.operator], Arithmetical] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_COMPARE: Mapping[type[ast.cmpop], Comparing] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
FUNCTIONS = ("abs", "min", "max", "round", "as_unit", "is_missing")


class ExpressionError(Exception):
    """An expression that cannot be used, and what to do about it; `column` counts from 1."""

    def __init__(self, problem: str, remedy: str, column: int = 1) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem, self.remedy, self.column = problem, remedy, column


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that an expression may use: numbers with their units, words with what they may say (empty: anything), and flags."""

    numbers: Mapping[str, Unit]
    words: Mapping[str, frozenset[str]]
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Measured:
    node: Number
    unit: Unit | None  # None: a bare number, which takes the unit of its neighbour


def read(text: str, vocabulary: Vocabulary) -> Truth:
    """Return the tree of a condition; raises ExpressionError with the column and a remedy."""
    if len(text) > LONGEST:
        raise ExpressionError(f"has {len(text)} characters", f"keep it under {LONGEST}, or make two rules of it")
    try:
        parsed = ast.parse(text.strip().replace("\n", " "), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 1
        remedy = "write conditions such as: value > 6 and CA < 1.9 (== compares, `and`, `or`, `not` join)"
        raise ExpressionError(f"is not an expression ({_plain(error)})", remedy, column) from None
    if _depth(parsed.body) > DEEPEST:
        raise ExpressionError(f"is nested more than {DEEPEST} deep", "make two rules of it")
    return _Reader(vocabulary).truth(parsed.body)


def _plain(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else type(error).__name__


def _depth(node: ast.AST) -> int:
    return 1 + max((_depth(one) for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)), default=0)


class _Reader:
    """Reads one expression against one vocabulary."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._known = vocabulary

    def truth(self, node: ast.expr) -> Truth:
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return All(tuple(self.truth(one) for one in values))
            case ast.BoolOp(values=values):
                return Any(tuple(self.truth(one) for one in values))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.truth(operand))
            case ast.Compare(ops=[ast.In() | ast.NotIn() as sign], left=left, comparators=[right]):
                found = self._among(left, right)
                return Not(found) if isinstance(sign, ast.NotIn) else found
            case ast.Compare(ops=[sign], left=left, comparators=[right]):
                return self._compare(node, left, sign, right)
            case ast.Compare():
                raise _refuse(node, "compares three things in a chain", "write a < b and b < c")
            case ast.Call(func=ast.Name(id="is_missing"), args=[ast.Name(id=name) as one], keywords=[]):
                return Missing(name if name in self._known.words else self.number(one).node)
            case ast.Call(func=ast.Name(id="is_missing"), args=[operand], keywords=[]):
                return Missing(self.number(operand).node)
            case ast.Name() | ast.Constant() | ast.BinOp() | ast.UnaryOp():
                raise _refuse(
                    node, "is a value where a condition belongs", "compare it with something, as in value > 6"
                )
            case _:
                raise _code(node)

    def number(self, node: ast.expr) -> _Measured:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return _Measured(Constant(_finite(node, value)), None)
            case ast.Constant():
                raise _refuse(node, f"{node.value!r} is not a number", "write a number such as 5.5")
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.BinOp(op=operator, left=left, right=right) if type(operator) in _ARITHMETIC:
                return self._arithmetic(node, _ARITHMETIC[type(operator)], self.number(left), self.number(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.number(operand)
                constant = inner.node
                return _Measured(
                    Constant(-constant.number) if isinstance(constant, Constant) else Negative(constant), inner.unit
                )
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.number(operand)
            case ast.Call(func=ast.Name(id=function), args=args, keywords=[]):
                return self._call(node, function, args)
            case ast.Compare() | ast.BoolOp():
                raise _refuse(node, "is a condition where a number belongs", "join conditions by and, or")
            case _:
                raise _code(node)

    def _name(self, node: ast.expr, name: str) -> _Measured:
        if name in self._known.numbers:
            return _Measured(Name(name), self._known.numbers[name])
        if name in self._known.words:
            raise _refuse(node, f"{name!r} is a word, not a number", f'compare it with words: {name} == "..."')
        if name == "flags":
            raise _refuse(node, "flags are no number", 'write "clot" in flags')
        known = (*self._known.numbers, *self._known.words, "flags", *FUNCTIONS)
        raise _refuse(node, f"{name!r} is not a known word", nearest(name, known))

    def _arithmetic(self, node: ast.expr, sign: Arithmetical, left: _Measured, right: _Measured) -> _Measured:
        made = Arithmetic(sign, left.node, right.node)
        if sign in "+-":
            return _Measured(made, _one_unit(node, f"{'adds' if sign == '+' else 'subtracts'}", left, right))
        if left.unit is None and right.unit is None:
            return _Measured(made, None)
        return _Measured(made, (left.unit or NONE).times(right.unit or NONE, 1 if sign == "*" else -1))

    def _call(self, node: ast.expr, function: str, args: list[ast.expr]) -> _Measured:
        match function, args:
            case "abs", [one]:
                inner = self.number(one)
                return _Measured(Call("abs", (inner.node,)), inner.unit)
            case ("min" | "max") as chosen, [one, other, *more]:
                found = [self.number(each) for each in (one, other, *more)]
                shared = found[0].unit
                for each in found[1:]:
                    shared = _one_unit(node, "compares", _Measured(found[0].node, shared), each)
                return _Measured(Call("min" if chosen == "min" else "max", tuple(each.node for each in found)), shared)
            case "round", [one]:
                inner = self.number(one)
                return _Measured(Call("round", (inner.node,)), inner.unit)
            case "round", [one, ast.Constant(value=int() as digits)] if 0 <= digits <= MOST_DIGITS:
                inner = self.number(one)
                return _Measured(Call("round", (inner.node,), digits), inner.unit)
            case "as_unit", [one, ast.Constant(value=str() as code)]:
                try:
                    return _Measured(self.number(one).node, unit(code))
                except QuantityError:
                    raise _refuse(node, f"{code!r} is not a unit", "write a UCUM unit such as mmol/L") from None
            case "is_missing", _:
                raise _refuse(node, "is a condition where a number belongs", "write it alone: is_missing(CA)")
            case _ if function in FUNCTIONS:
                forms = 'abs(x), min(x, y), max(x, y), round(x, 2), as_unit(x, "fL"), is_missing(x)'
                raise _refuse(node, f"{function} is called in another way than it can be", f"write {forms}")
            case _:
                problem = f"{function!r} is not a function of this language"
                raise _refuse(node, problem, nearest(function, FUNCTIONS))

    def _compare(self, node: ast.expr, left: ast.expr, sign: ast.cmpop, right: ast.expr) -> Truth:
        if type(sign) not in _COMPARE:
            raise _code(node)
        written = _COMPARE[type(sign)]
        if isinstance(left, ast.Name) and left.id in self._known.words:
            if written not in ("==", "!="):
                raise _refuse(node, f"{left.id} is a word, and words are not greater or less", 'write == "..."')
            found = Among(left.id, (self._word(left.id, right),))
            return Not(found) if written == "!=" else found
        one, other = self.number(left), self.number(right)
        if one.unit is None and other.unit is None:
            raise _refuse(node, "compares numbers that are written here", "compare something that is measured")
        _one_unit(node, "compares", one, other)
        return Compare(written, one.node, other.node)

    def _among(self, left: ast.expr, right: ast.expr) -> Truth:
        if isinstance(right, ast.Name) and right.id == "flags":
            if not (isinstance(left, ast.Constant) and isinstance(left.value, str)):
                raise _refuse(left, "is not the name of a flag", 'write "clot" in flags')
            if left.value not in self._known.flags:
                raise _refuse(left, f"{left.value!r} is not a flag", nearest(left.value, self._known.flags))
            return Flagged(left.value)
        if not (isinstance(left, ast.Name) and left.id in self._known.words):
            remedy = f'use `in` with words ({", ".join(self._known.words)}): ward in ("DIAL", "ICU")'
            raise _refuse(left, "is not a word that can be one of several", remedy)
        if not isinstance(right, ast.Tuple | ast.List) or not right.elts:
            raise _refuse(right, "is not a list of words", f'write {left.id} in ("A", "B")')
        return Among(left.id, tuple(dict.fromkeys(self._word(left.id, one) for one in right.elts)))

    def _word(self, name: str, node: ast.expr) -> str:
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            raise _refuse(node, "is not a word in quotes", f'write {name} == "..."')
        allowed = self._known.words[name]
        if allowed and node.value not in allowed:
            raise _refuse(node, f"{name} is never {node.value!r}", nearest(node.value, allowed))
        return node.value


def _one_unit(node: ast.expr, verb: str, left: _Measured, right: _Measured) -> Unit | None:
    if left.unit is None or right.unit is None:
        return left.unit or right.unit
    if not left.unit.same(right.unit):
        problem = f"{verb} {left.node} in {left.unit.text} with {right.node} in {right.unit.text}"
        remedy = 'use numbers of one unit, or say as_unit(..., "...") where a formula is empirical'
        raise _refuse(node, problem, remedy)
    return left.unit


def _finite(node: ast.expr, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refuse(node, "is no number that a laboratory measures", "write a smaller one")
    return number


def _refuse(node: ast.expr, problem: str, remedy: str) -> ExpressionError:
    return ExpressionError(problem, remedy, node.col_offset + 1)


_CODE: Mapping[type[ast.expr], str] = {
    ast.Attribute: "looks inside something by a dot", ast.Subscript: "looks inside something by brackets", ast.Call: "calls something",
    ast.Lambda: "is a function", ast.IfExp: "is an if-else", ast.NamedExpr: "assigns", ast.ListComp: "is a loop",
    ast.GeneratorExp: "is a loop", ast.SetComp: "is a loop", ast.DictComp: "is a loop", ast.JoinedStr: "is a formatted text",
}  # fmt: skip


def _code(node: ast.expr) -> ExpressionError:
    what = _CODE.get(type(node), "is something")
    remedy = "use only comparisons, and, or, not, in, + - * /, abs, min, max, round, as_unit and is_missing"
    return _refuse(node, f"{what} that Python knows and this language does not", remedy)
