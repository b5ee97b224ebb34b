"""Roche cobas pro integrated solutions (ISE, c 503, e 801), IHE LAW over MLLP with Roche's own query (INISEQ) and codes (99ROC).

An order's first OBX is the value, a coded one under the same code its interpretation; the others (pipetting time, calibration, limits, raw
signals) are marked S_OTHER or S_RAW and kept as details. The application codes (OBX-3) are those of each laboratory's menu: none is mapped
here, so every result goes to quarantine until the laboratory's own driver file says what its codes mean. Module serials stand in OBX-18, one
for each result: the identity of a result rests on the link.

Source: the captures below; Roche's extension of IHE LAW as public integrations show it (QPD-3 container, QPD-4 rack, QPD-5 position).
Evidence: capture (corpus:hl7/cobas-pro/OUL_R22_140799.hl7, corpus:hl7/cobas-pro/QBP_Q11.hl7).
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver

DRIVER = Hl7Driver(
    name="roche-cobas-pro",
    recognises=r"^cobas®? pro(?:\^[^|]*)?\|",
    maker="Roche",
    models=("cobas pro",),
    evidence=Evidence.CAPTURE,
    awos=Field("OBR", 2, 1),
    run=Field("OBX", 4, 1),
    traced=frozenset({"R"}),
)
