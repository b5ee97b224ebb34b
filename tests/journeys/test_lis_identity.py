"""Identities of the LIS: told, changed, merged; an INS used only when it may be, and gone from everywhere once it is withdrawn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from lisside import ADA, ALT, INS, QUALIFIED, code, holds, lab, measured, new, reasons, set_up
from stage import Analyzer, Lis, Stage, eventually, message

from labmw.lab import lis_ins
from labmw.store import Transaction, schema
from labmw.store.statements import insert
from protocols.hl7.adt import key_is_right
from simulators.ltw import OrderingLis, Person, adt

WITHDRAWN = f"{INS}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
DELETE = replace(QUALIFIED, ins='""^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS', status="PROV")
OTHER_INS = "179035121518942"


def history(stage: Stage, patient: str = "P1") -> list[tuple[str, str]]:
    rows = stage.ask("SELECT what, detail FROM patient_history WHERE patient = ? ORDER BY id", patient)
    return [(str(what), " ".join(json.loads(str(detail)).values())) for what, detail in rows]


def ins_of(stage: Stage) -> list[tuple[object, ...]]:
    return stage.ask("SELECT patient, number FROM ins ORDER BY id")


@pytest.mark.parametrize("trigger", ["A01", "A03", "A04", "A08", "A28", "A31"])
# Scenario 12.8.
async def test_an_identity_is_kept_whole_and_an_empty_field_says_nothing(tmp_path: Path, trigger: str) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        said = await lis.tell(adt("M1", trigger, replace(ADA, birth_place="63220")))
        assert (code(said), said.header.component(9, 2)) == ("AA", trigger)
        await lis.tell(adt("M2", "A08", replace(ADA, family="MARRIED", birth="", birth_place="")))
    [(pid,)] = stage.ask("SELECT pid FROM patient")
    assert pid == replace(ADA, family="MARRIED", birth_place="63220").pid
    assert stage.ask("SELECT identifier, family, birth FROM patient") == [("P1", "MARRIED", "1970-01-01")]
    assert history(stage)[0] == ("created", "")
    assert history(stage)[-1] == ("changed", "family")


async def test_a_pid_in_other_separators_means_the_same(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    table = bytes.maketrans(b"|^~\\&", b"!*%$@")
    async with lab(stage, port) as (_, lis):
        await lis.tell(adt("M1", "A31", replace(ADA, family="O#NEILL")).translate(table).replace(b"#", b"&"))
    assert stage.ask("SELECT family, pid FROM patient") == [("O&NEILL", replace(ADA, family="O\\T\\NEILL").pid)]


# Scenario 12.9.
async def test_the_ins_is_used_only_for_a_qualified_identity(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        await lis.tell(adt("M1", "A31", replace(QUALIFIED, status="PROV")))
        assert ins_of(stage) == []
        await lis.tell(adt("M2", "A31", QUALIFIED))
        assert ins_of(stage) == [("P1", INS)]
        await lis.tell(new("M3", "T1", ALT, person=ADA))  # says nothing of it: nothing changes
        assert ins_of(stage) == [("P1", INS)]
        await lis.tell(adt("M4", "A31", replace(ADA, status="PROV")))  # no longer qualified
        assert ins_of(stage) == []
    assert [what for what, _ in history(stage)] == ["created", "ins-ignored", "ins-set", "ins-removed"]
    assert reasons(stage) == []


@pytest.mark.parametrize(
    ("ins", "reason"),
    [
        (f"{INS[:-1]}0^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS", "patient-ins-unsound"),
        (f"{INS}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.10&ISO^INS", "patient-ins-fictitious"),
        (f"{WITHDRAWN}~{OTHER_INS}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS", "patient-ins-several"),
    ],
)
async def test_an_ins_that_cannot_be_right_is_left_out_and_shown(tmp_path: Path, ins: str, reason: str) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        assert code(await lis.tell(adt("M1", "A31", replace(QUALIFIED, ins=ins)))) == "AA"
    assert (ins_of(stage), reasons(stage)) == ([], [reason])
    assert stage.ask("SELECT identifier FROM patient") == [("P1",)]


async def test_a_strict_trait_that_changes_takes_the_ins_with_it(tmp_path: Path) -> None:
    """RNIV rule 27."""
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        await lis.tell(adt("M1", "A31", QUALIFIED))
        await lis.tell(adt("M2", "A08", replace(ADA, birth="19700102")))
    assert ins_of(stage) == []
    assert history(stage)[-1] == ("ins-removed", "trait-changed")


def also_kept(stage: Stage) -> Transaction[None]:
    """A refusal that repeats the number, a partner's report that names it, and a prescription that goes with the order."""
    ((sent, number),) = stage.ask("SELECT id, message FROM outbox")
    site, data = stage.ask("SELECT site FROM outbox")[0][0], f"<patientRole><id extension='{INS}'/>".encode()
    yield insert(schema.receipt, site=site, outbox=sent, at="t", code="AE", data=data)
    told = {"site": site, "role": "requester", "partner": "B", "number": "N", "state": "sent", "message": number}
    (order,) = yield insert(schema.sub_order, **told, specimen="T1", patient="P1", created_at="t", updated_at="t")
    yield insert(schema.sub_order_item, site=site, sub_order=order.id, kind="prescription", data=data, at="t")
    document = {"site": site, "sub_order": order.id, "direction": "in", "kind": "cda", "digest": "d", "at": "t"}
    yield insert(schema.partner_document, **document, data=data)


