"""Abbott Alinity m molecular analyzer, IHE LAW over MLLP: one specimen a message, with its result first and a dozen supplemental OBX behind it.

OBX-3 is number^assay^99ABT. The number alone is the result; a letter behind it names a detail: I the interpretation in words, R the cycle number, S
the logarithm (newer software), G the run, M and C readings of the controls. A viral load is a number of copies with a grouping comma (161,152), `< 20`,
or the words Not Detected; its unit is the second component of OBX-6, the first is empty. SPM-2 is empty: SAC-3 is the tube. MSH-3 and MSH-4 are
empty too, so that a link names this driver. OBX-4 is empty or a target, and no run. Sixteen INV name calibrators, controls and reagents with their lots.

Orders are not declared: no query of this family and no order to it was seen.

Source: messages of two software versions of one laboratory, quoted in the tests of a public interface program with other identifiers. No document was read.
Evidence: restated.
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Test, TestId
from labmw.quantity import NumberFormat


def split(components: tuple[str, ...]) -> TestId:
    """OBX-3: 1006 is the result, 1006.S a detail of it."""
    number, _, detail = components[0].partition(".")
    return TestId(components[0], number, detail, main=not detail)


DRIVER = Hl7Driver(
    name="abbott-alinity-m",
    maker="Abbott",
    models=("Alinity m",),
    evidence=Evidence.RESTATED,
    unit=Field("OBX", 6, 2),
    split=split,
    material=(Field("SPM", 4, 1),),
    materials=frozenset({"PLAS"}),
    numbers=NumberFormat(thousands=","),
    units={"Log (Copies/mL)": "{Log_copies}/mL", "Copies/mL": "{copies}/mL"},
    tests={"1006": Test("20447-9", "{copies}/mL", name="VIH-1 charge virale", values=("Not Detected",))},
)
