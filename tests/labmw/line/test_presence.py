"""Is one serial number on two live connections noticed, and an analyzer that came back taken for one?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from labmw.line.presence import MOST, Place, Presence

A, B, C = ("one", "192.0.2.1:5000"), ("two", "192.0.2.2:5000"), ("one", "192.0.2.1:5001")


def presence(*places: tuple[str, str]) -> Presence:
    found = Presence()
    for place in places:
        found.opened(*place)
    return found


def said(one: Presence, place: tuple[str, str], *, alternates: bool = True, serial: str = "SN1") -> Place | None:
    return one.said(serial, *place, alternates=alternates)


def test_one_connection_is_believed_for_ever() -> None:
    one = presence(A)
    assert [said(one, A) for _ in range(5)] == [None] * 5


def test_two_links_at_once_are_both_in_doubt_until_one_ends() -> None:
    one = presence(A, B)
    assert said(one, A) is None
    assert said(one, B) == Place(*A)
    assert said(one, A) == Place(*B)
    assert said(one, A) == Place(*B)
    assert said(one, B) == Place(*A)
    one.closed(*A)
    assert said(one, B) is None
    one.opened(*A)
    assert said(one, A) == Place(*B)


def test_another_serial_number_is_nobodys_business() -> None:
    one = presence(A, B)
    assert said(one, A) is None
    assert said(one, B, serial="SN2") is None
    assert said(one, A) is None


def test_after_a_power_cut_the_new_connection_takes_the_place_of_the_old_one() -> None:
    one = presence(A, C)
    assert said(one, A) is None
    assert said(one, C) is None
    assert said(one, C) is None


def test_if_the_old_one_speaks_again_there_are_two() -> None:
    one = presence(A, C)
    said(one, A)
    said(one, C)
    assert said(one, A) == Place(*C)
    assert said(one, A) == Place(*C)
    assert said(one, C) == Place(*A)


def test_a_protocol_with_several_connections_may_use_them() -> None:
    one = presence(A, C)
    assert [said(one, place, alternates=False) for place in (A, C, A, C)] == [None] * 4


def test_what_is_remembered_has_a_bound() -> None:
    one = presence(A)
    for number in range(MOST + 50):
        said(one, A, serial=str(number))
    assert len(one._voices) == MOST


def test_another_connection_from_the_same_port_has_said_nothing_yet() -> None:
    one = presence(A, C)
    said(one, A)
    said(one, C)
    one.closed(*C)
    one.opened(*C)
    assert said(one, A) is None


STEPS = st.lists(st.tuples(st.sampled_from("osc"), st.sampled_from([A, B, C])), max_size=40)


@given(STEPS)
def test_who_is_alone_is_never_doubted_and_who_is_not_always_is(steps: list[tuple[str, tuple[str, str]]]) -> None:
    one, live, spoken = Presence(), [], set()
    for what, place in steps:
        if what == "o" and place not in live:
            one.opened(*place)
            live.append(place)
        elif what == "c" and place in live:
            one.closed(*place)
            live.remove(place)
            spoken.discard(place)
        elif what == "s" and place in live:
            other = said(one, place)
            elsewhere = {p for p in spoken if (p[0], Place(*p).host) != (place[0], Place(*place).host)}
            if not (spoken - {place}):
                assert other is None
            if elsewhere:
                assert other is not None
            spoken.add(place)
