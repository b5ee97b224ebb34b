"""Mindray BS chemistry analyzers, ORU^R01 of HL7 2.3.1 over MLLP: one test in a message, the barcode in OBR-2, never OBR-3.

OBR-3 is the place on the tray and for the analyzer's own use. OBX-3 is a test number that the laboratory gives on each analyzer, OBX-4 its
name, a note: none is mapped here, so every result goes to quarantine until the laboratory's own driver file says what its numbers mean.
Numbers have six decimals (5.000000), words have type ST. MSH-16 says what a message is: 0 a specimen, 1 calibration, 2 quality control, whose
values stand in the OBR itself: it is kept, and not read.

It asks for the work of a tube by its barcode (QRY^Q02); with `work = "asked"` on its link it is given the test numbers of the laboratory's own
driver file or mapping (QCK^Q02, then DSR^Q03).

Source: Mindray, BS-200/BS-220/BS-120/BS-130/BS-180 Host Interface Manual, version 1.2 (August 2009), p. 5 (one test in a message), pp. 7 to 8
(MSH), p. 17 and pp. 22 to 23 (OBX, test numbers), pp. 24 to 27 (examples of specimen, acknowledgment, control, query), as quoted page by page
in public code. Not read in the original.
Evidence: manual.
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver, TestId
from protocols.hl7.display_query import DISPLAY


def split(components: tuple[str, ...]) -> TestId:
    """OBX-3 is the number alone; OBX-4, a name here, tells no parts of a result apart."""
    return TestId(components[0])


DRIVER = Hl7Driver(
    name="mindray-bs",
    recognises=r"^Mindray\|BS-\d{3}",
    maker="Mindray",
    models=("BS-120", "BS-130", "BS-180", "BS-200", "BS-220"),
    evidence=Evidence.MANUAL,
    specimen=Field("OBR", 2, 1),
    specimen_or=(),
    completed_or=Field("OBR", 7, 1),
    split=split,
    query=Field("QRD", 8, 1),
    asks=DISPLAY,
)
