"""What a capture became, record by record, and what it would be answered: values, to be drawn or printed as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from labmw.cli.render import Shown
from labmw.driver.reading import Facts

HOST = "LABMW"
"""Who answers, in the header of what is shown."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a record as sent; `placed` False: no place is declared for it."""

    text: str
    placed: bool = True


@dataclass(frozen=True, slots=True)
class Became:
    """What one record became: the code of a phrase with its facts; `well` False where a person has to look."""

    code: str
    facts: Facts = ()
    well: bool = True


@dataclass(frozen=True, slots=True)
class RecordShown:
    """One record or segment."""

    kind: str
    pieces: tuple[Piece, ...]
    became: tuple[Became, ...]

    @property
    def raw(self) -> str:
        """The record as sent."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def unplaced(self) -> tuple[str, ...]:
        """What has no place."""
        return tuple(piece.text for piece in self.pieces if not piece.placed)


@dataclass(frozen=True, slots=True)
class AnswerShown:
    """The answer to one query: the records of each message, or why there is none."""

    said: str
    messages: tuple[tuple[str, ...], ...] = ()
    again: tuple[str, ...] = ()
    why: str = ""
    facts: Facts = ()


@dataclass(frozen=True, slots=True)
class Replayed:
    """One message of the capture."""

    shown: Shown
    driver: str
    records: tuple[RecordShown, ...]
    answer: AnswerShown | None = None
