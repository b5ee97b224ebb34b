"""Are labmw's verdicts put beside the incumbent's decisions, each once, and the gravest first?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import LabmwError
from labmw.lab.tapped import OUTCOMES, Decision, Ours, compare, counted, read_decisions, same_value
from labmw.phrases import codes

CSV = "specimen;test;value;decision\nS1;1742-6;22,0;released\nS2;ALTT;30;held\n"


def ours(
    number: int,
    value: str = "22",
    *,
    specimen: str = "S1",
    state: str = "held",
    released: bool = True,
    completed: str = "",
) -> Ours:
    return Ours(number, specimen, "ALTT", "1742-6", value, completed, state, released)


def theirs(
    value: str = "22", *, specimen: str = "S1", test: str = "1742-6", released: bool = True, completed: str = ""
) -> Decision:
    return Decision(2, specimen, test, value, released, completed)


def test_a_file_of_either_country_is_read() -> None:
    for data in (CSV, CSV.replace("22,0", "22.0").replace(";", ",")):
        first, second = read_decisions("x.csv", data.encode())
        assert (first.specimen, first.test, first.released) == ("S1", "1742-6", True)
        assert same_value(first.value, "22")
        assert not second.released


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (CSV.replace("held", "maybe"), "line 3.*no decision"),
        (CSV.replace("S2;", ";"), "line 3.*no specimen"),
        (CSV.replace("decision", "verdict"), "not a known column"),
        ("", "no line"),
    ],
)
def test_mistakes_have_a_line(data: str, said: str) -> None:
    with pytest.raises(LabmwError, match=said):
        read_decisions("x.csv", data.encode())


@pytest.mark.parametrize(
    ("mine", "other", "outcome"),
    [
        (ours(1), theirs(), "both-release"),
        (ours(1, released=False), theirs(released=False), "both-hold"),
        (ours(1, released=False), theirs(), "only-they-release"),
        (ours(1), theirs(released=False), "only-we-release"),
        (ours(1, "23"), theirs(), "other-value"),
        (ours(1, state="quarantined", released=False), theirs(), "unread"),
        (ours(1), theirs(test="ALTT"), "both-release"),
        (ours(1, "<5"), theirs("< 5,0"), "both-release"),
        (ours(1, "<5"), theirs("5"), "other-value"),
    ],
)
def test_each_outcome(mine: Ours, other: Decision, outcome: str) -> None:
    assert [pair.outcome for pair in compare([mine], [other])] == [outcome]


def test_what_only_one_side_has() -> None:
    assert [pair.outcome for pair in compare([ours(1)], [theirs(specimen="S9")])] == ["only-ours", "only-theirs"]


def test_several_runs_find_their_own_decision() -> None:
    pairs = compare(
        [ours(1, "22", completed="0800"), ours(2, "99", completed="0900", released=False)],
        [theirs("99", completed="0900", released=False), theirs("22", completed="0800")],
    )
    assert sorted((pair.ours.result, pair.outcome) for pair in pairs if pair.ours) == [
        (1, "both-release"),
        (2, "both-hold"),
    ]


def test_every_outcome_has_its_sentences() -> None:
    for outcome in OUTCOMES:
        assert {f"tap-{outcome}", f"tap-short-{outcome}"} <= codes()


MINE = st.lists(st.builds(lambda n, s, v, r: ours(n, v, specimen=s, released=r), st.integers(0, 10**6), st.sampled_from(["S1", "S2"]), st.sampled_from(["1", "2"]), st.booleans()), max_size=8, unique_by=lambda one: one.result)  # fmt: skip
OTHERS = st.lists(st.builds(lambda s, v, r: theirs(v, specimen=s, released=r), st.sampled_from(["S1", "S2", "S3"]), st.sampled_from(["1", "2"]), st.booleans()), max_size=8)  # fmt: skip


@given(MINE, OTHERS)
def test_nothing_is_lost_and_nothing_counted_twice(mine: list[Ours], others: list[Decision]) -> None:
    pairs = compare(mine, others)
    assert sorted(pair.ours.result for pair in pairs if pair.ours) == sorted(one.result for one in mine)
    assert sum(pair.theirs is not None for pair in pairs) == len(others)
    assert sum(counted(pairs).values()) == len(pairs)
    assert [OUTCOMES.index(pair.outcome) for pair in pairs] == sorted(OUTCOMES.index(pair.outcome) for pair in pairs)


@given(st.text(max_size=12), st.text(max_size=12))
def test_values_are_compared_both_ways_alike(one: str, other: str) -> None:
    assert same_value(one, other) == same_value(other, one)
    assert same_value(one, one)
