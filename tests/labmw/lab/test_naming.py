"""Names: what is lost on the way to an analyzer and back is no difference; another word for the same person is, and a person looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stage import SITE

from labmw.lab.naming import another_name
from labmw.model import Patient

PID = "PID|1||P1||DE LA TOUR^Anaïs^Anaïs Renée Chloé^^^^L~DURAND^Ana^^^^^D||19700101|F"


def patient(family: str, given_: str = "", pid: str = "") -> Patient:
    return Patient(SITE, "P1", family, given_, pid=pid)


SAME = [
    ("ALOUETTE", "Adele", "^Adele^ALOUETTE"),
    ("ALOUETTE", "Adèle", "ALOUETTE^ADELE"),
    ("ALOUETTE", "Adèle", "ALOUETTE^AD?LE"),
    ("ALOUETTE", "Adèle", "ALOUETTE^AD\ufffdLE"),
    ("ALOUETTE", "Adèle", "ALOUETTE^Ad\u00c3\u00a8le"),  # UTF-8 read in Latin-1
    ("ALOUETTE", "Adèle", "ALOUETTE"),
    ("ALOUETTE", "Adèle", "Mme ALOUETTE Adele"),
    ("ALOUETTE", "", "ALOUETTE^ADELE"),
    ("LE GOFF", "Yann", "LEGOFF^YANN"),
    ("LE GOFF", "Yann", "YANN^LEGOFF"),
    ("D'ARC", "Jeanne", "DARC^JEANNE"),
    ("MÜLLER", "Jörg", "MUELLER^JOERG"),
    ("Mueller", "Joerg", "MÜLLER^JÖRG"),
    ("Weiß", "Ann-Sofie", "WEISS^ANN SOFIE"),
    ("CŒUR", "Zoé", "COEUR^ZOE"),
    ("WOLFESCHLEGELSTEIN", "Hubert", "WOLFESCHLEGEL"),
    ("MARTIN", "Paul", ""),
    ("MARTIN", "Paul", "^^^"),
    ("MARTIN", "Paul", "NONAME^^"),
    ("MARTIN", "Paul", "???"),
    ("MARTIN", "Paul", "12345"),
    ("", "", "MARTIN^PAUL"),
]
OTHER = [
    ("MARTIN", "Paul", "MARTIN^PIERRE"),  # a twin
    ("MARTIN", "Paul", "DURAND^PAUL"),
    ("MARTIN", "Paul", "MARTINEZ^PAULA"),
    ("MARTIN", "Paul", "ALOUETTE"),
    ("MARTIN", "Jean", "MARTIN^JEANNE"),
    ("MARTIN", "Paul", "QC LEVEL"),
    ("МАРТИН", "Поль", "DURAND"),
]


@pytest.mark.parametrize(("family", "given_", "sent"), SAME)
@pytest.mark.parametrize("born_alike", [False, True])
def test_what_is_lost_on_the_way_is_no_difference(family: str, given_: str, sent: str, born_alike: bool) -> None:
    assert not another_name(patient(family, given_), sent, born_alike=born_alike)


@pytest.mark.parametrize(("family", "given_", "sent"), OTHER)
def test_another_word_is(family: str, given_: str, sent: str) -> None:
    assert another_name(patient(family, given_), sent, born_alike=False)


@pytest.mark.parametrize("sent", ["ALOUETTE^A", "ALOU^ADE", "ALOUETTE^ADEL"])
def test_a_short_cut_is_believed_only_where_the_birth_agrees(sent: str) -> None:
    one = patient("ALOUETTE", "Adèle")
    assert another_name(one, sent, born_alike=False)
    assert not another_name(one, sent, born_alike=True)


@pytest.mark.parametrize("sent", ["DURAND^ANA", "DELATOUR^ANAIS", "DE LA TOUR^CHLOE", "TOUR"])
def test_every_name_of_the_patient_counts(sent: str) -> None:
    assert not another_name(patient("DE LA TOUR", "Anaïs", PID), sent, born_alike=False)
    assert another_name(patient("DE LA TOUR", "Anaïs", PID), "DUPONT^ANAIS", born_alike=True)


@given(st.text(max_size=40), st.text(max_size=20), st.text(max_size=600), st.booleans())
def test_it_answers_whatever_is_sent_and_a_name_agrees_with_itself(
    family: str, given_: str, sent: str, born_alike: bool
) -> None:
    another_name(patient(family, given_), sent, born_alike=born_alike)
    assert not another_name(patient(family, given_), f"{family}^{given_}", born_alike=born_alike)
    assert not another_name(patient(family, given_), f"{given_} {family}", born_alike=born_alike)