async def wait_for_a_result(stage: Stage, lis: OrderingLis) -> None:
    """An identity with INS, an order with it, and a result that has been sent and is not acknowledged."""
    await lis.tell(adt("M1", "A31", QUALIFIED))
    await lis.tell(new("M2", "T1", ALT, person=QUALIFIED))
    await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))


@pytest.mark.parametrize("key_file", ["", "store.key"], ids=["plain", "encrypted"])
# Scenarios 12.8, 12.9.
async def test_a_withdrawn_ins_is_gone_from_identity_messages_replies_and_outbox(tmp_path: Path, key_file: str) -> None:
    stage, port = set_up(tmp_path, key_file=key_file)
    async with Lis(stage.lis_port, answers={"*": ""}) as receiver, lab(stage, port) as (laboratory, lis):
        await wait_for_a_result(stage, lis)
        await eventually(lambda: receiver.got)
        assert INS in receiver.got[0][1]  # qualified: it leaves with the result
        await laboratory.store.run(also_kept(stage))
        everywhere = {"message.raw", "message.reply", "outbox.payload", "receipt.data", "partner_document.data"}
        assert {"ins.number", *everywhere, "sub_order_item.data"} <= set(holds(stage, INS))
        digests = stage.ask("SELECT id, digest FROM message ORDER BY id")
        said = await lis.tell(adt("M3", "A47", DELETE, WITHDRAWN))
        assert code(said) == "AA"
        assert holds(stage, INS) == []
        receiver.answers["*"] = "AA"
        before = len(receiver.got)
        await eventually(lambda: len(receiver.got) > before)
        assert INS not in receiver.got[-1][1]
        assert "P1^^^HOSPITAL^PI" in receiver.got[-1][1]
        repeated = await lis.tell(new("M2", "T1", ALT, person=QUALIFIED))  # recognised by its digest although purged
        assert code(repeated) == "AA"
    assert stage.ask("SELECT id, digest FROM message ORDER BY id")[: len(digests)] == digests
    assert stage.ask('SELECT count(*) FROM "order"') == [(1,)]
    assert holds(stage, INS) == []
    assert ("ins-removed", "withdrawn") in history(stage) or ("ins-removed", "removed") in history(stage)
    assert stage.ask("SELECT count(*) FROM audit WHERE what = 'ins-removed'") == [(1,)]


