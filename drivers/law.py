"""Any analyzer that follows IHE LAW as it is written: LOINC codes (LN) in OBX-3, UCUM units in OBX-6, AWOS in OBR-2, runs in OBX-4.

For a link that names it: a header says who sends, not that its codes can be believed. Codes and units are taken as sent; a code that is
not LOINC, a unit that is not UCUM, and words in place of a number go to quarantine, and want a driver of their own. A run that is no
candidate (OBX-11 = R) is kept beside the one that is. Control material is what INV behind the container calls CO.

Source: IHE PaLM Technical Framework, revision 11, volume 2b § 3.29 (LAB-29 AWOS Status Change), not read in the original: its rules as
restated in Roche, x800 Data Manager Host Interface Manual for IHE LAW, version 5.3 (November 2025), and in the Gazelle assertions LAW-001
to LAW-014 and LAB29-003. The messages of tests/examples/law_lab27_*.hl7 and law_lab29_*.hl7 were composed from them.
Evidence: manual.
"""

from labmw.driver.declaration import STANDARD_FLAGS, Evidence, Field, Hl7Driver
from labmw.model import Flag

DRIVER = Hl7Driver(
    name="law",
    models=("any that follows IHE LAW",),
    evidence=Evidence.MANUAL,
    awos=Field("OBR", 2, 1),
    run=Field("OBX", 4, 1),
    traced=frozenset({"R"}),
    coded=True,
    flags={**STANDARD_FLAGS, "QCF": Flag.QC},
)
