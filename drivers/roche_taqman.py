"""Roche COBAS AmpliPrep/COBAS TaqMan 96 behind AMPLILINK 3.3 ("Roche ASTM+"), E1394: one specimen a message, many messages a session.

R.3 names the assay (HI2CAP96); O.5 says ALL of every order. Version 3.3.7 sends the number unrounded (1035.95864507225), 3.3.5 a mantissa with its
logarithm in brackets (2.52E+3 (3.40)), which no number format of ours reads: it goes to quarantine. Target Not Detected has no unit. R.9 is V
(verified). Comments hold the acceptance and the instrument's flags (TM40^ STEP_CORR-2). O.3 is what somebody typed: spaces in it are kept as sent.

Orders are not declared: no order to this family was seen.

Source: records of AMPLILINK version 3.3.5 and version 3.3.7 from the logs of two laboratories, quoted in the tests of a public interface program with other
identifiers. Its frames were not seen: strict ones are expected. No document was read.
Evidence: restated.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test

DRIVER = Driver(
    name="roche-taqman",
    recognises=r"\^Roche\^AMPLILINK\^",
    maker="Roche",
    models=("COBAS TaqMan 96",),
    evidence=Evidence.RESTATED,
    serial=Field("H", 5, 6),
    software=Field("H", 5, 4),
    tests={"HI2CAP96": Test("20447-9", "{copies}/mL", name="VIH-1 charge virale", values=("Target Not Detected",))},
    units={"cp/ml": "{copies}/mL"},
)
