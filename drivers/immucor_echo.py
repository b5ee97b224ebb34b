"""Immucor Galileo Echo blood bank analyzers, LIS2-A2 records: reactions well by well, and one interpretation for each test.

A well's R.4 is its reaction, the reaction before a person changed it, and the reading (3+^3+^45): no number, a detail of the
interpretation. The interpretation has the test's name with " Interp" behind it. Only interpretations are results; one whose test is not
below goes to quarantine. No example pack judges blood groups: they are never released without a person.

An order names the assay in O.5 (Screen, not the Screen Interp that is reported), with action N and Blood^Patient in O.16. Donors (a comment behind
the order) are not written. How a host says that there is no work, and cancels, we have not read.

Source: the captures below (published by blutspende/go-parser), read field by field; LOINC 882-1 is ABO and Rh group, 890-4 antibody screen.
Evidence: capture (corpus:astm/galileo-echo/result.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.driver.ordering import OrderDialect


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^name; a name that ends with Interp is the result of the wells before it."""
    name = components[3] if len(components) > 3 else components[0]
    return TestId(name, main=name.endswith(" Interp"))


_GROUPS = tuple(f"{abo} {rh}" for abo in ("A", "B", "AB", "O") for rh in ("Pos", "Neg"))

DRIVER = Driver(
    name="immucor-echo",
    recognises=r"^(?:Galileo )?Echo(?:\^|$)",
    maker="Immucor",
    models=("Galileo Echo", "Echo"),
    evidence=Evidence.CAPTURE,
    serial=Field("R", 14, 1),
    split=split,
    orders=OrderDialect(
        header={5: "{host}", 10: "{model}", 13: "LIS2-A2", 14: "{now}"},
        patient={3: "{patient}", 6: "{family}^{given}", 8: "{birth}", 9: "{sex}"},
        order={3: "{specimen}", 5: "^^^{code}", 6: "{priority}", 12: "{action}", 16: "{material}^Patient"},
        codes={"890-4": "Screen", "882-1": "ABOD Full"},
        cancel="",
        end_of_answer="N",
        priorities={"S": "S", "R": "R"},
        materials={"": "Blood", "BLD": "Blood"},
        sources={
            "H P.3 O.3 O.6 O.12 O.16 L.3": "corpus:astm/galileo-echo/order.astm, a host's own order",
            "O.5": "corpus:astm/galileo-echo/order.astm; the names of assays as the analyzer's own O records have them (result.astm)",
        },
    ),
    tests={
        "ABOD Full Interp": Test("882-1", name="Groupe ABO et Rh", text=True, values=_GROUPS),
        "Screen Interp": Test("890-4", name="Recherche d'anticorps", text=True, values=("Neg", "Pos")),
    },
)
