"""Radiometer ABL80, ABL90 and ABL800 blood gas analyzers, E1394 over TCP or RS-232: five dots where nothing was measured, measured and calculated told apart in R.3.

R.3 is ^^^parameter^M for what was measured, ^C for what was calculated: a calculated one has another key, and goes to quarantine. ..... is no value. The
patient's identifier is in P.4; O.4 is the analyzer's own sample number, and O.3 stays empty unless somebody has typed an accession number: a result
without it has no tube. O.16 says arterial, venous or capillary: LOINC codes hold for arterial blood.

Orders are not declared: it takes none that we have read of.

An ABL9 sends the same records on another link (SOH records EOT, one ACK), which labmw does not serve.

Source: a message of an ABL80 BASIC (2023) and headers of ABL80 and ABL835 found in public code, one of whose host programs reads ABL80 and ABL800 alike.
That all of Radiometer's analyzers but the ABL5xx and 6xx speak one ASTM protocol is what the introduction of its document 990-490 says, of which only that
was read: an ABL90 was not seen.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^parameter^M or ^C; only what was measured is known by its name."""
    parts = (*components, *[""] * 5)
    return TestId(parts[3], parts[3] if parts[4] == "M" else f"{parts[3]}/{parts[4]}")


DRIVER = Driver(
    name="radiometer-abl",
    recognises=r"^ABL(?:80|90|8\d\d)\b",
    maker="Radiometer",
    models=("ABL80", "ABL90 FLEX", "ABL800"),
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
