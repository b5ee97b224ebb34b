"""Laws 5 and 6: one identity for a result, one for a specimen; a repeat is never a second result, another value never a repeat."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import key, order, patient, result
from stage import ALT, SITE

from labmw.driver.reading import ObxRead, PatientRead, ResultRead
from labmw.lab.placement import (
    CONTROL,
    DETAIL,
    QUARANTINED,
    VERIFY,
    Earlier,
    Known,
    Placement,
    identity,
    next_run,
    ordered,
    place,
    sender_of,
)
from labmw.model import Order, Patient, Sex, Specimen

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def tube(
    patient_: str = "P1", start: datetime | None = None, end: datetime | None = None, kind: str = "SER"
) -> Specimen:
    return Specimen(SITE, "S1", patient_, kind, start, end)


def known(*tubes: Specimen, **different: Any) -> Known:
    people = {
        "P1": Patient(SITE, "P1", "ONE", birth=date(1970, 1, 1), sex=Sex.FEMALE),
        "P2": Patient(SITE, "P2", "TWO", birth=date(1980, 1, 1), sex=Sex.MALE),
    }
    common: dict[str, Any] = {
        "specimens": {"S1": tubes} if tubes else {},
        "patients": people,
        "orders": frozenset({("S1", ALT)}),
        "materials": frozenset(),
        "earlier": {},
    }
    return Known(**{**common, **different})


def placed(
    read: ResultRead, known_: Known, kind: str = "result", sender: PatientRead | None = None, at: datetime = NOW
) -> Placement:
    return place(read, key(read), kind=kind, sender=sender, known=known_, at=at)


def earlier(
    read: ResultRead,
    id_: int = 7,
    run: str = "",
    state: str = VERIFY,
    *,
    acknowledged: bool = True,
    at: datetime | None = None,
) -> Earlier:
    return Earlier(
        id_,
        run,
        read.value,
        read.number or "",
        read.comparator,
        read.unit_raw,
        state,
        acknowledged,
        read.status,
        read.flags_raw,
        at,
    )


def after(read: ResultRead, *others: Earlier) -> Known:
    return known(tube(), earlier={identity(key(read)): others})


# --- whose result -----------------------------------------------------------------------------------------------------------


def test_what_was_ordered_goes_to_the_rules_with_its_patient() -> None:
    one = placed(result(), known(tube()))
    assert (one.state, one.reason, one.patient) == (VERIFY, "", "P1")


@pytest.mark.parametrize(
    ("read", "known_", "reason"),
    [
        (result(), known(), "no-order"),  # nobody knows the tube
        (result(loinc="1920-8"), known(tube()), "no-order"),  # nobody asked for this test
        (result(), known(tube(start=NOW + HOUR)), "specimen-window"),
        (result(), known(tube(end=NOW - HOUR)), "specimen-window"),
        (result(), known(tube("P1"), tube("P2", kind="EDTA")), "identity-mismatch"),  # two people on one barcode
        (result(problem="unknown-unit"), known(tube()), "unknown-unit"),
    ],
)
def test_what_does_not_fit_is_quarantined_with_its_reason(read: ResultRead, known_: Known, reason: str) -> None:
    one = placed(read, known_)
    assert (one.state, one.reason) == (QUARANTINED, reason)
    assert one.repeat_of is None


def test_the_time_of_the_analysis_chooses_between_the_owners_of_a_recycled_barcode() -> None:
    both = known(tube("P1", end=NOW - HOUR), tube("P2", start=NOW - HOUR + timedelta(seconds=1)))
    assert placed(result(), both).patient == "P2"  # without a time of its own: when it arrived
    assert placed(result(completed=NOW - 2 * HOUR), both).patient == "P1"
    assert placed(result(completed=NOW - HOUR), both).patient == "P1"  # the window's ends belong to it


def test_several_tubes_of_one_patient_share_a_barcode() -> None:
    assert placed(result(), known(tube("P1"), tube("P1", kind="EDTA"))).state == VERIFY


@pytest.mark.parametrize(
    ("sender", "what"),
    [
        (patient("F", "19700101"), ""),
        (patient("", ""), ""),
        (patient("U", "unknown"), ""),
        (patient("f", "19700101120000"), ""),
        (patient("M", ""), "sex"),
        (patient("F", "19800101"), "birth"),
    ],
)
def test_the_analyzers_idea_of_the_patient_may_be_empty_and_not_other(sender: PatientRead, what: str) -> None:
    one = placed(result(), known(tube()), sender=sender)
    assert one.reason == ("identity-mismatch" if what else "")
    assert dict(one.facts).get("what", "") == what


def test_a_patient_of_unknown_sex_and_birth_contradicts_nobody() -> None:
    someone = known(tube(), patients={"P1": Patient(SITE, "P1")})
    assert placed(result(), someone, sender=patient("M", "19800101")).state == VERIFY


@pytest.mark.parametrize("read", [result(main=False), result(index="H")])
def test_details_and_indices_are_kept_beside_their_result_without_an_order(read: ResultRead) -> None:
    assert placed(read, known(tube(), orders=frozenset())).state == DETAIL
    assert placed(read, known()).state == QUARANTINED


# --- quality control --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marked", "material", "tube_known", "state", "reason"),
    [
        (True, True, False, CONTROL, ""),
        (True, True, True, CONTROL, ""),
        (True, False, False, QUARANTINED, "unregistered-control"),
        (True, False, True, QUARANTINED, "control-conflict"),
        (False, True, False, QUARANTINED, "control-conflict"),
        (False, True, True, QUARANTINED, "control-conflict"),
        (False, False, True, VERIFY, ""),
    ],
)
@pytest.mark.parametrize("by", ["message", "result"])
def test_a_control_is_one_only_when_both_sides_say_so(
    marked: bool, material: bool, tube_known: bool, state: str, reason: str, by: str
) -> None:
    """In a message that mixes patients and controls only the results themselves are marked."""
    read = result(control=marked and by == "result")
    kind = "qc-result" if marked and by == "message" else "result"
    known_ = known(*([tube()] if tube_known else []), materials=frozenset({"S1"} if material else ()))
    one = placed(read, known_, kind=kind)
    assert (one.state, one.reason) == (state, reason)


@pytest.mark.parametrize(("material", "state"), [(True, CONTROL), (False, VERIFY)])
def test_the_role_q_of_a_specimen_agrees_with_a_registered_material_and_makes_none(material: bool, state: str) -> None:
    said = ObxRead("result", "", (), False, "", (), None, "Q", "", "NM", "", "", "")
    known_ = known(tube(), materials=frozenset({"S1"} if material else ()))
    assert placed(result(obx=said), known_).state == state


# --- repeats and runs -------------------------------------------------------------------------------------------------------


def test_the_same_value_of_the_same_moment_is_a_repeat() -> None:
    one = placed(result(), after(result(), earlier(result())))
    assert (one.repeat_of, one.supersedes, one.key.run) == (7, False, "")


@pytest.mark.parametrize(
    "other",
    [
        result("23"),
        result(unit_raw="U/mL"),
        result(comparator="<"),
        replace(result(), value="22.0"),
        replace(result(), number="22.00"),
    ],
)
def test_another_value_or_unit_of_the_same_moment_is_a_new_run(other: ResultRead) -> None:
    one = placed(other, after(other, earlier(result())))
    assert (one.repeat_of, one.key.run, one.state) == (None, "2", VERIFY)


def test_without_time_or_run_a_repeat_is_one_only_after_an_unacknowledged_session() -> None:
    read = result(time="")
    doubtful = placed(read, after(read, earlier(read)))
    assert (doubtful.state, doubtful.reason, doubtful.repeat_of, doubtful.key.run) == (
        QUARANTINED,
        "ambiguous-repeat",
        None,
        "2",
    )
    certain = placed(read, after(read, earlier(read, acknowledged=False)))
    assert certain.repeat_of == 7
    mixed = placed(read, after(read, earlier(read, 7), earlier(read, 8, "2", acknowledged=False)))
    assert (mixed.repeat_of, mixed.key.run) == (8, "2")


def test_a_run_of_the_analyzers_own_tells_repeats_from_reruns() -> None:
    read = result(run="1")
    assert placed(read, after(read, earlier(read, run="1"))).repeat_of == 7
    second = result(run="2")
    one = placed(second, after(second, earlier(read, run="1")))
    assert (one.repeat_of, one.key.run) == (None, "2")


YEAR_AGO = NOW - timedelta(days=365)


@pytest.mark.parametrize("run", ["", "1"])
@pytest.mark.parametrize(
    ("tubes", "came", "repeat"),
    [
        ((tube("P2", NOW - HOUR, NOW + HOUR),), NOW - HOUR, True),
        ((tube("P2", NOW - HOUR, NOW + HOUR),), YEAR_AGO, False),  # of whoever's tube it was
        ((tube("P1", None, NOW - HOUR), tube("P2", NOW - HOUR + timedelta(seconds=1))), YEAR_AGO, False),
        ((tube("P2", YEAR_AGO, NOW - HOUR), tube("P2", NOW - HOUR + timedelta(seconds=1))), YEAR_AGO, False),
        ((tube("P2"),), YEAR_AGO, True),  # a tube without a window: nothing speaks against it
        ((), NOW - HOUR, True),
    ],
)
def test_without_time_a_repeat_is_one_only_within_the_life_of_a_tube(
    tubes: tuple[Specimen, ...], came: datetime, run: str, *, repeat: bool
) -> None:
    """A barcode that recycles and a run that always says 1: the next patient's equal value is not the last one's."""
    read = result(time="", run=run)
    before = {identity(key(read)): [earlier(read, run=run, state="delivered", acknowledged=False, at=came)]}
    one = placed(read, known(*tubes, earlier=before))
    assert (one.repeat_of == 7) is repeat
    if not repeat:
        assert (one.state, one.reason) == (QUARANTINED, "ambiguous-repeat")
    timed = result(run=run)  # with a time the value is the same wherever the number has been since
    before = {identity(key(timed)): [earlier(timed, run=run, state="delivered", at=came)]}
    assert placed(timed, known(*tubes, earlier=before)).repeat_of == 7


def test_a_run_without_time_on_a_number_that_nobody_knows_is_shown_and_not_dropped() -> None:
    read = result(time="", run="1")
    before = {identity(key(read)): [earlier(read, run="1", state=QUARANTINED, at=NOW - HOUR)]}
    assert placed(read, known(earlier=before)).reason == "ambiguous-repeat"


def test_a_run_that_had_to_be_renamed_is_recognised_when_it_is_sent_again() -> None:
    first, other = result("22", run="1"), result("31", run="1")
    renamed = placed(other, after(other, earlier(first, 7, "1")))
    assert renamed.key.run == "1+2"
    again = placed(other, after(other, earlier(first, 7, "1"), earlier(other, 8, renamed.key.run)))
    assert (again.repeat_of, again.key.run) == (8, "1+2")


def test_results_without_a_specimen_are_never_taken_for_each_other() -> None:
    read = result(specimen="", problem="no-specimen")
    one = placed(read, after(read, earlier(read, state=QUARANTINED)))
    assert (one.repeat_of, one.key.run, one.state) == (None, "2", QUARANTINED)


def test_a_repeat_takes_the_place_of_one_in_quarantine_when_nothing_stands_against_it_now() -> None:
    read = result()
    one = placed(read, after(read, earlier(read, state=QUARANTINED)))
    assert (one.repeat_of, one.supersedes, one.state) == (7, True, VERIFY)
    still = placed(replace(read, problem="unknown-unit"), after(read, earlier(read, state=QUARANTINED)))
    assert (still.repeat_of, still.supersedes) == (7, False)
    delivered = placed(read, after(read, earlier(read, 7, state=QUARANTINED), earlier(read, 8, state="delivered")))
    assert (delivered.repeat_of, delivered.supersedes) == (8, False)


@pytest.mark.parametrize(
    ("sent", "taken", "run"),
    [
        ("", set(), ""),
        ("", {""}, "2"),
        ("", {"", "2"}, "3"),
        ("", {"", "3"}, "4"),
        ("1", {"1"}, "1+2"),
        ("1", {"1", "1+2"}, "1+3"),
        ("3", {"1"}, "3"),
    ],
)
def test_the_next_run_is_one_that_nobody_has(sent: str, taken: set[str], run: str) -> None:
    assert next_run(sent, taken) == run


values = st.sampled_from(["22", "23", "<5", "NEG"])
runs = st.sampled_from(["", "1", "2", "1+2"])
times = st.sampled_from(["", "20261101080000", "20261101090000"])
sent = st.tuples(values, runs, times, st.booleans(), st.sampled_from(["", "unknown-unit"]))


@given(st.lists(sent, max_size=14))
def test_no_two_results_ever_share_a_key_and_no_two_values_ever_merge(
    history: list[tuple[str, str, str, bool, str]],
) -> None:
    """Whatever an analyzer sends in whatever order, every value is kept under a key of its own or as a repeat of the same value."""
    store: dict[int, tuple[str, str]] = {}  # id: (key, value)
    by_identity: dict[str, list[Earlier]] = {}
    for number, (value, run, time, acknowledged, problem) in enumerate(history):
        read = result(value, run=run, time=time, problem=problem)
        one = placed(read, known(tube(), earlier=by_identity))
        if one.repeat_of is None:
            assert one.key.text() not in {text for text, _ in store.values()}
            store[number] = (one.key.text(), value)
            mark = earlier(read, number, one.key.run, one.state, acknowledged=acknowledged)
            by_identity.setdefault(identity(key(read)), []).append(mark)
        else:
            text, kept = store[one.repeat_of]
            assert kept == value
            assert text == one.key.text()
            if one.supersedes:
                others = by_identity[identity(key(read))]
                others[:] = [
                    replace(other, state=one.state) if other.id == one.repeat_of else other for other in others
                ]


@given(st.lists(sent, min_size=1, max_size=8))
def test_everything_with_a_time_or_run_sent_twice_is_a_repeat_the_second_time(
    history: list[tuple[str, str, str, bool, str]],
) -> None:
    by_identity: dict[str, list[Earlier]] = {}
    for number, (value, run, time, acknowledged, problem) in enumerate(history):
        read = result(value, run=run, time=time, problem=problem)
        one = placed(read, known(tube(), earlier=by_identity))
        if one.repeat_of is None:
            mark = earlier(read, number, one.key.run, one.state, acknowledged=acknowledged)
            by_identity.setdefault(identity(key(read)), []).append(mark)
    for value, run, time, _, problem in history:
        if run or time:
            again = placed(result(value, run=run, time=time, problem=problem), known(tube(), earlier=by_identity))
            assert again.repeat_of is not None


# --- finding the sender's patient -------------------------------------------------------------------------------------------


def test_the_patient_record_above_a_result_is_its_sender() -> None:
    people = (patient("F"), patient("M"))
    orders = (order("S1", 1), order("S2", None), order("S3", 9))
    assert sender_of(result(order=0), orders, people) is people[1]
    for unknown in (result(order=None), result(order=1), result(order=2), result(order=7)):
        assert sender_of(unknown, orders, people) is None


def test_orders_are_known_by_specimen_and_test() -> None:
    assert ordered([Order(SITE, "S1", ALT), Order(SITE, "S2", ALT)]) == {("S1", ALT), ("S2", ALT)}
