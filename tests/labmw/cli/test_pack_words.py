"""Does every key, place and word of a pack have words in both languages? Of all shipped packs, and of a pack that uses every check."""

from __future__ import annotations

from pathlib import Path

import pytest

from labmw.cli import pack_words
from labmw.cli.rules_dossier import dossier
from labmw.documents.paper import as_html, as_pdf
from labmw.phrases import Language
from rules.difference import difference, rule_facts
from rules.pack import SHIPPED, load, load_all
from tests.rules.replay.years import everything


def test_every_key_of_every_shipped_pack_has_words(tmp_path: Path) -> None:
    shipped, broken = load_all([one for one in SHIPPED.iterdir() if one.is_dir()])
    everything(tmp_path / "everything")
    assert not broken
    keys = {
        name
        for pack in (*shipped, load(tmp_path / "everything"))
        for rule in pack.rules
        for name, text in rule_facts(rule).items()
        if text and name != "kind"
    }
    own = {"limit", "threshold", "minimum"}  # traces have words for these
    assert {name for name in keys if pack_words.key(name, "fr") == name} <= {
        "verdict",
        "source",
        "condition",
        "action",
        "minimum",
    }
    assert own <= keys and len(keys) > 25


@pytest.mark.parametrize(
    ("where", "en", "fr"),
    [
        ("rule K-EDTA", "rule K-EDTA", "règle K-EDTA"),
        ("pack", "pack", "jeu"),
        ("limits K mmol/L sex F age 18y-60y ward DIAL specimen SER", "limits of K in mmol/L, women, 18 years to below 60 years, ward DIAL, specimen SER", "limites de K en mmol/L, femmes, de 18 ans à moins de 60 ans, service DIAL, échantillon SER"),
        ("limits INR  sex * age 0d- ward * specimen *", "limits of INR in 1, everybody", "limites de INR en 1, tous"),
        ("what nobody knows", "what nobody knows", "what nobody knows"),
    ],
)  # fmt: skip
def test_a_place_is_said_in_both_languages(where: str, en: str, fr: str) -> None:
    assert (pack_words.place(where, "en"), pack_words.place(where, "fr")) == (en, fr)


@pytest.mark.parametrize(
    ("line", "fr"),
    [
        ("first version", "première version"),
        ("test 2823-3", "examen 2823-3"),
        ("exception 883-9", "exception pour 883-9"),
        ("rule X: removed", "règle X : supprimé"),
        ("rule X: verdict hold -> review", "règle X : verdict retenir -> faire relire"),
        ("limits K mmol/L sex * age 18y- ward * specimen *: lim_hi 5 -> 6", "limites de K en mmol/L, 18 ans et plus : limite haute de libération 5 -> 6"),
    ],
)  # fmt: skip
def test_what_is_looser_is_said(line: str, fr: str) -> None:
    assert pack_words.looser(line, "fr") == fr


def test_a_change_of_every_kind_is_told_without_a_key_of_the_file(tmp_path: Path) -> None:
    shipped, _ = load_all([SHIPPED / "chemistry", SHIPPED / "haematology"])
    for change in difference(*shipped):
        assert "_" not in pack_words.key(change.what, "fr")
        assert " sex " not in pack_words.place(change.where, "fr")


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_dossier_is_written_in_one_language(language: Language) -> None:
    paper = dossier(load(SHIPPED / "chemistry"), (), None, language)
    page = as_html(paper)
    assert as_pdf(paper).startswith(b"%PDF")
    told = (
        ("18 ans et plus", "retenir", "limites de libération") if language == "fr" else ("18 years and older", "hold")
    )
    assert all(one in page for one in told)
    assert "if_missing" not in page and "lim_lo" not in page and "-&gt; true" not in page
