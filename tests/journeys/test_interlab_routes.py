"""Which tests leave, as the daemon decides it when the LIS orders: by place, and what a person sends on afterwards (issue 7, which tests leave)."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lisside import new
from partnerside import ADA, ALAT, ALT, beside, msa, step
from stage import Stage, eventually
from typer.testing import CliRunner

from simulators.ltw import Order, order_message

ROUTES = f'routes = [{{ tests = ["{ALT}"], places = ["NORD"] }}]'


def labmw(stage: Stage, *words: str, code: int = 0, language: str = "en") -> str:
    app = importlib.import_module("labmw.cli.interlab").app
    with ThreadPoolExecutor(1) as apart:  # a command has an event loop of its own
        given = [*words, "--config", str(stage.config), "--language", language]
        done = apart.submit(CliRunner().invoke, app, given).result()
    assert done.exit_code == code, done.output
    return " ".join(done.output.split())


def placed(message: bytes, place: str) -> bytes:
    """The order with the facility of its ward (PV1-3.4), or without any place."""
    return message.replace(b"PV1|1|I|WARD-7", f"PV1|1|I|{place}".encode())


async def test_tests_leave_by_the_place_of_the_order_and_one_without_place_is_for_a_person(tmp_path: Path) -> None:
    async with beside(tmp_path, routes=ROUTES) as lab:
        await lab.ordering.tell(placed(new("M1", "T1", ALAT, person=ADA), "WARD-7^^^SUD"))
        await lab.ordering.tell(placed(new("M2", "T2", ALAT, person=ADA), ""))
        await lab.ordering.tell(placed(new("M3", "T3", ALAT, person=ADA), "WARD-7^^^NORD"))
        await eventually(lambda: lab.state("T3") == "accepted")
        states = 'SELECT specimen, state FROM "order" ORDER BY specimen'
        assert lab.stage.ask(states) == [("T1", "open"), ("T2", "open"), ("T3", "elsewhere")]
        assert lab.tasks() == ["interlab-no-place"]
        # the LIS says it again, with the place this time
        await lab.ordering.tell(placed(new("M4", "T2", ALAT, person=ADA), "WARD-7^^^NORD"))
        await eventually(lambda: lab.state("T2") == "accepted")
        assert lab.tasks() == []
        # one that is taken back needs no place any more
        await lab.ordering.tell(placed(new("M5", "T5", ALAT, person=ADA), ""))
        assert lab.tasks() == ["interlab-no-place"]
        await lab.ordering.tell(order_message("M6", "O33", ADA, "T5", [Order("T5-1", ALAT, "CA")]))
        assert lab.tasks() == []


async def test_another_priority_leaves_with_what_waits_and_of_what_has_left_a_person_tells_the_partner(
    tmp_path: Path,
) -> None:
    routes = f'routes = [{{ tests = ["{ALT}"] }}]\nsend = "with-box"'
    urgent = order_message("M2", "O33", ADA, "T1", [Order("T1-1", ALAT, "XO", "S")])
    async with beside(tmp_path, routes=routes) as lab:
        await lab.ordering.tell(new("M1", "T1", ALAT, person=ADA))
        await lab.ordering.tell(urgent)
        assert lab.tasks() == []
        labmw(lab.stage, "ship", "SPE", "T1", "--close")
        await eventually(lambda: lab.state() == "accepted")
        [asked] = lab.partner.received
        assert asked.all("TQ1")[0].component(9) == "S"
        await lab.ordering.tell(urgent.replace(b"|M2|", b"|M3|"))  # nothing new in it
        assert lab.tasks() == []
        await lab.ordering.tell(order_message("M4", "O33", ADA, "T1", [Order("T1-1", ALAT, "XO", "R")]))
        assert lab.tasks() == ["interlab-urgency"]
        assert "priority changed by the LIS" in labmw(lab.stage, "show", next(iter(lab.partner.asked)))


CK = "2157-6^CK^LN"


async def test_a_person_sends_what_no_route_took_and_what_came_back(tmp_path: Path) -> None:
    async with beside(tmp_path, routes=ROUTES) as lab:
        await lab.ordering.tell(placed(new("M1", "T1", ALAT, CK, person=ADA), ""))
        assert lab.tasks() == ["interlab-no-place"]
        assert "SPE" in labmw(lab.stage, "send", "T1", "--to", "NOBODY", "--test", ALT, code=2)
        assert "--test" in labmw(lab.stage, "send", "T1", "--to", "SPE", code=2)
        assert "9999-6" in labmw(lab.stage, "send", "T1", "--to", "SPE", "--test", "9999-6", code=1)
        assert "pour SPE" in labmw(lab.stage, "send", "T1", "--to", "SPE", "--test", ALT, language="fr")
        await eventually(lambda: lab.state() == "accepted")
        assert lab.tasks() == []
        states = 'SELECT loinc, state FROM "order" ORDER BY loinc'
        assert lab.stage.ask(states) == [(ALT, "elsewhere"), ("2157-6", "open")]
        assert "T1" in labmw(lab.stage, "send", "T1", "--to", "SPE", "--test", ALT, code=1)  # it is with the partner
        [asked] = lab.partner.asked.values()
        await lab.say(asked, step("returned"))
        assert lab.tasks() == ["interlab-not-done"]
        labmw(lab.stage, "send", "T1", "--to", "SPE", "--test", ALT)
        await eventually(lambda: lab.state() == "accepted")
        assert lab.tasks() == []
        numbers = [row[0] for row in lab.stage.ask("SELECT number FROM sub_order ORDER BY id")]
        assert numbers == [asked.number, f"{asked.number}-2"]
        assert msa(await lab.say(lab.partner.asked[f"{asked.number}-2"], step("final"))) == ("AA", [])
        await eventually(lambda: lab.results() == [("22", "delivered")])


async def test_a_test_added_to_a_packed_tube_goes_into_its_box_and_to_one_that_left_at_once(tmp_path: Path) -> None:
    routes = f'routes = [{{ tests = ["{ALT}", "2157-6"] }}]'
    async with beside(tmp_path, routes=routes, more='send = "with-box"') as lab:
        await lab.ordering.tell(new("M1", "T1", ALAT, person=ADA))
        labmw(lab.stage, "ship", "SPE", "T1")
        await lab.ordering.tell(new("M2", "T1", CK, person=ADA, first=2))
        labmw(lab.stage, "ship", "SPE", "--close")
        await eventually(lambda: len(lab.partner.asked) == 2)
        await lab.ordering.tell(new("M3", "T1", "1920-8^AST^LN", person=ADA, first=3))  # stays here: no route
        await lab.ordering.tell(new("M4", "T1", CK, person=ADA, first=4))
        await eventually(lambda: len(lab.partner.asked) == 3)
        assert lab.stage.ask("SELECT DISTINCT box FROM sub_order") == [(1,)]


async def test_the_payor_of_the_order_goes_along_as_it_came_and_only_where_that_was_agreed(tmp_path: Path) -> None:
    in1 = "IN1|1|AMO|016750000^^^CPAM|CPAM DE PARIS||||||||20260101|20261231"
    async with beside(tmp_path, more="choices = { payor = true }") as lab:
        given = new("M1", "T1", ALAT, person=ADA).replace(b"PV1|1|I|WARD-7\r", f"PV1|1|I|WARD-7\r{in1}\r".encode())
        await lab.ordering.tell(given)
        await lab.ordering.tell(new("M2", "T2", ALAT, person=ADA))
        await eventually(lambda: len(lab.partner.received) == 2)
        assert [[one.line for one in message.all("IN1")] for message in lab.partner.received] == [[in1], []]
        names = [one.name for one in lab.partner.received[0].segments]
        assert names[:5] == ["MSH", "PID", "PV1", "IN1", "ORC"]
    (tmp_path / "b").mkdir()
    async with beside(tmp_path / "b") as lab:
        await lab.ordering.tell(given)
        await eventually(lambda: len(lab.partner.received) == 1)
        assert lab.partner.received[0].all("IN1") == []
