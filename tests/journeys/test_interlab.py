"""A sub-order's whole way between two laboratories that both run labmw: asked, answered, measured, reported, released (IHE ILW)."""

from __future__ import annotations

from pathlib import Path

from interside import ADA, ALT, BATTERY, CREA, both, set_up
from stage import eventually

from protocols.hl7.er7 import Message
from simulators.ltw import Order, order_message

ALAT = f"{ALT}^ALAT^LN"
CREATININE = f"{CREA}^Creatinine^LN"


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
        assert played.sub_orders("b") == [("T1", "final")]
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
