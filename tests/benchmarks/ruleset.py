"""Which sixty rules are measured? A pack such as a laboratory of chemistry and blood counts has, and the same for zen-engine.

zen-engine has no unknown: what is missing is guarded by hand, condition by condition, as its users must; a guarded condition that cannot be
evaluated is false, so what fires is the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from labmw.model import Case
from rules.analyte import read_analytes
from rules.expression.tree import (
    All,
    Among,
    Arithmetic,
    Call,
    Compare,
    Constant,
    Flagged,
    Missing,
    Name,
    Negative,
    Node,
    Not,
    Number,
    Truth,
    numbers,
)
from rules.expression.tree import Any as Either
from rules.limits import KINDS, read_limits
from rules.load import Pack
from rules.message import Message
from rules.pack import Packs, signed
from rules.replay.lower import Lowered, lower
from rules.rule import Rule, read_rule
from rules.strict import Table
from simulators.population import BLOOD_COUNT, CHEMISTRY

ALIASES = {
    "sodium": "NA", "potassium": "K", "chloride": "CL", "urea": "UREA", "creatinine": "CREA", "glucose": "GLU", "calcium": "CA", "protein": "PROT", "albumin": "ALB",
    "bilirubin": "BILT", "asat": "AST", "alat": "ALT", "ggt": "GGT", "alp": "ALP", "crp": "CRP", "cholesterol": "CHOL", "triglycerides": "TRIG", "leucocytes": "WBC",
    "erythrocytes": "RBC", "haemoglobin": "HB", "haematocrit": "HCT", "mcv": "MCV", "mch": "MCH", "mchc": "MCHC", "platelets": "PLT",
}  # fmt: skip
TESTS = {ALIASES[name]: how for name, how in {**CHEMISTRY, **BLOOD_COUNT}.items()}
_LOW_HIGH = {
    "NA": (130, 150), "K": (3, 5.5), "CL": (90, 115), "UREA": (1, 15), "CREA": (30, 150), "GLU": (3.5, 11), "CA": (2, 2.7), "PROT": (55, 90), "ALB": (28, 52), "BILT": (0, 50),
    "AST": (0, 120), "ALT": (0, 120), "GGT": (0, 200), "ALP": (20, 250), "CRP": (0, 100), "CHOL": (2, 9), "TRIG": (0.2, 6), "WBC": (2.5, 15), "RBC": (3, 6.5), "HB": (85, 185),
    "HCT": (25, 55), "MCV": (70, 108), "MCH": (22, 36), "MCHC": (300, 365), "PLT": (90, 600),
}  # fmt: skip
HEADER = "analyte,sex,age_from,age_to,ward,specimen,unit,lim_lo,lim_hi,crit_lo,crit_hi,abs_lo,abs_hi,source\n"


def _csv() -> str:
    rows = []
    for alias, (low, high) in _LOW_HIGH.items():
        for sex, start, end, wide in (("F", "18y", "65y", 1.0), ("M", "18y", "65y", 1.0), ("*", "65y", "", 1.1)):
            ends = [
                f"{low / wide:.4g}",
                f"{high * wide:.4g}",
                f"{low / 2:.4g}",
                f"{high * 1.5:.4g}",
                f"{low / 5:.4g}",
                f"{high * 8:.4g}",
            ]
            rows.append(f"{alias},{sex},{start},{end},*,*,{TESTS[alias].unit},{','.join(ends)},bench")
    return HEADER + "\n".join(rows) + "\n"


def _delta(alias: str, mode: str, limit: float, window: str) -> dict[str, Any]:
    bound: Any = limit if mode == "percent" else {TESTS[alias].unit: limit}
    return {
        "check": "delta",
        "analytes": [alias],
        "mode": mode,
        "limit": bound,
        "window": window,
        "if_no_previous": "pass",
    }


def _hil(aliases: list[str], index: str, threshold: float) -> dict[str, Any]:
    return {
        "check": "hil",
        "analytes": aliases,
        "index": index,
        "threshold": threshold,
        "scale": "mg/dL",
        "direction": "up",
    }


def _formula(check: str, name: str, aliases: list[str]) -> dict[str, Any]:
    return {"check": check, "formula" if check == "consistency" else "pattern": name, "analytes": aliases}


def _when(text: str, *aliases: str) -> dict[str, Any]:
    return {"when": text, "analytes": list(aliases)}


RULES: Sequence[dict[str, Any]] = (
    {"check": "limit"}, {"check": "critical"}, {"check": "absurd"},
    _delta("NA", "absolute", 8, "3d"), _delta("K", "percent", 25, "3d"), _delta("CL", "absolute", 8, "3d"), _delta("CREA", "percent", 50, "7d"),
    _delta("UREA", "percent", 50, "7d"), _delta("ALB", "percent", 20, "7d"), _delta("PROT", "percent", 20, "7d"), _delta("CA", "percent", 15, "7d"),
    _delta("GLU", "rate-per-day", 10, "2d"), _delta("BILT", "percent", 60, "7d"), _delta("HB", "percent", 20, "7d"), _delta("MCV", "absolute", 5, "90d"),
    _delta("PLT", "percent", 50, "7d"), _delta("WBC", "percent", 100, "7d"),
    _hil(["K"], "H", 50), _hil(["AST"], "H", 25), _hil(["ALP", "GGT"], "H", 200), _hil(["CREA"], "I", 15), _hil(["CHOL", "TRIG"], "I", 20), _hil(["NA", "K", "CL"], "L", 150),
    _hil(["ALT", "AST"], "L", 150), _hil(["BILT"], "L", 300),
    {"check": "flag", "flags": ["critical-low", "critical-high"]}, {"check": "flag", "flags": ["clot"], "analytes": ["PLT", "WBC"]}, {"check": "flag", "flags": ["above-range", "below-range"]},
    {"check": "stability", "limit": "6h", "analytes": ["K"]}, {"check": "stability", "limit": "4h", "analytes": ["GLU"]}, {"check": "stability", "limit": "24h", "analytes": ["WBC", "PLT", "MCV"]},
    {"check": "retest", "minimum": "12h", "analytes": ["CRP"]}, {"check": "retest", "minimum": "72h", "analytes": ["CHOL", "TRIG"]},
    {"check": "rcv", "analytes": ["CHOL"], "cv_within": 5.2, "cv_analytical": 1.8, "form": "log-normal", "window": "90d", "if_no_previous": "pass"},
    {"check": "rcv", "analytes": ["ALP"], "cv_within": 5.3, "cv_analytical": 2.5, "form": "symmetric", "window": "90d", "if_no_previous": "pass"},
    {"check": "rcv", "analytes": ["HB"], "cv_within": 2.8, "cv_analytical": 0.9, "form": "symmetric", "window": "30d", "if_no_previous": "pass"},
    _formula("contamination", "k-edta", ["K", "CA"]), _formula("contamination", "citrate", ["NA", "CA"]), _formula("contamination", "oxalate-fluoride", ["K", "CA", "NA"]),
    _formula("contamination", "drip-saline", ["NA", "CL"]), _formula("contamination", "drip-glucose", ["GLU", "NA"]), _formula("contamination", "drip-potassium", ["K", "NA"]),
    _formula("consistency", "albumin-protein", ["ALB", "PROT"]), _formula("consistency", "corrected-calcium", ["CA", "ALB"]), _formula("consistency", "pseudohyponatraemia", ["NA", "TRIG"]),
    _formula("consistency", "transaminases", ["AST", "ALT"]), _formula("consistency", "mcv", ["MCV", "HCT", "RBC"]), _formula("consistency", "mchc", ["MCHC"]),
    _formula("consistency", "rule-of-three", ["HB", "HCT"]), _formula("consistency", "urea-creatinine", ["UREA", "CREA"]),
    _when('abs(HB - as_unit(RBC * MCH, "g/L")) > 6', "HB", "RBC", "MCH"), _when("NA + K - CL > 50 or NA + K - CL < 20", "NA", "K", "CL"),
    _when("ALT > 500 and BILT < 5 and GGT < 20", "ALT"), _when('CREA > 400 and ward not in ("DIAL", "NEPH")', "CREA"), _when('K > 6 and haemolysis > 30 and ward != "DIAL"', "K"),
    _when("CRP > 150 and WBC < 3", "CRP"), _when("GLU < 2.8 and tube_hours > 2", "GLU"), _when("abs(value - previous) > 15 and hours < 48", "ALB", "PROT"),
    _when('sex == "M" and age > 80 and HB < 75', "HB"), _when("max(AST, ALT) > 10 * min(AST, ALT)", "AST", "ALT"),
)  # fmt: skip


def packs() -> Packs:
    """The sixty rules as one signed pack."""
    analytes = read_analytes(
        Table(
            "bench", "",
            {"analytes": {alias: {"loinc": [how.loinc], "unit": how.unit, "name": {"en": alias, "fr": alias}} for alias, how in TESTS.items()}},
        )
    )  # fmt: skip
    rules = tuple(_rule(number, keys, analytes) for number, keys in enumerate(RULES, 1))
    loincs = {alias: analyte.loincs for alias, analyte in analytes.items()}
    limits = read_limits("limits.csv", _csv().encode(), loincs)
    words: Message = {"en": "Bench", "fr": "Banc"}
    pack = Pack(
        "bench", "1", words, (), {"bench": "made up"}, analytes, rules, limits, (), "sha256:" + "0" * 64, "bench"
    )
    return Packs.of([pack], [signed(pack, who="nobody", at=datetime(2026, 1, 1, tzinfo=UTC), reason="measured")])


def _rule(number: int, keys: dict[str, Any], analytes: Any) -> Rule:
    exact = {key: Decimal(str(value)) if isinstance(value, int | float) else value for key, value in keys.items()}
    if isinstance(exact.get("limit"), dict):
        exact["limit"] = {unit: Decimal(str(value)) for unit, value in keys["limit"].items()}
    sourced = {} if keys.get("check") in ("limit", "critical", "absurd", "flag") else {"source": "bench"}
    message = {"en": "x", "fr": "x"}
    table = Table(
        "bench",
        f"rule[{number}]",
        {"id": f"R{number:02}", "verdict": "hold", "if_missing": "pass", "message": message, **sourced, **exact},
    )
    made = read_rule(table, analytes, {})
    table.done()
    return made


def zen(several: Packs) -> tuple[str, list[str]]:
    """The same sixty as one array expression of zen-engine, and the names of its numbers."""
    pack = several.active[0]
    texts, names = (
        [],
        dict.fromkeys(("value", "previous", "hours", "tube_hours", "age", "haemolysis", "icterus", "lipaemia")),
    )
    for rule in pack.rules:
        alias = rule.analytes[0]
        loinc = pack.analytes[alias].loincs[0]
        step = next(step for step in several.plan(loinc).steps if step.rule is rule)
        made = lower(step, pack.analytes[alias].unit)
        assert isinstance(made, Lowered)
        parts = [] if len(rule.analytes) == len(pack.analytes) else [f"analyte in {_words(rule.analytes)}"]
        parts += [f"not({_zen(before)})" for before, _ in made.before]
        texts.append(" and ".join([*parts, f"({_zen(made.tree)})"]))
        names |= dict.fromkeys(_plain(name) for name in numbers(made.tree))
    return f"[{', '.join(texts)}]", list(names)


def _words(words: Sequence[str]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def _plain(name: str) -> str:
    return name.rpartition(":")[2]


def _zen(node: Truth) -> str:
    match node:
        case Compare(sign=sign, left=left, right=right):
            return _guarded(node, f"{_number(left)} {sign} {_number(right)}")
        case Among(name=name, words=words):
            return f"({name} != null and {name} in {_words(words)})"
        case Flagged(flag=flag):
            return f'("{flag}" in flags)'
        case Missing(operand=Name(name=name)):
            return f"({'limits' if name.endswith(':row') else name} == null)"
        case Not(operand=Among(name=name, words=words)):
            return f"({name} != null and not({name} in {_words(words)}))"
        case Not(operand=operand):
            return f"not({_zen(operand)})"
        case All(parts=parts):
            return "(" + " and ".join(map(_zen, parts)) + ")"
        case Either(parts=parts):
            return "(" + " or ".join(map(_zen, parts)) + ")"
    raise AssertionError(node)


def _guarded(node: Node, text: str) -> str:
    return "(" + " and ".join([*(f"{_plain(name)} != null" for name in numbers(node)), text]) + ")"


def _number(node: Number) -> str:
    match node:
        case Constant(number=value):
            return f"({value!r})" if value < 0 else repr(value)
        case Name(name=name):
            return _plain(name)
        case Arithmetic(sign=sign, left=left, right=right):
            return f"({_number(left)} {sign} {_number(right)})"
        case Negative(operand=operand):
            return f"(-{_number(operand)})"
        case Call(function=("min" | "max") as function, operands=operands):
            return f"{function}([{', '.join(map(_number, operands))}])"
        case Call(function=function, operands=operands):
            return f"{function}({', '.join(map(_number, operands))})"


def described(case: Case) -> dict[str, Any]:
    """One case as JSON, for a process that knows nothing of labmw."""
    result, tube, patient, indices = case.result, case.specimen, case.patient, case.indices
    assert (
        result.quantity is not None
        and result.completed is not None
        and patient is not None
        and patient.birth is not None
    )
    assert tube is not None and tube.collected is not None
    found = (None, None, None) if indices is None else (indices.haemolysis, indices.icterus, indices.lipaemia)
    return {
        "own": [result.loinc, str(result.quantity.number)],
        "siblings": [[one.loinc, str(one.quantity.number)] for one in case.siblings if one.quantity is not None],
        "history": [[str(one.quantity.number), one.completed.isoformat()] for one in case.history or ()],
        "indices": [None if one is None else str(one) for one in found],
        "flags": sorted(result.flags), "sex": patient.sex.value, "ward": tube.ward, "birth": patient.birth.isoformat(),
        "collected": tube.collected.isoformat(), "completed": result.completed.isoformat(),
    }  # fmt: skip


def limits_of(several: Packs) -> dict[str, list[list[Any]]]:
    """The limits as JSON: sex, years from and to, and the six ends."""
    found: dict[str, list[list[Any]]] = {}
    for row in several.active[0].limits.rows:
        ends = [end for kind in KINDS for end in (row.bounds[kind].low64, row.bounds[kind].high64)]
        found.setdefault(row.analyte, []).append(
            [row.sex, row.start.count // 12, row.end.count // 12 if row.end else 999, ends]
        )
    return found
