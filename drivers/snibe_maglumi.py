"""Snibe MAGLUMI immunoassay analyzers, E1394 records: the sender is the model or its user, a password field stands before it.

Tests are called by their kits (TSH II). R.9 stays empty; the time is R.13. On the wire a message stands between STX and ETX without frame
numbers and checksums, each piece acknowledged: nothing but the records themselves tells whether they arrived whole. A link is
`protocol = "maglumi"` (docs/plain-links.md), or "astm" where its menu's checksum is on; the tolerances below read recordings. Units are those of the analyzer's setting; another one goes to quarantine.

Orders are not declared: how one is taken between STX and ETX no page or message that we have read shows.

Source: Snibe, MAGLUMI 4000 Plus Operating Instructions, appendix B (network interface specifications), p. B-1 (control characters, message
types, header), the revision is not told where it was found; a message of a MAGLUMI that astmio publishes (thyroid panel), read field by field.
Evidence: restated.
"""

from labmw.driver.declaration import Driver, Evidence, Test
from protocols.astm.tolerance import Tolerances

DRIVER = Driver(
    name="snibe-maglumi",
    recognises=r"^(?:MAGLUMI|Maglumi)\b",
    maker="Snibe",
    models=("MAGLUMI 800", "MAGLUMI 4000 Plus", "MAGLUMI X3"),
    evidence=Evidence.RESTATED,
    tolerances=Tolerances(checksum="none", frame_numbers="absent", trailer="optional"),
    accepts_status=frozenset({"", "F"}),
    preliminary=frozenset(),
    tests={
        "TSH II": Test("3016-3", "u[IU]/mL", ("m[IU]/L",), "TSH"),
        "TT3 II": Test("3053-6", "ng/mL", (), "T3 totale"),
        "TT4 II": Test("3026-2", "ug/dL", (), "T4 totale"),
    },
)
