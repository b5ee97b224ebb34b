"""Siemens Atellica Solution chemistry and immunoassay analyzers, HL7 2.5.1 as IHE LAW lays it out, with codes of their own in OBX-3.

OBR-2 comes back as it was ordered, OBX-4 numbers the runs, a run that is no candidate says R in OBX-11. The codes are Siemens' own
(99SiemensHDXTestCode) and not LOINC: none is mapped, so that every result is for a person until a laboratory's own file says what they mean. Two
connections, one for each direction. The sender's name was not read: a link names this driver.

Source: the public driver of another project for Atellica and the Universal Interface Workstation, as protocol notes C.13 restate it; not read in the
original, and no document of the maker was.
Evidence: unverified.
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver

DRIVER = Hl7Driver(
    name="siemens-atellica",
    maker="Siemens",
    models=("Atellica CH", "Atellica IM"),
    evidence=Evidence.UNVERIFIED,
    awos=Field("OBR", 2, 1),
    run=Field("OBX", 4, 1),
    traced=frozenset({"R"}),
)
