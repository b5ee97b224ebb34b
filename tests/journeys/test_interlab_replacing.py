"""A sub-order gives way to another: CA and NW, or RP and RO, as the partner wants it; what it answers, and what follows (ILW, LAB-35)."""

from __future__ import annotations

from pathlib import Path

import pytest
from partnerside import ADA, ALAT, Beside, beside, msa, step
from stage import eventually

from protocols.hl7.er7 import Message
from simulators.ltw import Order, order_message

RP_RO = '[partners.choices]\nreplace = "rp-ro"'


def replacement(control_id: str, tube: str = "T1", old: str = "T1-1", new: str = "T1-2") -> bytes:
    """The LIS replaces an order by another of the same test."""
    return order_message(control_id, "O21", ADA, tube, [Order(old, ALAT, "RP"), Order(new, ALAT, "RO")])


def said(lab: Beside) -> list[list[str]]:
    """ORC-1 of every order, message by message, as the partner heard them."""
    return [[orc.component(1) for orc in one.all("ORC")] for one in lab.partner.received]


def states(lab: Beside) -> list[object]:
    return [row[0] for row in lab.stage.ask("SELECT state FROM sub_order ORDER BY id")]


async def test_by_default_the_old_one_is_cancelled_and_the_new_one_asked_for(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        await lab.order()
        await lab.ordering.tell(replacement("M2"))
        await eventually(lambda: states(lab) == ["cancelled", "accepted"])
        assert said(lab) == [["NW"], ["CA"], ["NW"]]


async def test_where_it_is_agreed_one_message_says_both(tmp_path: Path) -> None:
    async with beside(tmp_path, more=RP_RO) as lab:
        first = await lab.order()
        reply = await lab.ordering.tell(replacement("M2"))
        assert [orc.component(1) for orc in reply.all("ORC")] == ["RQ", "OK"]
        await eventually(lambda: states(lab) == ["cancelled", "accepted"])
        assert said(lab) == [["NW"], ["RP", "RO"]]
        [old, new] = lab.partner.received[1].all("ORC")
        assert (old.component(2), old.component(3)) == (first.number, first.filler)
        assert new.component(2) in lab.partner.asked
        assert lab.tasks() == []
        assert msa(await lab.say(lab.partner.asked[new.component(2)], step("final"))) == ("AA", [])
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert lab.stage.ask("SELECT count(*) FROM sub_order_event WHERE event = 'replaces'") == [(1,)]


async def test_a_partner_that_has_begun_keeps_the_old_one_and_takes_the_new_one(tmp_path: Path) -> None:
    async with beside(tmp_path, more=RP_RO) as lab:
        first = await lab.order()
        first.state = "started"  # so it answers UM
        await lab.ordering.tell(replacement("M2"))
        await eventually(lambda: states(lab) == ["accepted", "accepted"])
        assert lab.tasks() == ["interlab-cannot-cancel"]


async def test_a_plain_acknowledgment_replaces_only_where_it_accepts(tmp_path: Path) -> None:
    async with beside(tmp_path, more=f"{RP_RO}\nanswer_accepts = true", answer="ack") as lab:
        await lab.order()
        await eventually(lambda: states(lab) == ["accepted"])
        await lab.ordering.tell(replacement("M2"))
        await eventually(lambda: states(lab) == ["cancelled", "accepted"])


@pytest.mark.parametrize("choice", ["cancel-new", "rp-ro"])
async def test_another_test_under_the_same_number_is_a_replacement_too(choice: str, tmp_path: Path) -> None:
    more = f'tests = {{ TWO = ["1742-6"] }}\n[partners.choices]\nreplace = "{choice}"'
    routes = 'routes = [{ tests = ["1742-6", "2157-6"] }]'
    async with beside(tmp_path, more=more, routes=routes) as lab:
        await lab.order()
        await lab.ordering.tell(order_message("M2", "O21", ADA, "T1", [Order("T1-1", "2157-6^CK^LN", "XO")]))
        await eventually(lambda: states(lab) == ["cancelled", "refused"])  # CK is not in the simulated catalogue
        assert said(lab) == [["NW"], *([["RP", "RO"]] if choice == "rp-ro" else [["CA"], ["NW"]])]


async def test_what_the_partner_never_heard_of_is_not_replaced_there(tmp_path: Path) -> None:
    """The new one stays in the laboratory or is blocked: the old one is cancelled on its own."""
    async with beside(tmp_path, more=RP_RO) as lab:
        await lab.order()
        gone = [Order("T1-1", ALAT, "RP"), Order("T1-2", "14682-9^Creatinine^LN", "RO")]
        await lab.ordering.tell(order_message("M2", "O21", ADA, "T1", gone))
        await eventually(lambda: states(lab) == ["cancelled"])
        assert said(lab) == [["NW"], ["CA"]]
        assert lab.stage.ask('SELECT state FROM "order" ORDER BY id') == [("cancelled",), ("open",)]


@pytest.mark.one_database
def test_the_message_reads_back(tmp_path: Path) -> None:
    """Both laboratories agree on what RP and RO stand for."""
    from protocols.hl7.ilw_orders import read_sub_orders

    read = read_sub_orders(Message.parse(replacement("M2")))
    assert [one.action.name for one in read.orders] == ["REPLACE", "REPLACEMENT"]
