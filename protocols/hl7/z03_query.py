"""The host query of HL7 2.5 with a user's own parameters: QBP^Z03 asks for a specimen, RSP^Z02 gives its work in the same message.

QPD-4 is the specimen. Without work the reply ends with QPD. Nothing acknowledges it: what the analyzer cannot do it reports as an order that
it has cancelled (ORC-1 OC, OBR-25 X). After 60 s without a reply it takes its query back (QCN^J01).
"""

from __future__ import annotations

from protocols.hl7 import envelope
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.asking import AskingDialect, Moment, TubeQuery, TubeWork, opening
from protocols.hl7.er7 import Message, Raw
from protocols.hl7.fields import row


def read(message: Message) -> TubeQuery:
    """Which specimen is asked about."""
    qpd = message.first("QPD")
    if qpd is None:
        return TubeQuery(problem=ErrorDetail("100", "QPD is missing", Location("QPD")))
    tube = qpd.component(4).strip()
    if not tube:
        return TubeQuery(problem=ErrorDetail("101", "name the specimen (QPD-4)", Location("QPD", 1, 4)))
    return TubeQuery(tube)


def answer(message: Message, work: TubeWork | None, problem: ErrorDetail | None, moment: Moment) -> bytes:
    """RSP^Z02: the work of the specimen, none, or why it cannot be said. Raises Hl7Error."""
    rows = [opening(message, ("RSP", "Z02"), moment, {12: Raw(message.header.field(12)), 15: "NE", 16: "NE"})]
    rows.append(row("MSA", {1: "AE" if problem else "AA", 2: message.control_id}))
    if problem:
        rows.append(row("ERR", {3: (problem.code, "", "HL70357"), 4: "E", 8: problem.text}))
    qpd = message.first("QPD")
    if qpd is not None:
        rows.append(row("QAK", {1: Raw(qpd.field(2)), 2: "AE" if problem else "OK", 3: Raw(qpd.field(1))}))
        rows.append(["QPD", *(Raw(cell) for cell in qpd.fields[1:])])
    if work is not None:
        rows.append(row("PID", {1: "1", 3: work.patient, 5: (work.family, work.given), 7: work.birth, 8: work.sex}))
        for number, test in enumerate(work.tests, 1):
            rows += [
                row("ORC", {1: "NW", 2: str(number), 9: moment.when[:14]}),
                row("OBR", {1: str(number), 4: test.code, 11: "A"}),
                row("TQ1", {9: "S" if test.priority in ("S", "A") else "R"}),
                row("SPM", {1: str(number), 2: (work.tube, ""), 4: "ORH", 11: "P"}),
            ]
    return envelope.seal(rows, message.separators, ascii_text=True)


Z03 = AskingDialect(
    name="z03",
    source="Cepheid, GeneXpert LIS Interface Protocol Specification, 301-2002, revision E (December 2014), host query, as restated segment by "
    "segment in public; the query itself: corpus:hl7/genexpert/QBP_Z03.hl7. Not read in the original",
    queries=frozenset({"QBP^Z03"}),
    read=read,
    answer=answer,
)
