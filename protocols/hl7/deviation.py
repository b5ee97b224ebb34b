"""What is wrong with a message, where, and who says so?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

Facts = tuple[tuple[str, str], ...]


class Severity(Enum):
    """How bad a deviation is: an error breaks the rule, a warning will trouble somebody, a note is for the reader."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Deviation:
    """One rule that a message breaks.

    ``place`` is the segment's place in the message, from 0; ``index`` which one of its name it is, from 1; ``field`` is 0
    when the whole segment is meant; ``component`` is 0 when the whole field is. The sentence for people is the phrase ``text_code`` with its ``facts``.
    """

    segment: str
    index: int
    field: int
    rule: str
    source: str
    severity: Severity
    text_code: str
    facts: Facts = ()
    place: int = -1
    component: int = 0

    @property
    def where(self) -> str:
        """OBX[2]-5.1, for people."""
        number = f"[{self.index}]" if self.index else ""
        field = f"-{self.field}" if self.field else ""
        return f"{self.segment}{number}{field}" + (f".{self.component}" if self.component else "")
