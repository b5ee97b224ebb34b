"""Mindray BC-5380 blood cell counters, ORU^R01 of HL7 2.3.1: the specimen is in OBR-3, LOINC codes in OBX-3 as the analyzer sends them.

Modes, reference group, age, suspicions (type IS), histogram lines and pictures are details; so are a differential that a person typed in
(OBR 00002) and the mean that the analyzer computes of control runs (OBR 00008): storing it would count the control twice. Parameters with an
asterisk in their name are for research only. A value of asterisks was not computed, an empty one not measured, although OBX-2 says NM. A
percentage without a unit is a fraction (HCT 0.405); PDW without one is not in femtolitres, as its LOINC code would have it, and goes to
quarantine. Quality control has MSH-11 = Q, with its lot in OBR-3. OBX-13 = E: a person changed the value.

It asks for the work of a tube (ORM^O01, ORC-3); with `work = "asked"` on its link the reply (ORR^O02) says how to run it: CBC, or CBC+DIFF as
soon as one part of the differential is ordered. Other models write the mode otherwise (CBC+5DIFF on BC-5000): the laboratory's own driver
file says so in `order_codes`.

Source: Mindray, BC-5380 Operator's Manual, appendix C (communication), C.3.3, the two example messages; the revision is not told where they
were found. The query and its reply: BC-5300 Operator's Manual, appendix C, and BC-5800 LIS Protocol Manual, P/N 046-000243-00, D.4.2 and tables
12 to 15, as cited and written by seven public host programs (BC-5000 to BC-6800) that agree. Not read in the original.
Evidence: manual (corpus:hl7/bc-5380/bc5380-c.3.3.hl7, corpus:hl7/bc-5380/bc5380-c.3.3-xr-qc.hl7).
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Measure, Test, TestId
from labmw.model import Flag
from protocols.hl7.mode_query import MODES


def split(components: tuple[str, ...]) -> TestId:
    """OBX-3: code^name^system; 99MRC marks the analyzer's own, of which the plateletcrit alone is a result."""
    code, name, system = (*components, "", "", "")[:3]
    return TestId(code, main=not name.startswith("*") and (system == "LN" or code == "10002"))


def measure(text: str) -> Measure:
    """Asterisks in place of digits: out of the display range, or not computed."""
    return Measure(text, missing="*" in text and not text.strip("*. "))


_PERCENT = ("1",)
_COUNTS = ("6690-2", "789-8", "718-7", "787-2", "785-6", "786-4", "788-0", "21000-5", "4544-3", "777-3", "32623-1", "32207-3", "51637-7")  # fmt: skip
_DIFFERENTIAL = ("704-7", "706-2", "751-8", "770-8", "711-2", "713-8", "731-0", "736-9", "742-7", "5905-5")

DRIVER = Hl7Driver(
    name="mindray-bc5380",
    recognises=r"^BC-5380\|Mindray$",
    maker="Mindray",
    models=("BC-5380",),
    evidence=Evidence.MANUAL,
    specimen=Field("OBR", 3, 1),
    specimen_or=(),
    completed_or=Field("OBR", 7, 1),
    marks=(Field("OBX", 13),),
    alarms={"E": Flag.REVIEW},
    split=split,
    measure=measure,
    units={"": "1"},
    unreported=frozenset({"30525-0"}),
    unreported_types=frozenset({"IS", "ED"}),
    unreported_orders=frozenset({"00002", "00008"}),
    query=Field("ORC", 3, 1),
    asks=MODES,
    order_codes={**dict.fromkeys(_COUNTS, "CBC"), **dict.fromkeys(_DIFFERENTIAL, "CBC+DIFF")},
    tests={
        "6690-2": Test("6690-2", "10*9/L", name="Leucocytes"),
        "704-7": Test("704-7", "10*9/L", name="Basophiles"),
        "706-2": Test("706-2", "%", _PERCENT, "Basophiles %"),
        "751-8": Test("751-8", "10*9/L", name="Neutrophiles"),
        "770-8": Test("770-8", "%", _PERCENT, "Neutrophiles %"),
        "711-2": Test("711-2", "10*9/L", name="Éosinophiles"),
        "713-8": Test("713-8", "%", _PERCENT, "Éosinophiles %"),
        "731-0": Test("731-0", "10*9/L", name="Lymphocytes"),
        "736-9": Test("736-9", "%", _PERCENT, "Lymphocytes %"),
        "742-7": Test("742-7", "10*9/L", name="Monocytes"),
        "5905-5": Test("5905-5", "%", _PERCENT, "Monocytes %"),
        "789-8": Test("789-8", "10*12/L", name="Hématies"),
        "718-7": Test("718-7", "g/L", name="Hémoglobine"),
        "787-2": Test("787-2", "fL", name="VGM"),
        "785-6": Test("785-6", "pg", name="TCMH"),
        "786-4": Test("786-4", "g/L", name="CCMH"),
        "788-0": Test("788-0", "%", _PERCENT, "IDR-CV"),
        "21000-5": Test("21000-5", "fL", name="IDR-SD"),
        "4544-3": Test("4544-3", "%", _PERCENT, "Hématocrite"),
        "777-3": Test("777-3", "10*9/L", name="Plaquettes"),
        "32623-1": Test("32623-1", "fL", name="VPM"),
        "32207-3": Test("32207-3", "fL", name="IDP"),
        "10002": Test("51637-7", "%", ("mL/L",), "Thrombocrite"),
    },
)
