"""What a requester may do wrong, and what it is answered: the scenarios of the simulated one, played against a laboratory that performs (issue 7)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from requesterside import ALAT, set_up, tube
from sqlalchemy import literal, select
from stage import Analyzer, Stage, eventually, listens, message

from labmw.app import Laboratory
from labmw.config import load
from labmw.lab.acting import _add
from labmw.lab.practice import Practice
from labmw.model import Asked
from labmw.store import schema
from labmw.store.statements.words import given_number
from labmw.store.transaction import Step, Transaction
from protocols.hl7.er7 import Message
from simulators.errors import ScenarioError
from simulators.ltw import OrderingLis
from simulators.partner_requester import Ask, RequesterLab, Tube, ask, loaded

_RESULT = select(schema.result, literal("R").label("priority")).where(
    schema.result.c.message == given_number("of_message")
)
SCENARIO = Path(__file__).parents[2] / "simulators" / "scenarios" / "requester.toml"


@dataclass(slots=True)
class Asking:
    """The requester, and the laboratory that it asks."""

    lab: RequesterLab
    stage: Stage
    port: int
    laboratory: Laboratory

    async def add(self, loinc: str, name: str) -> None:
        """A signed rule adds a test to the tube of the first result."""
        [row] = self.stage.ask("SELECT message FROM result")
        asked = Asked("reflex", loinc, "pack/rule", "pack", True, "P-1", (("test_en", name),))
        await self.laboratory.store.run(added(int(str(row[0])), asked))

    async def say(self, one: Tube, step: Ask) -> Message:
        async with OrderingLis("127.0.0.1", self.port) as line:
            return await line.tell(self.lab.message(one, step))

    def reasons(self) -> list[str]:
        return [str(row[0]) for row in self.stage.ask("SELECT reason FROM quarantine ORDER BY id")]


@contextlib.asynccontextmanager
async def asking(folder: Path, answer: str = "accept") -> AsyncIterator[Asking]:
    async with RequesterLab("127.0.0.1", 0, answer) as lab:
        stage, port = set_up(folder, lab)
        laboratory = Laboratory(load(stage.config))
        try:
            await laboratory.start()
            await eventually(lambda: listens(port) and listens(stage.analyzer_port))
            yield Asking(lab, stage, port, laboratory)
        finally:
            await laboratory.stop()


def added(message_: int, asked: Asked) -> Transaction[None]:
    [row] = yield Step(_RESULT, {"of_message": message_})
    yield from _add("TEST", row, asked, Practice(lis="LIS"), "2026-11-01T09:00:00.000000Z")


def controls(reply: Message) -> Sequence[str]:
    return [orc.component(1) for orc in reply.all("ORC")]


# Scenario 10.2.
async def test_the_shipped_scenario_ends_as_its_comments_say(tmp_path: Path) -> None:
    answer, tubes = loaded(SCENARIO)
    assert answer == "accept"
    said: list[str] = []
    async with asking(tmp_path) as one:
        for each in tubes:
            await ask(
                one.lab,
                replace(each, steps=tuple(replace(step, after=0.0) for step in each.steps)),
                "127.0.0.1",
                one.port,
                said,
            )
        assert said == [
            "R0001 new AA OK", "R0001 cancel AA CR",
            "R0002 new AA OK", "R0002 new AA OK", "R0002 new AA UA", "R0002 shipped AA OK",
            "R0003 new AA UA", "R0003 add-on AA UA",
            "R0004 new AA OK", "R0004 cancel AA UC",
        ]  # fmt: skip
        assert one.stage.ask("SELECT number, state FROM sub_order ORDER BY id") == [
            ("RQ-R0001", "cancelled"), ("RQ-R0002", "accepted"), ("RQ-R0004", "accepted"),
        ]  # fmt: skip
        assert one.stage.ask("SELECT number, announced FROM box") == [("DEM-1", 3)]
        assert one.stage.ask("SELECT count(*) FROM ins") == [(0,)]
        assert {"order-number-used", "interlab-not-in-catalogue", "interlab-patient-changed"} <= set(one.reasons())


# Scenario 10.2.
async def test_asked_measured_reported_and_corrected(tmp_path: Path) -> None:
    async with asking(tmp_path) as one:
        assert controls(await one.say(tube("T1"), Ask())) == ["OK"]
        await Analyzer(one.stage.analyzer_port).send("T1", message("T1"))
        await eventually(lambda: one.lab.results == {"RQ-T1": [("22", "F")]})
        assert controls(await one.say(tube("T1"), Ask("cancel"))) == ["UC"]
        assert controls(await one.say(tube("T1"), Ask("replace"))) == ["UM", "OK"]  # the new one stands on its own


async def test_a_replaced_sub_order_gives_way_to_the_one_beside_it(tmp_path: Path) -> None:
    async with asking(tmp_path) as one:
        await one.say(tube("T1"), Ask())
        assert controls(await one.say(tube("T1"), Ask("replace"))) == ["RQ", "OK"]
        states = one.stage.ask("SELECT number, state FROM sub_order ORDER BY id")
        assert states == [("RQ-T1", "cancelled"), ("RQ-T1-RO", "accepted")]


async def test_a_requester_that_cannot_take_results_gets_them_when_it_can(tmp_path: Path) -> None:
    async with asking(tmp_path, "locked") as one:
        await one.say(tube("T1"), Ask())
        await Analyzer(one.stage.analyzer_port).send("T1", message("T1"))
        await eventually(lambda: one.lab.counts["received"] >= 3)
        one.lab.answer = "accept"
        await eventually(lambda: one.lab.results == {"RQ-T1": [("22", "F")]})
        assert len({each.control_id for each in one.lab.received}) == 1


async def test_a_test_that_our_rules_add_is_numbered_by_the_requester_and_reported_to_it_alone(tmp_path: Path) -> None:
    async with asking(tmp_path) as one:
        await one.say(tube("T1"), Ask())
        await Analyzer(one.stage.analyzer_port).send("T1", message("T1"))
        await eventually(lambda: one.lab.results == {"RQ-T1": [("22", "F")]})
        await one.add("2157-6", "Creatine kinase")
        await eventually(lambda: len(one.lab.told) == 1)
        [(number, said)] = one.lab.told.items()
        assert said == ["SN SC"]
        [sn] = [each for each in one.lab.received if each.code == "OML"]
        assert sn.all("ORC")[0].component(8) == "RQ-T1"  # the sub-order that it comes from
        asked = ("SELECT parent, authority, state FROM sub_order WHERE number = ?", number)
        await eventually(lambda: one.stage.ask(*asked) == [("RQ-T1", "DEM", "accepted")])
        await Analyzer(one.stage.analyzer_port).send("T1b", message("T1", "80", test="CKK"))
        await eventually(lambda: one.lab.results.get(number) == [("80", "F")])
        assert one.stage.ask("SELECT DISTINCT destination FROM outbox") == [("DEM",)]
        ends = "SELECT state FROM sub_order ORDER BY id"
        await eventually(lambda: one.stage.ask(ends) == [("final",), ("final",)])


async def test_a_test_that_the_requester_does_not_want_is_measured_by_nobody(tmp_path: Path) -> None:
    async with asking(tmp_path) as one:
        one.lab.numbers_added = False
        await one.say(tube("T1"), Ask())
        await Analyzer(one.stage.analyzer_port).send("T1", message("T1"))
        await eventually(lambda: one.lab.results == {"RQ-T1": [("22", "F")]})
        await one.add("2157-6", "Creatine kinase")
        await eventually(lambda: one.stage.ask("SELECT state FROM sub_order ORDER BY id")[1:] == [("returned",)])
        assert one.stage.ask("SELECT state FROM \"order\" WHERE loinc = '2157-6'") == [("cancelled",)]
        assert one.stage.ask("SELECT kind FROM task WHERE state = 'open'") == [("added-test-refused",)]


@pytest.mark.one_database
def test_a_scenario_that_says_nonsense_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "x.toml"
    for text in (
        "answer = 'maybe'\ntube = []",
        f"[[tube]]\ntube = 'T'\ntest = '{ALAT}'\nsteps = [{{ says = 'x' }}]",
        "[[tube]]\nx = 1",
        "=",
    ):
        wrong.write_text(text, encoding="utf-8")
        with pytest.raises(ScenarioError):
            loaded(wrong)
