"""A box between two laboratories: its list travels with the sub-orders, each tube is scanned against it, and what is missing or unasked is told (issue 7, shipments)."""

from __future__ import annotations

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from interside import ADA, ALT, Two, both, set_up
from stage import Stage, eventually
from typer.testing import CliRunner

from labmw.config import load
from labmw.lab.packed_tubes import packed_tubes
from labmw.lab.shipments import contents
from labmw.store import open_reader
from protocols.hl7 import check
from protocols.hl7.deviation import Severity
from protocols.hl7.er7 import Message
from simulators.ltw import Order, OrderingLis, order_message

ALAT = f"{ALT}^ALAT^LN"
WHOLE = replace(ADA, birth_place="63220")
UNSURE = replace(WHOLE, number="P2", ins=ADA.ins.replace("279035121518989", "285047599900181"), status="PROV")
QUALIFIED = ("TESTPERSON Ada", "INS 279035121518989 (NIR)", True)


def labmw(stage: Stage, *words: str, code: int = 0, language: str = "en") -> str:
    app = importlib.import_module("labmw.cli.interlab").app
    with ThreadPoolExecutor(1) as apart:  # a command has an event loop of its own
        given = [*words, "--config", str(stage.config), "--language", language]
        done = apart.submit(CliRunner().invoke, app, given).result()
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def tubes(stage: Stage) -> list[tuple[object, ...]]:
    return stage.ask("SELECT specimen, state FROM box_tube ORDER BY specimen")


def listed(stage: Stage) -> list[tuple[str, str, bool]]:
    """What the packing list says of each tube: name, INS, and whether it has a Data Matrix."""
    config = load(stage.config)
    with open_reader(config.store.url, key_file=config.store.key_file) as reader:
        found = reader.look(lambda: contents("TEST", "B"))
        assert found is not None
        lines = reader.look(lambda: packed_tubes("TEST", config.partners[0], found[1], "fr"))
    return [(one.patient[0], one.patient[-1], bool(one.mark)) for one in lines]


def boxes_said(two: Two) -> list[tuple[str, str]]:
    """ORC-1 and the number of the box of every sub-order that A has said."""
    found = []
    for (sent,) in two.a.ask("SELECT payload FROM outbox WHERE destination = 'B' ORDER BY id"):
        message = Message.parse(bytes(sent))  # type: ignore[call-overload]
        boxes = [obx.component(5) for obx in message.all("OBX") if obx.component(3) == "97209-1"]
        boxes += [spm.component(32) for spm in message.all("SPM") if spm.component(32)]
        assert [one.rule for one in check.check(message, "ilw") if one.severity is Severity.ERROR] in (
            [],
            ["LAB-OBR-16"],
        )
        found.append((message.all("ORC")[0].component(1), "".join(boxes)))
    return found


async def test_a_box_is_announced_and_checked_tube_by_tube(tmp_path: Path) -> None:
    two = set_up(tmp_path, a_more='send = "with-box"')
    async with both(two) as played:
        for place in range(1, 4):
            await played.order(f"M{place}", f"T{place}", ALAT, person=UNSURE if place == 2 else WHOLE)
        await eventually(lambda: len(played.sub_orders()) == 3)
        assert "T1" in labmw(two.a, "ship", "B")  # what waits outside
        labmw(two.a, "ship", "B", "T1", "T2", "--temperature", "+4")
        labmw(two.a, "ship", "B", "T3")
        assert listed(two.a) == [QUALIFIED, ("TESTPERSON Ada", "01/01/1970 · F", False), QUALIFIED]
        out = labmw(two.a, "ship", "B", "--close", "--courier", "Transports D", "--tracking", "1Z")
        assert "waited for it: 3" in out
        await eventually(lambda: [state for _, state in played.sub_orders("b")] == ["accepted"] * 3)
        [(number,)] = two.a.ask("SELECT number FROM box")
        assert boxes_said(two) == [("NW", number)] * 3
        got = two.b.ask("SELECT number, partner, direction, temperature, courier, tracking, announced, state FROM box")
        assert got == [(number, "A", "in", "+4", "Transports D", "1Z", 3, "announced")]
        assert tubes(two.b) == [("T1", "announced"), ("T2", "announced"), ("T3", "announced")]
        assert two.b.ask("SELECT count(*) FROM sub_order_item") == [(0,)]  # no answer to a question of the test
        assert "3 tubes named of 3 announced" in labmw(two.b, "receive")
        [told] = json.loads(labmw(two.b, "receive", "--json"))
        assert [one["specimen"] for one in told["tubes"]] == ["T1", "T2", "T3"]
        # T1 is in it, T2 is not, and a tube that nobody asks for is
        assert "T1: received" in labmw(two.b, "receive", "T1", "--box", str(number))
        assert "nobody asks" in labmw(two.b, "receive", "T9", "--box", str(number), code=1)
        assert "T3 : rendu" in labmw(two.b, "receive", "T3", "--non-conforming", "RH", "--why", "rouge", language="fr")
        assert "1 missing" in labmw(two.b, "receive", "--box", str(number), "--complete", code=1)
        assert tubes(two.b) == [("T1", "received"), ("T2", "missing"), ("T3", "non-conforming"), ("T9", "unexpected")]
        # A knows it of each
        await eventually(lambda: tubes(two.a) == [("T1", "received"), ("T2", "missing"), ("T3", "non-conforming")])
        assert [state for _, state in played.sub_orders()] == ["received", "accepted", "returned"]
        assert ("interlab-tube-missing",) in two.a.ask("SELECT kind FROM task")
        assert two.a.ask("SELECT state FROM box") == [("received",)]
        assert "T2: missing" in labmw(two.a, "reconcile", code=1)
        assert "T9 est arrivé" in labmw(two.b, "reconcile", code=1, language="fr")
        # found in the courier's car
        labmw(two.b, "receive", "T2", "--box", str(number))
        await eventually(lambda: ("T2", "received") in tubes(two.a))
        # the order of the tube that came unasked comes late
        await played.order("M9", "T9", ALAT)
        labmw(two.a, "send", str(two.a.ask("SELECT number FROM sub_order WHERE specimen = 'T9'")[0][0]))
        await eventually(lambda: ("T9", "received") in played.sub_orders())
        assert ("T9", "received") in tubes(two.b)


