"""Abbott Alinity ci-series analyzers, LIS2-A2 over TCP: as ARCHITECT, with fewer components in R.3, a signature record, and M records of lots.

R.3 is ^^^number^name^dilution^kind. Kind F is the result, I its interpretation, P the signal, G a number that ties the records of one result
together: all but F are details. A dilution other than UNDILUTED or STANDARD is another key and goes to quarantine. Flags are words (LOW).
Status R was sent before. M records name calibrator and reagent lots; one of type CO behind the order names the control material (action Q).
The header's time carries its zone, the results' times do not. Assay numbers and names are those of published messages, no others.

Orders are not declared: no document or message that we read shows a host's order to this family in ASTM.

Source: Abbott, Alinity ci-series LIS Interface Manual (ASTM), 80000456 revision 102, pp. 15 to 18 (ASTM and HL7 compared), 19 to 20 (low-level):
contents pages; messages of software 2.5, 2.6 and 3.6 found in public code, read field by field. Not read in the original.
Evidence: restated.
"""

from labmw.driver.declaration import Driver, Evidence, Field, Test, TestId
from labmw.model import Flag

_PLAIN = frozenset({"", "UNDILUTED", "STANDARD"})


def split(components: tuple[str, ...]) -> TestId:
    """R.3: the key is number/name of an undiluted measurement."""
    parts = (*components, *[""] * 7)
    number, name, dilution, kind = parts[3], parts[4], parts[5], parts[6]
    named = [number, name, "" if dilution in _PLAIN else dilution]
    detail = "" if kind in {"", "F"} else kind
    return TestId(number, "/".join(text for text in named if text) or "-", detail, main=not detail)


DRIVER = Driver(
    name="abbott-alinity-ci",
    recognises=r"^Alinity ci-series\^",
    maker="Abbott",
    models=("Alinity c", "Alinity i"),
    evidence=Evidence.RESTATED,
    serial=Field("H", 5, 3),
    software=Field("H", 5, 2),
    split=split,
    flags={
        "LOW": Flag.LOW,
        "HIGH": Flag.HIGH,
        "LL": Flag.CRITICAL_LOW,
        "HH": Flag.CRITICAL_HIGH,
        "<": Flag.BELOW_RANGE,
        ">": Flag.ABOVE_RANGE,
    },
    accepts_status=frozenset({"F", "R"}),
    preliminary=frozenset(),
    tests={
        "1840/Direct LDL": Test("22748-8", "mmol/L", (), "Cholestérol LDL"),
        "1977/CrEnz": Test("14682-9", "umol/L", (), "Créatinine"),
        "248/TSH": Test("3016-3", "u[IU]/mL", ("m[IU]/L",), "TSH"),
    },
)
