"""How does a driver say where things stand in a text that is no ASTM? It lays the text out as LIS02-A2 records, which are then read like any others.

A layout is one pure function beside the declaration (law 9). It moves text, and judges only whether the text has the family's shape: what a unit, a
number or a code means is read from the records by the code that reads every ASTM analyzer. Every piece of the text is accounted for, so that
`labmw link replay` can show what has no place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from labmw.driver.declaration import Driver
from protocols.astm.record import Value, build
from protocols.plain.message import PlainMessage
from protocols.plain.tolerance import PLAIN, PlainTolerances


class NotUnderstood(Exception):
    """The text has not the shape that the family's layout knows; the message says where."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a text as sent; `placed` False: nothing of it is read."""

    text: str
    placed: bool = True


@dataclass(frozen=True, slots=True)
class Laid:
    """A text as records. `line_of` says for each record which of the `lines` it was made of; `whole` False: its own end did not come."""

    records: tuple[str, ...]
    lines: tuple[tuple[Piece, ...], ...]
    line_of: tuple[int, ...]
    whole: bool = True


Layout = Callable[[PlainMessage], Laid]
"""Lays a message out; raises NotUnderstood."""


@dataclass(slots=True)
class Sheet:
    """Collects records and the lines they are made of; a record belongs to the line that was begun last."""

    records: list[str] = field(default_factory=list)
    lines: list[list[Piece]] = field(default_factory=list)
    line_of: list[int] = field(default_factory=list)

    def line(self) -> None:
        """Begin a line."""
        self.lines.append([])

    def piece(self, text: str, *, placed: bool = True) -> None:
        """A part of the text as sent."""
        if text:
            self.lines[-1].append(Piece(text, placed))

    def record(self, letter: str, **values: Value) -> None:
        """A record with fields f2, f3 ..."""
        numbered = {int(name[1:]): value for name, value in values.items() if value}
        self.records.append(build(letter, numbered))
        self.line_of.append(max(0, len(self.lines) - 1))

    def laid(self, *, whole: bool = True) -> Laid:
        """The sheet, with the end that LIS02-A2 wants."""
        self.record("L", f2="1", f3="N")
        return Laid(tuple(self.records), tuple(tuple(one) for one in self.lines), tuple(self.line_of), whole)


def as_sent(message: PlainMessage) -> Laid:
    """Lay nothing out: each text is kept whole as a manufacturer's record."""
    sheet = Sheet()
    sheet.record("H", f5="")
    for text in message.decoded():
        sheet.line()
        sheet.piece(text)
        sheet.record("M", f2=str(len(sheet.lines)), f3=text)
    return sheet.laid()


def check_length(texts: Sequence[str], most: int) -> None:
    """Refuse texts of a size that the family never sends."""
    if sum(map(len, texts)) > most:
        raise NotUnderstood(f"{sum(map(len, texts))} characters; this family sends at most {most}")


@dataclass(frozen=True, slots=True)
class PlainDriver(Driver):
    """A family with a link of its own: its layout, and how its line is set where the maker's menus leave it alone."""

    protocol: Literal["astm", "hl7", "tags", "stx", "au", "pk", "rapid"] = "stx"
    layout: Layout = as_sent
    wire: PlainTolerances = PLAIN
