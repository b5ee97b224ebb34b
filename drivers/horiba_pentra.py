"""Horiba ABX Pentra 80, XL 80 and Pentra XLR blood cell counters, E1394 over RS-232 or TCP: a header that says ABX and no more.

R.5 holds no unit but the number of a set of units (1 to 4), in which each parameter has its own: none is mapped here, so every result goes to
quarantine until the laboratory's own driver file says which set is chosen and what each parameter is in. LOINC codes come in R.3.5 and are
not believed: published messages carry codes whose check digit is wrong (789-9, 717-9) and codes of manual counts. R.3.6 is the dilution of the
cycle. O.3 is specimen^rack^place. Status W is a suspicion, D a value by dilution, M one that a person typed in: all held; N was rejected and
X is beyond the range. Alarms come as comments after the result.

Orders are not declared: the one public host program for this family that we read names itself as the analyzer does, and shows no answer to a query.

Source: Horiba, ABX Pentra 80, XL 80 and Pentra XLR, Output Formats, RAA040GEN (revision of February 2016), p. 10 (O), p. 16 (R.3), p. 18 (alarms),
as restated by senaite.astm (instruments/horiba_pentra_xlr.py) with the message it publishes (tests/data/pentra_xlr.txt). Not read in the
original.
Evidence: manual (and a published capture: tests/captures/horiba-pentra/published.toml).
"""

from labmw.driver.declaration import Driver, Evidence
from labmw.model import Flag

DRIVER = Driver(
    name="horiba-pentra",
    recognises=r"^ABX(?:\^\s*)*$",
    maker="Horiba",
    models=("ABX Pentra 80", "ABX Pentra XL 80", "Pentra XLR"),
    evidence=Evidence.MANUAL,
    flags={
        "L": Flag.LOW,
        "H": Flag.HIGH,
        "LL": Flag.CRITICAL_LOW,
        "HH": Flag.CRITICAL_HIGH,
        ">": Flag.ABOVE_RANGE,
    },
    no_value=frozenset({"-----"}),
    accepts_status=frozenset({"F", "C"}),
    preliminary=frozenset({"W", "M", "D"}),
)
