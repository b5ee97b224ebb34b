"""A small year of invented results for the tests, made awkward, and a pack that uses every check that a history can answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import polars as pl

from rules.pack import SHIPPED, Packs, load, load_all, signed
from simulators.history import draw, rows

SIGNED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def year(patients: int = 60, seed: int = 7) -> pl.DataFrame:
    """Plain results, with planted mishaps."""
    return pl.DataFrame(list(rows(seed, draw(seed, patients, mishap_rate=0.1))), infer_schema_length=None)


def awkward(table: pl.DataFrame, seed: int = 5) -> pl.DataFrame:
    """What a real history is like: unknown sex and ward, bounds, two runs, other units and methods, flags, nothing measured."""
    random = Random(seed)
    found: list[dict[str, Any]] = []
    for row in table.iter_rows(named=True):
        one = dict(row)
        match random.randrange(40):
            case 0:
                one["sex"] = random.choice(["", "U", None])
            case 1:
                one["birth"] = None
            case 2:
                one["ward"] = ""
            case 3 | 4:
                one["comparator"] = random.choice(["<", ">", "<=", ">="])
            case 5:
                one["unit"] = random.choice(["mg/dL", "G/L", "furlong"])
            case 6:
                one["method"] = random.choice(["A", "B"])
            case 7 | 8:
                one["flags"] = random.choice(
                    ["clot", "high", "haemolysis", "instrument-error low", "nobody-knows", "critical-high"]
                )
            case 9:
                one["number"], one["value"] = None, random.choice(["clotted", "pending"])
            case 10:
                one["number"] = random.choice([0.0, -1.0, 1e300, 5e-324])
            case 11:
                one["driver"] = random.choice(["", "erba-xl"])
            case 12:
                one["collected"] = None
            case 13:
                one["haemolysis"], one["lipaemia"] = random.choice([None, 60.0, 50.0]), 200.0
            case 14:
                found.append({**one, "result": one["result"] + 10**6})
            case 15:
                one["kind"] = ""
            case 16:
                one["laboratory"] = random.choice(["X", "Y"])
            case 17:
                one["number"] *= random.choice([0.5, 1.25, 2.0])
            case _:
                pass
        found.append(one)
    return pl.DataFrame(found, schema=table.schema, infer_schema_length=None)


HEAD = """
[pack]
id = "everything"
version = "1"
title.en = "Everything"
title.fr = "Tout"
limits = "limits.csv"
[sources]
here = "made up"
"""
TESTS = {
    "NA": ("2951-2", "mmol/L"), "K": ("2823-3", "mmol/L"), "CL": ("2075-0", "mmol/L"), "CA": ("2000-8", "mmol/L"), "CREA": ("14682-9", "umol/L"),
    "PROT": ("2885-2", "g/L"), "ALB": ("1751-7", "g/L"), "CRP": ("1988-5", "mg/L"), "BILT": ("14631-6", "umol/L"), "MCV": ("787-2", "fL"), "PLT": ("777-3", "10*9/L"),
}  # fmt: skip
CSV = (
    "analyte,sex,age_from,age_to,ward,specimen,unit,lim_lo,lim_hi,crit_lo,crit_hi,abs_lo,abs_hi,source\n"
    "NA,*,0d,,*,*,mmol/L,136,144,,,,,here\nK,F,0d,50y,*,*,mmol/L,3.8,4.4,,,,,here\nK,F,50y,,*,*,mmol/L,3.6,,,,,,here\nK,M,18y,,*,*,mmol/L,,4.6,,,,,here\n"
    "K,*,0d,,ICU,*,mmol/L,3,6,,,,,here\nCL,*,0d,,*,SER,mmol/L,100,106,,,,,here\nCA,*,0d,,*,*,mmol/L,2.2,2.5,,,,,here\nCREA,*,200m,,*,*,umol/L,50,100,,,,,here\n"
    "PROT,*,0d,,*,*,g/L,60,80,,,,,here\nALB,*,0d,,*,*,g/L,30,48,,,,,here\nCRP,*,0d,,*,*,mg/L,,5,,,,,here\nBILT,*,0d,,*,*,umol/L,,20,,,,,here\nMCV,*,0d,,*,*,fL,80,100,,,,,here\n"
    "PLT,*,0d,,*,*,10*9/L,100,400,,,,,here\n"
)


def _rule(name: str, keys: str, fires: str, passes: str, verdict: str = "hold") -> str:
    return (
        f'[[rule]]\nid = "{name}"\nverdict = "{verdict}"\nmessage.en = "x"\nmessage.fr = "x"\n{keys}\n'
        f'[[rule.test]]\nname = "fires"\ngiven = {{ {fires} }}\nexpect = "{verdict}"\n[[rule.test]]\nname = "passes"\ngiven = {{ {passes} }}\nexpect = "release"\n'
    )


_S = 'source = "here"\n'
_K = 'analyte = "K", unit = "mmol/L"'
RULES = "".join(
    [
        _rule("LIMIT", 'check = "limit"', 'analyte = "NA", value = "150", unit = "mmol/L"', 'analyte = "NA", value = "140", unit = "mmol/L"'),
        _rule("RCV", f'check = "rcv"\nanalytes = ["K"]\ncv_within = 3.9\ncv_analytical = 1.2\nform = "log-normal"\nwindow = "90d"\nif_no_previous = "pass"\nif_missing = "review"\n{_S}', f'{_K}, value = "6", previous = {{ value = "4", unit = "mmol/L", before = "3d" }}', f'{_K}, value = "4", previous = {{ value = "4", unit = "mmol/L", before = "3d" }}', "review"),
        _rule("RATE", f'check = "delta"\nanalytes = ["NA"]\nmode = "rate-per-day"\nlimit = {{ "mmol/L" = 2 }}\ndirection = "down"\nwindow = "10d"\nif_no_previous = "review"\n{_S}', 'value = "130", unit = "mmol/L", previous = { value = "140", unit = "mmol/L", before = "24h" }', 'value = "140", unit = "mmol/L", previous = { value = "140", unit = "mmol/L", before = "24h" }'),
        _rule("PERCENT", f'check = "delta"\nanalytes = ["CREA", "PLT"]\nmode = "percent"\nlimit = 25\nwindow = "30d"\nif_no_previous = "pass"\nif_missing = "hold"\n{_S}', 'analyte = "CREA", value = "100", unit = "umol/L", previous = { value = "70", unit = "umol/L", before = "24h" }', 'analyte = "CREA", value = "75", unit = "umol/L", previous = { value = "70", unit = "umol/L", before = "24h" }'),
        _rule("RETEST", f'check = "retest"\nanalytes = ["MCV"]\nminimum = "36h"\n{_S}', 'value = "90", unit = "fL", previous = { value = "90", unit = "fL", before = "24h" }', 'value = "90", unit = "fL"', "comment"),
        _rule("OLD", f'check = "stability"\nscope = "sample"\nanalytes = ["K"]\nlimit = "2h"\n{_S}', f'{_K}, value = "4", collected = "3h"', f'{_K}, value = "4"'),
        _rule("H-BY-DRIVER", f'check = "hil"\nanalytes = ["K"]\nindex = "H"\nthreshold = {{ "roche-cobas-c311" = 8 }}\nscale = "mg/dL"\ndirection = "up"\nif_missing = "review"\n{_S}', f'{_K}, value = "4", H = 60, driver = "roche-cobas-c311"', f'{_K}, value = "4", H = 5, driver = "roche-cobas-c311"'),
        _rule("L-ALL", f'check = "hil"\nanalytes = ["NA"]\nindex = "L"\nthreshold = {{ "erba-xl" = 5 }}\nscale = "mg/dL"\ndirection = "down"\nif_missing = "pass"\n{_S}[[rule.exempt]]\nwards = ["ICU", "OUT"]\nreason.en = "x"\nreason.fr = "x"', 'value = "140", unit = "mmol/L", L = 60, driver = "erba-xl"', 'value = "140", unit = "mmol/L", L = 4, driver = "erba-xl"'),
        _rule("FLAG", 'check = "flag"\nscope = "visit"\nanalytes = ["PLT", "K"]\nflags = ["high", "haemolysis"]\ndrivers = ["sysmex-xn"]', 'analyte = "PLT", value = "200", unit = "10*9/L", flags = ["high"]', 'analyte = "PLT", value = "200", unit = "10*9/L"', "review"),
        _rule("IDENTITY", f'check = "identity"\nscope = "sample"\nanalytes = ["NA", "K", "CA", "PROT"]\ndeviations = {{ NA = 0.01, K = 0.06, CA = 0.03, PROT = 0.04, CREA = 0.12 }}\nthreshold = 1.2\nat_least = 3\nwindow = "60d"\nif_no_previous = "pass"\n{_S}', 'analyte = "NA", value = "150", unit = "mmol/L", with = { K = "6", CA = "1.9" }, earlier = { before = "3d", NA = "140", K = "4", CA = "2.4" }', 'analyte = "NA", value = "140", unit = "mmol/L", with = { K = "4", CA = "2.4" }, earlier = { before = "3d", NA = "140", K = "4", CA = "2.4" }', "block"),
        _rule("DILUTION", f'check = "dilution"\nscope = "visit"\nanalytes = ["PROT", "ALB"]\ntests = ["PROT", "ALB", "CA"]\npercent = 3\nat_least = 2\nwindow = "90d"\nif_no_previous = "pass"\n{_S}', 'analyte = "PROT", value = "50", unit = "g/L", with = { ALB = "30" }, earlier = { before = "3d", PROT = "70", ALB = "40" }', 'analyte = "PROT", value = "70", unit = "g/L", with = { ALB = "40" }, earlier = { before = "3d", PROT = "70", ALB = "40" }'),
        _rule("GAP", f"scope = 'panel'\nwhen = 'NA + K - CL > 41 or is_missing(ALB) or PROT - ALB < 26 and sex == \"F\"'\nanalytes = [\"NA\", \"CL\"]\nif_missing = \"review\"\n{_S}", 'analyte = "NA", value = "150", unit = "mmol/L", with = { K = "6", CL = "90" }', 'analyte = "NA", value = "140", unit = "mmol/L", with = { K = "4", CL = "105", ALB = "40", PROT = "70" }', "review"),
        _rule("OWN", f"when = '(value > 4.4 or value / previous > 1.1) and age > 30 and hours < 400 and ward != \"DIAL\" or haemolysis > 45 and \"clot\" not in flags'\nanalytes = [\"K\"]\nif_missing = \"pass\"\n{_S}", f'{_K}, value = "6", H = 60', f'{_K}, value = "4", age = "20y", H = 1, previous = {{ value = "4", unit = "mmol/L", before = "3d" }}'),
        _rule("BOUND", f"when = 'as_unit(BILT * 2, \"mg/L\") > CRP and max(CRP, 1) < 3 and round(CRP - 0.3) >= 0'\nanalytes = [\"CRP\", \"BILT\"]\nif_missing = \"hold\"\n{_S}", 'analyte = "CRP", value = "2", unit = "mg/L", with = { BILT = "9" }', 'analyte = "CRP", value = "4", unit = "mg/L", with = { BILT = "9" }', "review"),
        _rule("QC", f'check = "qc"\nanalytes = ["K"]\nmax_age = "24h"\nif_missing = "pass"\n{_S}', f'{_K}, value = "4", module = {{ qc = "failed" }}', f'{_K}, value = "4", module = {{ qc = "ok", qc_age = "1h" }}'),
    ]
)  # fmt: skip


def everything(folder: Path) -> Packs:
    """The pack of this file beside the shipped ones, signed."""
    analytes = "".join(
        f'[analytes.{alias}]\nloinc = ["{loinc}"]\nunit = "{unit}"\nname.en = "{alias}"\nname.fr = "{alias}"\n'
        for alias, (loinc, unit) in TESTS.items()
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.toml").write_text(HEAD + analytes + RULES, encoding="utf-8")
    (folder / "limits.csv").write_text(CSV, encoding="utf-8")
    packs = (load(folder), *load_all([SHIPPED])[0])
    return Packs.of(packs, [signed(pack, who="Dr A", at=SIGNED_AT, reason="test") for pack in packs])
