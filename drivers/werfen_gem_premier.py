"""Werfen (Instrumentation Laboratory) GEM Premier 3500 blood gas analyzers, E1394 over TCP, where the analyzer listens: one time for all results.

The first R record has the operator and the time, those behind it neither: a result without a time is for a person. O.3 is the specimen, O.16 one letter
for its kind (A arterial): LOINC codes hold for that. There are no flags and no status. A query asks for the patient's data (Q.13 = D), never for
tests, and is not served.

Orders are not declared: it takes none.

Source: GEM Premier 3500 Interface Protocol, section 3.5.11 (example of a patient sample), as a public simulator of the analyzer restates it with the
fields that it says are used. The revision is not told. Not read in the original.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test

DRIVER = Driver(
    name="werfen-gem-premier",
    recognises=r"^GEM 3500\^",
    maker="Werfen",
    models=("GEM Premier 3500",),
    evidence=Evidence.UNVERIFIED,
    serial=Field("H", 5, 3),
    software=Field("H", 5, 2),
    query=Field("Q", 3, 1),
    material=(Field("O", 16, 1),),
    materials=frozenset({"A"}),
    units={"mmHg": "mm[Hg]"},
    tests={
        "pCO2": Test("2019-8", "mm[Hg]", name="pCO2"),
        "pO2": Test("2703-7", "mm[Hg]", name="pO2"),
        "Na+": Test("2947-0", "mmol/L", name="Sodium"),
        "K+": Test("6298-4", "mmol/L", name="Potassium"),
        "Ca++": Test("1994-3", "mmol/L", name="Calcium ionisé"),
        "Lac": Test("32693-4", "mmol/L", name="Lactate"),
    },
)
