"""Does each check fire, pass, and say when it cannot know? Written as a pack writes it, asked with the facts of an example."""

from __future__ import annotations

import math
import tomllib
from decimal import Decimal
from typing import Any

import pytest

from labmw.errors import PackError
from labmw.model import VerdictLevel
from labmw.phrases import facts_of
from labmw.quantity import Quantity
from rules.analyte import read_analytes
from rules.checks import CHECKS
from rules.checks.formula import CONSISTENCY, CONTAMINATION
from rules.checks.identity import ratio
from rules.checks.rcv import log_normal, symmetric
from rules.expression.unit import unit
from rules.given import read_case
from rules.rule import Outcome, Rule, apply, read_rule, reason
from rules.strict import Table
from rules.subject import subject

UNITS = {
    "K": ("2823-3", "mmol/L"), "NA": ("2951-2", "mmol/L"), "CL": ("2075-0", "mmol/L"), "HCO3": ("1963-8", "mmol/L"), "CA": ("2000-8", "mmol/L"), "GLU": ("14749-6", "mmol/L"),
    "UREA": ("22664-7", "mmol/L"), "CREA": ("14682-9", "umol/L"), "ALB": ("1751-7", "g/L"), "PROT": ("2885-2", "g/L"), "BILT": ("14631-6", "umol/L"), "BILD": ("14629-0", "umol/L"),
    "OSM": ("2692-2", "mosm/kg"), "CHOL": ("14647-2", "mmol/L"), "HDL": ("14646-4", "mmol/L"), "LDL": ("22748-8", "mmol/L"), "TRIG": ("14927-8", "mmol/L"), "MCV": ("787-2", "fL"),
    "HCT": ("4544-3", "%"), "RBC": ("789-8", "10*12/L"), "MCHC": ("786-4", "g/L"), "HB": ("718-7", "g/L"), "NEUT": ("770-8", "%"), "LYMPH": ("736-9", "%"), "MONO": ("5905-5", "%"),
    "EOS": ("713-8", "%"), "BASO": ("706-2", "%"), "TSH": ("3016-3", "m[IU]/L"), "FT4": ("14920-3", "pmol/L"), "AST": ("1920-8", "U/L"), "ALT": ("1742-6", "U/L"), "CK": ("2157-6", "U/L"),
}  # fmt: skip
PACK = read_analytes(
    Table(
        "pack.toml", "",
        {"analytes": {alias: {"loinc": [loinc], "unit": code, "name": {"en": alias, "fr": alias}} for alias, (loinc, code) in UNITS.items()}},
    )
)  # fmt: skip


def made(check: str, keys: str, *, verdict: str = "hold") -> Rule:
    numbers = "" if "source" in keys or check in ("average", "transition", "panel", "schedule") else '\nsource = "s"'
    text = f'id = "R"\ncheck = "{check}"\nverdict = "{verdict}"\nmessage.en = "x"\nmessage.fr = "x"\nif_missing = "review"\n{keys}{numbers}'
    table = Table("pack.toml", "rule[1]", tomllib.loads(text, parse_float=Decimal))
    rule = read_rule(table, PACK, {})
    table.done()
    return rule


def ask(check: str, keys: str, given: str, **rest: Any) -> tuple[Outcome, Rule]:
    rule = made(check, keys, **rest)
    table = Table("pack.toml", "given", tomllib.loads(given, parse_float=Decimal))
    case = read_case(table, PACK[rule.analytes[0]], PACK)
    table.done()
    return apply(rule, subject(case), {}, frozenset()), rule


def said(outcome: Outcome) -> str:
    assert outcome.finding is not None
    return f"{outcome.word} {outcome.finding.code}" if outcome.word != "passed" else "passed"


