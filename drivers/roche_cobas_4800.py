"""Roche cobas 4800 molecular analyzers, IHE LAW over MLLP: a whole run in one message, value and unit in one text.

`3.26E+05 cp/mL` is 326000 copies per millilitre, whatever OBX-6 says (it says 1/mL). "< Titer min" names a limit without giving it: a word,
not a number. Every specimen is sent with SPM-11 = Q; a control is the one whose container is followed by INV of type CO. OBX-8 says Full
for every result, valid or not, and so says nothing. Ct values come as notes.

Source: the captures below (software 2.3.0.1905); LOINC 20447-9 is the quantity of HIV-1 RNA in copies per millilitre.
Evidence: capture (corpus:hl7/cobas-4800/run-8-samples.mllp, corpus:hl7/cobas-4800/query.mllp).
"""

import re

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Measure, Test
from labmw.quantity import NumberFormat

_WITH_UNIT = re.compile(r"((?:[<>]=? ?)?\d+(?:\.\d+)?(?:E[+-]\d\d)?) +(\D\S*)", re.ASCII)


def measure(text: str) -> Measure:
    """A number with its unit, or a word."""
    match = _WITH_UNIT.fullmatch(text.strip())
    return Measure(match[1], match[2]) if match else Measure(text)


DRIVER = Hl7Driver(
    name="roche-cobas-4800",
    recognises=r"^cobas 4800 software [\d.]+(?:\^[^|]*)?\|",
    maker="Roche",
    models=("cobas 4800",),
    evidence=Evidence.CAPTURE,
    software=Field("MSH", 3, 1),
    serial=Field("MSH", 3, 2),
    awos=Field("OBR", 2, 1),
    run=Field("OBX", 4, 1),
    traced=frozenset({"R"}),
    measure=measure,
    numbers=NumberFormat(exponent=True),
    silent=frozenset({"Full"}),
    no_value=frozenset({"Invalid"}),
    tests={
        "0BHIV1": Test(
            "20447-9", "{copies}/mL", name="VIH-1 charge virale", values=("Target Not Detected", "< Titer min")
        ),
    },
)
