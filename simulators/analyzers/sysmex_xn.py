"""How does a Sysmex XN write its blood counts?

Layout after a message of an XN-550 that senaite.astm publishes as test data: specimen in the third component of O.4, padded to 22
characters, the test name in the fifth component of R.3 followed by the dilution.
"""

from __future__ import annotations

from decimal import Decimal

from simulators.dialect import Assay, Dialect

_TENTH = Decimal("0.1")


def _assay(
    code: str,
    analyte: str,
    loinc: str,
    unit: str,
    ucum: str,
    decimals: int,
    low: str,
    high: str,
    factor: Decimal = Decimal(1),
) -> Assay:
    return Assay(
        code=code, analyte=analyte, loinc=loinc, unit=unit, ucum=ucum, decimals=decimals, factor=factor, normal=(low, high)
    )  # fmt: skip


_ASSAYS = (
    _assay("WBC", "leucocytes", "6690-2", "10*3/uL", "10*3/uL", 2, "4.00", "10.00"),
    _assay("RBC", "erythrocytes", "789-8", "10*6/uL", "10*6/uL", 2, "3.80", "5.90"),
    _assay("HGB", "haemoglobin", "718-7", "g/dL", "g/dL", 1, "11.5", "17.5", _TENTH),
    _assay("HCT", "haematocrit", "4544-3", "%", "%", 1, "34.0", "53.0"),
    _assay("MCV", "mcv", "787-2", "fL", "fL", 1, "80.0", "100.0"),
    _assay("MCH", "mch", "785-6", "pg", "pg", 1, "27.0", "33.5"),
    _assay("MCHC", "mchc", "786-4", "g/dL", "g/dL", 1, "31.0", "36.5", _TENTH),
    _assay("PLT", "platelets", "777-3", "10*3/uL", "10*3/uL", 0, "150", "400"),
    _assay("NEUT#", "neutrophils", "751-8", "10*3/uL", "10*3/uL", 2, "1.50", "7.50"),
    _assay("LYMPH#", "lymphocytes", "731-0", "10*3/uL", "10*3/uL", 2, "1.00", "4.00"),
    _assay("MONO#", "monocytes", "742-7", "10*3/uL", "10*3/uL", 2, "0.10", "1.00"),
    _assay("EO#", "eosinophils", "711-2", "10*3/uL", "10*3/uL", 2, "0.00", "0.60"),
    _assay("BASO#", "basophils", "704-7", "10*3/uL", "10*3/uL", 2, "0.00", "0.15"),
)

DIALECT = Dialect(
    name="sysmex-xn",
    header=r"H|\^&|||    XN-1000^00-24^{serial}^^^^XN100042||||||||E1394-97",
    patient="P|{n}|||{patient}|^{given}^{family}||{birth}|{sex}|||||^||||||||||||^^^",
    order="O|{n}||^^{specimen:>22}^M|{tests}|||||||N||||||||||||||F",
    order_test="^^^^{code}",
    result="R|{n}|^^^^{written}^1|{value}|{unit}||{flag}||{status}||||{completed}",
    comment="C|{n}||{text}",
    terminator="L|1|N",
    assays={one.code: one for one in _ASSAYS},
    kind="EDTA",
    specimen_at=("O", 4, 3),
    code_at=(3, 5),
    completed_at=(("R", 13),),
    instrument={"serial": "11042"},
)
