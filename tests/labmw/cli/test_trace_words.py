"""Does every comparison of a trace have words in both languages? Of all checks, over all examples that there are."""

from __future__ import annotations

import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.trace_words import compared, guarded, parts, spoken, untold
from rules.guards import GUARDS
from rules.load import Pack
from rules.pack import SHIPPED, load, load_all
from rules.rule import apply
from rules.subject import subject
from tests.rules.replay.years import everything
from tests.rules.test_more_checks import CASES, ask

PARIS = ZoneInfo("Europe/Paris")
ENGLISH = re.compile(
    r"\b(true|false|unknown|missing|value|threshold|limit|row|known|previous|history|flags?|not|at|change)\b"
)


def traces(packs: list[Pack]) -> list[tuple[str, str]]:
    found = []
    for pack in packs:
        for rule, example in pack.examples:
            words = pack.analytes[example.alias].words
            outcome = apply(rule, subject(example.case), pack.limits.of(example.case.result.loinc), words)
            found.append((outcome.word, outcome.detail))
    return found


def test_every_trace_of_every_shipped_pack_has_words(tmp_path: Path) -> None:
    shipped, broken = load_all([one for one in SHIPPED.iterdir() if one.is_dir()])
    everything(tmp_path / "everything")
    assert not broken
    seen = traces([*shipped, load(tmp_path / "everything")])
    assert len(seen) > 120
    assert [(word, part) for word, detail in seen for part in untold(word, detail)] == []
    for word, detail in seen:
        said = " ; ".join(parts(word, detail, "fr", PARIS))
        plain = re.sub(r"'[^']*'|limits\.csv|[A-Z]{2,}|value / previous|is_missing", "", said)
        assert not ENGLISH.search(plain), said


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[3]}")
def test_every_trace_of_every_check_has_words(case: tuple[str, str, str, str]) -> None:
    outcome, _ = ask(*case[:3])
    assert untold(outcome.word, outcome.detail) == []


@pytest.mark.parametrize(
    ("outcome", "detail", "en", "fr"),
    [
        ("fired", "value > lim_hi [7.1 vs 5.5] -> true; row limits.csv:3", "value 7.1 > upper release limit 5.5: yes; line 3 of limits.csv", "valeur 7.1 > limite haute de libération 5.5 : oui ; ligne 3 de limits.csv"),
        ("fired", "percent change > limit [61.3636363636 vs 25 %] -> true; previous 4.4 mmol/L at 2026-11-24T10:13:30+00:00", "change in percent 61.3636 > limit 25 %: yes; previous 4.4 mmol/L of 2026-11-24 11:13", "variation en pourcent 61.3636 > limite 25 % : oui ; antériorité 4.4 mmol/L du 2026-11-24 11:13"),
        ("unknown", "condition-unknown: K > 6 [7.1 vs 6] -> true; CA < 1.9 [missing vs 1.9] -> unknown", "K 7.1 > 6: yes; CA (missing) < 1.9: not known", "K 7.1 > 6 : oui ; CA (absent) < 1.9 : inconnu"),
        ("unknown", "no-previous: no previous within 72 h, of 0 known", "no earlier result within 72 h (0 known)", "pas d'antériorité dans les 72 h (0 connues)"),
        ("passed", "flags [high] of [haemolysis icterus] -> false", "flags: high; looked for haemolysis, icterus: no", "indicateurs : haut ; recherchés hémolyse, ictère : non"),
        ("passed", "what nobody has words for", "what nobody has words for", "what nobody has words for"),
    ],
)  # fmt: skip
def test_a_trace_is_said_in_both_languages(outcome: str, detail: str, en: str, fr: str) -> None:
    assert "; ".join(parts(outcome, detail, "en", PARIS)) == en
    assert " ; ".join(parts(outcome, detail, "fr", PARIS)) == fr


def test_a_guard_says_what_it_looks_at_and_no_codes() -> None:
    for name, _ in GUARDS:
        assert guarded(name, "fr") != name and guarded(name, "en") != name
    assert "status=W" not in spoken("labmw/status", "fired", "preliminary status=W", "fr", PARIS)
    assert spoken("labmw/qc", "passed", "level 1 in at 2026-11-01 08:00 UTC", "fr", PARIS).startswith(
        "contrôle de qualité"
    )
    assert guarded("chemistry/K", "fr") == "chemistry/K"


def test_what_would_release_it_is_what_came_out_true_or_could_not_be_compared() -> None:
    detail = "value < lim_lo [7.1 vs 3] -> false; value > lim_hi [7.1 vs 5.5] -> true; row limits.csv:3"
    assert compared(detail, "fr", PARIS) == ["valeur 7.1 > limite haute de libération 5.5 : oui"]