RCV = 'analytes = ["K"]\ncv_within = 3.92\ncv_analytical = 1.96\nwindow = "90d"\nif_no_previous = "pass"\n'
LINEAR = 'analytes = ["K"]\nrange = { "mmol/L" = { low = 1.5, high = 10 } }\ndiluted_up_to = { "mmol/L" = 20 }'
IDENTITY = 'analytes = ["K"]\ndeviations = { K = 0.05, CREA = 0.1, MCV = 0.01 }\nthreshold = 3\nat_least = 2\nwindow = "30d"\nif_no_previous = "pass"'
DILUTED = 'analytes = ["PROT"]\ntests = ["PROT", "ALB", "CA"]\npercent = 15\nat_least = 2\nwindow = "7d"\nif_no_previous = "review"'
REAGENT = 'analytes = ["K"]\non_board = "3d"'
WORDS = 'analytes = ["K"]\nfrom = ["NEGATIVE"]\nto = ["POSITIVE"]\nwindow = "365d"\nif_no_previous = "hold"'
PANEL = 'analytes = ["K"]\nneeds = ["NA", "CL"]\ntimeout = "2h"\nafterwards = '
NIGHT = 'analytes = ["K"]\nfrom = "20:00"\nto = "07:30"\ndays = ["fri"]\ntimezone = "Europe/Paris"'
V = 'value = "4.2"\nunit = "mmol/L"\n'

