"""The work of a blood cell counter in HL7 2.3.1: ORM^O01 (ORC-1 RF) asks for a tube by ORC-3, one ORR^O02 gives it, or says AR where there is none.

A counter is not told tests but how to run the tube: the test mode, in an OBX of the reply. What is ordered is therefore a mode (CBC,
CBC+DIFF), and of several the one that holds the others. How the blood is taken up, and whether it was diluted beforehand, is not said: nobody
here knows, and the analyzer keeps what is set on it. Nothing acknowledges the reply.
"""

from __future__ import annotations

from protocols.hl7 import envelope
from protocols.hl7.acknowledgment import ErrorDetail, Location
from protocols.hl7.asking import AskingDialect, Moment, TubeQuery, TubeWork, opening
from protocols.hl7.er7 import Message, Raw
from protocols.hl7.fields import row

SEXES = {"M": "Male", "F": "Female"}
SERVICE = ("00001", "Automated Count", "99MRC")
MODE = ("08003", "Test Mode", "99MRC")


def read(message: Message) -> TubeQuery:
    """Which tube is asked about."""
    orc = message.first("ORC")
    if orc is None:
        return TubeQuery(problem=ErrorDetail("100", "ORC is missing", Location("ORC")))
    if orc.component(1) != "RF":
        return TubeQuery(problem=ErrorDetail("103", "only the work of a tube is answered (ORC-1 RF)", Location("ORC", 1, 1)))  # fmt: skip
    tube = orc.component(3).strip()
    if not tube:
        return TubeQuery(problem=ErrorDetail("101", "name the tube (ORC-3)", Location("ORC", 1, 3)))
    return TubeQuery(tube)


def answer(message: Message, work: TubeWork | None, problem: ErrorDetail | None, moment: Moment) -> bytes:
    """ORR^O02: how the tube is to be run, AR without work, AE where it cannot be said. Raises Hl7Error."""
    asked = message.header
    rows = [opening(message, ("ORR", "O02"), moment, {12: Raw(asked.field(12)), 18: Raw(asked.field(18))})]
    if problem:
        rows.append(row("MSA", {1: "AE", 2: message.control_id, 3: problem.text, 6: problem.code}))
    elif work is None:
        rows.append(row("MSA", {1: "AR", 2: message.control_id}))
    else:
        rows += [
            row("MSA", {1: "AA", 2: message.control_id}),
            row(
                "PID",
                {
                    1: "1",
                    3: (work.patient, "", "", "", "MR") if work.patient else None,
                    5: (work.family, work.given),
                    7: f"{work.birth}000000" if work.birth else "",
                    8: SEXES.get(work.sex, ""),
                },
            ),
            row("PV1", {1: "1"}),
            row("ORC", {1: "AF", 2: work.tube}),
            row("OBR", {1: "1", 2: work.tube, 4: SERVICE, 6: work.collected[:14], 24: "HM"}),
            row("OBX", {1: "1", 2: "IS", 3: MODE, 5: mode_of(work), 11: "F"}),
        ]
    return envelope.seal(rows, message.separators, ascii_text=True)


def mode_of(work: TubeWork) -> str:
    """The mode that holds all that is asked for: CBC+DIFF beside CBC. Modes are parts joined by +."""
    parts = dict.fromkeys(part for test in work.tests for part in test.code.split("+"))
    modes = dict.fromkeys(test.code for test in work.tests)
    return next((mode for mode in modes if set(mode.split("+")) >= set(parts)), "+".join(parts))


MODES = AskingDialect(
    name="modes",
    source="Mindray, BC-5300 Operator's Manual, appendix C, and BC-5800 LIS Protocol Manual, P/N 046-000243-00, D.4.2 and tables 12 to 15, "
    "as cited and written by seven public host programs for BC-5000 to BC-6800, which agree on ORC-1 RF and ORC-3 of the question (seen on the "
    "line by two of them), on ORC-1 AF, ORC-2, OBR-2 and the mode of the reply, and on AR where there is no work (three). Not read in the original",
    queries=frozenset({"ORM^O01"}),
    read=read,
    answer=answer,
)
