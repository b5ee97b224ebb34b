"""What moves an AWOS on, and why a result does not answer it: the rules of C.11, each way."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.lab import awos
from labmw.lab.awos import CLOSED, LIVE, State, StepSeen

STATES = st.sampled_from(list(State))


@dataclass
class Row:
    """As much of a row as is looked at."""

    specimen: str
    state: str


def step(
    *statuses: str, status: str = "CM", name: str = "A", at_analyzer: bool = False, specimen: str = "S1"
) -> StepSeen:
    return StepSeen(
        awos="" if at_analyzer else name,
        specimen=specimen,
        code="1742-6",
        name="ALT",
        status=status,
        reflex=False,
        at_analyzer=at_analyzer,
        parents=(),
        observations=dict(enumerate(statuses)),
    )


@pytest.mark.parametrize(
    ("state", "control", "status", "sends", "then", "why"),
    [
        ("broadcast", "OK", "SC", 1, "accepted", ""),
        ("broadcast", "OK", "IP", 1, "in-process", ""),
        ("broadcast", "UA", "CA", 1, "refused", ""),
        ("broadcast", "UA", "CA", 2, "accepted", "taken-as-repeat"),  # LAB28-006
        ("resulted", "OK", "SC", 1, "resulted", ""),  # the reply was slower than the work
        ("resulted", "UA", "CA", 1, "resulted", ""),
        ("accepted", "CR", "CA", 1, "cancelled", ""),
        ("accepted", "UC", "IP", 1, "unable", ""),
        ("resulted", "UC", "CM", 1, "resulted", ""),
        ("broadcast", "", "", 1, "broadcast", ""),  # nothing was said of it
    ],
)
def test_a_reply_moves_it_on(state: str, control: str, status: str, sends: int, then: str, why: str) -> None:
    assert awos.answered(state, control, status, sends=sends) == (then, why)


@pytest.mark.parametrize(
    ("state", "seen", "then"),
    [
        ("accepted", step(status="IP"), "in-process"),
        ("accepted", step("F"), "resulted"),
        ("accepted", step("F", status="IP"), "in-process"),  # more is to come
        ("accepted", step("R", "F"), "resulted"),
        ("accepted", step("R", status="IP"), "in-process"),
        ("accepted", step("P", status="IP"), "in-process"),
        ("accepted", step("X"), "not-performed"),
        ("accepted", step("X", "F"), "resulted"),
        ("accepted", step(status="CA"), "not-performed"),
        ("accepted", step(), "not-performed"),  # completed, and nothing measured
        ("broadcast", step(status="SC"), "accepted"),  # its reply was lost: it has it
        ("resulted", step("C"), "resulted"),
        ("resulted", step("X"), "resulted"),  # a further run failed
        ("resulted", step(status="IP"), "resulted"),
        ("not-performed", step("F"), "resulted"),
        ("unable", step("F"), "resulted"),
        ("cancelled", step("F"), "cancelled"),
    ],
)
def test_a_report_moves_it_on(state: str, seen: StepSeen, then: str) -> None:
    assert awos.reported(state, seen) == then


@given(
    STATES,
    st.sampled_from(["OK", "UA", "CR", "UC", "", "??"]),
    st.sampled_from(["SC", "IP", "CM", "CA", ""]),
    st.integers(1, 4),
)
def test_no_reply_takes_a_result_back_and_every_state_is_known(
    state: State, control: str, status: str, sends: int
) -> None:
    then, _ = awos.answered(state, control, status, sends=sends)
    assert then in set(State)
    if state is State.RESULTED and control != "CR":
        assert then == State.RESULTED


@given(STATES, st.lists(st.sampled_from(["F", "C", "P", "R", "X", "I"])), st.sampled_from(["SC", "IP", "CM", "CA", ""]))
def test_no_report_takes_a_result_back_nor_wakes_what_was_cancelled(
    state: State, statuses: list[str], status: str
) -> None:
    then = awos.reported(state, step(*statuses, status=status))
    assert then in set(State)
    if state in (State.RESULTED, State.CANCELLED) and not (state is State.RESULTED and status == "IP"):
        assert then == state


def test_why_a_result_does_not_answer_its_order() -> None:
    known = {"A": Row("S1", "accepted"), "B": Row("S2", "accepted"), "C": Row("S1", "cancelled")}
    seen = (
        step("F", name="A"),
        step("F", name="B"),
        step("F", name="C"),
        step("F", name="D"),
        step("F", at_analyzer=True),
    )
    for one, reason in zip(seen, ("", "awos-mismatch", "cancelled-order", "unknown-awos", ""), strict=True):
        found = awos.objections([one], known)
        assert [code for code, _ in found.values()] == ([reason] if reason else [])


def test_names_are_never_the_same_and_a_childs_always_is() -> None:
    names = {awos.new_name() for _ in range(1000)}
    assert len(names) == 1000 and all(len(name) == 20 for name in names)
    one = step("F", at_analyzer=True)
    assert awos.child_name("T", "law", one) == awos.child_name("T", "law", step("C", at_analyzer=True))
    assert awos.child_name("T", "law", one) != awos.child_name("T", "law", step("F", at_analyzer=True, specimen="S2"))


def test_no_state_is_live_and_closed() -> None:
    assert not LIVE & CLOSED
