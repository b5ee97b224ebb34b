"""May the value of a diluted specimen be used as it is? Only where the family is known to put the factor into it; labmw multiplies nothing."""

from __future__ import annotations

from labmw.driver.declaration import Driver
from labmw.driver.reading import Facts
from labmw.model import Flag
from protocols.hl7.er7 import Segment

_NONE = frozenset({"", "1", "1:1"})
_MARK = frozenset({Flag.DILUTED})


def dilution_problem(driver: Driver, dilution: str, code: str) -> tuple[str, Facts] | None:
    """Why a value cannot be used as it is; None when the specimen was not diluted, or the factor is in the value."""
    said = dilution.strip()
    if said in driver.undiluted or driver.diluted == "applied":
        return None
    problem = "diluted-raw" if driver.diluted == "raw" else "diluted-unknown"
    return problem, (("test", code), ("dilution", said))


def mark(driver: Driver, dilution: str) -> frozenset[Flag]:
    """The flag of a diluted specimen's value."""
    return frozenset() if dilution.strip() in driver.undiluted else _MARK


def dilution_of(treatment: Segment | None) -> str:
    """The factor that a TCD tells: of the analyzer, of the rerun, or before (TCD-2 to TCD-4, a structured number like ^1^:^10); "" for none."""
    if treatment is None:
        return ""
    for number in (2, 3, 4):
        parts = [treatment.component(number, part).strip() for part in (4, 2, 1)]
        factor = next((part for part in parts if part), "")
        if factor not in _NONE:
            return treatment.field(number)
    return ""
