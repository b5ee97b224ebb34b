"""Ortho Vitros 3600 immunoassay analyzers, LIS2-A over TCP: the header names only a serial number, so the link names the driver.

R.3.4 is "dilution+test+reagent unit" (1.0000+950+1.0): the number in the middle is the test. 950, 951 and 952 are the sample indices
(haemolysis, icterus, turbidity). Replicates come under one code; the one flagged FRMN equals their mean and is the result, the others
are its details. The other numbers and letters in R.7 are not explained by anything we could read: they are kept as unknown flags, and
a result with one is looked at by a person.

Orders as the host of the captures writes them (the host-reply files beside them): the serial number in H.5, P.3, O.5 with the dilution of the analyzer (1.0000, 1.0), O.16 = 5,
O.26 = O, L.3 = N. That host ordered one test at a time: several are one O record each here, until a capture shows otherwise. "No work" is not
shown by any capture, and said as LIS02-A2 does.

Source: the captures below (published by nishishailesh/astm_general); the replicates prove the mean: (33.46+34.05+33.59+34.35)/4 = 33.86.
Evidence: capture (corpus:astm/vitros-3600/2020-11-11-22-43-31-584309-result.astm, corpus:astm/vitros-3600/2020-11-21-13-07-24-379581-result.astm, corpus:astm/vitros-3600/2020-11-21-11-10-01-620611-query.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.driver.ordering import OrderDialect
from protocols.astm.tolerance import Tolerances


def split(components: tuple[str, ...]) -> TestId:
    """The whole of R.3.4 is the code as sent; the part between the plus signs is the test."""
    code = components[3] if len(components) > 3 else components[0]
    parts = code.split("+")
    if len(parts) != 3:
        return TestId(code=code)
    return TestId(code=code, key=parts[1], dilution=parts[0])


DRIVER = Driver(
    name="ortho-vitros-3600",
    maker="Ortho Clinical Diagnostics",
    models=("Vitros 3600",),
    evidence=Evidence.CAPTURE,
    specimen=Field("O", 3, 1),  # tray and cup follow
    serial=Field("H", 5),
    split=split,
    flags={},
    undiluted=frozenset({"", "1.0000", "1.000"}),
    silent=frozenset({"0"}),
    mean_flag="FRMN",
    no_value=frozenset({"No Result"}),
    material=(Field("O", 16, 1),),
    materials=frozenset({"5"}),  # serum: the only one seen
    tolerances=Tolerances(numbered_records=True),  # the hosts of this line number the records inside one frame
    orders=OrderDialect(
        header={5: "{analyzer}", 13: "{version}", 14: "{now}"},
        patient={3: "{patient}", 6: "{family}^{given}", 9: "{sex}"},
        order={
            3: "{specimen}",
            5: "^^^1.0000+{code}+1.0",
            6: "{priority}",
            8: "{now}",
            12: "{action}",
            16: "{material}",
            26: "{report}",
        },
        tests="records",
        answer="O",
        end_of_answer="N",
        materials={"": "5", "SER": "5"},  # serum, also where an order leaves it to its LOINC code
        sources={
            "H P O L.3 tests": "a host's own answers, captured: corpus:astm/vitros-3600/2020-11-21-13-10-56-028439-host-reply.outbox.astm",
        },
    ),
    tests={
        "950": Test("", name="Indice d'hémolyse", index="H"),
        "951": Test("", name="Indice d'ictère", index="I"),
        "952": Test("", name="Indice de turbidité", index="L"),
    },
)
