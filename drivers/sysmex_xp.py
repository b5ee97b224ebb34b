"""Sysmex XP blood cell counters (three-part differential), E1394-97 over RS-232 or TCP: specimen in O.4.3, parameter in R.3.5.

The identifier and the operator are padded with blanks. The number behind a parameter is the dilution: 1 whole blood; 26 pre-diluted blood,
which is another key and goes to quarantine, as no source here says whether the value is that of the blood. Without one it is no measurement.
Flags: W low reliability, A masked data, > outside linearity. R.9 stays empty. The mixed cells (MXD) have no LOINC code here: which one a
laboratory uses for them is its choice, and they go to quarantine.

Orders are not declared: nothing that we read shows a host's order to this family.

Source: Sysmex, XP Series ASTM Communication Specifications, revision 1.0 (2012), as restated by senaite.astm (instruments/sysmex_xp.py);
Sysmex, XS Series ASTM Communication Specifications, revision 2.5 (December 2012), pp. 2 to 4, for the same record layout; messages of an
XP-100 that senaite.astm publishes (tests/data/sysmex_xp100.txt) and of an XP-300 found in public code. Not read in the original.
Evidence: manual (and a published capture: tests/captures/sysmex-xp/published.toml).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.model import Flag


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^^parameter^dilution; without one of the two dilutions it is no measurement."""
    parts = (*components, *[""] * 6)
    name, dilution = parts[4], parts[5]
    return TestId(name, name if dilution == "1" else f"{name}/{dilution}", main=dilution in {"1", "26"})


_COUNT = ("10*9/L",)

DRIVER = Driver(
    name="sysmex-xp",
    recognises=r"^\s*XP-[13]00\^",
    maker="Sysmex",
    models=("XP-100", "XP-300"),
    evidence=Evidence.MANUAL,
    specimen=Field("O", 4, 3),
    test=Field("R", 3, 5),
    ordered=Field("O", 5, 5, bare=True),
    query=Field("Q", 3, 3),
    serial=Field("H", 5, 6),
    software=Field("H", 5, 2),
    split=split,
    flags={
        "L": Flag.LOW,
        "H": Flag.HIGH,
        ">": Flag.ABOVE_RANGE,
        "N": Flag.NORMAL,
        "A": Flag.INSTRUMENT_ERROR,
        "W": Flag.REVIEW,
    },
    accepts_status=frozenset({"", "F"}),
    preliminary=frozenset(),
    tests={
        "WBC": Test("6690-2", "10*3/uL", _COUNT, "Leucocytes"),
        "RBC": Test("789-8", "10*6/uL", ("10*12/L",), "Hématies"),
        "HGB": Test("718-7", "g/dL", ("g/L",), "Hémoglobine"),
        "HCT": Test("4544-3", "%", ("L/L",), "Hématocrite"),
        "MCV": Test("787-2", "fL", (), "VGM"),
        "MCH": Test("785-6", "pg", (), "TCMH"),
        "MCHC": Test("786-4", "g/dL", ("g/L",), "CCMH"),
        "PLT": Test("777-3", "10*3/uL", _COUNT, "Plaquettes"),
        "LYM%": Test("736-9", "%", (), "Lymphocytes %"),
        "NEUT%": Test("770-8", "%", (), "Neutrophiles %"),
        "LYM#": Test("731-0", "10*3/uL", _COUNT, "Lymphocytes"),
        "NEUT#": Test("751-8", "10*3/uL", _COUNT, "Neutrophiles"),
        "RDW-SD": Test("21000-5", "fL", (), "IDR-SD"),
        "RDW-CV": Test("788-0", "%", (), "IDR-CV"),
        "PDW": Test("32207-3", "fL", (), "IDP"),
        "MPV": Test("32623-1", "fL", (), "VPM"),
        "P-LCR": Test("48386-7", "%", (), "Grandes plaquettes"),
        "PCT": Test("51637-7", "%", (), "Thrombocrite"),
    },
)
