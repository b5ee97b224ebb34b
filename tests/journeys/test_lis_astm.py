"""An LIS that takes labmw for an instrument: orders and results over one ASTM line, and a query for a tube nobody ordered on."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from lawside import LINK, analyzer
from lisside import labmw, measured, orders, reasons
from stage import Analyzer, Stage, eventually, free_port, listens, message

from labmw.app import Laboratory
from labmw.config import load
from protocols.hl7 import law
from simulators.astm_lis import AstmLis
from simulators.astm_lis import orders as ordering


def set_up(folder: Path, *, lis: str = "", link: str = 'driver = "erba-xl"') -> Stage:
    stage = Stage(folder, free_port(), free_port()).build([], link=link)
    text = stage.config.read_text(encoding="utf-8")
    stage.config.write_text(text.replace("[rules]", f'protocol = "astm"\n{lis}\n[rules]', 1), encoding="utf-8")
    return stage


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        await eventually(lambda: listens(stage.analyzer_port))
        yield laboratory
    finally:
        await laboratory.stop()


# Scenario 12.10.
async def test_orders_come_and_results_leave_over_one_line(tmp_path: Path) -> None:
    stage = set_up(tmp_path, lis='[lis.tests]\nALAT = "1742-6"')
    async with AstmLis(stage.lis_port) as lis, running(stage):
        await eventually(lambda: lis.connected)
        lis.tell(ordering("P1", "T1", ["ALAT", "14682-9"]))
        await eventually(lambda: len(orders(stage)) == 2)
        assert orders(stage) == {("T1", "1742-6", "T1:ALAT"): "open", ("T1", "14682-9", "T1:14682-9"): "open"}
        assert stage.ask("SELECT identifier, family, given, birth, sex FROM patient") == [
            ("P1", "TESTPERSON", "Ada", "1970-01-01", "F")
        ]
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await eventually(lambda: lis.results)
        await eventually(lambda: stage.ask("SELECT state FROM outbox") == [("delivered",)])
        lis.tell(ordering("P1", "T1", ["14682-9"], "C"))
        await eventually(lambda: orders(stage)["T1", "14682-9", "T1:14682-9"] == "cancelled")
    (got,) = lis.results
    assert got.structure.startswith("HPORC")
    record = {one.type: one for one in got.records}
    assert (record["P"].field(3), record["O"].field(3)) == ("P1", "T1")
    assert (record["R"].component(3, 4), record["R"].field(4), record["R"].field(5), record["R"].field(9)) == (
        "ALAT",
        "22",
        "U/L",
        "F",
    )
    assert reasons(stage) == []


async def test_what_the_lis_does_not_acknowledge_is_offered_again(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    async with AstmLis(stage.lis_port) as lis, running(stage):
        await eventually(lambda: lis.connected)
        lis.tell(ordering("P1", "T1", ["1742-6"]))
        await eventually(lambda: orders(stage))
        lis.silent = True
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await eventually(lambda: stage.ask("SELECT 1 FROM outbox WHERE attempts > 0 AND last_error <> ''"))
        assert lis.results == []
    async with AstmLis(stage.lis_port) as other, running(stage):  # both start anew
        await eventually(lambda: other.results)
        await eventually(lambda: stage.ask("SELECT state FROM outbox") == [("delivered",)])
    assert len(other.results) == 1


async def test_malformed_and_unknown_orders_are_for_a_person(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    async with AstmLis(stage.lis_port) as lis, running(stage):
        await eventually(lambda: lis.connected)
        lis.tell(ordering("P1", "T1", ["NOPE"]))
        await eventually(lambda: reasons(stage) == ["order-unknown-test"])
        lis.tell([one for one in ordering("P1", "T1", ["1742-6"]) if one[:1] != b"P"])
        await eventually(lambda: len(reasons(stage)) == 2)
        lis.tell(ordering("P1", "T1", ["1742-6"])[:-1])  # no L
        await eventually(lambda: len(reasons(stage)) == 3)
    assert reasons(stage)[1:] == ["lis-message-malformed", "lis-message-malformed"]
    assert orders(stage) == {}


async def test_the_lis_is_asked_about_a_tube_nobody_ordered_on(tmp_path: Path) -> None:
    stage = set_up(tmp_path, lis="query_patience = 5.0", link=LINK)
    knows = {"T7": ("P1", ["1742-6"])}
    async with AstmLis(stage.lis_port, knows) as lis, running(stage), analyzer(stage) as sim:
        await eventually(lambda: lis.connected)
        offer = await sim.ask(named="T7")
        assert [one.step.test.code for one in offer.work] == ["1742-6"]
        offer = await sim.ask(named="T8")
        assert isinstance(offer.nothing, law.NoWork)
    assert lis.asked == ["T7", "T8"]


async def test_status_tells_of_the_line(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    async with AstmLis(stage.lis_port) as lis, running(stage):
        await eventually(lambda: lis.connected)
        await eventually(lambda: stage.ask("SELECT connected FROM link_state WHERE link = 'LIS orders'") == [(1,)])
    assert labmw(stage, "task", "list").strip() == "There is nothing to be done by hand."
