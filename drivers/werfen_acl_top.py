"""Werfen ACL TOP 300 to 750 CTS coagulation analyzers, E1394 over RS-232 or TCP: named, and read as LIS02-A2 says, because nothing more is known here.

What such an analyzer calls itself, its test codes and how it is told what to do stand in no document or message that we have read. A link names this
driver; what comes is kept, shown where the standard would have it, and quarantined. A recording of a laboratory's own, and drivers/README.md, make a
driver of it.

Source: none but that one public list of analyzers served says ASTM with checksums for an ACL TOP 300.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence

DRIVER = Driver(
    name="werfen-acl-top",
    maker="Werfen",
    models=("ACL TOP 350", "ACL TOP 550", "ACL TOP 750"),
    evidence=Evidence.UNVERIFIED,
)
