"""How does a family ask for the work of a tube in HL7 when it does not follow IHE LAW, and in what words is it answered?

What every such dialect shares, as values: the question, the work, and the functions that read the one and write the other. The dialects
themselves are `display_query` (QRY^Q02, QCK^Q02, DSR^Q03), `z03_query` (QBP^Z03, RSP^Z02) and `mode_query` (ORM^O01, ORR^O02). None of them knows an identity of an order:
tube and test are all that an analyzer is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from protocols.hl7.acknowledgment import ErrorDetail
from protocols.hl7.er7 import Field, Message, Raw
from protocols.hl7.fields import row


@dataclass(frozen=True, slots=True)
class TubeQuery:
    """What is asked for: the work of one tube. `taken_back`: an earlier question is; `problem`: why it cannot be answered."""

    tube: str = ""
    taken_back: bool = False
    problem: ErrorDetail | None = None


@dataclass(frozen=True, slots=True)
class TestAsked:
    """One test in the analyzer's own code; priority of HL7 table 0485."""

    __test__ = False  # not a pytest class

    code: str
    priority: str = "R"


@dataclass(frozen=True, slots=True)
class TubeWork:
    """What is to be done with one tube, and whose it is where that may be told. Times as HL7 writes them, birth as YYYYMMDD."""

    tube: str
    tests: tuple[TestAsked, ...]
    patient: str = ""
    family: str = ""
    given: str = ""
    birth: str = ""
    sex: str = ""
    kind: str = ""  # specimen type as ordered
    collected: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """Number and time of a message of ours."""

    control_id: str
    when: str


Answer = Callable[[Message, TubeWork | None, ErrorDetail | None, Moment], bytes]
"""The reply to a question: the question's message, the work if there is some, why it cannot be answered, and our number and time."""
Order = Callable[[Message, TubeWork, Moment], bytes]
"""The message that gives the work: the question's message, the work, and our number and time."""


@dataclass(frozen=True, slots=True)
class AskingDialect:
    """One way of asking. `order` writes the message that follows the reply and that the analyzer acknowledges; None: the reply holds the work,
    and nothing tells us that it has come. `queries` are types of messages, as QRY^Q02."""

    name: str
    source: str
    queries: frozenset[str]
    read: Callable[[Message], TubeQuery]
    answer: Answer
    order: Order | None = None


def opening(message: Message, kind: tuple[str, str], moment: Moment, cells: dict[int, Field]) -> list[Field]:
    """MSH of what is said to a question: its names in the other direction, with their components as they came; `cells` are MSH-12 and on."""
    asked = message.header
    names: dict[int, Field] = {
        3: Raw(asked.field(5)),
        4: Raw(asked.field(6)),
        5: Raw(asked.field(3)),
        6: Raw(asked.field(4)),
    }
    when = moment.when[:14]  # without the offset: these versions know none
    return row("MSH", {**names, 7: when, 9: kind, 10: moment.control_id, 11: Raw(asked.field(11)) or "P", **cells})
