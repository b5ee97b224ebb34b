"""The three-sided count notices everything that can go wrong between an analyzer and the LIS: each fault is planted, and must be found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labmw.cli.demo.count import count
from labmw.cli.demo.sides import Given, Planted, Reported, Sent, Sides, Stored, plain

SENT = (
    Sent("xn", "S1", "WBC", "", "6.80", "t1", main=True, acknowledged=True),
    Sent("xn", "S1", "HGB", "", "140", "t1", main=True, acknowledged=True),
    Sent("xn", "S2", "WBC", "", "7.10", "t2", main=True, acknowledged=True),
)
STORED = (
    Stored(1, "xn", "S1", "WBC", "6.80", "6.80", "t1", main=True, state="delivered"),
    Stored(2, "xn", "S1", "HGB", "140", "140", "t1", main=True, state="held", reasons=(("critical", ()),)),
    Stored(3, "xn", "S2", "WBC", "7.10", "7.10", "t2", main=True, state="quarantined", reasons=(("no-order", ()),)),
)
REPORTED = (Reported("S1", "WBC", "6.8"),)
PLANTED = (
    Planted("critical", "xn", "S1", 2, ({"test": "HGB", "state": "held", "reason": "critical"},)),
    Planted("no-order", "xn", "S2", 1, ({"test": "", "state": "quarantined", "reason": "no-order"},)),
)
WELL = Sides(("xn",), SENT, STORED, REPORTED, PLANTED)


def test_all_is_well() -> None:
    counted = count(WELL)
    assert counted.well and not counted.lost and not counted.twice
    total = counted.total
    assert (
        total.sent,
        total.stored,
        total.released,
        total.held,
        total.quarantined,
        total.delivered,
        total.received,
    ) == (3, 3, 1, 1, 1, 1, 1)


def test_acknowledged_and_not_stored_is_lost() -> None:
    counted = count(replace(WELL, stored=STORED[1:], reported=(), planted=()))
    assert [row[-1] for row in counted.lost] == ["acknowledged-not-stored"] and not counted.well


def test_not_acknowledged_and_not_stored_is_not_lost_but_still_with_the_analyzer() -> None:
    sent = (replace(SENT[0], acknowledged=False), *SENT[1:])
    counted = count(replace(WELL, sent=sent, stored=STORED[1:], reported=(), planted=()))
    assert not counted.lost and counted.unsent == 1 and not counted.well


@pytest.mark.parametrize("state", ["verify", "released"])
def test_stored_and_going_nowhere_is_lost(state: str) -> None:
    counted = count(replace(WELL, stored=(replace(STORED[0], state=state), *STORED[1:]), reported=()))
    assert [row[-1] for row in counted.lost] == [f"stuck-{state}"]


def test_delivered_says_the_store_and_the_lis_has_nothing() -> None:
    counted = count(replace(WELL, reported=()))
    assert [row[-1] for row in counted.lost] == ["delivered-not-received"]


def test_delivered_with_another_value_is_lost() -> None:
    counted = count(replace(WELL, reported=(Reported("S1", "WBC", "68"),)))
    assert counted.lost


def test_stored_twice() -> None:
    counted = count(replace(WELL, stored=(*STORED, replace(STORED[1], id=4)), planted=()))
    assert [row[-1] for row in counted.twice] == ["stored-twice"] and not counted.well


def test_received_twice() -> None:
    counted = count(replace(WELL, reported=REPORTED * 2))
    assert [row[-1] for row in counted.twice] == ["received-twice"]


def test_one_value_twice_in_one_message_is_no_double() -> None:
    """Two runs of one test with the same value: sent twice, stored twice, reported twice."""
    sides = replace(
        WELL, sent=(*SENT, SENT[0]), stored=(*STORED, replace(STORED[0], id=4)), reported=REPORTED * 2, planted=()
    )
    assert count(sides).well


def test_what_nobody_has_sent_is_found() -> None:
    counted = count(replace(WELL, stored=(*STORED, replace(STORED[1], id=4, value="14"))))
    assert [row[-1] for row in counted.strangers] == ["sent-by-nobody"] and not counted.well


def test_what_the_lis_has_and_the_store_has_not_is_found() -> None:
    counted = count(replace(WELL, reported=(*REPORTED, Reported("S9", "WBC", "6.8"))))
    assert [row[-1] for row in counted.strangers] == ["received-not-stored"] and not counted.well


def test_every_finding_has_a_sentence() -> None:
    """The codes that the count yields are those of the catalogue."""
    from labmw.phrases import codes

    reasons = (
        "acknowledged-not-stored",
        "stuck-verify",
        "stuck-released",
        "delivered-not-received",
        "stored-twice",
        "received-twice",
    )
    assert {f"demo-why-{reason}" for reason in (*reasons, "sent-by-nobody", "received-not-stored")} <= codes()


@pytest.mark.parametrize(
    ("row", "change"),
    [(1, {"state": "delivered"}), (1, {"reasons": (("flag", ()),)}), (2, {"state": "held"})],
)
def test_a_planted_case_that_ends_elsewhere(row: int, change: dict[str, object]) -> None:
    stored = list(STORED)
    stored[row] = replace(stored[row], **change)  # type: ignore[arg-type]
    counted = count(replace(WELL, stored=tuple(stored)))
    assert sum(not outcome.well for outcome in counted.outcomes) == 1 and not counted.well


def test_a_planted_case_without_expectation_must_be_there_once() -> None:
    once = Planted("twice sent", "xn", "S1", 2)
    assert count(replace(WELL, planted=(once,))).well
    assert not count(replace(WELL, stored=STORED[1:], sent=SENT[1:], reported=(), planted=(once,))).well


@pytest.mark.parametrize(
    ("text", "shown"),
    [("4.20", "4.2"), ("4.2", "4.2"), ("<0.10", "<0.1"), ("100", "100"), ("POS", "POS"), ("NaN", "NaN"), ("", "")],
)
def test_numbers_are_compared_as_numbers(text: str, shown: str) -> None:
    assert plain(text) == shown


HELD = (Given("law", "A1", "S1", "TSH", "CM"), Given("law", "A2", "S1", "FT4", "SC"))
GIVEN = (Given("law", "A1", "S1", "TSH", "resulted"), Given("law", "A2", "S1", "FT4", "accepted"))


def test_store_and_analyzer_say_the_same_of_every_order() -> None:
    assert count(replace(WELL, held=HELD, given=GIVEN)).well


@pytest.mark.parametrize(
    ("held", "given", "why"),
    [
        (HELD, GIVEN[:1], "held-not-given"),
        (HELD, (GIVEN[0], replace(GIVEN[1], state="broadcast")), "held-not-given"),
        (HELD[:1], GIVEN, "given-not-held"),
        (HELD, (replace(GIVEN[0], state="accepted"), GIVEN[1]), "done-not-noted"),
    ],
)
def test_an_order_that_one_side_does_not_know_is_found(
    held: tuple[Given, ...], given: tuple[Given, ...], why: str
) -> None:
    counted = count(replace(WELL, held=held, given=given))
    assert [row[-1] for row in counted.misgiven] == [why] and not counted.well


def test_orders_of_an_analyzer_that_knows_no_identity_are_compared_by_specimen_and_test() -> None:
    held = tuple(replace(one, analyzer="c311", awos="") for one in HELD)
    given = tuple(replace(one, analyzer="c311") for one in GIVEN)
    assert count(replace(WELL, held=held, given=given)).well
    counted = count(replace(WELL, held=held[:1], given=given))
    assert [row[-1] for row in counted.misgiven] == ["given-not-held"]


def test_an_order_that_was_refused_need_not_be_there() -> None:
    assert count(replace(WELL, held=HELD[:1], given=(GIVEN[0], replace(GIVEN[1], state="refused")))).well


@pytest.mark.parametrize(("given", "well"), [((), True), ((Given("xn", "A", "S9", "WBC", "planned"),), False)])
def test_no_work_means_that_nothing_was_given(given: tuple[Given, ...], well: bool) -> None:
    case = Planted("none", "xn", "S9", 0, ({"test": "", "state": "no-work", "reason": ""},))
    (outcome,) = count(replace(WELL, planted=(case,), given=given)).outcomes
    assert outcome.well is well
