"""How is a row of fields laid out, and how are repeated fields read? What the writers and readers of whole messages share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from protocols.hl7.datatypes import Code, EntityId, Identifier, Person, kept
from protocols.hl7.er7 import Field, Segment
from protocols.hl7.report import Comment


def row(name: str, cells: Mapping[int, Field]) -> list[Field]:
    """The row of a segment, its fields given by their number."""
    made: list[Field] = [None] * (max(cells, default=0) + 1)
    made[0] = name
    for n, value in cells.items():
        made[n] = value
    return made


def coded(code: Code | None) -> Field:
    """A code as a field."""
    return code.components() if code else None


def numbered(number: EntityId | None) -> Field:
    """An order number or serial number as a field (EI)."""
    return number.components() if number else None


def each(segment: Segment, n: int) -> range:
    """The numbers of the repetitions of field n."""
    return range(1, len(segment.repetitions(n)) + 1)


def codes(segment: Segment, n: int) -> tuple[Code, ...]:
    """Every code of a repeated field."""
    return _codes(segment, n, 0)


@kept
def _codes(segment: Segment, n: int, _: int) -> tuple[Code, ...]:
    return tuple(code for code in (Code.read(segment, n, r) for r in each(segment, n)) if code)


def numbers(segment: Segment, n: int) -> tuple[EntityId, ...]:
    """Every EI of a repeated field."""
    return _numbers(segment, n, 0)


@kept
def _numbers(segment: Segment, n: int, _: int) -> tuple[EntityId, ...]:
    return tuple(number for number in (EntityId.read(segment, n, r) for r in each(segment, n)) if number)


def pairs(segment: Segment, n: int) -> tuple[EntityId, ...]:
    """The placer's number of every repetition of an EIP field, whose parts are subcomponents."""
    if not segment.field(n):
        return ()
    found = []
    for r in each(segment, n):
        parts = [segment.component(n, 1, s, r) for s in range(1, 5)]
        if any(parts):
            found.append(EntityId(*parts))
    return tuple(found)


def people(segment: Segment, n: int) -> tuple[Person, ...]:
    """Every person of a repeated field."""
    return _people(segment, n, 0)


@kept
def _people(segment: Segment, n: int, _: int) -> tuple[Person, ...]:
    return tuple(person for person in (Person.read(segment, n, r) for r in each(segment, n)) if person)


def identifiers(segment: Segment, n: int) -> tuple[Identifier, ...]:
    """Every identifier of a repeated field (CX)."""
    return tuple(item for item in (Identifier.read(segment, n, r) for r in each(segment, n)) if item)


def comments(segments: Iterable[Segment]) -> tuple[Comment, ...]:
    """The notes among these segments; the repetitions of NTE-3 are lines."""
    return tuple(
        Comment("\n".join(nte.text(3, r) for r in each(nte, 3)), nte.component(2), Code.read(nte, 4))
        for nte in segments
        if nte.name == "NTE"
    )


def notes(said: Iterable[Comment], source: str = "") -> list[list[Field]]:
    """The NTE rows of these comments; ``source`` is NTE-2 where a comment names none."""
    return [
        row("NTE", {1: str(n), 2: comment.source or source, 3: comment.text, 4: coded(comment.type)})
        for n, comment in enumerate(said, 1)
        if comment.text.strip()
    ]


def cut(segments: Iterable[Segment], starters: frozenset[str]) -> tuple[list[Segment], list[list[Segment]]]:
    """What stands before the first starter, and each starter with everything up to the next one."""
    head: list[Segment] = []
    groups: list[list[Segment]] = []
    for item in segments:
        if item.name in starters:
            groups.append([item])
        elif groups:
            groups[-1].append(item)
        else:
            head.append(item)
    return head, groups


def first(segments: Iterable[Segment], name: str) -> Segment | None:
    """The first segment of this name."""
    return next((item for item in segments if item.name == name), None)