CASES = [
    ("rcv", RCV + 'form = "symmetric"', 'value = "4.60"\nunit = "mmol/L"\nprevious = { value = "4.1", unit = "mmol/L", before = "3d" }', "fired rcv"),
    ("rcv", RCV + 'form = "symmetric"', 'value = "4.58"\nunit = "mmol/L"\nprevious = { value = "4.1", unit = "mmol/L", before = "3d" }', "passed"),
    ("rcv", RCV + 'form = "log-normal"', 'value = "4.62"\nunit = "mmol/L"\nprevious = { value = "4.1", unit = "mmol/L", before = "3d" }', "passed"),
    ("rcv", RCV + 'form = "log-normal"', 'value = "4.64"\nunit = "mmol/L"\nprevious = { value = "4.1", unit = "mmol/L", before = "3d" }', "fired rcv"),
    ("rcv", RCV + 'form = "log-normal"', 'value = "3.62"\nunit = "mmol/L"\nprevious = { value = "4.1", unit = "mmol/L", before = "3d" }', "fired rcv"),
    ("rcv", RCV + 'form = "symmetric"\nz = 1.65', 'value = "4.55"\nunit = "mmol/L"\nprevious = { value = "4.1", unit = "mmol/L", before = "3d" }', "fired rcv"),
    ("rcv", RCV + 'form = "symmetric"', V, "unknown no-previous"),
    ("linearity", LINEAR, 'value = "1.5"\nunit = "mmol/L"', "passed"),
    ("linearity", LINEAR, 'value = "1.4"\nunit = "mmol/L"', "fired below-range"),
    ("linearity", LINEAR, 'value = "<1.5"\nunit = "mmol/L"', "passed"),
    ("linearity", LINEAR, 'value = "<3"\nunit = "mmol/L"', "unknown censored"),
    ("linearity", LINEAR, 'value = "10.1"\nunit = "mmol/L"', "fired above-range"),
    ("linearity", LINEAR, 'value = ">9"\nunit = "mmol/L"', "fired above-range"),
    ("linearity", LINEAR, 'value = "15"\nunit = "mmol/L"\nflags = ["diluted"]', "passed"),
    ("linearity", LINEAR, 'value = "21"\nunit = "mmol/L"\nflags = ["diluted"]', "fired above-range"),
    ("linearity", LINEAR, V + 'flags = ["above-range"]', "fired above-range"),
    ("linearity", LINEAR, V + 'flags = ["below-range"]', "fired below-range"),
    ("linearity", LINEAR, 'value = "4"\nunit = "mg/dL"', "unknown unit-mismatch"),
    ("linearity", LINEAR, 'value = "clotted"', "unknown missing-value"),
    ("identity", IDENTITY, V + 'with = { CREA = "80", MCV = "90" }\nearlier = { before = "3d", K = "4.1", CREA = "85", MCV = "90.5" }', "passed"),
    ("identity", IDENTITY, V + 'with = { CREA = "80", MCV = "90" }\nearlier = { before = "3d", K = "4.1", CREA = "60", MCV = "97" }', "fired identity"),
    ("identity", IDENTITY, V + 'with = { CREA = "80" }\nearlier = { before = "3d", K = "4.1", CREA = "60" }', "passed"),
    ("identity", IDENTITY, V + 'with = { CREA = "80", MCV = "90" }\nearlier = { before = "31d", K = "4.1", CREA = "60", MCV = "97" }', "unknown identity-not-checked"),
    ("identity", IDENTITY, V + 'with = { CREA = "80", MCV = "90" }', "unknown identity-not-checked"),
    ("qc", 'analytes = ["K"]\nmax_age = "24h"', V + 'module = { qc = "ok", qc_age = "24h" }', "passed"),
    ("qc", 'analytes = ["K"]\nmax_age = "24h"', V + 'module = { qc = "warning", qc_age = "25h" }', "fired qc-overdue"),
    ("qc", 'analytes = ["K"]\nmax_age = "24h"', V + 'module = { qc = "failed" }', "fired qc-failed"),
    ("qc", 'analytes = ["K"]\nmax_age = "24h"', V + 'module = { qc = "ok" }', "unknown gate-unknown"),
    ("qc", 'analytes = ["K"]\nmax_age = "24h"', V, "unknown gate-unknown"),
    ("calibration", 'analytes = ["K"]\nmax_age = "7d"', V + 'module = { calibrated = "6d" }', "passed"),
    ("calibration", 'analytes = ["K"]\nmax_age = "7d"', V + 'module = { calibrated = "8d" }', "fired calibration-old"),
    ("calibration", 'analytes = ["K"]\nmax_age = "7d"', V, "unknown gate-unknown"),
    ("calibration", 'analytes = ["K"]\nmax_age = "7d"', V + 'module = { calibrated = "7d" }', "passed"),
    ("reagent", REAGENT, V + 'module = { lot = "A", accepted = "yes", opened = "2d", expires_in = "9d" }', "passed"),
    ("reagent", REAGENT, V + 'module = { lot = "A", accepted = "no" }', "fired reagent"),
    ("reagent", REAGENT, V + 'module = { lot = "A", accepted = "yes", opened = "4d", expires_in = "9d" }', "fired reagent"),
    ("reagent", REAGENT, V + 'module = { lot = "A", accepted = "yes", opened = "2d", expired = "1h" }', "fired reagent"),
    ("reagent", REAGENT, V + 'module = { lot = "A", opened = "2d", expires_in = "9d" }', "unknown gate-unknown"),
    ("average", 'analytes = ["K"]', V + 'module = { average = "alarm" }', "fired average-alarm"),
    ("average", 'analytes = ["K"]', V + 'module = { average = "ok" }', "passed"),
    ("average", 'analytes = ["K"]', V, "unknown gate-unknown"),
    ("stability", 'analytes = ["K"]\nlimit = "6h"', V + 'collected = "6h"', "passed"),
    ("stability", 'analytes = ["K"]\nlimit = "6h"', V + 'collected = "7h"', "fired specimen-old"),
    ("retest", 'analytes = ["K"]\nminimum = "12h"', V + 'previous = { value = "4", unit = "mmol/L", before = "6h" }', "fired retest"),
    ("retest", 'analytes = ["K"]\nminimum = "12h"', V + 'previous = { value = "4", unit = "mmol/L", before = "12h" }', "passed"),
    ("retest", 'analytes = ["K"]\nminimum = "12h"', V, "passed"),
    ("retest", 'analytes = ["K"]\nminimum = "12h"', V + 'history = "unavailable"', "unknown no-history"),
    ("dilution", DILUTED, 'value = "55"\nunit = "g/L"\nwith = { ALB = "30", CA = "1.8" }\nearlier = { before = "2d", PROT = "72", ALB = "41", CA = "2.3" }', "fired dilution"),
    ("dilution", DILUTED, 'value = "55"\nunit = "g/L"\nwith = { ALB = "40", CA = "1.8" }\nearlier = { before = "2d", PROT = "72", ALB = "41", CA = "2.3" }', "passed"),
    ("dilution", DILUTED, 'value = "55"\nunit = "g/L"\nearlier = { before = "2d", PROT = "72" }', "unknown identity-not-checked"),
    ("rerun", 'analytes = ["K"]\npercent = 5', V, "passed"),
    ("rerun", 'analytes = ["K"]\npercent = 5', V + 'runs = ["4.1"]', "passed"),
    ("rerun", 'analytes = ["K"]\npercent = 5', V + 'runs = ["6.4"]', "fired runs-differ"),
    ("rerun", 'analytes = ["K"]\nlimit = { "mmol/L" = 0.2 }\nmax_runs = 3', V + 'runs = ["4.0", "4.3"]', "passed"),
    ("rerun", 'analytes = ["K"]\nlimit = { "mmol/L" = 0.2 }', V + 'runs = ["4.0", "4.3"]', "fired runs-many"),
    ("rerun", 'analytes = ["K"]\nlimit = { "mmol/L" = 0.2 }', V + 'runs = ["<4.2"]', "unknown runs-unknown"),
    ("rerun", 'analytes = ["K"]\npercent = 5', 'value = "clotted"', "passed"),
    ("rerun", 'analytes = ["K"]\nlimit = { "g/L" = 0.2 }', V + 'runs = ["4"]', "unknown unit-mismatch"),
    ("transition", WORDS, 'value = "POSITIVE"\nsaid = { value = "NEGATIVE", before = "30d" }', "fired transition"),
    ("transition", WORDS, 'value = "POSITIVE"\nsaid = { value = "POSITIVE", before = "30d" }', "passed"),
    ("transition", WORDS, 'value = "NEGATIVE"', "passed"),
    ("transition", WORDS, 'value = "POSITIVE"', "unknown no-history"),
    ("transition", WORDS, 'value = "POSITIVE"\nsaid = "nothing"', "unknown no-previous"),
    ("transition", WORDS, 'value = "POSITIVE"\nsaid = { value = "NEGATIVE", before = "366d" }', "unknown no-previous"),
    ("panel", PANEL + '"hold"', V + 'ordered = ["K", "NA"]\nwith = { NA = "140" }', "passed"),
    ("panel", PANEL + '"hold"', V + 'ordered = ["K", "NA", "CL"]\nwith = { NA = "140" }\nwaited = "1h"', "fired panel-incomplete"),
    ("panel", PANEL + '"hold"', V + 'ordered = ["K", "NA", "CL"]\nwaited = "2h"', "fired panel-timeout"),
    ("panel", PANEL + '"release"', V + 'ordered = ["K", "NA", "CL"]\nwaited = "2h"', "passed"),
    ("panel", PANEL + '"release"', V + 'ordered = ["K", "NA", "CL"]', "fired panel-incomplete"),
    ("panel", PANEL + '"release"', V, "unknown no-orders"),
    ("schedule", 'analytes = ["K"]\nmodes = ["on-call"]', V + 'mode = "on-call"', "fired schedule"),
    ("schedule", 'analytes = ["K"]\nmodes = ["on-call"]', V + 'mode = "day"', "passed"),
    ("schedule", 'analytes = ["K"]\nmodes = ["on-call"]', V, "unknown no-mode"),
    ("schedule", NIGHT, V + "now = 2026-01-16T21:00:00+01:00", "fired schedule"),
    ("schedule", NIGHT, V + "now = 2026-01-17T06:00:00+01:00", "fired schedule"),
    ("schedule", NIGHT, V + "now = 2026-01-16T06:00:00+01:00", "passed"),
    ("schedule", NIGHT, V + "now = 2026-01-16T19:30:00+01:00", "passed"),
    ("schedule", NIGHT.replace('"20:00"', '"07:00"').replace("07:30", "09:00"), V + "now = 2026-01-16T08:00:00+01:00", "fired schedule"),
    ("schedule", NIGHT.replace('"20:00"', '"07:00"').replace("07:30", "09:00"), V + "now = 2026-01-16T09:00:00+01:00", "passed"),
    ("consistency", 'formula = "anion-gap"\nanalytes = ["NA"]', 'value = "140"\nunit = "mmol/L"\nwith = { K = "4", CL = "80", HCO3 = "20" }', "fired inconsistent"),
    ("consistency", 'formula = "anion-gap"\nanalytes = ["NA"]\nnumbers = { high = 50 }', 'value = "140"\nunit = "mmol/L"\nwith = { K = "4", CL = "80", HCO3 = "20" }', "passed"),
    ("consistency", 'formula = "anion-gap"\nanalytes = ["NA"]', 'value = "140"\nunit = "mmol/L"\nwith = { K = "4" }', "unknown condition-unknown"),
    ("consistency", 'formula = "osmolal-gap"\nanalytes = ["OSM"]', 'value = "330"\nunit = "mosm/kg"\nwith = { NA = "140", GLU = "5", UREA = "5" }', "fired inconsistent"),
    ("consistency", 'formula = "bilirubin"\nanalytes = ["BILD"]', 'value = "12"\nunit = "umol/L"\nwith = { BILT = "10" }', "fired inconsistent"),
    ("consistency", 'formula = "albumin-protein"\nanalytes = ["ALB"]', 'value = "45"\nunit = "g/L"\nwith = { PROT = "44" }', "fired inconsistent"),
    ("consistency", 'formula = "lipids"\nanalytes = ["CHOL"]', 'value = "5"\nunit = "mmol/L"\nwith = { HDL = "1.2", LDL = "3.2", TRIG = "1.2" }', "passed"),
    ("consistency", 'formula = "lipids"\nanalytes = ["CHOL"]', 'value = "3"\nunit = "mmol/L"\nwith = { HDL = "1.2", LDL = "3.2", TRIG = "1.2" }', "fired inconsistent"),
    ("consistency", 'formula = "corrected-calcium"\nanalytes = ["CA"]', 'value = "2.9"\nunit = "mmol/L"\nwith = { ALB = "20" }', "fired inconsistent"),
    ("consistency", 'formula = "pseudohyponatraemia"\nanalytes = ["NA"]', 'value = "125"\nunit = "mmol/L"\nwith = { TRIG = "15" }', "fired inconsistent"),
    ("consistency", 'formula = "mcv"\nanalytes = ["MCV"]', 'value = "95"\nunit = "fL"\nwith = { HCT = "45", RBC = "5" }', "fired inconsistent"),
    ("consistency", 'formula = "mcv"\nanalytes = ["MCV"]', 'value = "93"\nunit = "fL"\nwith = { HCT = "45", RBC = "5" }', "passed"),
    ("consistency", 'formula = "mchc"\nanalytes = ["MCHC"]', 'value = "366"\nunit = "g/L"', "fired inconsistent"),
    ("consistency", 'formula = "rule-of-three"\nanalytes = ["HB"]', 'value = "150"\nunit = "g/L"\nwith = { HCT = "49" }', "fired inconsistent"),
    ("consistency", 'formula = "differential-sum"\nanalytes = ["NEUT"]', 'value = "60"\nunit = "%"\nwith = { LYMPH = "30", MONO = "7", EOS = "2", BASO = "1" }', "passed"),
    ("consistency", 'formula = "tsh-ft4"\nanalytes = ["TSH"]', 'value = "0.01"\nunit = "m[IU]/L"\nwith = { FT4 = "7" }', "fired inconsistent"),
    ("consistency", 'formula = "transaminases"\nanalytes = ["AST"]', 'value = "900"\nunit = "U/L"\nwith = { ALT = "10" }', "fired inconsistent"),
    ("consistency", 'formula = "ck-ast"\nanalytes = ["CK"]', 'value = "9000"\nunit = "U/L"\nwith = { AST = "30" }', "fired inconsistent"),
    ("consistency", 'formula = "urea-creatinine"\nanalytes = ["UREA"]', 'value = "40"\nunit = "mmol/L"\nwith = { CREA = "60" }', "fired inconsistent"),
    ("contamination", 'pattern = "k-edta"\nanalytes = ["K"]', 'value = "7"\nunit = "mmol/L"\nwith = { CA = "1.2" }', "fired contaminated"),
    ("contamination", 'pattern = "citrate"\nanalytes = ["NA"]', 'value = "160"\nunit = "mmol/L"\nwith = { CA = "1.2" }', "fired contaminated"),
    ("contamination", 'pattern = "oxalate-fluoride"\nanalytes = ["K"]', 'value = "9"\nunit = "mmol/L"\nwith = { CA = "1.2", NA = "160" }', "fired contaminated"),
    ("contamination", 'pattern = "drip-glucose"\nanalytes = ["GLU"]', 'value = "40"\nunit = "mmol/L"\nwith = { NA = "120" }', "fired contaminated"),
    ("contamination", 'pattern = "drip-saline"\nanalytes = ["NA"]', 'value = "152"\nunit = "mmol/L"\nwith = { CL = "125" }', "fired contaminated"),
    ("contamination", 'pattern = "drip-potassium"\nanalytes = ["K"]', 'value = "8"\nunit = "mmol/L"\nwith = { NA = "120" }', "fired contaminated"),
]  # fmt: skip


