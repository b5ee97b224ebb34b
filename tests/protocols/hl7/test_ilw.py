"""IHE ILW: every example read, what is written read back and checked, and both tables of states walked from end to end."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from protocols import document
from protocols.errors import Hl7Error
from protocols.hl7 import check, ilw
from protocols.hl7.datatypes import Code, EntityId, Identifier, Organisation, Person, PersonName
from protocols.hl7.er7 import Message, Segment
from protocols.hl7.ilw_states import (
    ALIVE,
    ENDED,
    REQUESTER,
    SUBCONTRACTOR,
    Event,
    Standing,
    State,
    Table,
    advance,
    mermaid,
)
from protocols.hl7.ltw_values import Action, OrderAnswer
from protocols.hl7.report import Header, Observation, Report, ReportOrder, ReportPatient, ReportSpecimen
from protocols.hl7.values import Document, Numeric, Text

EXAMPLES = Path(__file__).parents[2] / "examples"
HEADER = Header("LABMW", "A", "SPE", "B", "20260315142501+0100", "RQ-1", country="FRA")
PID = Segment("PID|||PAT1^^^A^PI||DUPONT^Léa^^^^^L||19850412|F")
LABORATORY = Organisation("LABO DEMO", "D", "ASIP-SANTE-ST", "1.2.250.1.71.4.2.2", "ISO", "FINEG", "750999901")
TEST = Code("31017-7", "Tissue transglutaminase", "LN", "TTG", "Anti-TG", "99SPE")
TUBE = ilw.SentSpecimen(EntityId("26031500123-2", "A"), Code("SER", "Serum", "HL70487"), volume=Decimal("1"))
NEW = ilw.SubOrder(
    "NW", EntityId("SO1", "A"), TEST, facility=LABORATORY, specimen=TUBE, group=EntityId("G1", "A"),
    changed="20260315142500+0100", prescriber=Person("801234567866", "DURAND", "Paul"),
)  # fmt: skip
PDF = b"%PDF-1.4\n1 0 obj\n%%EOF\n"


def example(name: str) -> Message:
    [file] = EXAMPLES.glob(f"ilw_{name}_*.hl7")
    return Message.parse(file.read_bytes())


ORDERS = {
    "lab35_01": [("new", "SO26031500045"), ("new", "SO26031500046")],
    "lab35_04": [("cancel", "SO26031500046")],
    "lab35_07": [("status", "SO26031500045")],
    "lab35_09": [("returned", "SO26031500045")],
}
REPLIES = {
    "lab35_02": ["OK", "OK"],
    "lab35_03": ["OK", "UA"],
    "lab35_05": ["CR"],
    "lab35_06": ["UC"],
    "lab35_08": ["OK"],
    "lab35_10": ["OK"],
}
RESULTS = {
    "lab36_01": [(Event.PARTIAL, 0)],
    "lab36_02": [(Event.FINAL, 0), (Event.FINAL, 0), (None, 1)],
    "lab36_03": [(Event.CORRECTED, 0)],
}


@pytest.mark.parametrize("name", ORDERS)
def test_every_example_of_orders_is_read(name: str) -> None:
    read = ilw.read_sub_orders(example(name))
    assert [(one.action.value, one.placer.id if one.placer else "") for one in read.orders] == ORDERS[name]
    assert read.problems == ()
    assert {one.facility.id for one in read.orders if one.facility} == {"750999901"}


@pytest.mark.parametrize("name", REPLIES)
def test_every_example_of_replies_is_read(name: str) -> None:
    _, acknowledgment, replies = ilw.read_order_reply(example(name))
    assert acknowledgment.code == "AA"
    assert [one.control for one in replies] == REPLIES[name]


@pytest.mark.parametrize("name", RESULTS)
def test_every_example_of_results_is_read(name: str) -> None:
    report = ilw.read_sub_results(example(name))
    found = [(ilw.said_of(order), len(list(ilw.documents_of(order)))) for order in report.orders]
    assert found == RESULTS[name]


def test_the_document_of_the_example_is_whole() -> None:
    report = ilw.read_sub_results(example("lab36_02"))
    [(place, data)] = [one for order in report.orders for one in ilw.documents_of(order)]
    assert place == 1
    assert data is not None
    assert document.is_whole(data)
    assert not document.is_whole(data[:-12])
    assert document.kind_of(b"<ClinicalDocument/>") == "cda"


def test_a_refused_specimen_is_read_with_its_reason() -> None:
    [order] = ilw.read_sub_orders(example("lab35_09")).orders
    assert order.reason is not None
    assert (order.reason.code, order.specimens[0].available) == ("SPNC", "N")
    assert [code.code for code in order.specimens[0].rejected] == ["RH"]


@pytest.mark.parametrize(
    ("one", "action"),
    [
        (NEW, Action.NEW),
        (replace(NEW, control="CA", reason=Code("ERR", "Erreur", "99A")), Action.CANCEL),
        (replace(NEW, control="RP"), Action.REPLACE),
        (replace(NEW, control="RO"), Action.REPLACEMENT),
        (replace(NEW, control="SC", status="IP", filler=EntityId("F1", "B")), Action.STATUS),
        (replace(NEW, control="OC", status="CA", reason=Code("SPNC", "Non conforme", "99B")), Action.RETURNED),
        (replace(NEW, control="SN", placer=None, filler=EntityId("F1", "B")), Action.ADDED),
    ],
)
def test_what_is_written_of_a_sub_order_comes_back_and_is_sound(one: ilw.SubOrder, action: Action) -> None:
    message = Message.parse(ilw.write_sub_orders(HEADER, PID, [one]))
    [read] = ilw.read_sub_orders(message).orders
    assert (read.action, read.placer, read.filler, read.service) == (action, one.placer, one.filler, one.service)
    assert (read.facility, read.reason, read.group, read.status) == (one.facility, one.reason, one.group, one.status)
    assert read.specimens[0].labels == ("26031500123-2",)
    if one.control != "SN":
        assert check.sound(check.check(message, "ilw"))


def test_a_document_travels_with_the_order() -> None:
    scan = Observation(Code("57016-8", "Prescription", "LN"), Document("application", "pdf", PDF))
    asked = Observation(Code("49051-6", "Gestational age", "LN"), Numeric(Decimal(12)), Code("wk", "wk", "UCUM"))
    message = Message.parse(ilw.write_sub_orders(HEADER, PID, [replace(NEW, answers=(scan, asked))]))
    [read] = ilw.read_sub_orders(message).orders
    assert [one.value for one in read.answers] == [scan.value, asked.value]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"facility": None}, "ORC-21"),
        ({"placer": None}, "ORC-2"),
        ({"service": Code("X")}, "OBR-4"),
        ({"collected": "2026-03-15"}, "OBR-7"),
        ({"control": ""}, "ORC-1"),
    ],
)
def test_what_a_partner_could_misread_is_not_written(change: dict[str, object], said: str) -> None:
    with pytest.raises(Hl7Error, match=said):
        ilw.write_sub_orders(HEADER, PID, [replace(NEW, **change)])  # type: ignore[arg-type]
    with pytest.raises(Hl7Error, match="no sub-order"):
        ilw.write_sub_orders(HEADER, PID, [])


def report(*observations: Observation, status: str = "F") -> Report:
    order = ReportOrder(
        TEST, EntityId("SO1", "A"), EntityId("F1", "B"), observations, status, facility=LABORATORY,
        specimens=(ReportSpecimen(TUBE.id, TUBE.type),),
    )  # fmt: skip
    return Report(
        HEADER, ReportPatient((Identifier("PAT1", "A", type="PI"),), (PersonName("DUPONT", "Léa"),)), (order,)
    )


def test_what_is_written_of_results_comes_back_and_is_sound() -> None:
    value = Observation(TEST, Numeric(Decimal("86.0")), Code("U/mL", "U/mL", "UCUM"), performer=LABORATORY)
    pdf = Observation(ilw.REPORT, Document("application", "pdf", PDF))
    sent = report(value, pdf)
    for profile in (ilw.ILW_GENERIC, replace(ilw.ILW_GENERIC, results_as="OUL_R22")):
        message = Message.parse(ilw.write_sub_results(sent, profile))
        read = ilw.read_sub_results(message)
        assert read.orders[0].facility == LABORATORY
        assert [one.performer for _, one in ilw.observations_of(read.orders[0])] == [LABORATORY]
        assert [data for _, data in ilw.documents_of(read.orders[0])] == [PDF]
    with pytest.raises(Hl7Error, match="ORC-21"):
        ilw.write_sub_results(replace(sent, orders=(replace(sent.orders[0], facility=None),)))
    with pytest.raises(Hl7Error, match="results_as"):
        ilw.write_sub_results(sent, replace(ilw.ILW_GENERIC, results_as="MDM"))


@pytest.mark.parametrize(
    ("statuses", "status", "event"),
    [
        (["F"], "F", Event.FINAL),
        (["F", "P"], "P", Event.PARTIAL),
        (["F"], "P", Event.PARTIAL),
        (["C"], "C", Event.CORRECTED),
        (["F"], "C", Event.CORRECTED),
        (["F"], "", Event.FINAL),
        (["X"], "X", Event.WITHDRAWN),
        (["X", "F"], "F", Event.FINAL),
        ([], "F", None),
    ],
)
def test_the_gravest_status_counts(statuses: list[str], status: str, event: Event | None) -> None:
    found = tuple(Observation(TEST, Text("x"), status=one) for one in statuses)
    assert ilw.said_of(replace(report(*found).orders[0], status=status)) is event


@pytest.mark.parametrize(
    ("field", "data"),
    [
        ("^application^pdf^Base64^JVBERg==", b"%PDF"),
        ("^AP^PDF^A^JVBERg==", b"%PDF"),
        ("LAB^PDF^^Base64^JVBERg==", b"%PDF"),
        ("^application^pdf^Base64^JVBER", None),
        ("^application^pdf", None),
    ],
)
def test_a_document_is_found_however_its_type_is_written(field: str, data: bytes | None) -> None:
    raw = example("lab36_02").raw.split(b"|ED|")[0].rsplit(b"\rOBX", 1)[0]
    raw += f"\rOBX|1|ED|11502-2^Laboratory report^LN||{field}||||||F\r".encode()
    read = ilw.read_sub_results(Message.parse(raw))
    assert list(ilw.documents_of(read.orders[-1])) == [(1, data)]


def test_a_test_that_the_partner_adds_is_answered_with_our_number() -> None:
    added = replace(NEW, control="SN", placer=None, filler=EntityId("F9", "B"))
    orders = ilw.read_sub_orders(Message.parse(ilw.write_sub_orders(HEADER, PID, [added])))
    assert orders.problems == ()
    answer = OrderAnswer(orders.orders[0], "NA", "SC", placer=EntityId("SO9", "A"))
    reply = ilw.write_order_reply(orders, [answer], control_id="R1", when=HEADER.when)
    _, _, [said] = ilw.read_order_reply(Message.parse(reply))
    assert (said.control, said.placer, said.filler) == ("NA", EntityId("SO9", "A"), EntityId("F9", "B"))


# --- the tables ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", [REQUESTER, SUBCONTRACTOR], ids=["requester", "subcontractor"])
def test_every_state_has_its_line_and_can_be_reached(table: Table) -> None:
    assert set(table) == set(State)
    reached, todo = {State.CREATED}, [State.CREATED]
    while todo:
        for target in table[todo.pop()].values():
            if target not in reached:
                reached.add(target)
                todo.append(target)
    ours = {State.SENT, State.CANCEL_SENT} if table is SUBCONTRACTOR else set()
    assert reached == set(State) - ours


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("event", Event)
def test_every_step_of_the_requester_is_what_the_issue_says(state: State, event: Event) -> None:
    found = advance(REQUESTER, Standing(state), event)
    if state in ALIVE:
        if event in (Event.FINAL, Event.CORRECTED, Event.RETURNED, Event.PARTIAL):
            assert found == Standing(State(event.value))
        if event is Event.CANCEL:
            assert found == Standing(State.CANCEL_SENT, state)
    if event is Event.CANCEL_UNABLE:
        assert (found is not None) == (state is State.CANCEL_SENT)
    if state in (State.FINAL, State.CORRECTED) and event in (Event.RETURNED, Event.CANCEL, Event.REFUSED):
        assert found is None, "a result is there: it cannot be refused any more"
    if state in (State.REFUSED, State.RETURNED, State.CANCELLED) and event in (
        Event.FINAL,
        Event.PARTIAL,
        Event.CORRECTED,
    ):
        assert found is None, "a result of what was not to be done is for a person"


@given(some.lists(some.sampled_from(Event), max_size=30), some.sampled_from([REQUESTER, SUBCONTRACTOR]))
def test_whatever_happens_an_end_is_left_only_for_a_correction(events: list[Event], table: Table) -> None:
    standing = Standing(State.CREATED)
    for event in events:
        found = advance(table, standing, event)
        if found is None:
            continue
        assert (found.before is not None) == (found.state is State.CANCEL_SENT)
        if standing.state in ENDED and found.state is not standing.state:
            assert found.state in (State.CORRECTED, State.WITHDRAWN)
        standing = found


def test_a_cancellation_that_is_said_twice_and_refused_leads_back_to_where_it_was() -> None:
    standing = Standing(State.ACCEPTED)
    for event in (Event.CANCEL, Event.CANCEL, Event.CANCEL_UNABLE):
        found = advance(REQUESTER, standing, event)
        assert found is not None
        standing = found
    assert standing == Standing(State.ACCEPTED)


def test_what_the_partner_said_before_it_read_our_cancellation_is_where_a_refusal_leads_back_to() -> None:
    sent = Standing(State.CANCEL_SENT, State.ACCEPTED)
    arrived = advance(REQUESTER, sent, Event.RECEIVED)
    assert arrived == Standing(State.CANCEL_SENT, State.RECEIVED)
    assert arrived is not None
    assert advance(REQUESTER, arrived, Event.CANCEL_UNABLE) == Standing(State.RECEIVED)
    assert advance(REQUESTER, arrived, Event.CANCEL_DONE) == Standing(State.CANCELLED)


def test_the_drawing_shows_every_step() -> None:
    drawn = mermaid(REQUESTER)
    assert "sent --> refused : refused" in drawn
    assert "cancel_sent --> cancelled : cancel-done, refused" in drawn
    assert "sent" not in mermaid(SUBCONTRACTOR)
