"""Meril AutoQuant 100, 100i, 200i and 400i clinical chemistry analyzers, E1394-97 over RS-232 or TCP: a backtick repeats, tests go by name.

H.5 is the maker and two numbers; they are taken for software and serial number, so that a change of either holds the line. What was measured
stands in O.16: anything but serum and plasma is not what the LOINC codes hold for. Test names are typed in by each laboratory; those of the
document's examples are here, but for amylase, which no shipped pack judges; ALP in IU/L waits for the laboratory's own word that it is U/L. The example of a result packet has no order record: without one there is no tube, and all goes to quarantine.

Orders are not declared: the document's example of an answer does not follow its own tables. It also says that ETX is outside the checksum, and
its examples agree with neither reading: on a line that refuses every frame, look with `labmw link listen` first.

Source: Meril Diagnostics, AutoQuant 100/100i/200i/400i ASTM LIS Communication Protocol, version 1.2 (18 May 2017), as transcribed in public: §2.3.1
header, §2.3.3 order, §2.3.4 result, §2.3.5 comment, §2.3.6 query. The tables were read whole; the transcription has sections and no pages.
Evidence: manual.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test

DRIVER = Driver(
    name="meril-autoquant",
    recognises=r"^Meril\^",
    maker="Meril Diagnostics",
    models=("AutoQuant 100", "AutoQuant 100i", "AutoQuant 200i", "AutoQuant 400i"),
    evidence=Evidence.MANUAL,
    software=Field("H", 5, 2),
    serial=Field("H", 5, 3),
    material=(Field("O", 16),),
    materials=frozenset({"SERUM", "Serum", "serum", "PLASMA", "Plasma", "plasma"}),
    accepts_status=frozenset({"F", "C"}),
    preliminary=frozenset(),
    tests={
        "ALB": Test("1751-7", "g/dL", ("g/L",), "Albumine"),
        "ALP": Test("6768-6", "U/L", (), "Phosphatase alcaline"),
        "TP": Test("2885-2", "g/dL", ("g/L",), "Protéines totales"),
    },
)
