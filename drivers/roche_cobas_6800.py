"""Roche cobas 6800 and 8800 that speak for themselves, HL7 2.5 over MLLP, as before the x800 Data Manager (`roche-cobas-x800`).

OBX-5 of the first OBX (HIV^HIV^99ROC, OBX-4 empty) holds three significant digits and OBX-6 their power of ten: 763 in 10*-1.{Copies}/mL are 76.3
copies. Where there is no number it says ValueNotSet with a code in OBX-8 (ND not detected, BT below the range), and the words stand in a further OBX
under the LOINC code of the order: those are kept and shown, and the result is for a person. TCD-2 is ^1^:^0 of every result, which names no
dilution. SPM-1 is empty, SPM-2 the tube as it is. An aborted run has no value, a code such as P02T, and OBX-11 X.

Orders are not declared: queries (QBP^Q11) are seen, their answers are not.

Source: messages of one laboratory, quoted in the tests of a public interface program with other identifiers; the power of ten as Roche, x800 Data Manager
Host Interface Manual for IHE LAW, version 5.3, p. 94 has it.
Evidence: restated.
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Test
from labmw.model import Flag

DRIVER = Hl7Driver(
    name="roche-cobas-6800",
    recognises=r"^COBAS6800/8800(?:\^[^|]*)?\|",
    maker="Roche",
    models=("cobas 6800", "cobas 8800"),
    evidence=Evidence.RESTATED,
    assay=Field("OBR", 4, 1),
    analyte=Field("OBX", 3, 1),
    material=(Field("SPM", 4, 1),),
    materials=frozenset({"PLAS", "SER"}),
    powers=True,
    undiluted=frozenset({"", "1:0", "^1^:^0"}),
    units={"{Copies}/mL": "{copies}/mL"},
    alarms={"BT": Flag.BELOW_RANGE, "AT": Flag.ABOVE_RANGE, "RR": Flag.ABNORMAL},
    silent=frozenset({"ND", "NR"}),
    no_value=frozenset({"ValueNotSet"}),
    unreported=frozenset({"70241-5"}),
    tests={"70241-5/HIV": Test("70241-5", "{copies}/mL", name="VIH-1 charge virale")},
)
