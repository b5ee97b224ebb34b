"""Which of Westgard's rules does the newest run break? Each rule exactly as defined, in its scopes, with an explicit policy for history.

z = (value - mean) / SD of this lot and level. Comparisons are strict: exactly 2 SD is no violation, and z = 0 breaks a sequence. A violation
ends in the newest run. Scopes: `within` one level over runs, `run` over the levels of the newest run, `across` the levels interleaved in
their fixed order over runs. Definitions: Westgard's, as in the public tables; 7T strictly and of one level: Bio-Rad Unity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Literal

from rules.expression.arithmetic import less

Scope = Literal["within", "run", "across"]


class Rule(StrEnum):
    """The rules by their usual names."""

    W1_2S = "1-2s"
    W1_3S = "1-3s"
    W2_2S = "2-2s"
    W2OF3_2S = "2of3-2s"
    R_4S = "R-4s"
    R_4S_RANGE = "R-4s range"  # greatest less least more than 4 SD, whichever side
    W3_1S = "3-1s"
    W4_1S = "4-1s"
    X6 = "6x"
    X8 = "8x"
    X9 = "9x"
    X10 = "10x"
    X12 = "12x"
    T7 = "7T"


WARNING = frozenset({Rule.W1_2S})
"""Rules that never stop patients' results: with two levels, 1-2s alone is out in 8.7 % of good runs."""
TWO_LEVELS = (Rule.W1_2S, Rule.W1_3S, Rule.W2_2S, Rule.R_4S, Rule.W4_1S, Rule.X8, Rule.X10, Rule.T7)
THREE_LEVELS = (Rule.W1_2S, Rule.W1_3S, Rule.W2OF3_2S, Rule.R_4S, Rule.W3_1S, Rule.X6, Rule.X9, Rule.X12, Rule.T7)


@dataclass(frozen=True, slots=True)
class Target:
    """What a lot of a level should measure."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (self.sd > 0 and abs(self.mean) < float("inf")):
            raise ValueError(
                f"a target needs a mean and an SD above zero, not {self.mean} and {self.sd}; check the lot"
            )

    def z(self, value: float) -> float:
        """How many SD a value lies from the mean."""
        return (value - self.mean) / self.sd


@dataclass(frozen=True, slots=True)
class Run:
    """One run: z by level. `restart`: a documented corrective action, calibration or lot change came before it."""

    z: Mapping[str, float]
    restart: bool = False
    excluded: frozenset[str] = frozenset()  # levels marked as a technical error: shown, and judged by nothing


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken: in which scope, by which levels, and the z that broke it, oldest first."""

    rule: Rule
    scope: Scope
    levels: tuple[str, ...]
    z: tuple[float, ...]

    @property
    def rejects(self) -> bool:
        """True when patients' results wait."""
        return self.rule not in WARNING


def judge(runs: Sequence[Run], levels: Sequence[str], rules: Sequence[Rule]) -> tuple[Violation, ...]:
    """Return what the newest of these runs breaks; `levels` is their fixed order, `runs` oldest first."""
    if not runs:
        return ()
    known = _since_restart(runs)
    newest = [(level, known[-1].z[level]) for level in levels if _counts(known[-1], level)]
    one_level = {level: [run.z[level] for run in known if _counts(run, level)] for level, _ in newest}
    mixed = [(level, run.z[level]) for run in known for level in levels if _counts(run, level)]
    found: list[Violation] = []
    for rule in rules:
        found += _FIND[rule](rule, newest, one_level, mixed)
    return tuple(found)


def _since_restart(runs: Sequence[Run]) -> list[Run]:
    start = max((place for place, run in enumerate(runs) if run.restart), default=0)
    return list(runs[start:])


def _counts(run: Run, level: str) -> bool:
    return level in run.z and level not in run.excluded


Newest = Sequence[tuple[str, float]]
OneLevel = Mapping[str, Sequence[float]]
Finder = Callable[[Rule, Newest, OneLevel, Newest], Iterator[Violation]]


def _beyond(z: float, limit: float) -> int:
    """Return 1 above +limit, -1 below -limit, else 0; exactly at it is not beyond it."""
    return 1 if less(limit, z) else -1 if less(z, -limit) else 0


