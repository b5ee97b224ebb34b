"""Beckman Coulter DxH blood cell counters (DxH 500 to 900), LIS2-A records with the delimiters \\!~: flags stand in the value.

R.3 is !!!parameter!LOINC: the analyzer sends LOINC codes itself, and they are compared with the ones here. R.4 holds the number, and behind the
component delimiter what the analyzer says of it (H, L, R): a value with such a part is for a person. Parameters that begin with @ are for research
use only: kept, and never reported. R.7 is A where the value lies outside its range. The time is R.13.

Orders are not declared: the one reply of a host that we have seen repeats the query's H.3, and no document says whether it must.

Source: messages of a DxH (2021: queries, three results with their LOINC codes and units in SI) that a public test server for analyzers publishes as
its scenario, and of a DxH 500 found in public code, read field by field. No document was read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.model import Flag


def split(components: tuple[str, ...]) -> TestId:
    """R.3: !!!parameter!LOINC; a parameter for research use only is a detail."""
    name = components[3] if len(components) > 3 else components[0]
    return TestId(name, main=not name.startswith("@"))


DRIVER = Driver(
    name="beckman-dxh",
    recognises=r"^DxH\b",
    maker="Beckman Coulter",
    models=("DxH 500", "DxH 800", "DxH 900"),
    evidence=Evidence.UNVERIFIED,
    value=Field("R", 4, 1),
    loinc_sent=Field("R", 3, 5),
    instrument=Field("R", 14, 1),
    split=split,
    flags={"A": Flag.ABNORMAL},
    accepts_status=frozenset({"F"}),
    preliminary=frozenset(),
    tests={
        "WBC": Test("33256-9", "10*9/L", name="Leucocytes"),
        "RBC": Test("789-8", "10*12/L", name="Hématies"),
        "HGB": Test("718-7", "g/L", ("g/dL",), "Hémoglobine"),
        "HCT": Test("4544-3", "%", name="Hématocrite"),
        "MCV": Test("787-2", "fL", name="VGM"),
        "MCH": Test("785-6", "pg", name="TCMH"),
        "MCHC": Test("786-4", "g/dL", ("g/L",), "CCMH"),
        "RDW": Test("788-0", "%", name="IDR-CV"),
        "RDW-SD": Test("21000-5", "fL", name="IDR-SD"),
        "PLT": Test("777-3", "10*9/L", name="Plaquettes"),
        "MPV": Test("32623-1", "fL", name="VPM"),
        "NE": Test("770-8", "%", name="Neutrophiles %"),
        "LY": Test("736-9", "%", name="Lymphocytes %"),
        "MO": Test("5905-5", "%", name="Monocytes %"),
        "EO": Test("713-8", "%", name="Éosinophiles %"),
        "BA": Test("706-2", "%", name="Basophiles %"),
        "NE#": Test("751-8", "10*9/L", name="Neutrophiles"),
        "LY#": Test("731-0", "10*9/L", name="Lymphocytes"),
        "MO#": Test("742-7", "10*9/L", name="Monocytes"),
        "EO#": Test("711-2", "10*9/L", name="Éosinophiles"),
        "BA#": Test("704-7", "10*9/L", name="Basophiles"),
    },
)
