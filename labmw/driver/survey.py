"""What does a capture show of a family that nobody knows yet? Counted, never concluded: what only looks so is a candidate for a person.

Read with the places of the standard; where a place is always empty and a neighbour is not, the neighbour is taken and said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from labmw.driver.declaration import STANDARD_FLAGS, Field
from labmw.errors import QuantityError
from labmw.quantity import PLAIN, read_number, ucum
from protocols.astm.message import Message as AstmMessage
from protocols.astm.record import Record
from protocols.hl7.er7 import Message as Hl7Message
from protocols.hl7.segment import Segment

MOST_TESTS = 2000
"""Codes of one capture that are kept; a menu has some hundred."""
EXAMPLES = 4
"""Values of one code that are shown."""
_COMMA = re.compile(r"[<>≤≥=\s]*\d+,(\d+)")
_POINT = re.compile(r"[<>≤≥=\s]*\d+\.\d+")


@dataclass(slots=True)
class Seen:
    """One test code as it was seen."""

    code: str
    count: int = 0
    name: str = ""
    system: str = ""  # HL7: the coding system that stands beside the code
    units: Counter[str] = field(default_factory=Counter)
    values: list[str] = field(default_factory=list)

    @property
    def unit(self) -> tuple[str, str]:
        """The commonest unit as sent, and the UCUM code that it may stand for ("" when nobody has declared it)."""
        if not self.units:
            return "", ""
        sent = self.units.most_common(1)[0][0]
        try:
            return sent, ucum(sent)
        except QuantityError:
            return sent, ""

    def saw(self, value: str, unit: str) -> None:
        """Count one result."""
        self.count += 1
        if unit and (unit in self.units or len(self.units) < 20):
            self.units[unit] += 1
        if value and value not in self.values and len(self.values) < EXAMPLES:
            self.values.append(value)


@dataclass(frozen=True, slots=True)
class Survey:
    """What was seen: who sends, which tests, where things stand, and what a person has to decide."""

    protocol: str
    senders: Counter[str]
    messages: int
    tests: dict[str, Seen]
    specimen: Field
    test: Field
    comma: int  # values with a decimal comma, of which at least one cannot be a thousands separator
    grouped: int  # values such as 161,152, which may be either
    point: int
    words: Counter[str]  # values without a digit
    flags: Counter[str]  # flag letters that the standard does not explain
    header: tuple[str, ...]  # components of the sender field behind the first, the same in every message
    controls: int  # orders marked as quality control


def of_astm(messages: Sequence[AstmMessage]) -> Survey:
    """Survey messages of LIS02-A2; those that cannot be split are passed over."""
    sound = [one for one in messages if one.fault is None]
    every = [record for one in sound for record in one.records]
    results = [record for record in every if record.type == "R"]
    orders = [record for record in every if record.type == "O"]
    senders = Counter(header.field(5) for one in sound if (header := one.header) is not None)
    test, specimen = _place(results, 3, 4), _specimen(orders)
    tally = _Tally()
    for record in results:
        code = record.component(3, test.component).strip()
        tally.saw(code, "", "", record.component(4, 1).strip(), record.field(5).strip())
        tally.flagged(record.repeats(7))
    return Survey(
        "astm",
        senders,
        len(sound),
        tally.tests,
        specimen,
        test,
        tally.comma,
        tally.grouped,
        tally.point,
        tally.words,
        tally.flags,
        _constant([header.components(5) for one in sound if (header := one.header) is not None]),
        sum("Q" in record.repeats(12) for record in orders),
    )


def of_hl7(messages: Sequence[Hl7Message]) -> Survey:
    """Survey HL7 v2 messages."""
    every: list[Segment] = [segment for one in messages for segment in one.segments]
    tally = _Tally()
    for obx in (segment for segment in every if segment.name == "OBX"):
        if obx.component(2) in ("ED", "RP"):
            continue
        tally.saw(
            obx.component(3).strip(),
            obx.component(3, 2),
            obx.component(3, 3),
            obx.component(5).strip(),
            obx.component(6).strip(),
        )
        tally.flagged(obx.repetitions(8))
    places = (Field("SPM", 2, 1), Field("SAC", 3, 1), Field("OBR", 3, 1), Field("OBR", 2, 1), Field("PID", 3, 1))
    filled = [
        place for place in places if any(one.name == place.record and one.component(place.field) for one in every)
    ]
    return Survey(
        "hl7",
        Counter(f"{one.header.field(3)}|{one.header.field(4)}" for one in messages),
        len(messages),
        tally.tests,
        filled[0] if filled else places[0],
        Field("OBX", 3, 1),
        tally.comma,
        tally.grouped,
        tally.point,
        tally.words,
        tally.flags,
        (),
        sum(one.header.component(11) == "Q" for one in messages),
    )


@dataclass(slots=True)
class _Tally:
    """Counts what results say."""

    tests: dict[str, Seen] = field(default_factory=dict)
    words: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    comma: int = 0
    grouped: int = 0
    point: int = 0

    def saw(self, code: str, name: str, system: str, value: str, unit: str) -> None:
        if not code or (code not in self.tests and len(self.tests) >= MOST_TESTS):
            return
        one = self.tests.setdefault(code, Seen(code, name=name, system=system))
        one.saw(value, unit)
        if match := _COMMA.fullmatch(value):
            if len(match[1]) == 3 and not value.strip("<>≤≥= ").startswith("0,"):
                self.grouped += 1
            else:
                self.comma += 1
        elif _POINT.fullmatch(value):
            self.point += 1
        elif (
            value
            and read_number(value, PLAIN) is None
            and not any(c.isdigit() for c in value)
            and len(self.words) < 100
        ):
            self.words[value] += 1

    def flagged(self, repeats: Sequence[str]) -> None:
        for text in repeats:
            letter = text.strip()
            if letter and letter not in STANDARD_FLAGS and len(self.flags) < 100:
                self.flags[letter] += 1


def _place(results: Sequence[Record], number: int, usual: int) -> Field:
    """Where the test code stands: the usual component, or the first that is filled in every result where that one is always empty."""
    if not results or any(one.component(number, usual).strip() for one in results):
        return Field("R", number, usual)
    width = max(len(one.components(number)) for one in results)
    filled = (n for n in range(1, min(width, 30) + 1) if all(one.component(number, n).strip() for one in results))
    return Field("R", number, next(filled, usual))


def _specimen(orders: Sequence[Record]) -> Field:
    """Where the specimen stands: O.3.1, or the first component of O.3, then of O.4, that is ever filled."""
    for number in (3, 4):
        for component in range(1, 9):
            if any(one.component(number, component).strip() for one in orders):
                return Field("O", number, component)
    return Field("O", 3, 1)


def _constant(headers: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The components of the sender that are the same in every message."""
    if not headers:
        return ()
    first = headers[0]
    return tuple(
        part if all(len(one) > n and one[n] == part for one in headers) else "" for n, part in enumerate(first)
    )
