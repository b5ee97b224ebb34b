"""What the Data Matrix INS says, and when there is none: never for an identity that is not whole, and nothing in it is made up."""

from __future__ import annotations

import pytest

from labmw.documents.ins_mark import ins_mark
from protocols.hl7.adt import Ins

NIR = Ins("279035121518989", "1.2.250.1.213.1.4.8")
PID = "PID|||P1^^^A^PI||PAT-TROIS^DOMINIQUE^DOMINIQUE MARIE^^^^L||19790327|F|||1 RUE^^X^^^^H~^^^^^^BDL^^63220"


def test_the_number_and_the_strict_traits() -> None:
    assert ins_mark(PID, NIR) == (
        "IS010000000000000000000000S1279035121518989S21.2.250.1.213.1.4.8\x1d"
        "S3DOMINIQUE MARIE\x1dS4PAT-TROIS\x1dS5FS627-03-1979S763220"
    )


def test_a_name_is_written_in_capitals_without_accents_and_the_first_given_name_stands_for_all() -> None:
    found = ins_mark(PID.replace("PAT-TROIS^DOMINIQUE^DOMINIQUE MARIE", "L’Hœuf^Zoé^"), NIR)
    assert "S3ZOE\x1dS4L'HOEUF\x1d" in found


def test_a_field_as_long_as_it_may_be_ends_by_itself() -> None:
    assert f"S4{'A' * 100}S5F" in ins_mark(PID.replace("PAT-TROIS", "A" * 100), NIR)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("63220", ""), ("63220", "632"), ("19790327", "1979"), ("19790327", ""), ("|F|", "|U|"), ("|F|", "||"), ("PAT-TROIS", ""),
        ("PAT-TROIS", "PAT3"), ("PAT-TROIS", "A" * 101), ("PAT-TROIS", "Łuk\\X0D\\"), ("^L||", "^D||"), ("DOMINIQUE MARIE", "李"),
    ],
)  # fmt: skip
def test_without_every_trait_there_is_none(was: str, becomes: str) -> None:
    assert ins_mark(PID.replace(was, becomes), NIR) == ""


@pytest.mark.parametrize(
    "ins",
    [None, Ins("279035121518989", "1.2.250.1.213.1.4.10"), Ins("279035121518980", NIR.oid), Ins(NIR.number, "1.2.3")],
)
def test_without_a_sound_number_of_somebody_there_is_none(ins: Ins | None) -> None:
    assert ins_mark(PID, ins) == ""
