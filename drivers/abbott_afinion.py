"""Abbott Afinion 2 and Afinion AS100 point-of-care analyzers, E1394 over TCP: C-reactive protein, HbA1c, urine albumin, lipids.

O.3 stays empty: what the user scans is in P.4, and a laboratory that scans something else than its specimens' barcode must not connect this analyzer.
A value outside the measuring range has its sign in R.4 and again in R.7 (<5.6, <); --- is no value; ! says that the result is ambiguous. H.12 = Q is a
control. The scale of HbA1c and the matrix of C-reactive protein are not said beside the number: neither is mapped.

Orders are not declared: the record is restated in public for results alone.

Source: senaite.astm (instruments/afinion_2.py), which restates the maker's records field by field with their values (H.12, O.16, R.7) and examples;
a header of an Afinion AS100 in python-astm's tests. No document was read.
Evidence: unverified.
"""

from labmw.driver.declaration import STANDARD_FLAGS, Driver, Evidence, Field, Test
from labmw.model import Flag

DRIVER = Driver(
    name="abbott-afinion",
    recognises=r"^Afinion (?:2 Analyzer|AS100)\^",
    maker="Abbott",
    models=("Afinion 2", "Afinion AS100"),
    evidence=Evidence.UNVERIFIED,
    specimen_or=(Field("P", 4),),
    serial=Field("H", 5, 3),
    flags={**{flag: STANDARD_FLAGS[flag] for flag in ("<", ">", "L", "H", "LL", "HH")}, "!": Flag.REVIEW},
    no_value=frozenset({"---"}),
    accepts_status=frozenset({"F"}),
    preliminary=frozenset(),
    tests={"ACR": Test("9318-7", "mg/g", name="Albumine/créatinine urinaire")},
)
