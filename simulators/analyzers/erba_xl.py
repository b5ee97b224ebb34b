"""How does an Erba XL write chemistry results? Layout after captures (corpus: astm/erba-xl): a header that names nobody, one frame per message."""

from __future__ import annotations

from decimal import Decimal

from simulators.dialect import Assay, Dialect


def _assay(code: str, analyte: str, loinc: str, unit: str, ucum: str, decimals: int, factor: str = "1") -> Assay:
    return Assay(
        code=code, analyte=analyte, loinc=loinc, unit=unit, ucum=ucum, decimals=decimals, factor=Decimal(factor)
    )  # fmt: skip


_ASSAYS = (
    _assay("GLCC", "glucose", "2345-7", "mg/dl", "mg/dL", 0, "18.016"),
    _assay("CRR", "creatinine", "2160-0", "mg/dl", "mg/dL", 2, "0.01131"),
    _assay("TBILL", "bilirubin", "1975-2", "mg/dl", "mg/dL", 1, "0.05847"),
    _assay("ALTT", "alat", "1742-6", "U/L", "U/L", 0),
    _assay("ALBB", "albumin", "1751-7", "g/dl", "g/dL", 1, "0.1"),
)

DIALECT = Dialect(
    name="erba-xl",
    header="H|`^&||||||||||P|E 1394-97|{at}",
    patient="P|{n}|||||||U||||||||0|0",
    order="O|{n}|{specimen}||{tests}|||||||||||SERUM",
    result="R|{n}|^^^{written}|{value}|{unit}|^DEFAULT|{flag}|N|{status}||||{completed}",
    comment="C|{n}|I|{text}",
    terminator="L|1|N",
    assays={one.code: one for one in _ASSAYS},
    kind="SER",
    packing="message",
    frame_text=63_993,
    flags={"L": "L", "H": "H", "": "A"},
)
