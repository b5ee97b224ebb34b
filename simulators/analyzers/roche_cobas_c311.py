"""How does a Roche cobas c 311 write chemistry results and serum indices?

Layout after a message that senaite.astm publishes as test data: the application code before a slash in the fourth component of R.3, no
time in R, the time of the report in O.23, the whole message as one text cut into frames.
"""

from __future__ import annotations

from simulators.dialect import Assay, Dialect


def _assay(
    code: str, analyte: str, loinc: str, unit: str, ucum: str, decimals: int, low: str = "", high: str = ""
) -> Assay:
    return Assay(
        code=code, analyte=analyte, loinc=loinc, unit=unit, ucum=ucum, decimals=decimals, written=f"{code}/", normal=(low, high)
    )  # fmt: skip


def _index(code: str, analyte: str, loinc: str) -> Assay:
    return Assay(code=code, analyte=analyte, loinc=loinc, unit="", written=f"{code}/", main=False)


_ASSAYS = (
    _assay("989", "sodium", "2951-2", "mmol/l", "mmol/L", 0, "136", "145"),
    _assay("990", "potassium", "2823-3", "mmol/l", "mmol/L", 1, "3.5", "5.1"),
    _assay("991", "chloride", "2075-0", "mmol/l", "mmol/L", 0, "98", "107"),
    _assay("690", "creatinine", "14682-9", "umol/l", "umol/L", 0, "44", "106"),
    _assay("717", "glucose", "14749-6", "mmol/l", "mmol/L", 2, "4.11", "6.05"),
    _assay("685", "alat", "1742-6", "U/l", "U/L", 1, "", "41.0"),
    _assay("687", "asat", "1920-8", "U/l", "U/L", 1, "", "40.0"),
    _assay("712", "bilirubin", "14631-6", "umol/l", "umol/L", 1, "", "21.0"),
    _index("992", "lipaemia-index", ""),
    _index("993", "haemolysis-index", ""),
    _index("994", "icterus-index", ""),
)

DIALECT = Dialect(
    name="roche-cobas-c311",
    header=r"H|\^&|||c311^1|||||host|RSUPL^REAL|P|1",
    patient="P|{n}",
    order="O|{n}|{position}^{specimen:<22}^1^^{position:0>3}|R1|{tests}|R||||||N||^^||SC|||SIMULATOR||||{completed}|||F",
    order_test="^^^{code}/",
    result="R|{n}|^^^{written}|{value}|{unit}||{flag}||{status}|||||P1",
    comment="C|{n}|I|{text}|I",
    terminator="L|1|N",
    assays={one.code: one for one in _ASSAYS},
    alarm="0",  # no data alarm
    kind="SER",
    packing="message",
    flags={"L": "L", "H": "H", "": "N"},
    specimen_at=("O", 3, 2),
    completed_at=(("O", 23),),
    query=(
        r"H|\^&|||c311^1|||||host|TSREQ^REAL|P|1",
        "Q|1|^^{specimen:<22}^{position}^50001^{position}^^S1^SC||ALL||||||||O",
        "L|1|N",
    ),
)
