"""Mindray BS chemistry analyzers that are set to ASTM (BS-240, BS-430 and their kin), E1394 over RS-232 or TCP: the tube in O.4, the code first in R.3.

The sender calls itself Mindry (so written). H.12 says what a message is: PR results, RQ a query, SA what a host sends. O.3 is the analyzer's own number,
rack and position, O.4 the tube. R.3 is code^name^^F, R.4 the number with empty components behind it and six decimals, R.12 the time. The codes are each
laboratory's own (SGOT, CREAT, UREA ...): none is mapped. Those set to HL7 are read by mindray-bs.

An order is one record with all tests, code^^2^1 each, the tube in O.4, serum in O.16, in one frame. No work: not read anywhere.

Source: results, queries and one order of a BS-430 (2026) quoted from its line in a public host program, results of a BS-240 (2025) in two others, which
agree field by field. No document was read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field
from labmw.driver.ordering import OrderDialect
from protocols.astm.tolerance import Tolerances

_HOST = "an order to a BS-430 that a public host program quotes from the line"

DRIVER = Driver(
    name="mindray-bs-astm",
    recognises=r"^Mindry\^",
    maker="Mindray",
    models=("BS-240", "BS-430"),
    evidence=Evidence.UNVERIFIED,
    specimen=Field("O", 4, 1),
    test=Field("R", 3, 1),
    value=Field("R", 4, 1),
    completed=Field("R", 12),
    ordered=Field("O", 5, 1),
    tolerances=Tolerances(packing="message"),
    orders=OrderDialect(
        header={12: "SA", 13: "1394-97", 14: "{now}"},
        patient={},
        order={
            3: "1^1^1",
            4: "{specimen}",
            5: "{code}^^2^1",
            6: "R",
            7: "{now}",
            8: "{now}",
            16: "{material}",
            26: "{report}",
        },
        tests="tube",
        codes={},
        cancel="",
        end_of_answer="N",
        keeps_worklist=False,
        materials={"": "serum", "SER": "serum"},
        sources={"H P O L.3 tests": _HOST},
    ),
)
