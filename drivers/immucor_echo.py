"""Immucor Galileo Echo blood bank analyzers, LIS2-A2 records: reactions well by well, and one interpretation for each test.

A well's R.4 is its reaction, the reaction before a person changed it, and the reading (3+^3+^45): no number, a detail of the
interpretation. The interpretation has the test's name with " Interp" behind it. Only interpretations are results; one whose test is not
below goes to quarantine. No example pack judges blood groups: they are never released without a person.

Source: the captures below (published by blutspende/go-parser), read field by field; LOINC 882-1 is ABO and Rh group, 890-4 antibody screen.
Evidence: capture (corpus:astm/galileo-echo/result.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId


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
    tests={
        "ABOD Full Interp": Test("882-1", name="Groupe ABO et Rh", text=True, values=_GROUPS),
        "Screen Interp": Test("890-4", name="Recherche d'anticorps", text=True, values=("Neg", "Pos")),
    },
)
