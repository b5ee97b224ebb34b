"""Radiometer ABL80 blood gas analyzers, E1394 over TCP or RS-232: five dots where nothing was measured, measured and calculated told apart in R.3.

R.3 is ^^^parameter^M for what was measured, ^C for what was calculated: a calculated one has another key, and goes to quarantine. ..... is no value. The
patient's identifier is in P.4; O.4 is the analyzer's own sample number, and O.3 stays empty unless somebody has typed an accession number: a result
without it has no tube. O.16 says arterial, venous or capillary: LOINC codes hold for arterial blood.

Orders are not declared: it takes none that we have read of.

Source: a message of an ABL80 BASIC (2023) and headers of ABL80 and ABL835 found in public code; Radiometer's communication protocol is named there and
was not read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^parameter^M or ^C; only what was measured is known by its name."""
    parts = (*components, *[""] * 5)
    return TestId(parts[3], parts[3] if parts[4] == "M" else f"{parts[3]}/{parts[4]}")


DRIVER = Driver(
    name="radiometer-abl80",
    recognises=r"^ABL80\b",
    maker="Radiometer",
    models=("ABL80",),
    evidence=Evidence.UNVERIFIED,
    serial=Field("H", 5, 2),
    split=split,
    no_value=frozenset({"....."}),
    material=(Field("O", 16, 1),),
    materials=frozenset({"Arterial"}),
    units={"mmHg": "mm[Hg]"},
    tests={
        "pCO2": Test("2019-8", "mm[Hg]", name="pCO2"),
        "pO2": Test("2703-7", "mm[Hg]", name="pO2"),
        "Na+": Test("2947-0", "mmol/L", name="Sodium"),
        "K+": Test("6298-4", "mmol/L", name="Potassium"),
        "Cl-": Test("2069-3", "mmol/L", name="Chlorures"),
        "Ca++": Test("1994-3", "mmol/L", name="Calcium ionisé"),
    },
)