@pytest.mark.parametrize(("check", "keys", "given", "expected"), CASES)
def test_cases(check: str, keys: str, given: str, expected: str) -> None:
    outcome, rule = ask(check, keys, given)
    assert said(outcome) == expected
    assert outcome.finding is not None and outcome.finding.detail
    if outcome.word != "passed":
        found = reason(rule, "x", outcome)
        assert facts_of(found.code) <= dict(found.facts).keys(), "every fact that its sentence needs"
    if outcome.word == "fired":
        assert outcome.level is VerdictLevel.HOLD
        assert rule.check.facts - {"when", "why"} <= dict(outcome.finding.facts).keys() | {
            "lot",
            "hours",
            "limit",
            "previous",
        }


def test_every_check_and_formula_has_its_cases() -> None:
    older = {"limit", "critical", "absurd", "delta", "flag", "hil"}
    assert {check for check, _, _, _ in CASES} | older == set(CHECKS)
    for formula in (*CONSISTENCY, *CONTAMINATION):
        assert any(f'"{formula}"' in keys for _, keys, _, _ in CASES), formula


def test_a_policy_for_nothing_earlier_goes_before_the_rules_own() -> None:
    outcome, _ = ask("rcv", RCV + 'form = "symmetric"', V)
    assert outcome.level is VerdictLevel.RELEASE
    outcome, _ = ask("transition", WORDS, 'value = "POSITIVE"\nsaid = "nothing"')
    assert outcome.level is VerdictLevel.HOLD
    outcome, _ = ask("qc", 'analytes = ["K"]\nmax_age = "24h"', V)
    assert outcome.level is VerdictLevel.REVIEW


