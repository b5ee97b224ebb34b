"""bioMérieux VIDAS and mini VIDAS immunoassay analyzers, tagged fields over their own link (protocol = "tags").

A result is a number (qn), a word (ql) or both, under one test code (rt). Of both, a number that has a unit is the result and the word its detail; a number
without one is the index behind the word, and a detail. A mini VIDAS names nobody,
so the link's configuration must; a VIDAS PC or VIDAS 3 names its computer. Test codes are those of the kits that a laboratory uses: none is
mapped. `qn` may hold its unit, with a decimal comma or a point as the software's language has it. A dilution other than 1 and every state of
calibration and controls other than "valid" (nc) holds the result. The order of day and month is a menu on a VIDAS PC: where a date does not tell it, the
time is in doubt.

Orders are not declared: which tags a VIDAS takes from a host stands in no page that we have read.

Source: bioMérieux, mini VIDAS VIC R2.15, computer interface information (MINI_VIDAS #00019, September 1995), its list of fields; the VIDAS PC User's Manual,
chapter 10, pp. 10-25 and 10-26, quoted in openelis-analyzer-bridge, its revision is not told there; the states of nc in the same place. The frame and the date were compared
with published messages of a mini VIDAS (senaite.astm, tests/data/mini_vidas.txt) and of a VIDAS PC (tobasa-cpp), which are not ours to ship.
Evidence: unverified.
"""

from labmw.driver.declaration import Evidence, Field, TestId
from labmw.driver.laying import PlainDriver
from labmw.driver.tags import vidas
from labmw.model import Flag
from labmw.quantity import NumberFormat


def _split(parts: tuple[str, ...]) -> TestId:
    code, detail = [*parts, "", "", "", "", ""][3:5]
    return TestId(code, detail=detail, main=not detail)


DRIVER = PlainDriver(
    name="biomerieux-vidas",
    recognises=r"\^VIDAS",
    protocol="tags",
    maker="bioMérieux",
    models=("mini VIDAS", "VIDAS", "VIDAS 3"),
    evidence=Evidence.UNVERIFIED,
    layout=vidas,
    split=_split,
    serial=Field("H", 5, 3),
    numbers=NumberFormat(decimal=".,"),
    flags={
        "lotexp": Flag.INSTRUMENT_ERROR,
        "calexp": Flag.CALIBRATION,
        "calinc": Flag.CALIBRATION,
        "contneff": Flag.QC,
        "conthnor": Flag.QC,
        "conthwst": Flag.QC,
    },
)
