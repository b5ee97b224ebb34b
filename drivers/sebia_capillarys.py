"""Sebia CAPILLARYS capillary electrophoresis analyzers (proteins, HbA1c) behind their PHORESIS station, E1394: named, and read as LIS02-A2 says, because nothing more is known here.

What such an analyzer calls itself, its test codes and how it is told what to do stand in no document or message that we have read. A link names this
driver; what comes is kept, shown where the standard would have it, and quarantined. A recording of a laboratory's own, and drivers/README.md, make a
driver of it.

Source: none.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence

DRIVER = Driver(
    name="sebia-capillarys",
    maker="Sebia",
    models=("CAPILLARYS 2", "CAPILLARYS 3", "MINICAP"),
    evidence=Evidence.UNVERIFIED,
)
