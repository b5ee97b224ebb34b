"""Sysmex CS coagulation analyzers, E1394-97 over RS-232 or TCP: specimen in O.4.3, and a parameter's kind behind a tilde in its name.

R.3 is ^^^code^name~kind^dilution^analysis: the code's first two digits are the assay (04 prothrombin time, 05 activated partial thromboplastin
time), the kind says in what the number is (sec, %, INR, g_L). The last digit of a code follows the laboratory's own conversions, so a test is
known here by assay and kind, never by the digit. A dilution other than 100.00, or an analysis other than A, is another key and goes to
quarantine. INR has no unit. Calibration and lot numbers come as comments. Fibrinogen derived from the prothrombin time is not mapped.

Orders are not declared: the public host programs that we read show CA and the older cobas form, not the query of CS.

Source: Sysmex, CS-2000i/CS-2100i ASTM Host Interface Specifications, revision 2.24, § 5.3.3 p. 20 (details of record), and CS-1600 ASTM Host
Interface Specifications, version 1.20 (October 2015), same chapter: contents pages only; messages of a CS-2500 found in public code, read
field by field. Not read in the original.
Evidence: restated.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.model import Flag


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^code^name~kind^dilution^analysis; the key is assay/kind of an undiluted first analysis."""
    parts = (*components, *[""] * 8)
    code, _, kind = parts[3], *parts[4].rpartition("~")[1:]
    plain = parts[5] in {"", "100.00"} and parts[6] in {"", "A"}
    named = [code[:2], kind] if plain else [code, kind, parts[5], parts[6]]
    return TestId(code=code, key="/".join(named))


DRIVER = Driver(
    name="sysmex-cs",
    recognises=r"^\s*CS-\d{4}i?\^",
    maker="Sysmex",
    models=("CS-1600", "CS-2000i", "CS-2100i", "CS-2500", "CS-5100"),
    evidence=Evidence.RESTATED,
    specimen=Field("O", 4, 3),
    query=Field("Q", 3, 3),
    serial=Field("H", 5, 3),
    software=Field("H", 5, 2),
    split=split,
    units={"": "1", "sec": "s"},
    flags={
        "L": Flag.LOW,
        "H": Flag.HIGH,
        "<": Flag.BELOW_RANGE,
        ">": Flag.ABOVE_RANGE,
        "N": Flag.NORMAL,
    },
    accepts_status=frozenset({"", "F"}),
    preliminary=frozenset(),
    tests={
        "04/sec": Test("5902-2", "s", (), "Temps de Quick"),
        "04/%": Test("5894-1", "%", (), "Taux de prothrombine"),
        "04/INR": Test("6301-6", "1", (), "INR"),
        "05/sec": Test("14979-9", "s", (), "TCA"),
    },
)
