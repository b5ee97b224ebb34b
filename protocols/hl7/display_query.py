"""The display query of HL7 2.3.1: QRY^Q02 asks for a tube by its barcode, QCK^Q02 says whether there is work, DSR^Q03 gives it, ACK^Q03 has it.

DSP lines are numbered, and the number says what a line holds: 1 patient number, 3 name, 4 birth, 5 sex, 21 barcode, 24 urgent, 26 material;
from 29 on one test each, code^name^unit^range, of which the code says all. QRD-8 is the barcode; a query without one (by the analyzer's own sample numbers, or by time)
and one for more than this cannot be served. QRD-9 CAN takes an earlier one back.
"""

from __future__ import annotations

from collections.abc import Iterator

from protocols.hl7 import envelope
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.asking import AskingDialect, Moment, TubeQuery, TubeWork, opening
from protocols.hl7.er7 import Field, Message, Raw
from protocols.hl7.fields import row
from protocols.hl7.segment import encode_field
from protocols.hl7.separators import Separators

FIRST_TEST = 29
SEXES = {"M": "M", "F": "F"}
MATERIALS = {"SER": "serum", "PLAS": "plasma", "UR": "urine"}
"""HL7 table 0487 in the words of DSP 26; another material is left out, the analyzer then takes its own default."""
URGENT = frozenset({"S", "A"})


def read(message: Message) -> TubeQuery:
    """Which tube is asked about."""
    qrd = message.first("QRD")
    if qrd is None:
        return TubeQuery(problem=ErrorDetail("100", "QRD is missing", Location("QRD")))
    if qrd.component(9) == "CAN":
        return TubeQuery(taken_back=True)
    tube = qrd.component(8).strip()
    if not tube:
        return TubeQuery(problem=ErrorDetail("101", "ask by the barcode (QRD-8)", Location("QRD", 1, 8)))
    return TubeQuery(tube)


def answer(message: Message, work: TubeWork | None, problem: ErrorDetail | None, moment: Moment) -> bytes:
    """QCK^Q02: there is work (OK), there is none (NF), or it cannot be said (AE). Raises Hl7Error."""
    status = "AE" if problem else "OK" if work or read(message).taken_back else "NF"
    rows = [*_opening(message, ("QCK", "Q02"), problem, moment), row("QAK", {1: "SR", 2: status})]
    return envelope.seal(rows, message.separators, ascii_text=True)


def order(message: Message, work: TubeWork, moment: Moment) -> bytes:
    """DSR^Q03: the work of one tube. Raises Hl7Error."""
    rows = [*_opening(message, ("DSR", "Q03"), None, moment), row("QAK", {1: "SR", 2: "OK"})]
    for name in ("QRD", "QRF"):
        asked = message.first(name)
        if asked is not None:
            rows.append([name, *(Raw(cell) for cell in asked.fields[1:])])
    end = (
        message.separators.field * 3
    )  # each line as the manual shows it, with its empty fields: its receiver may count them
    rows += [row("DSP", {1: str(number), 3: Raw(text + end)}) for number, text in _lines(work, message.separators)]
    return envelope.seal([*rows, row("DSC", {1: Raw(message.separators.field)})], message.separators, ascii_text=True)


def _lines(work: TubeWork, separators: Separators) -> Iterator[tuple[int, str]]:
    """Every line up to the last one, filled or not."""
    said: dict[int, str] = {
        1: work.patient,
        3: " ".join(filter(None, (work.family, work.given))),
        4: f"{work.birth}000000" if work.birth else "",
        5: SEXES.get(work.sex, "O") if work.sex else "",
        21: work.tube,
        23: work.collected[:14],
        24: "Y" if any(test.priority in URGENT for test in work.tests) else "N",
        26: MATERIALS.get(work.kind, ""),
    }
    for number in range(1, FIRST_TEST):
        yield number, encode_field(said.get(number, ""), separators)
    for number, test in enumerate(work.tests, FIRST_TEST):
        yield number, encode_field(test.code, separators) + separators.component * 3


def _opening(message: Message, kind: tuple[str, str], problem: ErrorDetail | None, moment: Moment) -> list[list[Field]]:
    asked = message.header
    msh = opening(message, kind, moment, {12: Raw(asked.field(12)), 16: Raw(asked.field(16)), 18: Raw(asked.field(18))})
    code, error = ("AE", problem.code) if problem else ("AA", "0")
    text = problem.text if problem else "Message accepted"
    return [msh, row("MSA", {1: code, 2: message.control_id, 3: text, 6: error}), row("ERR", {1: error})]


DISPLAY = AskingDialect(
    name="display",
    source="Mindray, BS-200/BS-220/BS-120/BS-130/BS-180 Host Interface Manual, version 1.2 (August 2009), sample request, as four public host "
    "programs write it, which agree line by line. Not read in the original",
    queries=frozenset({"QRY^Q02"}),
    read=read,
    answer=answer,
    order=order,
)
