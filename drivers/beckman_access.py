"""Beckman Coulter Access 2 and UniCel DxI immunoassay analyzers, E1394 over RS-232 or TCP: R.3 is ^^^test^replicate.

A replicate is a run of its own: two of them are shown side by side and neither is released alone. The range names what it is (222 to
1439^normal). Test codes are the maker's, with the generation of the kit in them (B12II, HCG5); those of published messages are here.
The terminator is F after results and queries alike.

An order names the tests in one record, action A, O.16 Serum, and nothing in O.26; L.3 is F. The code is that of O.5 in the analyzer's own messages
(B12), not that of R.3 (B12II). How a host says that there is no work we have not read: L.3 = I, as the standard has it.

Source: Beckman Coulter, UniCel DxI and Access 2 LIS Vendor Information, C03112 revision AA (December 2016): p. 14 (message format), p. 38
(sample messages), p. 51 (appendix B, test codes): contents pages; revision AF (May 2026), chapter 3, as restated in public code (flags, status
F and X); messages of an Access 2 that astmio publishes from production logs (B12II), and of a DxI 800 found in public code (TSH, queries),
read field by field. Not read in the original.
Evidence: restated.
"""

from labmw.driver.declaration import STANDARD_FLAGS, Driver, Evidence, Field, Test
from labmw.driver.ordering import OrderDialect

_VENDOR = "C03112 revision AF, chapter 3: the example download (SPEC1234, Ferritin), its checksums printed, as restated in public"

DRIVER = Driver(
    name="beckman-access",
    recognises=r"^ACCESS\^",
    maker="Beckman Coulter",
    models=("Access 2", "DxI 600", "DxI 800"),
    evidence=Evidence.RESTATED,
    serial=Field("H", 5, 2),
    run=Field("R", 3, 5),
    orders=OrderDialect(
        header={5: "{host}", 12: "P", 13: "1", 14: "{now}"},
        patient={3: "{patient}"},
        order={3: "{specimen}", 5: "^^^{code}", 6: "{priority}", 12: "{action}", 16: "{material}"},
        codes={"3016-3": "TSH", "2132-9": "B12"},
        new="A",
        cancel="",
        end_unasked="F",
        priorities={"S": "S", "R": "R"},
        materials={"": "Serum", "SER": "Serum"},
        sources={
            "H P.3 O.3 O.5 O.6 O.12 O.16 L.3": _VENDOR,
        },
    ),
    flags={flag: STANDARD_FLAGS[flag] for flag in ("L", "H", "LL", "HH", "<", ">", "N")},
    accepts_status=frozenset({"F", ""}),
    preliminary=frozenset(),
    tests={
        "TSH": Test("3016-3", "u[IU]/mL", ("m[IU]/L",), "TSH"),
        "B12II": Test("2132-9", "pg/mL", ("ng/L",), "Vitamine B12"),
    },
)
