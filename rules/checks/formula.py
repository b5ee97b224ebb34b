"""Do the tests of one specimen contradict each other? Formulas and patterns of contamination that a pack names, with its own limits.

Each is written in the language of `when`, over roles in stated units. The numbers are customary starting points that nobody has measured
here, unless the note says so: keep a rule that uses one at review or comment until a replay of the laboratory's own results supports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from rules.checks.finding import About
from rules.checks.options import one_test
from rules.checks.when import WhenCheck
from rules.expression import Vocabulary, read
from rules.expression.tree import Name, numbers, renamed
from rules.expression.unit import unit
from rules.strict import Table, nearest


@dataclass(frozen=True, slots=True)
class Formula:
    """A condition that no honest specimen meets: its text, roles with their units, and numbers that a pack may change."""

    text: str
    roles: Mapping[str, str]
    numbers: Mapping[str, str]
    note: str = ""


_MMOL = "mmol/L"
CONSISTENCY: Mapping[str, Formula] = {
    "anion-gap": Formula(
        "NA + K - CL - HCO3 < {low} or NA + K - CL - HCO3 > {high}",
        {"NA": _MMOL, "K": _MMOL, "CL": _MMOL, "HCO3": _MMOL}, {"low": "3", "high": "30"}, "1.3 % of 2,135 inpatient panels",
    ),
    "osmolal-gap": Formula(
        'abs(as_unit(OSM, "mmol/L") - (2 * NA + GLU + UREA)) > {gap}',
        {"OSM": "mosm/kg", "NA": _MMOL, "GLU": _MMOL, "UREA": _MMOL}, {"gap": "20"},
    ),
    "bilirubin": Formula("BILD > {factor} * BILT", {"BILD": "umol/L", "BILT": "umol/L"}, {"factor": "1.05"}, "0 of 54"),
    "albumin-protein": Formula(
        "ALB > PROT or (PROT - ALB) / PROT < {fraction}", {"ALB": "g/L", "PROT": "g/L"}, {"fraction": "0.2"},
    ),
    "lipids": Formula(
        'TRIG < {trig} and abs(CHOL - HDL - TRIG / 2.2 - LDL) > {share} * CHOL or HDL + LDL > CHOL',
        {"TRIG": _MMOL, "CHOL": _MMOL, "HDL": _MMOL, "LDL": _MMOL}, {"trig": "4.5", "share": "0.3"}, "Friedewald",
    ),
    "corrected-calcium": Formula(
        'CA + as_unit(0.02 * (40 - ALB), "mmol/L") > {high}', {"CA": _MMOL, "ALB": "g/L"}, {"high": "3.2"},
    ),
    "pseudohyponatraemia": Formula("TRIG > {trig} and NA < {na}", {"TRIG": _MMOL, "NA": _MMOL}, {"trig": "11.3", "na": "130"}),
    "mcv": Formula(
        'abs(MCV - as_unit(10 * HCT / RBC, "fL")) > {apart}', {"MCV": "fL", "HCT": "%", "RBC": "10*12/L"}, {"apart": "3"}, "1 of 2,005",
    ),
    "mchc": Formula("MCHC > {high} or MCHC < {low}", {"MCHC": "g/L"}, {"low": "290", "high": "365"}, "above: 41 of 2,007 inpatients"),
    "rule-of-three": Formula(
        'abs(as_unit(0.3 * HB, "%") - HCT) > {apart}', {"HB": "g/L", "HCT": "%"}, {"apart": "3"}, "84 of 2,017 inpatients: too noisy to hold by",
    ),
    "differential-sum": Formula(
        "abs(NEUT + LYMPH + MONO + EOS + BASO - 100) > {apart}",
        {"NEUT": "%", "LYMPH": "%", "MONO": "%", "EOS": "%", "BASO": "%"}, {"apart": "1"},
    ),
    "tsh-ft4": Formula(
        "TSH < {tsh_low} and FT4 < {ft4_low} or TSH > {tsh_high} and FT4 > {ft4_high}", {"TSH": "m[IU]/L", "FT4": "pmol/L"},
        {"tsh_low": "0.1", "ft4_low": "9", "tsh_high": "10", "ft4_high": "22"},
    ),
    "transaminases": Formula("AST > {high} and ALT < {low}", {"AST": "U/L", "ALT": "U/L"}, {"high": "800", "low": "20"}),
    "ck-ast": Formula("CK > {ck} and AST < {ast}", {"CK": "U/L", "AST": "U/L"}, {"ck": "5000", "ast": "40"}),
    "urea-creatinine": Formula(
        'as_unit(UREA / CREA, "1") > {high}', {"UREA": _MMOL, "CREA": "umol/L"}, {"high": "0.5"},
    ),
}  # fmt: skip
CONTAMINATION: Mapping[str, Formula] = {
    "k-edta": Formula("K > {k} and CA < {ca}", {"K": _MMOL, "CA": _MMOL}, {"k": "6", "ca": "1.9"}, "3 of 1,742 panels"),
    "citrate": Formula("NA > {na} and CA < {ca}", {"NA": _MMOL, "CA": _MMOL}, {"na": "150", "ca": "1.9"}),
    "oxalate-fluoride": Formula("K > {k} and CA < {ca} and NA > {na}", {"K": _MMOL, "CA": _MMOL, "NA": _MMOL}, {"k": "6", "ca": "1.9", "na": "150"}),
    "drip-glucose": Formula("GLU > {glu} and NA < {na}", {"GLU": _MMOL, "NA": _MMOL}, {"glu": "30", "na": "130"}),
    "drip-saline": Formula("NA > {na} and CL > {cl}", {"NA": _MMOL, "CL": _MMOL}, {"na": "150", "cl": "120"}),
    "drip-potassium": Formula("K > {k} and NA < {na}", {"K": _MMOL, "NA": _MMOL}, {"k": "7", "na": "130"}),
}  # fmt: skip


def read_consistency(table: Table, about: About) -> WhenCheck:
    """Read the keys of a consistency rule."""
    return _read(table, about, "formula", CONSISTENCY, "consistency", "inconsistent")


def read_contamination(table: Table, about: About) -> WhenCheck:
    """Read the keys of a contamination rule."""
    return _read(table, about, "pattern", CONTAMINATION, "contamination", "contaminated")


def _read(table: Table, about: About, key: str, library: Mapping[str, Formula], name: str, code: str) -> WhenCheck:
    formula = library[table.word(key, library)]
    text = formula.text.format(**_numbers(table, formula))
    known = Vocabulary({role: unit(code) for role, code in formula.roles.items()}, {}, frozenset())
    tree = read(text, known)
    alias_of = _roles(table, about, formula, set(numbers(tree)))
    for one in about.analytes:
        if one not in alias_of.values():
            raise table.refuse("analytes", f"{one!r} has no part in it", f"list some of {', '.join(alias_of.values())}")
    tree = renamed(tree, {role: Name(alias) for role, alias in alias_of.items()})
    return WhenCheck(str(tree), tree, "", about.pack, name, code)


def _numbers(table: Table, formula: Formula) -> dict[str, str]:
    found = dict(formula.numbers)
    if table.has("numbers"):
        inner = table.table("numbers", "")
        for name in inner.names():
            if name not in found:
                raise inner.refuse(name, "is no number of this formula", nearest(name, found))
            number: Decimal = inner.number(name)
            found[name] = f"{number:f}"
    return found


def _roles(table: Table, about: About, formula: Formula, used: set[str]) -> dict[str, str]:
    found = {role: role for role in formula.roles if role in used}
    if table.has("roles"):
        inner = table.table("roles", "")
        for role in inner.names():
            if role not in found:
                raise inner.refuse(role, "has no part in this formula", nearest(role, found))
            found[role] = inner.text(role)
    for role, alias in found.items():
        analyte = one_test(table, f"roles.{role}", alias, about)
        wanted = formula.roles[role]
        if not analyte.unit or not unit(analyte.unit).same(unit(wanted)):
            problem = f"takes {alias} in {wanted}, and the pack takes it in {analyte.unit or 'no stated unit'}"
            raise table.refuse(f"roles.{role}", problem, f'write [analytes.{alias}] unit = "{wanted}"')
    return found
