"""Phadia laboratory systems (Phadia 100 to 5000) behind Phadia Prime, LIS02-A2 records: R.3 is ^^^test^method^n, the value is R.4.1.

kUA/l are units of one allergen's own antibody, kU/l of all immunoglobulin E. `Examine` says that there is no value and a person must look;
18991230 is the zero of the sending system, not a date. The response of the fluorometer comes as a comment. Of the codes only total IgE is
mapped: allergen codes (t2, f13 ...) are the maker's, and each has a LOINC code of its own, to be added in the laboratory's file.

Orders are not declared: nothing that we read shows a host's order to Phadia Prime.

Source: the capture below (Phadia Prime 1.2.0; published by twgenaux/tgenaux-ASTM-LIS), read field by field; LOINC 19113-0 is total IgE
in units per volume.
Evidence: capture (corpus:astm/phadia/phadia-prime.astm).
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId


def split(components: tuple[str, ...]) -> TestId:
    """R.3: ^^^test^method^n; whether a value with another n than 1 holds for the undiluted specimen is not known, and its key is another."""
    parts = (*components, *[""] * 6)
    named = [parts[3], parts[4], "" if parts[5] == "1" else parts[5]]
    return TestId(code=parts[3], key="/".join(text for text in named if text) or "-")


DRIVER = Driver(
    name="phadia-prime",
    recognises=r"^Phadia\.Prime\^",
    maker="Thermo Fisher (Phadia)",
    models=("Phadia 100", "Phadia 250", "Phadia 1000", "Phadia 2500", "Phadia 5000"),
    evidence=Evidence.CAPTURE,
    value=Field("R", 4, 1),
    serial=Field("R", 14),
    software=Field("H", 5, 2),
    split=split,
    units={"kU/l": "k[IU]/L", "kU/L": "k[IU]/L", "kUA/l": "kU{A}/L", "kUA/L": "kU{A}/L"},
    no_value=frozenset({"Examine"}),
    tests={"a-IgE/tIgE": Test("19113-0", "k[IU]/L", name="IgE totales")},
)
