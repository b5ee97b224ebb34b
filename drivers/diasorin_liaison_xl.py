"""DiaSorin LIAISON and LIAISON XL immunoassay analyzers, E1394 over RS-232 or TCP: the standard's places, a query that names the tube alone.

O.3 is the tube, R.3.4 the test, padded with blanks in one message; unit, flag, status and time stand where LIS02-A2 puts them. A query has the tube as the
whole of Q.3 and ALL in Q.5. The names of the tests are each laboratory's own (25OHD, Myco-M ...): none is mapped.

An answer has one order record for each test, priority N, and O in O.26 also when it was asked for. No work: not read anywhere.

Source: messages and an order of a LIAISON (2011 to 2018) quoted in a public host program, a second host program for a LIAISON XL, and a header of a
LIAISON XL with its checksum in the tests of a third. No document was read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field, TestId
from labmw.driver.ordering import OrderDialect

_HOST = "an order to a LIAISON quoted in a public host program"


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^test, padded with blanks in one of the messages."""
    return TestId((components[3] if len(components) > 3 else components[0]).strip())


DRIVER = Driver(
    name="diasorin-liaison-xl",
    recognises=r"^L(?:IAISON|iaison) ?(?:XL)?\b",
    maker="DiaSorin",
    models=("LIAISON", "LIAISON XL"),
    evidence=Evidence.UNVERIFIED,
    query=Field("Q", 3, 1),
    split=split,
    orders=OrderDialect(
        header={5: "{analyzer}", 10: "{host}", 13: "1", 14: "{now}"},
        patient={4: "{patient}", 6: "{family}^{given}"},
        order={3: "{specimen}", 5: "^^^{code}", 6: "N", 7: "{now}", 26: "O"},
        tests="records",
        codes={},
        cancel="",
        end_of_answer="N",
        keeps_worklist=False,
        sources={"H P O L.3 tests": _HOST},
    ),
)
