"""Sysmex CN-3000, CN-3500, CN-6000 and CN-6500 coagulation analyzers: named, and read as LIS02-A2 says, because nothing more is known here.

What such an analyzer calls itself, its test codes and how it is told what to do stand in no document or message that we have read, and that it writes
as a CS does is not known. A link names this driver; what comes is kept, shown where the standard would have it, and quarantined.

Source: none.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence

DRIVER = Driver(
    name="sysmex-cn",
    maker="Sysmex",
    models=("CN-3000", "CN-3500", "CN-6000", "CN-6500"),
    evidence=Evidence.UNVERIFIED,
)