async def test_a_sub_order_that_has_left_is_told_its_box_and_stays_where_it_is(tmp_path: Path) -> None:
    two = set_up(tmp_path, a_more='choices = { shipment = "spm" }')
    async with both(two) as played:
        await played.order("M1", "T1", ALAT)
        await eventually(lambda: played.sub_orders() == [("T1", "accepted")])
        assert "where their tube is: 1" in labmw(two.a, "ship", "B", "T1", "--close", "--temperature", "-20")
        await eventually(lambda: tubes(two.b) == [("T1", "announced")])
        await eventually(lambda: two.a.ask("SELECT state FROM outbox WHERE destination = 'B'") == [("delivered",)] * 2)
        assert [control for control, _ in boxes_said(two)] == ["NW", "SC"]
        assert "left under this number" in labmw(two.a, "ship", "B", "T1", "--aliquot", "T1-A", code=1)
        assert two.a.ask("SELECT count(*) FROM box") == [(1,)]  # none is opened for nothing
        assert (played.sub_orders(), played.sub_orders("b")) == ([("T1", "accepted")], [("T1", "accepted")])
        events = [row[0] for row in two.a.ask("SELECT event FROM sub_order_event ORDER BY id")]
        assert events == ["created", "sent", "accepted", "packed", "shipped", "told"]
        assert two.b.ask("SELECT count(*) FROM quarantine") == [(0,)]


async def test_a_partner_that_is_not_told_boxes_is_not(tmp_path: Path) -> None:
    two = set_up(tmp_path, a_more='choices = { shipment = "", ins = false }')
    async with both(two) as played:
        await played.order("M1", "T1", ALAT)
        await eventually(lambda: played.sub_orders() == [("T1", "accepted")])
        labmw(two.a, "ship", "B", "T1", "--close")
        assert [line[2] for line in listed(two.a)] == [False]
        await played.order("M2", "T2", ALAT)
        await eventually(lambda: played.sub_orders() == [("T1", "accepted"), ("T2", "accepted")])
        assert boxes_said(two) == [("NW", ""), ("NW", "")]
        assert two.b.ask("SELECT count(*) FROM box") == [(0,)]
        # a tube that came, and whose box nobody has announced
        labmw(two.b, "receive", "T7", code=1)
        assert tubes(two.b) == [("T7", "unexpected")]
        assert "T7" in labmw(two.b, "reconcile", code=1)
        assert "no requester has announced" in labmw(two.b, "receive", "--box", "X", "--complete", code=1)
        labmw(two.b, "receive", "--complete", code=2)


async def test_an_aliquot_travels_under_its_own_number_and_names_its_tube(tmp_path: Path) -> None:
    two = set_up(tmp_path, a_more='send = "with-box"')
    async with both(two) as played:
        await played.order("M1", "T1", ALAT, "14682-9^Creatinine^LN")
        await eventually(lambda: played.sub_orders() == [("T1", "created")])
        assert "needs it too (Creatinine)" in labmw(two.a, "ship", "B", "T1")
        assert "number of one tube" in labmw(two.a, "ship", "B", "T1", "T2", "--aliquot", "T1-A", code=2)
        labmw(two.a, "ship", "B", "T1", "--aliquot", "T1-A", "--close")
        await eventually(lambda: played.sub_orders("b") == [("T1-A", "accepted")])
        [(payload,)] = two.a.ask("SELECT payload FROM outbox WHERE destination = 'B'")
        [spm] = Message.parse(bytes(payload)).all("SPM")  # type: ignore[call-overload]
        assert (spm.component(2), spm.component(3)) == ("T1-A", "T1")
        labmw(two.b, "receive", "T1-A")
        await eventually(lambda: ("T1-A", "received") in tubes(two.a))
        await played.measure("T1-A")
        await eventually(lambda: two.a.ask("SELECT specimen, value FROM result") == [("T1", "22")])
        assert tubes(two.a) == [("T1-A", "received")]  # and no T1 beside it


async def test_what_a_partner_says_of_a_box_is_bounded(tmp_path: Path) -> None:
    two = set_up(tmp_path)
    async with both(two), OrderingLis("127.0.0.1", two.ports[1]) as partner:
        asked = order_message("M1", "O21", ADA, "T1", [Order("SO-1", ALAT)])
        long = "B" * 5000
        said = f"OBX|1|ST|97209-1^X^LN||{long}||||||F\rOBX|2|NM|BOX-TUBES^n^99LABMW||999999999||||||F\r"
        said += "OBX|3|ST|BOX-TEMPERATURE^t^99LABMW||'; DROP TABLE box\r"
        reply = await partner.tell(asked.replace(b"\rSAC|", f"\r{said}SAC|".encode()))
        assert [orc.component(1) for orc in reply.all("ORC")] == ["OK"]
        [(number, announced, temperature)] = two.b.ask("SELECT number, announced, temperature FROM box")
        assert (number, announced, temperature) == ("B" * 64, None, "'; DROP TABLE box")