def _single(limit: float) -> Finder:
    def find(rule: Rule, newest: Newest, one_level: OneLevel, mixed: Newest) -> Iterator[Violation]:
        for level, z in newest:
            if _beyond(z, limit):
                yield Violation(rule, "run", (level,), (z,))

    return find


def _same_side(values: Sequence[float], limit: float) -> bool:
    sides = {_beyond(z, limit) for z in values}
    return len(sides) == 1 and sides != {0}


def _within(rule: Rule, one_level: OneLevel, count: int, limit: float) -> Iterator[Violation]:
    for level, values in one_level.items():
        last = values[-count:]
        if len(last) == count and _same_side(last, limit):
            yield Violation(rule, "within", (level,), tuple(last))


def _two_two(rule: Rule, newest: Newest, one_level: OneLevel, mixed: Newest) -> Iterator[Violation]:
    yield from _within(rule, one_level, 2, 2.0)
    for (a, x), (b, y) in pairwise(newest):
        if _same_side((x, y), 2.0):
            yield Violation(rule, "run", (a, b), (x, y))


def _two_of_three(rule: Rule, newest: Newest, one_level: OneLevel, mixed: Newest) -> Iterator[Violation]:
    for side in (1, -1):
        out = [(level, z) for level, z in newest if _beyond(z, 2.0) == side]
        if len(newest) >= 3 and len(out) >= 2:
            yield Violation(rule, "run", tuple(level for level, _ in out), tuple(z for _, z in out))
        for level, values in one_level.items():
            last = values[-3:]
            ends = _beyond(last[-1], 2.0) == side
            if len(last) == 3 and ends and sum(_beyond(z, 2.0) == side for z in last) >= 2:
                yield Violation(rule, "within", (level,), tuple(last))


def _opposite(rule: Rule, newest: Newest, one_level: OneLevel, mixed: Newest) -> Iterator[Violation]:
    above = [pair for pair in newest if _beyond(pair[1], 2.0) == 1]
    below = [pair for pair in newest if _beyond(pair[1], 2.0) == -1]
    if above and below:
        pairs = (above[0], below[0])
        yield Violation(rule, "run", tuple(level for level, _ in pairs), tuple(z for _, z in pairs))


def _range(rule: Rule, newest: Newest, one_level: OneLevel, mixed: Newest) -> Iterator[Violation]:
    if len(newest) < 2:
        return
    high, low = max(newest, key=lambda pair: pair[1]), min(newest, key=lambda pair: pair[1])
    if less(4.0, high[1] - low[1]):
        yield Violation(rule, "run", (high[0], low[0]), (high[1], low[1]))


def _sequence(count: int, limit: float) -> Finder:
    def find(rule: Rule, newest: Newest, one_level: OneLevel, mixed: Newest) -> Iterator[Violation]:
        yield from _within(rule, one_level, count, limit)
        if len({level for level, _ in mixed}) < 2:
            return
        for end in range(len(mixed) - len(newest) + 1, len(mixed) + 1):
            window = mixed[max(0, end - count) : end]
            if len(window) == count and _same_side([z for _, z in window], limit):
                yield Violation(
                    rule, "across", tuple(dict.fromkeys(level for level, _ in window)), tuple(z for _, z in window)
                )
                return

    return find


def _drift(rule: Rule, newest: Newest, one_level: OneLevel, mixed: Newest) -> Iterator[Violation]:
    for level, values in one_level.items():
        last = values[-7:]
        if len(last) < 7:
            continue
        steps = list(pairwise(last))
        if all(less(a, b) for a, b in steps) or all(less(b, a) for a, b in steps):
            yield Violation(rule, "within", (level,), tuple(last))


_FIND: Mapping[Rule, Finder] = {
    Rule.W1_2S: _single(2.0), Rule.W1_3S: _single(3.0), Rule.W2_2S: _two_two, Rule.W2OF3_2S: _two_of_three, Rule.R_4S: _opposite,
    Rule.R_4S_RANGE: _range, Rule.W3_1S: _sequence(3, 1.0), Rule.W4_1S: _sequence(4, 1.0), Rule.X6: _sequence(6, 0.0), Rule.X8: _sequence(8, 0.0),
    Rule.X9: _sequence(9, 0.0), Rule.X10: _sequence(10, 0.0), Rule.X12: _sequence(12, 0.0), Rule.T7: _drift,
}  # fmt: skip