async def test_a_purge_that_forgets_the_messages_would_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variant that breaks the rule above."""
    monkeypatch.setattr(lis_ins, "purged", lambda raw, numbers: raw)
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        await lis.tell(adt("M1", "A31", QUALIFIED))
        await lis.tell(adt("M2", "A47", DELETE, WITHDRAWN))
    assert "message.raw" in holds(stage, INS)


# Scenario 12.9.
async def test_an_ins_that_is_replaced_leaves_with_the_new_one(tmp_path: Path) -> None:
    assert key_is_right(OTHER_INS)
    stage, port = set_up(tmp_path)
    changed = replace(QUALIFIED, ins=f"{OTHER_INS}^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS")
    async with Lis(stage.lis_port, answers={"*": ""}) as receiver, lab(stage, port) as (_, lis):
        await wait_for_a_result(stage, lis)
        await eventually(lambda: receiver.got)
        await lis.tell(adt("M3", "A47", changed, WITHDRAWN))
        assert holds(stage, INS) == []
        before = len(receiver.got)
        await eventually(lambda: len(receiver.got) > before)
        assert OTHER_INS in receiver.got[-1][1]
    assert ins_of(stage) == [("P1", OTHER_INS)]


async def test_two_patients_with_one_ins_are_for_a_person(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        await lis.tell(adt("M1", "A31", QUALIFIED))
        await lis.tell(adt("M2", "A31", replace(QUALIFIED, number="P2")))
    assert (ins_of(stage), reasons(stage)) == ([("P1", INS)], ["patient-ins-elsewhere"])


# Scenario 12.8.
async def test_a_merge_moves_everything_and_the_old_number_still_means_the_person(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    old, kept = replace(QUALIFIED, number="OLD"), replace(QUALIFIED, number="NEW")
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT, person=old))
        assert code(await lis.tell(adt("M2", "A40", kept, "OLD^^^HOSPITAL^PI"))) == "AA"
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await lis.tell(new("M3", "T2", ALT, person=replace(ADA, number="OLD")))  # a system that has not heard of it
        await eventually(lambda: receiver.got)
        assert "NEW^^^HOSPITAL^PI" in receiver.got[0][1]
        assert "OLD^^^HOSPITAL" not in receiver.got[0][1]
        await lis.tell(adt("M4", "A47", replace(DELETE, number="NEW"), WITHDRAWN))
    assert stage.ask("SELECT DISTINCT patient FROM specimen") == [("NEW",)]
    assert stage.ask("SELECT DISTINCT patient FROM result") == [("NEW",)]
    assert stage.ask("SELECT identifier FROM patient") == [("NEW",)]
    assert holds(stage, INS) == []  # also in what was said of the old number
    assert [what for what, _ in history(stage, "OLD")] == ["created", "ins-set", "merged-into"]


async def test_merges_in_a_row_and_back_again(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)

    def person(number: str) -> Person:
        return replace(ADA, number=number)

    async with lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT, person=person("A")))
        await lis.tell(adt("M2", "A40", person("B"), "A^^^HOSPITAL^PI"))
        await lis.tell(adt("M3", "A40", person("C"), "B^^^HOSPITAL^PI"))
        await lis.tell(new("M4", "T2", ALT, person=person("A")))
        assert stage.ask("SELECT DISTINCT patient FROM specimen") == [("C",)]
        await lis.tell(adt("M5", "A40", person("A"), "C^^^HOSPITAL^PI"))  # the first number is used after all
        await lis.tell(new("M6", "T3", ALT, person=person("B")))
    assert stage.ask("SELECT DISTINCT patient FROM specimen") == [("A",)]
    assert stage.ask("SELECT identifier FROM patient") == [("A",)]


async def test_the_same_number_of_another_hospital_is_another_patient(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        elsewhere = replace(ADA, authority="CLINIC", family="SOMEBODY")
        said = await lis.tell(new("M2", "T2", ALT, person=elsewhere))
        assert said.all("ORC")[0].component(16) == "patient-of-another-authority"
    assert stage.ask("SELECT family FROM patient") == [("TESTPERSON",)]


async def test_only_numbers_of_the_agreed_authority_count(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis='patient_authority = "CLINIC"')
    both = replace(ADA, ins="C9^^^CLINIC^PI")  # two local numbers in one PID
    async with lab(stage, port) as (_, lis):
        said = await lis.tell(new("M1", "T1", ALT))
        assert said.all("ORC")[0].component(16) == "patient-without-number"
        await lis.tell(new("M2", "T1", ALT, person=both))
    assert stage.ask("SELECT identifier FROM patient") == [("C9",)]
