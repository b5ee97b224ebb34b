"""Ortho Vision immunohaematology analyzers, LIS2-A records: bare test names in R.3, column reactions in M records.

Results are words: the ABO group and Rh are two records of one ordered profile (ABO-D). The M records behind a result show its columns with
card lot, expiry, picture files and reaction, and are kept. The flag T is met in a capture and not explained by it: it is unknown here, and a
person looks. No example pack judges blood groups: they are never released without a person.

Source: the captures below (software 5.10 and 5.13), read field by field; LOINC 883-9 is the ABO group, 10331-7 Rh.
Evidence: capture (corpus:astm/ortho-vision/vision.astm, corpus:astm/ortho-vision/msg-1.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test

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
    tests={
        "ABO": Test("883-9", name="Groupe ABO", text=True, values=("A", "B", "AB", "O")),
        "Rh": Test("10331-7", name="Rh", text=True, values=("POS", "NEG")),
    },
)
