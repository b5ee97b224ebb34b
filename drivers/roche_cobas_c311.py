"""Roche cobas c 311 clinical chemistry analyzers, E1394 over RS-232 in "cobas type": whole messages cut into frames.

R.3.4 is "application code/dilution". Every result may be followed by a comment with a data alarm: 0 says nothing, any other number
is an unknown flag until a laboratory maps it, and a person looks. The time is O.23, R.13 stays empty. O.3 comes in two forms: the
specimen alone (manual), or sequence^specimen^... (published messages); both are read. Units are those of an SI laboratory: in others
the LOINC codes differ, and the result goes to quarantine until the laboratory replaces this file.

A query is answered in the form of the inquiry: H.11 = TSDWN^REPLY, the sequence, rack and position of Q.3 in O.4, action A, the whole message in
one text. No work is an O record without a test.

Source: Roche, cobas c 311 Host Interface Manual, version 1.3 (May 2011), contents p. 4 and E-17 (data alarm comment), and cobas e 411
Host Interface Manual 2.3, pp. 32 to 40, for the same "cobas type" (header, specimen types S1 1, S2 2, S5 5, QC; actions); two c 311
messages that senaite.astm publishes (tests/data/cobas_c311.txt, cobas_311.txt). Application codes: Roche method sheets ALTL 20764957322
V9 (685), UREAL 04460715190 V12 (418), ALP2 03333752190 V11 (158, 683), BILT3 05795397190 V7 (712), ALB2 03183688122 (413), CA2
05061482190 V5 (698), UA2 03183807190 V2 (700), LDL_C 03038866322 V7 (059), CREJ2 05401755190 (690), GLUC2 20767131322 V1 (767), GLUC3
05168791190 (717), TRIGB 11877771216 V7 (783); cobas c 111 Host Interface Manual 2.1 p. 50 (687). 989 to 991, 798, 781, 735 and the serum
indices 992 to 994 in Roche's order L, H, I: as host programs published for Roche/Hitachi analyzers use them; a laboratory confirms
them at installation.
Orders: the same manuals, and four host programs for c 311 and e 411 found in public code, which agree field by field.
Evidence: manual (and a published capture: tests/captures/roche-cobas-c311/published.toml).
"""

from labmw.driver.declaration import STANDARD_FLAGS, Control, Driver, Evidence, Field, Test, TestId
from labmw.driver.ordering import NoWork, OrderDialect
from protocols.astm.tolerance import Tolerances


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^code/dilution^; the dilution is not part of the code."""
    code, _, dilution = (components[3] if len(components) > 3 else components[0]).partition("/")
    return TestId(code=code, dilution=dilution)


DRIVER = Driver(
    name="roche-cobas-c311",
    recognises=r"^c311\^",
    maker="Roche",
    models=("cobas c 311",),
    evidence=Evidence.MANUAL,
    specimen=Field("O", 3, 2, bare=True),
    query=Field("Q", 3, 3),
    tolerances=Tolerances(packing="message", contention_reply="at-once"),  # "cobas type" (protocol notes A.7, A.16)
    orders=OrderDialect(
        header={5: "{host}^1", 10: "{model}", 11: "TSDWN^REPLY", 12: "P", 13: "1"},
        patient={},
        order={
            3: "{specimen}",
            4: "{q4}^{q5}^{q6}^^{q8}^{q9}",
            5: "^^^{code}^",
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
        materials={"": "1", "SER": "1", "PLAS": "1"},
        sources={
            "H": "cobas e 411 Host Interface Manual 2.3 (the same cobas type), p. 32 (header), pp. 51 to 52 (TSDWN^REPLY)",
            "O.4 O.5 O.12 O.16 O.26": "cobas e 411 Host Interface Manual 2.3 (the same cobas type), pp. 39 to 41; four public host programs agree",
            "P L.3 tests no-work": "four public host programs for c 311 and e 411, which agree field by field",
        },
    ),
    completed_or=Field("O", 23),
    undiluted=frozenset({"", "1", "/"}),  # no factor; 1 is no dilution
    alarm=Field("C", 4),
    silent=frozenset({"0"}),
    split=split,
    flags={**STANDARD_FLAGS},
    control=Control(position=r"\^QC\^"),
    material=(Field("O", 4, 5), Field("O", 16)),
    materials=frozenset({"S1", "1", "SC"}),  # serum or plasma; SC is the cup, where a sender leaves the type out
    accepts_status=frozenset({"F", "C"}),
    tests={
        "989": Test("2951-2", "mmol/L", (), "Sodium"),
        "990": Test("2823-3", "mmol/L", (), "Potassium"),
        "991": Test("2075-0", "mmol/L", (), "Chlorure"),
        "418": Test("22664-7", "mmol/L", (), "Urée"),
        "690": Test("14682-9", "umol/L", (), "Créatinine"),
        "717": Test("14749-6", "mmol/L", (), "Glucose"),
        "767": Test("14749-6", "mmol/L", (), "Glucose"),
        "700": Test("14933-6", "umol/L", (), "Acide urique"),
        "698": Test("2000-8", "mmol/L", (), "Calcium"),
        "413": Test("1751-7", "g/L", ("g/dL",), "Albumine"),
        "712": Test("14631-6", "umol/L", (), "Bilirubine totale"),
        "735": Test("14629-0", "umol/L", (), "Bilirubine conjuguée"),
        "685": Test("1742-6", "U/L", (), "ALAT"),
        "687": Test("1920-8", "U/L", (), "ASAT"),
        "158": Test("6768-6", "U/L", (), "Phosphatases alcalines"),
        "683": Test("6768-6", "U/L", (), "Phosphatases alcalines"),
        "798": Test("14647-2", "mmol/L", (), "Cholestérol"),
        "781": Test("14927-8", "mmol/L", (), "Triglycérides"),
        "783": Test("14927-8", "mmol/L", (), "Triglycérides"),
        "059": Test("22748-8", "mmol/L", (), "Cholestérol LDL"),
        "992": Test("", name="Indice de lipémie", index="L"),
        "993": Test("", name="Indice d'hémolyse", index="H"),
        "994": Test("", name="Indice d'ictère", index="I"),
    },
)
