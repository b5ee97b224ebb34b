"""What does an immunoassay analyzer measure that speaks IHE LAW as it is written? LOINC codes, UCUM units; how it speaks is `simulators.law`."""

from __future__ import annotations

from simulators.dialect import Assay, Menu


def _assay(loinc: str, analyte: str, unit: str, decimals: int, low: str, high: str) -> Assay:
    return Assay(code=loinc, analyte=analyte, loinc=loinc, unit=unit, ucum=unit, decimals=decimals, normal=(low, high))


_ASSAYS = (
    _assay("3016-3", "tsh", "m[IU]/L", 2, "0.4", "4.0"),
    _assay("14920-3", "free-t4", "pmol/L", 1, "10.0", "21.0"),
    _assay("20567-4", "ferritin", "ng/mL", 0, "15", "300"),
    _assay("14685-2", "vitamin-b12", "pmol/L", 0, "150", "650"),
)

MENU = Menu("SER", {one.code: one for one in _ASSAYS})
