"""A PID kept whole: restated without loss, brought up to date field by field, and with its INS only where it may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7.adt import Ins
from protocols.hl7.er7 import Segment, Separators
from protocols.hl7.pid import brought_up_to_date, in_place_of_pid, restated, with_ins
from protocols.hl7.separators import STANDARD

ODD = Separators("!", "*", "%", "$", "@")
INS = Ins("279035121518989", "1.2.250.1.213.1.4.8")
LOCAL = "PID|||P1^^^HOSPITAL^PI||DUPONT^Ada^^^^^L||19700101|F"
TEXT = st.text(st.sampled_from("aé|^~&!*%@\"' 1"), max_size=6)


@given(st.lists(st.lists(TEXT, min_size=1, max_size=3), min_size=1, max_size=4))
def test_every_component_means_the_same_in_the_standard_separators(fields: list[list[str]]) -> None:
    marks = {"!": "$F$", "*": "$S$", "%": "$R$", "@": "$T$"}
    cells = ["*".join("".join(marks.get(c, c) for c in part) for part in parts) for parts in fields]
    odd = Segment("!".join(["PID", *cells]), ODD)
    made = restated(odd)
    assert made.separators == STANDARD
    for n in range(1, len(fields) + 1):
        for c in range(1, 4):
            assert made.component(n, c) == odd.component(n, c)


@given(st.text(st.sampled_from('ab|^~\\&"1'), max_size=40))
def test_standard_separators_stay_byte_for_byte(text: str) -> None:
    assert restated(Segment("PID|" + text)).line == "PID|" + text


def test_repetitions_subcomponents_and_the_null_are_kept() -> None:
    odd = Segment('PID!!!1***A@1.2@ISO*PI%""***B*INS!!N*G', ODD)
    assert restated(odd).line == 'PID|||1^^^A&1.2&ISO^PI~""^^^B^INS||N^G'


def test_an_empty_field_says_nothing_and_the_null_empties() -> None:
    known = "PID|||P1||DUPONT|MOTHER|19700101|F"
    assert brought_up_to_date(known, Segment('PID|||P1||DURAND|""||')) == "PID|||P1||DURAND||19700101|F"
    assert brought_up_to_date("", Segment("PID|||P1||")) == "PID|||P1"
    assert brought_up_to_date("PID|||P1", Segment("PID|||P2||X")) == "PID|||P2||X"


def test_the_ins_leaves_only_with_a_qualified_identity() -> None:
    qualified = LOCAL + "|" * 24 + "VALI"
    assert with_ins(LOCAL, INS) == LOCAL
    assert with_ins(LOCAL + "|" * 24 + "PROV", INS) == LOCAL + "|" * 24 + "PROV"
    assert with_ins(qualified, None) == qualified
    told = Segment(with_ins(qualified, INS))
    assert told.repetitions(3) == [
        "279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS",
        "P1^^^HOSPITAL^PI",
    ]
    again = Segment(with_ins(told.line, Ins("1", INS.oid)))  # never two
    assert [part.split("^")[0] for part in again.repetitions(3)] == ["1", "P1"]


def test_another_pid_takes_the_place_of_ours_and_nothing_else_moves() -> None:
    message = b"MSH|^~\\&|A||B||20261101||ORU^R01|1|P|2.5.1||||||UNICODE UTF-8\rPID|1||P1\rPV1|1|U\r"
    made = in_place_of_pid(message, LOCAL)
    assert made == message.replace(b"PID|1||P1", LOCAL.encode())
    with pytest.raises(Hl7Error, match="no PID"):
        in_place_of_pid(message.replace(b"PID|", b"ZID|"), LOCAL)
    with pytest.raises(Hl7Error, match="ends a block"):
        in_place_of_pid(message, LOCAL + "\x1c\r")
