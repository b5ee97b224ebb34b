"""How is a verdict reached quickly? Conditions written as one Python function of plain numbers; bounds take the long way, node by node.

Only text that was made here from a tree is ever compiled: names become numbered places, words and flags become constants. A third
reader beside `walk` and `columns`; what they say is proven equal (tests/rules/expression).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rules.expression.arithmetic import less
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
    numbers,
    words,
)
from rules.expression.tree import Truth as Condition
from rules.interval import EQUAL
from rules.kleene import Truth

Places = Mapping[str, int]
Values = Sequence[float | None]
Words = Sequence[str | None]
Judge = Callable[[Values, Words, frozenset[str]], list[tuple[int, Truth]]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """Conditions as one function: given numbers, words and flags in their places, it returns those not false, by their number."""

    numbers: tuple[str, ...]
    words: tuple[str, ...]
    judge: Judge
    source: str


def compiled(conditions: Sequence[Condition]) -> Compiled:
    """Compile conditions that are asked together."""
    names = tuple(dict.fromkeys(name for one in conditions for name in numbers(one)))
    said = tuple(dict.fromkeys(name for one in conditions for name in words(one)))
    lines = ["def judge(n, w, flags):"]
    lines += [f"    {', '.join(f'n{i}' for i in range(len(names)))}, = n"] if names else []
    lines += [f"    {', '.join(f'w{i}' for i in range(len(said)))}, = w"] if said else []
    lines += ["    found = []"]
    for number, one in enumerate(conditions):
        writer = _Writer({name: i for i, name in enumerate(names)}, {name: i for i, name in enumerate(said)})
        lines += [f"    t = {writer.truth(one)}", f"    if t is not False: found.append(({number}, t))"]
    source = "\n".join([*lines, "    return found", ""])
    scope: dict[str, object] = {"floor": math.floor, "inf": math.inf}
    exec(compile(source, "<rules>", "exec"), scope)  # noqa: S102 - made above from trees, nothing of a pack's text is in it
    judge: Judge = scope["judge"]  # type: ignore[assignment]
    return Compiled(names, said, judge, source)


@dataclass(slots=True)
class _Writer:
    """Writes one condition; `count` numbers the places where something in between is kept."""

    numbers: Places
    words: Places
    count: int = 0
    guards: list[str] = field(default_factory=list)

    def _fresh(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def truth(self, node: Condition) -> str:
        match node:
            case Compare(sign=sign, left=left, right=right):
                return self._compare(sign, left, right)
            case Among(name=name, words=allowed):
                place = f"w{self.words[name]}"
                return f"(None if {place} is None else {place} in {allowed!r})"
            case Flagged(flag=flag):
                return f"({flag!r} in flags)"
            case Missing(operand=str() as name):
                return f"(w{self.words[name]} is None)"
            case Missing(operand=operand) if not isinstance(operand, str):
                _, guard = self._guarded(operand)
                return f"({guard})" if guard else "False"
            case Not(operand=operand):
                kept = self._fresh()
                return f"(None if ({kept} := {self.truth(operand)}) is None else not {kept})"
            case All(parts=parts):
                places = [self._fresh() for _ in parts]
                some = " or ".join(f"({k} := {self.truth(p)}) is False" for k, p in zip(places, parts, strict=True))
                return f"(False if {some} else None if {' or '.join(f'{k} is None' for k in places)} else True)"
            case Any(parts=parts):
                places = [self._fresh() for _ in parts]
                some = " or ".join(f"({k} := {self.truth(p)}) is True" for k, p in zip(places, parts, strict=True))
                return f"(True if {some} else None if {' or '.join(f'{k} is None' for k in places)} else False)"
        raise AssertionError(node)

    def _guarded(self, node: Number) -> tuple[str, str]:
        """Return a number, and the condition under which it is missing; "" where it never is. The condition comes first and binds."""
        outer, self.guards = self.guards, [f"n{self.numbers[name]} is None" for name in numbers(node)]
        text = self._number(node)
        if not isinstance(node, Constant | Name):
            text = self._finite(text)
        guard, self.guards = " or ".join(self.guards), outer
        return text, guard

    def _finite(self, text: str) -> str:
        kept = self._fresh()
        self.guards.append(f"not -inf < ({kept} := {text}) < inf")
        return kept

    def _number(self, node: Number) -> str:
        match node:
            case Constant(number=value):
                return f"({value!r})" if value < 0 else repr(value)
            case Name(name=name):
                return f"n{self.numbers[name]}"
            case Arithmetic(sign="/", left=left, right=right):
                above = self._number(left)
                divisor = self._number(right)
                if isinstance(right, Constant):
                    if right.number == 0:
                        self.guards.append("True")
                    return f"({above} / {divisor})"
                kept = self._fresh()
                self.guards.append(f"not -inf < ({kept} := {divisor}) < inf or {kept} == 0.0")
                return f"({above} / {kept})"
            case Arithmetic(sign=sign, left=left, right=right):
                return f"({self._number(left)} {sign} {self._number(right)})"
            case Negative(operand=operand):
                return f"(-{self._number(operand)})"
            case Call(function="abs", operands=(operand,)):
                return f"abs({self._number(operand)})"
            case Call(function="round", operands=(operand,), digits=digits):
                power = 10.0**digits
                kept = self._finite(f"{self._number(operand)} * {power!r} + 0.5")
                return f"(floor({kept}) / {power!r})"
            case Call(function=function, operands=operands):
                inner = [
                    self._number(one) if isinstance(one, Constant | Name) else self._finite(self._number(one))
                    for one in operands
                ]
                return f"{function}({', '.join(inner)})"

    def _compare(self, sign: Comparing, left: Number, right: Number) -> str:
        if isinstance(left, Constant) and not isinstance(right, Constant):
            return self._compare(_TURNED[sign], right, left)
        one, guard = self._guarded(left)
        if isinstance(right, Constant):
            test = _against(sign, one, right.number)
        else:
            other, more = self._guarded(right)
            guard = " or ".join(filter(None, (guard, more)))
            test = _between(sign, one, other)
        return f"(None if {guard} else {test})" if guard else f"({test})"


_TURNED: Mapping[Comparing, Comparing] = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


def _between(sign: Comparing, a: str, b: str) -> str:
    def under(x: str, y: str) -> str:
        return f"({y} > {x} and {y} - {x} >= {EQUAL!r} * max(abs({x}), abs({y})))"

    match sign:
        case "<":
            return under(a, b)
        case ">":
            return under(b, a)
        case "<=":
            return f"not {under(b, a)}"
        case ">=":
            return f"not {under(a, b)}"
        case "==":
            return f"not ({under(a, b)} or {under(b, a)})"
        case "!=":
            return f"({under(a, b)} or {under(b, a)})"


def _against(sign: Comparing, a: str, limit: float) -> str:
    low, high = edges(limit)
    match sign:
        case "<":
            return f"{a} < {low!r}"
        case ">":
            return f"{a} > {high!r}"
        case "<=":
            return f"{a} <= {high!r}"
        case ">=":
            return f"{a} >= {low!r}"
        case "==":
            return f"{low!r} <= {a} <= {high!r}"
        case "!=":
            return f"not {low!r} <= {a} <= {high!r}"


def edges(limit: float) -> tuple[float, float]:
    """Return the least and the greatest binary64 that equal a limit, so that one comparison does what the relative difference asks for."""
    return _furthest(limit, -math.inf), _furthest(limit, math.inf)


def _furthest(limit: float, towards: float) -> float:
    """Halve the way between the limit, which equals itself, and a number that does not."""
    inside, outside = limit, limit + math.copysign(max(abs(limit) * (4 * EQUAL), 5e-324), towards)
    if not math.isfinite(outside):
        outside = math.nextafter(towards, limit)
    if not less(min(outside, limit), max(outside, limit)):
        return outside
    while math.nextafter(inside, towards) != outside and inside != outside:
        middle = inside + (outside - inside) / 2
        if middle in (inside, outside):
            break
        inside, outside = (inside, middle) if less(min(middle, limit), max(middle, limit)) else (middle, outside)
    return inside
