"""A sub-order's whole way between two laboratories that both run labmw: asked, answered, measured, reported, released (IHE ILW)."""

from __future__ import annotations

from pathlib import Path

import pytest
from interside import ADA, ALT, BATTERY, CREA, both, set_up
from stage import Lis, eventually

from protocols.hl7.er7 import Message
from simulators.ltw import Order, OrderingLis, order_message

ALAT = f"{ALT}^ALAT^LN"
CREATININE = f"{CREA}^Creatinine^LN"


# Scenario 10.1.
@pytest.mark.usefixtures("at_rest")
async def test_a_test_leaves_and_its_result_comes_back_into_the_life_of_any_result(tmp_path: Path) -> None:
    two = set_up(tmp_path)
    async with both(two) as played:
        await played.order("M1", "T1", ALAT, CREATININE)
        await eventually(lambda: played.sub_orders() == [("T1", "accepted")])
        assert two.a.ask('SELECT loinc, state FROM "order" ORDER BY loinc') == [(CREA, "open"), (ALT, "elsewhere")]
        assert two.b.ask('SELECT specimen, loinc, state FROM "order"') == [("T1", ALT, "open")]
        await played.measure("T1")
        await eventually(lambda: played.sub_orders() == [("T1", "final")])
        await eventually(
            lambda: two.a.ask("SELECT specimen, value, state, analyzer FROM result") == [("T1", "22", "delivered", "B")]
        )
        await eventually(lambda: played.sub_orders("b") == [("T1", "final")])
    [(laboratory, biologist, obx)] = two.a.ask("SELECT laboratory, biologist, obx FROM performed")
    assert (laboratory, biologist) == ("Labo B", "Dr Test")
    assert str(obx).startswith("OBX|1|NM|1742-6^")
    # both wires: what one sent is what the other has, and so are the answers
    sent = two.a.ask("SELECT payload, receipt FROM outbox WHERE destination = 'B'")
    got = two.b.ask("SELECT raw, reply FROM message WHERE link = 'A messages'")
    assert sent == got
    back = two.b.ask("SELECT payload, receipt FROM outbox WHERE destination = 'A'")
    assert back == two.a.ask("SELECT raw, reply FROM message WHERE link = 'B messages'")
    [(payload, _)] = back
    message = Message.parse(bytes(payload))  # type: ignore[call-overload]
    [pid] = message.all("PID")
    assert "279035121518989" in pid.field(3)
    assert message.all("OBX")[0].component(23, 10) == "690999902"


# Scenario 10.1.
async def test_what_the_partner_does_not_perform_is_refused_with_its_reason(tmp_path: Path) -> None:
    two = set_up(tmp_path)
    text = two.a.config.read_text(encoding="utf-8")
    two.a.config.write_text(text.replace(f'tests = ["{ALT}", "2157-6"] ', f'tests = ["{CREA}"] '), encoding="utf-8")
    async with both(two) as played:
        await played.order("M1", "T1", CREATININE)
        await eventually(lambda: played.sub_orders() == [("T1", "refused")])
        assert two.a.ask("SELECT reason FROM sub_order") == [("interlab-not-in-catalogue",)]
        assert two.a.ask("SELECT kind FROM task") == [("interlab-not-done",)]
        assert two.b.ask("SELECT reason FROM quarantine") == [("interlab-not-in-catalogue",)]


# Scenario 10.1.
async def test_a_battery_is_reported_in_part_and_then_whole(tmp_path: Path) -> None:
    two = set_up(tmp_path, b_report="pdf")
    text = two.a.config.read_text(encoding="utf-8").replace(
        "[lis]\n", '[lis]\ntests = { LIVER = ["1742-6", "2157-6"] }\n'
    )
    two.a.config.write_text(text, encoding="utf-8")
    async with both(two) as played:
        await played.order("M1", "T1", BATTERY)
        await eventually(lambda: played.sub_orders() == [("T1", "accepted")])
        await played.measure("T1")
        await eventually(lambda: played.sub_orders() == [("T1", "partial")])
        await played.measure("T1", "80", "CKK")
        await eventually(lambda: played.sub_orders() == [("T1", "final")])
        await eventually(lambda: two.a.ask("SELECT kind, whole FROM partner_document") == [("pdf", 1)])
        assert two.a.ask("SELECT loinc, value FROM result ORDER BY loinc") == [("1742-6", "22"), ("2157-6", "80")]


# Scenario 10.3.
async def test_the_lis_takes_an_order_back(tmp_path: Path) -> None:
    two = set_up(tmp_path)
    async with both(two) as played:
        await played.order("M1", "T1", ALAT)
        await eventually(lambda: played.sub_orders() == [("T1", "accepted")])
        gone = order_message("M2", "O33", ADA, "T1", [Order("T1-1", ALAT, control="CA")])
        reply = await played.ordering.tell(gone)
        assert [orc.component(1) for orc in reply.all("ORC")] == ["CR"]
        await eventually(lambda: played.sub_orders() == [("T1", "cancelled")])
        assert played.sub_orders("b") == [("T1", "cancelled")]
        assert two.b.ask('SELECT state FROM "order"') == [("cancelled",)]


@pytest.mark.parametrize("kind", ["O21", "O33", "O35"])
async def test_sub_orders_are_accepted_by_order_specimen_and_container(kind: str, tmp_path: Path) -> None:
    two = set_up(tmp_path)
    async with both(two) as played, OrderingLis("127.0.0.1", two.ports[1]) as partner:
        asked = [Order("SO-1", ALAT), Order("SO-2", CREATININE)]
        reply = await partner.tell(order_message("M1", kind, ADA, "T1", asked))
        assert [orc.component(1) for orc in reply.all("ORC")] == ["OK", "UA"]
        again = await partner.tell(order_message("M2", kind, ADA, "T1", asked))  # the same numbers under another MSH-10
        assert [orc.component(1) for orc in again.all("ORC")] == ["OK", "UA"]
        assert played.sub_orders("b") == [("T1", "accepted")]
        assert two.b.ask("SELECT number, patient FROM sub_order") == [("SO-1", "A:P1")]


# Scenario 10.3.
async def test_a_sub_order_cannot_be_cancelled_once_it_is_measured(tmp_path: Path) -> None:
    two = set_up(tmp_path)
    async with both(two) as played, OrderingLis("127.0.0.1", two.ports[1]) as partner:
        await partner.tell(order_message("M1", "O21", ADA, "T1", [Order("SO-1", ALAT)]))
        await played.measure("T1")
        await eventually(lambda: two.b.ask('SELECT state FROM "order"') == [("done",)])
        reply = await partner.tell(order_message("M2", "O21", ADA, "T1", [Order("SO-1", ALAT, control="CA")]))
        [orc] = reply.all("ORC")
        assert (orc.component(1), orc.component(16)) == ("UC", "interlab-begun")
        unknown = await partner.tell(order_message("M3", "O21", ADA, "T1", [Order("SO-9", ALAT, control="CA")]))
        assert [one.component(1) for one in unknown.all("ORC")] == ["UC"]


async def test_results_of_another_laboratory_never_go_to_our_own_lis(tmp_path: Path) -> None:
    two = set_up(tmp_path)
    async with both(two) as played, Lis(two.b.lis_port) as own:
        await played.order("M1", "T1", ALAT)
        await eventually(lambda: played.sub_orders("b") == [("T1", "accepted")])
        await played.measure("T1")
        await eventually(lambda: played.sub_orders() == [("T1", "final")])
        assert two.b.ask("SELECT DISTINCT destination FROM outbox") == [("A",)]
        assert own.got == []
