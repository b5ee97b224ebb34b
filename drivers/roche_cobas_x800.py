"""Roche cobas 5800, 6800 and 8800 molecular analyzers behind the x800 Data Manager, IHE LAW over MLLP with Roche's own query (WOS_ROCHE).

OBX-5 holds three significant digits and OBX-6 their power of ten: 532 in 10*2.[IU]/mL are 53200 [IU]/mL. Above or below the range there is no
number at all, only a code in OBX-8 (AT, BT): such a result wants a person. Date-times are UTC, and MSH-7 carries the offset that makes them
local. The specimen's namespace is a subcomponent (12345&ROCHE). Cycle numbers and control numbers follow in supplemental OBX. OBX-3 names a
target that several assays share (HIV of the viral load, of blood screening): a result is known by OBR-4 and OBX-3 together. Only the viral
loads of plasma and serum are mapped, by the LOINC codes that the manual itself gives; screening, panels and dried spots are not. MSH-3 is
configurable: another name than X800DM needs a link that names this driver.

Source: Roche, x800 Data Manager Host Interface Manual for IHE LAW, version 5.3 (November 2025): pp. 86 to 100 (OUL^R22; p. 88 UTC, p. 94 power
of ten), p. 101 (cancelled orders), pp. 138, 142, 146, 154 (CMV, HBV, HCV, HIV-1), pp. 199 to 200 (error flags). The tables were read.
Evidence: manual.
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Test
from labmw.model import Flag

_NOT_DETECTED = ("Target Not Detected",)

DRIVER = Hl7Driver(
    name="roche-cobas-x800",
    recognises=r"^X800 ?DM(?:\^[^|]*)?\|",
    maker="Roche",
    models=("cobas 5800", "cobas 6800", "cobas 8800"),
    evidence=Evidence.MANUAL,
    awos=Field("OBR", 2, 1),
    run=Field("OBX", 4, 1),
    traced=frozenset({"R"}),
    assay=Field("OBR", 4, 1),
    analyte=Field("OBX", 3, 1),
    material=(Field("SPM", 4, 1),),
    materials=frozenset({"PLAS", "SER"}),
    powers=True,
    utc=True,
    alarms={"AT": Flag.ABOVE_RANGE, "BT": Flag.BELOW_RANGE, "RR": Flag.ABNORMAL, "POS": Flag.ABNORMAL},
    silent=frozenset({"VAL", "ND", "NR", "NEG"}),
    tests={
        "70241-5/HIV": Test("70241-5", "{copies}/mL", name="VIH-1 charge virale", values=_NOT_DETECTED),
        "42595-9/HBV": Test("42595-9", "[IU]/mL", name="VHB charge virale", values=_NOT_DETECTED),
        "11011-4/HCV": Test("11011-4", "[IU]/mL", name="VHC charge virale", values=_NOT_DETECTED),
        "72493-0/CMV": Test("72493-0", "[IU]/mL", name="CMV charge virale", values=_NOT_DETECTED),
    },
)
