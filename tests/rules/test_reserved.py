"""Never without a person: blood groups, first positives, genetics, prenatal screening, unless a signature excepts the test by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from labmw.model import Case
from rules.engine import judge
from rules.pack import Packs, load
from rules.reserved import CLASSES, RESERVED, class_named, class_of, negative
from rules.vocabulary import is_loinc
from tests.rules.cases import HEAD, HEADER, LIMIT, NOON, before, case, sign, write

WORDS = 'words = ["NEGATIVE", "POSITIVE", "A POS"]\n'

ONLY = HEADER + "K,*,0d,,*,*,mmol/L,3.0,5.5,,,,,here\n"


def packs(folder: Path, *, kind: str = "", loinc: str = "2823-3", exceptions: tuple[str, ...] = ()) -> Packs:
    """A pack that would let everything go, about a test of a class."""
    said = f'class = "{kind}"\n' if kind else ""
    text = LIMIT.replace("[[rule.test]]", 'if_missing = "pass"\n[[rule.test]]', 1)
    pack = load(write(folder, HEAD.replace("2823-3", loinc) + WORDS + said + text, ONLY))
    return Packs.of([pack], [replace(one, exceptions=exceptions) for one in sign(pack)])


def word(text: str, loinc: str, **changes: Any) -> Case:
    return case(text, loinc=loinc, quantity=None, **changes)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("immunohaematology", "reserved-immunohaematology"),
        ("genetics", "reserved-genetics"),
        ("prenatal", "reserved-prenatal"),
    ],
)
def test_a_class_that_the_pack_names_is_held_whatever_its_limits_say(tmp_path: Path, kind: str, code: str) -> None:
    found = judge(case(), packs(tmp_path, kind=kind))
    assert [one.code for one in found.reasons] == [code] and not found.released
    assert judge(case(), packs(tmp_path / "plain")).released  # the variant without the class


def test_a_blood_group_is_held_by_its_code_alone(tmp_path: Path) -> None:
    found = judge(word("A POS", "883-9"), packs(tmp_path, loinc="883-9"))
    assert [one.code for one in found.reasons] == ["reserved-immunohaematology"]


def test_a_signature_excepts_a_test_by_name_and_no_other(tmp_path: Path) -> None:
    assert judge(word("A POS", "883-9"), packs(tmp_path, loinc="883-9", exceptions=("883-9",))).released
    assert not judge(word("A POS", "883-9"), packs(tmp_path / "2", loinc="883-9", exceptions=("10331-7",))).released


@pytest.mark.parametrize("loinc", ["56888-1", "5196-1", "13955-0"])
def test_a_first_positive_is_held_and_a_negative_leaves(tmp_path: Path, loinc: str) -> None:
    known = packs(tmp_path, loinc=loinc)
    assert judge(word("NEGATIVE", loinc), known).released
    found = judge(word("POSITIVE", loinc), known)
    assert [one.code for one in found.reasons] == ["first-positive"]
    earlier = (("POSITIVE", NOON - timedelta(days=30)),)
    assert judge(word("POSITIVE", loinc, said_before=earlier), known).released
    assert not judge(word("POSITIVE", loinc, said_before=(("NEGATIVE", NOON),)), known).released
    assert not judge(word("POSITIVE", loinc, said_before=None), known).released


def test_a_first_number_is_held_and_a_known_one_leaves(tmp_path: Path) -> None:
    known = packs(tmp_path, loinc="11011-4")
    assert not judge(case(loinc="11011-4"), known).released
    assert judge(case(loinc="11011-4", history=(before("4.0"),)), known).released
    assert not judge(case(loinc="11011-4", history=(before("<4.0"),)), known).released


@pytest.mark.parametrize("text", ["NEGATIVE", "Négatif", "non-reactive", "Target Not  Detected", "indétectable"])
def test_what_says_that_nothing_was_found(text: str) -> None:
    assert negative(text)


@pytest.mark.parametrize("text", ["POSITIVE", "REACTIVE", "NEGATIVE?", "", "weakly positive", "not negative"])
def test_any_other_word_may_be_positive(text: str) -> None:
    assert not negative(text)


def test_the_table_holds_codes_and_classes() -> None:
    assert all(is_loinc(code) and kind in CLASSES for code, kind in RESERVED.items())
    assert (
        class_of("883-9") == "immunohaematology"
        and class_of("2823-3") == ""
        and class_of("2823-3", "genetics") == "genetics"
    )


def test_a_pack_may_add_to_the_table_and_never_take_from_it(tmp_path: Path) -> None:
    """Breaks: what a pack said went before the table, so that a gene called an infection left when it was negative."""
    found = judge(word("NEGATIVE", "21668-9"), packs(tmp_path, loinc="21668-9", kind="infection"))
    assert [one.code for one in found.reasons] == ["reserved-genetics"]
    assert class_of("883-9", "infection") == "immunohaematology"
    assert class_of("56888-1", "genetics") == "genetics"
    assert class_of("2823-3", "infection", "prenatal") == "prenatal", "of two packs the stricter"
    assert class_of("2823-3", "", "") == "" and class_of("2823-3", "infection") == "infection"


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("genetics", "genetics"), ("Prenatal", "prenatal"), ("BLDBK", "immunohaematology"), ("MOLPATH.MUT", "genetics"), ("molpath", "genetics"),
        ("HLA", "genetics"), ("CHEM", ""), ("HEM/BC", ""), ("genetic", None), ("immunohematology", None), ("x", None),
    ],
)  # fmt: skip
def test_a_catalogue_may_use_our_words_or_the_classes_of_loinc(word: str, kind: str | None) -> None:
    assert class_named(word) == kind, "a word that is none is a mistake, not a test without a class"


def test_the_catalogue_of_the_site_reserves_a_test_that_no_pack_classes(tmp_path: Path) -> None:
    """And takes nothing from the table or from a pack; a signature excepts it as it does any other."""
    plain = packs(tmp_path)
    [pack] = plain.active
    assert judge(case(), plain).released
    held = Packs.of([pack], sign(pack), classes={"2823-3": "prenatal"})
    assert [one.code for one in judge(case(), held).reasons] == ["reserved-prenatal"]
    assert judge(case(), Packs.of([pack], sign(pack), classes={"2951-2": "prenatal"})).released
    excepted = [replace(one, exceptions=("2823-3",)) for one in sign(pack)]
    assert judge(case(), Packs.of([pack], excepted, classes={"2823-3": "prenatal"})).released
    blood = packs(tmp_path / "blood", loinc="883-9").active
    weaker = Packs.of(blood, sign(blood[0]), classes={"883-9": "infection"})
    assert [one.code for one in judge(word("NEGATIVE", "883-9"), weaker).reasons] == ["reserved-immunohaematology"]
