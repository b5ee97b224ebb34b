"""What is an expression made of? A closed set of nodes, typed and with checked units; every reader knows all of them and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Arithmetical = Literal["+", "-", "*", "/"]
Comparing = Literal["<", "<=", ">", ">=", "==", "!="]
Function = Literal["abs", "min", "max", "round"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A number as it is written."""

    number: float

    def __str__(self) -> str:
        return f"{self.number:.12g}"


@dataclass(frozen=True, slots=True)
class Name:
    """A measured or computed number that is known by name; it may be missing, or only bounded."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers added, subtracted, multiplied or divided; by zero, or out of the range of binary64, is missing."""

    sign: Arithmetical
    left: Number
    right: Number

    def __str__(self) -> str:
        return f"{_inner(self.left)} {self.sign} {_inner(self.right, right=True)}"


@dataclass(frozen=True, slots=True)
class Negative:
    """A number with the opposite sign."""

    operand: Number

    def __str__(self) -> str:
        return f"-{_inner(self.operand, right=True)}"


@dataclass(frozen=True, slots=True)
class Call:
    """`abs`, `min`, `max`, or `round` (halves upwards, to so many digits)."""

    function: Function
    operands: tuple[Number, ...]
    digits: int = 0

    def __str__(self) -> str:
        digits = f", {self.digits}" if self.digits else ""
        return f"{self.function}({', '.join(map(str, self.operands))}{digits})"


Number = Constant | Name | Arithmetic | Negative | Call


@dataclass(frozen=True, slots=True)
class Compare:
    """Two numbers compared; a relative difference below 1e-9 is equality."""

    sign: Comparing
    left: Number
    right: Number

    def __str__(self) -> str:
        return f"{self.left} {self.sign} {self.right}"


@dataclass(frozen=True, slots=True)
class Among:
    """Is a word one of these? Unknown where the word is."""

    name: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        quoted = [f'"{word}"' for word in self.words]
        return f"{self.name} == {quoted[0]}" if len(quoted) == 1 else f"{self.name} in ({', '.join(quoted)})"


@dataclass(frozen=True, slots=True)
class Flagged:
    """Did the analyzer set a flag? Never unknown: no flag is a statement too."""

    flag: str

    def __str__(self) -> str:
        return f'"{self.flag}" in flags'


@dataclass(frozen=True, slots=True)
class Missing:
    """Is a number or a word missing? Never unknown."""

    operand: Number | str

    def __str__(self) -> str:
        return f"is_missing({self.operand})"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; the unknown stays unknown."""

    operand: Truth

    def __str__(self) -> str:
        return f"not ({self.operand})"


@dataclass(frozen=True, slots=True)
class All:
    """`and`: one false decides."""

    parts: tuple[Truth, ...]

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, Any) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Any:
    """`or`: one true decides."""

    parts: tuple[Truth, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


Truth = Compare | Among | Flagged | Missing | Not | All | Any
Node = Number | Truth


def _inner(node: Number, *, right: bool = False) -> str:
    loose = isinstance(node, Arithmetic) and (right or node.sign in "+-")
    return f"({node})" if loose else str(node)


def parts(node: Node) -> Iterator[Node]:
    """Walk over a node and everything in it, from the outside in."""
    yield node
    match node:
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            yield from parts(left)
            yield from parts(right)
        case Negative(operand=operand) | Not(operand=operand):
            yield from parts(operand)
        case Missing(operand=operand) if not isinstance(operand, str):
            yield from parts(operand)
        case Call(operands=nodes) | All(parts=nodes) | Any(parts=nodes):
            for one in nodes:
                yield from parts(one)
        case _:
            pass


def numbers(node: Node) -> tuple[str, ...]:
    """Return the names of the numbers that a node uses, each once, in order of appearance."""
    return tuple(dict.fromkeys(one.name for one in parts(node) if isinstance(one, Name)))


def words(node: Node) -> tuple[str, ...]:
    """Return the names of the words that a node uses."""
    found = [one.name for one in parts(node) if isinstance(one, Among)]
    found += [one.operand for one in parts(node) if isinstance(one, Missing) and isinstance(one.operand, str)]
    return tuple(dict.fromkeys(found))


def flags(node: Node) -> tuple[str, ...]:
    """Return the flags that a node asks for."""
    return tuple(dict.fromkeys(one.flag for one in parts(node) if isinstance(one, Flagged)))


def conditions(node: Node) -> tuple[Truth, ...]:
    """Return the atomic conditions of an expression: what coverage counts and explanations show."""
    return tuple(dict.fromkeys(one for one in parts(node) if isinstance(one, Compare | Among | Flagged | Missing)))


def renamed(node: Truth, names: Mapping[str, Number]) -> Truth:
    """Return a condition with other numbers in the place of names."""
    match node:
        case Compare(sign=sign, left=left, right=right):
            return Compare(sign, _renamed(left, names), _renamed(right, names))
        case Missing(operand=operand) if not isinstance(operand, str):
            return Missing(_renamed(operand, names))
        case Not(operand=operand):
            return Not(renamed(operand, names))
        case All(parts=some):
            return All(tuple(renamed(one, names) for one in some))
        case Any(parts=some):
            return Any(tuple(renamed(one, names) for one in some))
        case _:
            return node


def _renamed(node: Number, names: Mapping[str, Number]) -> Number:
    match node:
        case Name(name=name):
            return names.get(name, node)
        case Arithmetic(sign=sign, left=left, right=right):
            return Arithmetic(sign, _renamed(left, names), _renamed(right, names))
        case Negative(operand=operand):
            return Negative(_renamed(operand, names))
        case Call(function=function, operands=operands, digits=digits):
            return Call(function, tuple(_renamed(one, names) for one in operands), digits)
        case Constant():
            return node