@pytest.mark.parametrize(
    ("within", "expected", "down", "up"),
    [(3.92, 12.1, 11.4, 12.9), (0.53, 1.6, 1.6, 1.7), (20.9, 64.8, 47.4, 90.0), (29.4, 91.1, 59.1, 144.8), (9.3, 28.8, 25.0, 33.3), (1.2, 3.7, 3.7, 3.8)],
)  # fmt: skip
def test_rcv_as_published(within: float, expected: float, down: float, up: float) -> None:
    assert round(symmetric(within / 2, within, 1.96), 1) == expected
    more, less = log_normal(within / 2, within, 1.96)
    assert abs(more - up) < 0.1 and abs(less - down) < 0.1


@pytest.mark.parametrize(
    ("now", "before"),
    [("0", "1"), ("1", "0"), ("-1", "1"), ("1e-320", "1e200")],
)
def test_what_has_no_ratio(now: str, before: str) -> None:
    assert ratio(Quantity(Decimal(now), "", "g/L"), Quantity(Decimal(before), "", "g/L")) is None
    assert ratio(None, Quantity(Decimal(1))) is None
    assert ratio(Quantity(Decimal(1), "<"), Quantity(Decimal(1))) is None
    found = ratio(Quantity(Decimal(2)), Quantity(Decimal(1)))
    assert found is not None and math.isclose(found, math.log(2))


