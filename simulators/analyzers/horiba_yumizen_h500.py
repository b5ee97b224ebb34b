"""How does a Horiba Yumizen H500 write its blood counts? Layout after a capture (corpus: astm/yumizen-h500)."""

from __future__ import annotations

from decimal import Decimal

from simulators.dialect import Assay, Dialect


def _assay(
    code: str,
    loinc: str,
    unit: str,
    ucum: str,
    analyte: str = "",
    decimals: int = 0,
    low: str = "",
    high: str = "",
    factor: str = "1",
) -> Assay:
    return Assay(
        code=code, analyte=analyte, loinc=loinc, unit=unit, ucum=ucum, decimals=decimals, factor=Decimal(factor),
        written=f"{code}^{loinc}" if loinc else code, normal=(low, high), main=bool(loinc),
    )  # fmt: skip


# Those with an analyte can be measured by the simulator; the others are met in recordings.
_ASSAYS = (
    _assay("WBC", "6690-2", "10E3/uL", "10*3/uL", "leucocytes", 2, "3.50", "10.00"),
    _assay("RBC", "789-8", "10E6/uL", "10*6/uL", "erythrocytes", 2, "3.80", "6.00"),
    _assay("HGB", "718-7", "g/dL", "g/dL", "haemoglobin", 1, "11.5", "17.0", "0.1"),
    _assay("HCT", "4544-3", "%", "%", "haematocrit", 1, "35.0", "52.0"),
    _assay("MCV", "787-2", "um3", "fL", "mcv", 1, "76.0", "100.0"),
    _assay("MCH", "785-6", "pg", "pg", "mch", 1, "27.0", "34.0"),
    _assay("MCHC", "786-4", "g/dL", "g/dL", "mchc", 1, "32.0", "35.0", "0.1"),
    _assay("RDW-CV", "788-0", "%", "%", "rdw", 1, "11.0", "17.0"),
    _assay("RDW-SD", "21000-5", "um3", "fL"),
    _assay("PLT", "777-3", "10E3/uL", "10*3/uL", "platelets", 0, "150", "400"),
    _assay("MPV", "32623-1", "um3", "fL", "mpv", 1, "8.0", "11.0"),
    _assay("PCT", "51637-7", "%", "%"),
    _assay("PDW", "51631-0", "um3", "fL"),
    _assay("P-LCC", "", "10E3/uL", "10*3/uL"),
    _assay("P-LCR", "48386-7", "%", "%"),
    _assay("NEU#", "751-8", "10E3/uL", "10*3/uL", "neutrophils", 2, "1.60", "7.00"),
    _assay("NEU%", "770-8", "%", "%", "neutrophils-share", 1, "40.0", "73.0"),
    _assay("LYM#", "731-0", "10E3/uL", "10*3/uL", "lymphocytes", 2, "1.00", "3.00"),
    _assay("LYM%", "736-9", "%", "%", "lymphocytes-share", 1, "15.0", "45.0"),
    _assay("MON#", "742-7", "10E3/uL", "10*3/uL", "monocytes", 2, "0.20", "0.80"),
    _assay("MON%", "5905-5", "%", "%", "monocytes-share", 1, "4.0", "12.0"),
    _assay("EOS#", "711-2", "10E3/uL", "10*3/uL", "eosinophils", 2, "0.00", "0.50"),
    _assay("EOS%", "713-8", "%", "%", "eosinophils-share", 1, "0.5", "7.0"),
    _assay("BAS#", "704-7", "10E3/uL", "10*3/uL", "basophils", 2, "0.00", "0.15"),
    _assay("BAS%", "706-2", "%", "%", "basophils-share", 1, "0.0", "2.0"),
    _assay("LIC#", "55432-9", "10E3/uL", "10*3/uL"),
    _assay("LIC%", "55433-7", "%", "%"),
)

DIALECT = Dialect(
    name="horiba-yumizen-h500",
    header=r"H|\^&|||H500^{serial}^2.2.0.5|||||||P|LIS2-A2|{at}",
    patient="P|{n}|||||||||||||||||||||||||||||||||||",
    order="O|{n}|{specimen}||{tests}|R|{started}|||||||||BLOOD||||||||||F|||||",
    order_test="^^^DIF",
    result="R|{n}|^^^{written}|{value}|{unit}|{range}^REFERENCE_RANGE|{flag}||{status}||PATHO^^USER|{completed}||",
    comment="C|{n}|I|{text}|I",
    terminator="L|1|N",
    assays={one.code: one for one in _ASSAYS},
    kind="EDTA",
    flags={"L": "L", "H": "H", "": "N"},
    completed_at=(("R", 13), ("R", 12)),
    instrument={"serial": "000SIMU00001"},
)
