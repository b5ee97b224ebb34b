"""Roche cobas pure: named, and read as HL7 says, because no message of one was at hand.

Public integrations serve it as they serve a cobas pro, with the same extension of IHE LAW; the captures that prove that family are of a cobas pro. A
link names this driver; what comes is kept, shown where the standard would have it, and quarantined.

Source: none but that two public integrations treat both alike (protocol notes, CPRO).
Evidence: unverified.
"""

from labmw.driver.declaration import Evidence, Hl7Driver

DRIVER = Hl7Driver(
    name="roche-cobas-pure",
    maker="Roche",
    models=("cobas pure",),
    evidence=Evidence.UNVERIFIED,
)
