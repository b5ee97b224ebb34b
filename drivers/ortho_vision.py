"""Ortho Vision immunohaematology analyzers, LIS2-A records: bare test names in R.3, column reactions in M records.

Results are words: the ABO group and Rh are two records of one ordered profile (ABO-D). The M records behind a result show its columns with
card lot, expiry, picture files and reaction, and are kept. The flag T is met in a capture and not explained by it: it is unknown here, and a
person looks. No example pack judges blood groups: they are never released without a person.

An order names profiles in O.5 as they are configured on the analyzer, case-sensitive: what to order is said in the laboratory's own driver file
(`codes`). Action N, A or C; the sample type in O.16 must be known to the analyzer. Termination codes are not used. How a host says that there is
no work we have not read.

Source: the captures below (software 5.10 and 5.13), read field by field; LOINC 883-9 is the ABO group, 10331-7 Rh.
Evidence: capture (corpus:astm/ortho-vision/vision.astm, corpus:astm/ortho-vision/msg-1.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test
from labmw.driver.ordering import OrderDialect

_TABLES = "the maker's tables of H, L, P, O and Q (E1394 chapters 7 to 13), as restated field by field in public"

DRIVER = Driver(
    name="ortho-vision",
    recognises=r"^OCD\^VISION\b",
    maker="Ortho Clinical Diagnostics",
    models=("Vision", "Vision Max"),
    evidence=Evidence.CAPTURE,
    test=Field("R", 3, 4, bare=True),
    serial=Field("H", 5, 4),
    software=Field("H", 5, 3),
    flags={},
    orders=OrderDialect(
        header={5: "{host}", 14: "{now}"},
        patient={3: "{patient}", 6: "{family}^{given}", 8: "{birth}", 9: "{sex}"},
        order={3: "{specimen}", 5: "{code}", 6: "{priority}", 7: "{ordered}", 12: "{action}", 16: "{material}"},
        codes={},
        materials={"": "CENTBLOOD", "BLD": "CENTBLOOD"},
        sources={
            "H P.3 P.6 P.8 P.9 O.3 O.5 O.6 O.7 O.12": _TABLES,
            "O.16": f"{_TABLES}; CENTBLOOD as in corpus:astm/ortho-vision/minimal-order.astm",
        },
    ),
    tests={
        "ABO": Test("883-9", name="Groupe ABO", text=True, values=("A", "B", "AB", "O")),
        "Rh": Test("10331-7", name="Rh", text=True, values=("POS", "NEG")),
    },
)
