"""Roche cobas pure integrated solutions (ISE, c 303), IHE LAW over MLLP with Roche's codes (99ROC), as a cobas pro speaks it.

One message was seen, of a control: for each test a number, an interpretation under the same code, and supplemental OBX (pipetting time, calibration,
target and deviation of the control). SPM-2 is the material's number, with CONTROL as its namespace. The application codes (OBX-3) are those of each
laboratory's menu: none is mapped. No message of a patient, no query and no order was at hand.

Source: the message that a public interface program quotes; two public integrations treat pure and pro alike (protocol notes, CPRO).
Evidence: unverified.
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver

DRIVER = Hl7Driver(
    name="roche-cobas-pure",
    recognises=r"^cobas®? pure(?:\^[^|]*)?\|",
    maker="Roche",
    models=("cobas pure",),
    evidence=Evidence.UNVERIFIED,
    awos=Field("OBR", 2, 1),
    run=Field("OBX", 4, 1),
    traced=frozenset({"R"}),
)
