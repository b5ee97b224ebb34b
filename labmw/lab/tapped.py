"""What would labmw have done, and what did the incumbent do? Verdicts of a tap beside decisions from a file; pure, and the file's reading.

A decision file is a CSV with the columns specimen, test (a LOINC code, or the analyzer's own code), value, decision: `released` for what went out
without a person, `held` for what a person looked at. `completed` may tell several runs apart.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from labmw.errors import LabmwError, PackError
from labmw.model import Reason, VerdictLevel
from rules.spreadsheet import read_sheet

TAPPED: Final = "labmw/tap"
"""The rule by which nothing of a tap leaves labmw."""
COLUMNS: Final = ("specimen", "test", "value", "decision", "completed")
Outcome = Literal[
    "both-release",
    "both-hold",
    "only-they-release",
    "only-we-release",
    "other-value",
    "only-theirs",
    "only-ours",
    "unread",
]
OUTCOMES: Final[tuple[Outcome, ...]] = (
    "only-we-release", "other-value", "unread", "only-ours", "only-theirs", "only-they-release", "both-hold", "both-release",
)  # fmt: skip
"""The gravest first: what labmw would have let go and a person had stopped."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the incumbent did with one result."""

    line: int
    specimen: str
    test: str
    value: str
    released: bool
    completed: str = ""


@dataclass(frozen=True, slots=True)
class Ours:
    """What labmw made of one result of a tap; `released` is what its rules say, were it not a tap."""

    result: int
    specimen: str
    code: str
    loinc: str
    value: str
    completed: str
    state: str
    released: bool
    reasons: tuple[tuple[str, Mapping[str, object]], ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """One comparison."""

    outcome: Outcome
    ours: Ours | None
    theirs: Decision | None


def reason(link: str) -> Reason:
    """Why a result of a tap stays."""
    return Reason("tapped", VerdictLevel.HOLD, TAPPED, (("link", link),))


def read_decisions(file: str, data: bytes) -> list[Decision]:
    """Read a decision file, as a spreadsheet of either country writes it; raises LabmwError with line and remedy."""
    head = data.split(b"\n", 1)[0]
    columns = COLUMNS if b"completed" in head else COLUMNS[:-1]
    try:
        sheet = read_sheet(file, data, columns, ())
    except PackError as error:
        raise LabmwError(str(error)) from None
    found = []
    for line in sheet.lines:
        word = line.cells["decision"].casefold()
        if word not in ("released", "held"):
            raise LabmwError(
                f"{file}: line {line.number}: {line.cells['decision']!r} is no decision; write released or held"
            )
        cells = (line.cells["specimen"], line.cells["test"], line.cells["value"])
        if not all(cells[:2]):
            raise LabmwError(f"{file}: line {line.number}: has no specimen or no test; give both")
        found.append(Decision(line.number, *cells, word == "released", line.cells.get("completed", "")))
    return found


def compare(ours: Sequence[Ours], theirs: Sequence[Decision]) -> list[Pair]:
    """Put each result beside its decision: by specimen and test, then by completion time or value where there are several; each is used once."""
    waiting: defaultdict[tuple[str, str], list[Ours]] = defaultdict(list)
    for one in ours:
        for name in {one.code, one.loinc} - {""}:
            waiting[one.specimen, name].append(one)
    used: set[int] = set()
    pairs: list[Pair] = []
    for decision in theirs:
        free = [one for one in waiting[decision.specimen, decision.test] if one.result not in used]
        match = _best(free, decision)
        if match is not None:
            used.add(match.result)
        pairs.append(Pair(_outcome(match, decision), match, decision))
    pairs += [Pair("only-ours", one, None) for one in ours if one.result not in used]
    return sorted(pairs, key=lambda pair: OUTCOMES.index(pair.outcome))


def counted(pairs: Sequence[Pair]) -> dict[Outcome, int]:
    """How many there are of each outcome, the gravest first."""
    count = Counter(pair.outcome for pair in pairs)
    return {outcome: count[outcome] for outcome in OUTCOMES}


def _best(free: Sequence[Ours], decision: Decision) -> Ours | None:
    def fitness(one: Ours) -> tuple[bool, bool]:
        return bool(decision.completed) and one.completed == decision.completed, same_value(one.value, decision.value)

    return max(free, key=fitness, default=None)


def _outcome(ours: Ours | None, theirs: Decision) -> Outcome:
    if ours is None:
        return "only-theirs"
    if ours.state == "quarantined":
        return "unread"
    if not same_value(ours.value, theirs.value):
        return "other-value"
    if ours.released:
        return "both-release" if theirs.released else "only-we-release"
    return "only-they-release" if theirs.released else "both-hold"


def same_value(ours: str, theirs: str) -> bool:
    """Whether two texts say the same: the same number however it is written, else the same letters."""
    first, second = _number(ours), _number(theirs)
    if first is not None and second is not None:
        return first == second
    return ours.strip().casefold() == theirs.strip().casefold()


def _number(text: str) -> tuple[str, Decimal] | None:
    bare = text.strip()
    comparator = next((mark for mark in ("<=", ">=", "<", ">") if bare.startswith(mark)), "")
    try:
        number = Decimal(bare[len(comparator) :].strip().replace(",", "."))
    except InvalidOperation:
        return None
    return (comparator, number) if number.is_finite() else None
