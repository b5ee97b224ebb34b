"""How does a Cepheid GeneXpert write a viral load with its details?

Layout after renders of real messages (corpus: astm/genexpert): the delimiters are @ ^ and a backslash, a number stands in the second
component of R.4, words in the first, and log, Ct and control values share the test code with the result.
"""

from __future__ import annotations

from simulators.dialect import Assay, Dialect

_CODE, _ASSAY = "HIV-1", "Xpert HIV-1 Viral Load XC^3"


def _assay(
    name: str, written: str, analyte: str, unit: str, ucum: str, decimals: int, detail: str, loinc: str
) -> Assay:
    return Assay(
        code=_CODE, analyte=analyte, loinc=loinc, unit=unit, ucum=ucum, decimals=decimals, written=written, detail=detail, main=not detail
    )  # fmt: skip


_ASSAYS = {
    "HIV-1": _assay("HIV-1", f"{_CODE}^{_ASSAY}^^", "viral-load", "copies/mL", "{copies}/mL", 2, "", "20447-9"),
    "HIV-1 LOG": _assay("LOG", f"{_CODE}^{_ASSAY}^^LOG", "viral-load-log", "copies/mL", "", 2, "LOG", ""),
    "HIV-1 Ct": _assay("Ct", f"{_CODE}^^^HIV-1^Ct", "cycle-threshold", "", "", 1, "Ct", ""),
}

DIALECT = Dialect(
    name="cepheid-genexpert",
    header=r"H|@^\|GXM-{serial}||GeneXpert Demo^GeneXpert^6.5|||||LABMW||P|1394-97|{at}",
    patient="P|{n}|||{patient}|^^^^|||||||||||||||||||||||||||||",
    order="O|{n}|{specimen}||{tests}|R|{started}|||||||||ORH||||||||||F",
    result="R|{n}|^^^{written}|^{value}|{unit}|{range}|{flag}||{status}||SIMULATOR|{started}|{completed}|Cepheid-SIM0042^800042^600042^1200000042^30042^20270321",
    brief="R|{n}|^^^{written}|^{value}|||",
    comment="C|{n}|I|{text}",
    terminator="L|1|N",
    assays=_ASSAYS,
    kind="PLAS",
    packing="message",
    detail_at=(3, 8),
    value_at=(4, 2),
    completed_at=(("R", 13),),
    instrument={"serial": "00000000042"},
)
