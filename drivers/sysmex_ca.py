"""Sysmex CA coagulation analyzers (CA-500, CA-600), E1394 over RS-232: rack, tube, specimen and its attribute in one field.

A query names the tube as rack^tube^specimen^attribute in Q.3, the specimen padded with blanks, and the tests that are set for it in Q.5. Results are
read as those of the same maker's CS analyzers are (specimen in O.4.3, else O.3.3); no message with results was at hand, and none is mapped.

A query is answered in the same form, in O.3; each test is its number with 100 behind it (^^^040^^100), several in one record, action N, nothing in O.26.
No work: not read anywhere.

Source: four public host programs for CA-600, with the queries and orders that they quote. No document was read.
Evidence: unverified.
"""

from labmw.driver.declaration import Driver, Evidence, Field
from labmw.driver.ordering import OrderDialect

_HOSTS = "four public host programs for CA-600, which agree"

DRIVER = Driver(
    name="sysmex-ca",
    recognises=r"^CA-[567]\d\d",
    maker="Sysmex",
    models=("CA-500", "CA-600"),
    evidence=Evidence.UNVERIFIED,
    specimen=Field("O", 4, 3),
    specimen_or=(Field("O", 3, 3),),
    query=Field("Q", 3, 3),
    orders=OrderDialect(
        header={5: "{host}^^^^", 10: "{model}"},
        patient={},
        order={3: "{q1}^{q2}^{specimen}^{q4}", 5: "^^^{code}^^100", 6: "R", 7: "{now}", 12: "{action}"},
        tests="tube",
        rack=1,
        position=2,
        codes={},
        cancel="",
        end_of_answer="N",
        keeps_worklist=False,
        sources={
            "H P O.3 O.6 O.7 O.12 L.3 tests": _HOSTS,
            "O.5": "two of them; another writes the test's name before the 100",
        },
    ),
)
