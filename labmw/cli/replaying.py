"""What became of each record of a capture, what has no place, and what would labmw answer? Values, to be drawn or printed as JSON.

No line is opened and no store: the capture is read as `labmw decode` reads it, and a query is answered by the functions that the daemon
answers with, from a worklist file in place of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from labmw.cli.render import Decoded, Shown, result_outcome
from labmw.cli.replayed import HOST, AnswerShown, Became, Piece, RecordShown, Replayed
from labmw.cli.worklist_file import Worklist
from labmw.driver import Driver
from labmw.driver.answering import Answer, Said, answer
from labmw.driver.asking import Asked, What, asked
from labmw.driver.declaration import Hl7Driver
from labmw.driver.order_writing import Occasion
from labmw.driver.picture import Picture, pictures_of
from labmw.driver.placed import fields_read, kept_whole
from labmw.driver.plain import lay_out, records_of
from labmw.driver.reading import Facts, ResultRead
from labmw.errors import DriverError
from labmw.model import Disposition
from protocols.astm.message import Message
from protocols.astm.record import STANDARD, Record
from protocols.hl7.er7 import Message as Hl7Message
from protocols.hl7.profile import GENERIC, LawProfile
from protocols.plain.message import PlainMessage


@dataclass(frozen=True, slots=True)
class Replay:
    """What is needed to replay: who reads what, the worklist (None: no answer is worked out), and the moment of the answer."""

    zone: ZoneInfo
    now: datetime
    worklist: Worklist | None = None
    profile: LawProfile = GENERIC

    def of(self, decoded: Decoded) -> list[Replayed]:
        """Every message of a decoded capture."""
        return [self._one(shown) for shown in decoded.messages]

    def _one(self, shown: Shown) -> Replayed:
        message, driver = shown.message, shown.driver
        assert driver is not None
        if isinstance(message, Hl7Message):
            from labmw.cli.replaying_law import answer_law  # only HL7 needs its codecs

            said = None
            if self.worklist is not None:
                said = answer_law(self.worklist, message, driver, self.profile, self.now, self.zone)
            return Replayed(shown, driver.name, tuple(_segments(message, shown, driver)), said)
        if isinstance(message, PlainMessage):
            return Replayed(shown, driver.name, tuple(_lines(message, shown, driver)), self._unanswered(shown))
        assert isinstance(message, Message)
        if message.fault is not None:
            lines = tuple(line.decode("latin-1") for line in message.lines)
            why = Became("replay-unreadable", (("why", str(message.fault)),), well=False)
            whole = tuple(RecordShown(line[:1], (Piece(line, placed=False),), (why,)) for line in lines)
            return Replayed(shown, driver.name, whole)
        return Replayed(
            shown, driver.name, tuple(_records(message, shown, driver)), self._answer(message, shown, driver)
        )

    def _unanswered(self, shown: Shown) -> AnswerShown | None:
        """A question on a plain link gets no work yet, and the reader is told so."""
        if self.worklist is None or not shown.reading.queries:
            return None
        return AnswerShown(Said.UNABLE, why="replay-plain-question")

    def _answer(self, message: Message, shown: Shown, driver: Driver) -> AnswerShown | None:
        question = asked(message, driver)
        if question is None or self.worklist is None:
            return None
        if shown.damaged or not message.terminated:
            return AnswerShown(Said.NOTHING, why="replay-not-taken")
        header = message.header
        occasion = Occasion(
            HOST,
            self.now,
            self.zone,
            "REPLAY",
            tuple(header.components(5)) if header else (),
            header.field(13) if header else "",
            message.delimiters if header else STANDARD,
            message.encoding,
        )
        try:
            found = self.worklist.work_for(question, driver)
            given = answer(driver, occasion, question, found, fresh=self.worklist.fresh)
        except DriverError as error:
            return AnswerShown(Said.NOTHING, why="replay-unwritable", facts=(("why", str(error)),))
        return _shown(given)


def _shown(given: Answer) -> AnswerShown:
    messages = tuple(tuple(record.raw for record in one.records) for one in given.messages)
    return AnswerShown(given.said, messages, given.again, given.why)


def _records(message: Message, shown: Shown, driver: Driver) -> Iterator[RecordShown]:
    reading = shown.reading
    results = {one.record: one for one in reading.results}
    orders, patients = iter(reading.orders), iter(reading.patients)
    question = asked(message, driver)
    drawn: dict[int, list[Picture]] = {}
    for one in pictures_of(message):
        drawn.setdefault(one.record - 1, []).append(one)
    for place, record in enumerate(message.records):
        kind, became = record.type, Became("replay-kept")
        if kind == "H":
            became = Became("replay-header", (("sender", reading.sender or "-"), ("driver", reading.driver)))
        elif kind == "P":
            patient = next(patients)
            who = patient.practice_id or patient.lab_id or patient.id3 or "-"
            became = Became("replay-patient", (("patient", who),))
        elif kind == "O":
            order = next(orders)
            facts: Facts = (("specimen", order.specimen or "-"), ("tests", ", ".join(filter(None, order.codes)) or "-"))
            became = Became("replay-order", facts, well=bool(order.specimen))
        elif kind == "R" and place in results:
            became = _of_result(shown, results[place])
        elif kind == "Q" and question is not None:
            became = _of_query(question)
        elif kind == "C":
            became = Became("replay-comment")
        elif kind == "L":
            became = Became("replay-end" if message.terminated else "replay-kept")
        elif kind == "M" and place in drawn:
            of = drawn[place]
            said = (
                ("name", of[0].name or "-"),
                ("of", of[0].of or "-"),
                ("points", str(max(len(one.numbers()) for one in of))),
            )
            became = Became(f"replay-{of[0].kind}", said)
        elif not kept_whole(kind):
            became = Became("replay-nowhere", well=False)
        yield RecordShown(kind, tuple(_pieces(record, driver)), (became,))


def _lines(message: PlainMessage, shown: Shown, driver: Driver) -> Iterator[RecordShown]:
    """The lines of a plain text, each with what its records became."""
    laid, _ = lay_out(message, driver)
    became = [one.became for one in _records(records_of(message, laid), shown, driver)]
    for place, line in enumerate(laid.lines):
        of_line = [
            one
            for record, number, told in zip(laid.records, laid.line_of, became, strict=True)
            if number == place and record[:1] not in ("H", "L")
            for one in told
        ]
        yield RecordShown(message.protocol, tuple(Piece(one.text, one.placed) for one in line), tuple(of_line))


def _of_query(question: Asked) -> Became:
    names = ", ".join(one.identifier for one in question.tubes[:20])
    more = f" (+{len(question.tubes) - 20})" if len(question.tubes) > 20 else ""
    facts: Facts = (
        ("specimens", names + more or "-"),
        ("tests", ", ".join(sorted(question.tests))),
        ("first", question.first),
        ("last", question.last),
    )
    if question.what is What.UNSERVED:
        return Became(question.why, facts, well=False)
    code = "tests" if question.tests and question.tubes else question.what.value
    return Became(f"replay-asks-{code}", facts)


def _of_result(shown: Shown, result: ResultRead) -> Became:
    disposition, reason, facts = result_outcome(shown, result)
    told: Facts = (
        ("test", " ".join(filter(None, (result.loinc or result.code, result.test_name, result.part))) or "-"),
        ("value", " ".join(filter(None, (result.value, result.ucum or result.unit_raw))) or "-"),
        ("specimen", result.specimen or "-"),
    )
    if disposition is not Disposition.ACCEPTED:
        return Became(f"replay-result-{disposition.value}", (*told, *facts, ("reason", reason)), well=False)
    kind = "control" if result.control else "accepted" if result.main else "detail"
    return Became(f"replay-result-{kind}", told)


def _pieces(record: Record, driver: Driver) -> Iterator[Piece]:
    """The record cut where what has a place meets what has none; delimiters go with the field before them."""
    if kept_whole(record.type):
        yield Piece(record.raw)
        return
    read = fields_read(driver, record.type)
    mark = record.delimiters.field
    for number, text in enumerate(record.fields, 1):
        placed = read is None or number in read or not text.strip(f" {record.delimiters.component}")
        yield from ([Piece(mark)] if number > 1 else [])
        if text:
            yield Piece(text, placed)


def _segments(message: Hl7Message, shown: Shown, driver: Driver) -> Iterator[RecordShown]:
    results = {one.record: one for one in shown.reading.results}
    queries = iter(shown.reading.queries)
    for place, segment in enumerate(message.segments):
        became = Became("replay-read")
        if segment.name == "MSH":
            sender, name = shown.reading.sender or "-", shown.reading.driver
            became = Became("replay-header", (("sender", sender), ("driver", name)))
        elif place in results:
            became = _of_result(shown, results[place])
        elif segment.name == "QPD":
            query = next(queries, None)
            names = ", ".join(query.specimens) if query else ""
            became = Became("replay-asks-tubes", (("specimens", names or "-"),))
        elif isinstance(driver, Hl7Driver) and fields_read(driver, segment.name) == frozenset():
            became = Became("replay-nowhere", well=False)
        read = fields_read(driver, segment.name)
        pieces: list[Piece] = []
        for number, text in enumerate(segment.line.split(message.separators.field)):
            pieces += [Piece(message.separators.field)] if number else []
            placed = read is None or number in read or (number == 0 and bool(read)) or not text
            pieces += [Piece(text, placed)] if text else []
        yield RecordShown(segment.name, tuple(pieces), (became,))


Speak = Callable[[str, Facts], str]
"""Says a code with its facts in the reader's language."""


