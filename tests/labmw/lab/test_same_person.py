"""Names as people write them, birth date and sex to the letter."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as some

from labmw.lab.same_person import difference, letters, same_name

OURS = ("Lefèvre-Duval", "Zoé", "1970-01-01", "F")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Lefèvre", "LEFEVRE", True),
        ("D'Almeida", "dalmeida", True),
        ("Groß", "GROSS", True),
        ("Cœur", "COEUR", True),
        ("Lefèvre-Duval", "LEFEVRE DU", True),  # cut off by an older system
        ("Li", "Lin", False),  # too short to be a name that was cut off
        ("Durand", "Dupond", False),
        ("", "", True),
        ("Durand", "", False),
    ],
)
def test_names(one: str, other: str, same: bool) -> None:
    assert same_name(one, other) is same_name(other, one) is same


@example("🄐")  # one sign, in which a capital stands
@given(some.text(max_size=30))
def test_a_name_is_itself_in_capitals(name: str) -> None:
    assert same_name(name, name)
    assert letters(name) == letters(letters(name))


@pytest.mark.parametrize(
    ("families", "given", "birth", "sex", "what"),
    [
        (["LEFEVRE DUVAL"], ["ZOE"], "19700101", "F", ""),
        (["USED", "Lefevre Duval"], ["Zoe"], "197001010830", "F", ""),
        (["Durand"], ["Zoé"], "19700101", "F", "family"),
        (["Lefèvre-Duval"], ["Marie"], "19700101", "F", "given"),
        (["Lefèvre-Duval"], ["Zoé"], "19700110", "F", "birth"),
        (["Lefèvre-Duval"], ["Zoé"], "", "F", "birth"),
        (["Lefèvre-Duval"], ["Zoé"], "19700101", "M", "sex"),
        ([], ["Zoé"], "19700101", "F", "family"),
    ],
)
def test_persons(families: list[str], given: list[str], birth: str, sex: str, what: str) -> None:
    assert difference(families, given, birth, sex, ours=OURS) == what


def test_what_we_do_not_know_says_nothing() -> None:
    assert difference([], [], "", "", ours=("", "", "", "U")) == ""