@pytest.mark.parametrize(
    ("check", "keys", "problem"),
    [
        ("rcv", RCV.replace("3.92", "0") + 'form = "symmetric"', "no coefficient"), ("rcv", RCV + 'form = "x"', "not a known word"), ("rcv", RCV + 'form = "symmetric"\nz = 0', "no quantile"),
        ("rcv", RCV.replace("90d", "soon") + 'form = "symmetric"', "not a time span"),
        ("linearity", "range = {}", "is empty"), ("linearity", 'range = { "mmol/L" = { low = 3, high = 2 } }', "no range"), ("linearity", 'range = { x = { low = 1, high = 2 } }', "not a unit"),
        ("linearity", LINEAR.replace("= 20", "= 9"), "does not extend"),
        ("identity", IDENTITY.replace("{ K = 0.05, CREA = 0.1, MCV = 0.01 }", "0.1"), "not of several"), ("identity", IDENTITY.replace("0.05", "0"), "no standard deviation"),
        ("identity", IDENTITY.replace("CREA", "CRE"), "no analyte of this pack"), ("identity", IDENTITY.replace("threshold = 3", "threshold = 0"), "not more than zero"),
        ("identity", IDENTITY.replace("at_least = 2", "at_least = 9"), "not possible"), ("qc", 'max_age = "x"', "not a time span"),
        ("dilution", DILUTED.replace("percent = 15", "percent = 100"), "no fall"), ("dilution", DILUTED.replace("at_least = 2", "at_least = 1"), "not possible"),
        ("dilution", DILUTED.replace('"PROT", "ALB", "CA"]', '"PROT"]'), "names fewer than 2"),
        ("rerun", "percent = 0", "not more than zero"), ("rerun", "limit = 3", "has no unit"), ("rerun", 'limit = { "mmol/L" = 0 }', "not more than zero"), ("rerun", "percent = 3\nmax_runs = 1", "not possible"),
        ("transition", WORDS.replace('to = ["POSITIVE"]', ""), "is missing"), ("panel", PANEL + '"later"', "not a known word"), ("panel", PANEL.replace('"NA"', '"XX"') + '"hold"', "no analyte"),
        ("schedule", NIGHT.replace("20:00", "8pm"), "not a time of day"), ("schedule", NIGHT.replace("20:00", "07:30"), "the same"), ("schedule", NIGHT.replace("fri", "friday"), "not a day"),
        ("schedule", NIGHT.replace("Europe/Paris", "Europe/Nowhere"), "not a time zone"), ("consistency", 'formula = "anion"', "did you mean 'anion-gap'"),
        ("consistency", 'formula = "anion-gap"\nanalytes = ["CREA"]', "has no part in it"), ("consistency", 'formula = "anion-gap"\nanalytes = ["NA"]\nnumbers = { hihg = 3 }', "did you mean 'high'"),
        ("consistency", 'formula = "anion-gap"\nanalytes = ["NA"]\nroles = { SODIUM = "NA" }', "has no part in this formula"), ("consistency", 'formula = "anion-gap"\nanalytes = ["NA"]\nroles = { NA = "CREA" }', "takes CREA in mmol/L"),
        ("consistency", 'formula = "anion-gap"\nanalytes = ["NA"]\nroles = { NA = "SODIUM" }', "no analyte of this pack"),
    ],
)  # fmt: skip
def test_what_is_refused(check: str, keys: str, problem: str) -> None:
    with pytest.raises(PackError, match=problem):
        made(check, keys)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (V + 'runs = ["x"]', "not a number"), (V + 'earlier = { before = "3d", XX = "1" }', "no analyte"), (V + 'earlier = { before = "3d", K = "x" }', "not a number"),
        (V + 'ordered = ["XX"]', "no analyte"), (V + 'module = { qc = "good" }', "not a known word"), (V + 'module = { qcc = "ok" }', "not a known key"), (V + "said = 3", "not a table"),
        (V + 'collected = "x"', "not a time span"), ('value = "x"\nruns = ["3"]', "not a number"), (V + "now = 2026-01-01T00:00:00", "offset"),
    ],
)  # fmt: skip
def test_what_an_example_may_not_say(given: str, problem: str) -> None:
    with pytest.raises(PackError, match=problem):
        ask("average", 'analytes = ["K"]', given)


def test_roles_name_the_pack_s_own_aliases() -> None:
    rule = made("contamination", 'pattern = "k-edta"\nanalytes = ["NA"]\nroles = { K = "NA" }')
    assert "NA > 6" in getattr(rule.check, "text", "")
    assert unit(UNITS["NA"][1]).same(unit("mmol/L"))
