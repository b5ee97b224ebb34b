"""Roche cobas e 411 immunoassay analyzers, E1394 over RS-232 in "cobas type": the sender calls itself cobas-e411.

R.3.4 is "host test code/dilution/pre-dilution". R.4 holds a number with a message code behind a caret, or, for qualitative tests, 1, 0 or -1
with the cut-off index behind it: only a component that stands alone is read as a number, the others go to quarantine. Seven blanks are no
result. A data alarm comes as a comment; any number but 0 is an unknown flag until a laboratory maps it. The time is O.23; R.13 stays empty.
A specimen whose barcode could not be read is called @ and its sequence number. Host test codes are set on each analyzer: none is mapped here,
so every result goes to quarantine until the laboratory's own driver file says what its codes mean.

A query is answered in the form of the inquiry: H.11 = TSDWN^REPLY, the sequence, carrier and position of Q.3 in O.4, action A, the whole message
in one text. A test may be ordered diluted: its ratio stands behind the code (O.5.5), empty for the specimen as it is. No work is an O record without a test. After 15 s the analyzer drops its query.

Source: Roche, cobas e 411 Host Interface Manual, version 2.3 (August 2016): p. 28 (read errors), p. 32 (header), p. 35 (query), pp. 39 to 41
(order, specimen types, actions, report type, generations of a test), pp. 42 to 43 (result), p. 45 (data alarm), pp. 51 to 52 (dialogues); the order record of a reply
besides from four host programs for e 411 and c 311 found in public code, which agree field by field.
Evidence: manual.
"""

from labmw.driver.declaration import STANDARD_FLAGS, Control, Driver, Evidence, Field, TestId
from labmw.driver.ordering import NoWork, OrderDialect
from protocols.astm.tolerance import Tolerances


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^code/dilution/pre-dilution; the code ends at the first stroke."""
    code, _, dilution = (components[3] if len(components) > 3 else components[0]).partition("/")
    return TestId(code=code, dilution=dilution)


DRIVER = Driver(
    name="roche-cobas-e411",
    recognises=r"^cobas-e411\^",
    maker="Roche",
    models=("cobas e 411",),
    evidence=Evidence.MANUAL,
    query=Field("Q", 3, 3),
    tolerances=Tolerances(packing="message", contention_reply="at-once"),  # "cobas type" (protocol notes A.7, A.16)
    orders=OrderDialect(
        header={5: "{host}^1", 10: "{model}", 11: "TSDWN^REPLY", 12: "P", 13: "1"},
        patient={},
        order={
            3: "{specimen}",
            4: "{q4}^{q5}^{q6}^^{q8}^{q9}",
            5: "^^^{code}^{dilution}",
            6: "{priority}",
            12: "{action}",
            16: "{material}",
            26: "{report}",
        },
        tests="tube",
        rack=5,
        position=6,
        new="A",
        answer="O",
        end_of_answer="N",
        cancel="",
        nothing=NoWork.EMPTY,
        unable="",
        priorities={"S": "S", "R": "R"},
        dilutions={one: one for one in ("2", "5", "10", "20", "50", "100")},  # table 17: the ratio itself in cobas type
        materials={"": "1", "SER": "1", "PLAS": "1"},
        sources={
            "H": "Host Interface Manual 2.3, p. 32 (header), pp. 51 to 52 (TSDWN^REPLY)",
            "O.4 O.5 O.12 O.16 O.26": "Host Interface Manual 2.3, pp. 39 to 41; four public host programs agree",
            "dilutions": "Host Interface Manual 2.3, pp. 39 to 41 (table 17), and the example on p. 51 (^^^30^2)",
            "P L.3 tests no-work": "four public host programs for c 311 and e 411, which agree field by field",
        },
    ),
    undiluted=frozenset({"", "/", "1", "/not", "1/not"}),  # no factor, or 1; "not" pre-diluted
    value=Field("R", 4, 1),
    completed_or=Field("O", 23),
    alarm=Field("C", 4, 1),
    silent=frozenset({"0"}),
    split=split,
    flags={**STANDARD_FLAGS},
    control=Control(position=r"\^QC\^"),
    material=(Field("O", 4, 5), Field("O", 16)),
    materials=frozenset({"S1", "1", "SC", "MC"}),  # serum; a cup, where the type is left out
    accepts_status=frozenset({"F", "C"}),
)