def reason_of(one: Became, speak: Speak) -> str:
    """Why a result is not believed, in words; "" where nothing is wrong with it."""
    facts = dict(one.facts)
    reason = facts.pop("reason", "")
    return speak(reason, tuple(facts.items())) if reason else ""


def spoken(one: Became, speak: Speak) -> str:
    """What a record became, in words."""
    return speak(one.code, (("why", reason_of(one, speak)), *one.facts))


def as_json_of(decoded: Decoded, replayed: Sequence[Replayed], speak: Speak) -> dict[str, Any]:
    """One capture, with everything that was found in it."""
    return {
        "file": decoded.file,
        "bytes": decoded.size,
        "framing": decoded.framing,
        "tolerances": list(decoded.used),
        "refused": speak(decoded.refused, decoded.refused_facts) if decoded.refused else "",
        "messages": _messages(replayed, speak),
    }


def _messages(replayed: Sequence[Replayed], speak: Speak) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.shown.reading.kind,
            "driver": one.driver,
            "terminated": one.shown.reading.terminated,
            "damaged": one.shown.damaged,
            "records": [
                {
                    "type": record.kind,
                    "raw": record.raw,
                    "became": [
                        {"code": became.code, "text": spoken(became, speak), "well": became.well}
                        for became in record.became
                    ],
                    "unplaced": list(record.unplaced),
                }
                for record in one.records
            ],
            "answer": None if one.answer is None else _answer_json(one.answer, speak),
        }
        for one in replayed
    ]


def _answer_json(given: AnswerShown, speak: Speak) -> dict[str, Any]:
    return {
        "said": str(given.said),
        "messages": [list(one) for one in given.messages],
        "present_again": list(given.again),
        "why": given.why,
        "why_text": speak(given.why, given.facts) if given.why else "",
    }
