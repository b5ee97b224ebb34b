"""Siemens DCA Vantage point-of-care analyzers, E1394 over RS-232 or Ethernet: albumin and creatinine in urine, haemoglobin A1c.

O.3 is often empty: the identifier that the user scans stands in P.3, and a laboratory that scans something else than its specimens' barcode
must not connect this analyzer. R.12 is the time. Corrections by slope and offset come as a comment after each result. The scale of a
haemoglobin A1c in percent (NGSP or JDS) is said in that comment alone: it is not mapped, and goes to quarantine until a laboratory's own
file says which scale it has set. H.12 = D is service mode; controls have action Q.

Orders are not declared: no document that we read says that it takes any.

Source: Siemens, DCA Vantage Analyzer Host Computer Communications Link, 17306 revision E (June 2012), as restated by senaite.astm
(instruments/dca_vantage.py); Siemens, DCA Vantage Operator's Guide, appendix G, p. 199; the message that senaite.astm publishes
(tests/data/dca_vantage.txt). Not read in the original.
Evidence: manual (and a published capture: tests/captures/siemens-dca-vantage/published.toml).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test
from labmw.model import Flag

DRIVER = Driver(
    name="siemens-dca-vantage",
    recognises=r"^DCA (?:VANTAGE|Vantage)\^",
    maker="Siemens",
    models=("DCA Vantage",),
    evidence=Evidence.MANUAL,
    specimen_or=(Field("P", 3),),
    serial=Field("H", 5, 3),
    software=Field("H", 5, 2),
    completed_or=Field("R", 12),
    flags={"<": Flag.BELOW_RANGE, ">": Flag.ABOVE_RANGE, "L": Flag.LOW, "H": Flag.HIGH},
    accepts_status=frozenset({"F", "C"}),
    preliminary=frozenset(),
    tests={
        "Alb": Test("14957-5", "mg/L", (), "Albumine urinaire"),
        "Crt": Test("2161-8", "mg/dL", (), "Créatinine urinaire"),
        "Ratio": Test("14959-1", "mg/g", (), "Albumine/créatinine urinaire"),
    },
)
