"""Abbott Alinity h haematology analyzers (hq, hs), HL7 2.5.1: named, and read in the standard's places, because nothing more is known here.

What such an analyzer calls itself and its test codes stand in no document or message that we have read; that the h-series speaks HL7 is what is said of
it, and not proven here. A link names this driver; what comes is kept, shown and quarantined.

Source: none.
Evidence: unverified.
"""

from labmw.driver.declaration import Evidence, Hl7Driver

DRIVER = Hl7Driver(
    name="abbott-alinity-h",
    maker="Abbott",
    models=("Alinity hq", "Alinity hs"),
    evidence=Evidence.UNVERIFIED,
)
