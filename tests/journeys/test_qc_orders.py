"""A control is ordered of a LAW analyzer by a person, and comes back as quality control (LAB-28 with SPM-11 Q; decision 0093)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lawside import CREA, LINK, analyzer, observed, order, running, set_up, states
from lisside import labmw
from stage import ALT, Stage, eventually

from protocols.hl7 import law
from protocols.hl7.check import check
from protocols.hl7.er7 import Message
from protocols.hl7.profile import QueryBy
from simulators.law import Manners, done

WHY = ("--why", "start of the day", "--by", "Dr Alouette")
PUSH = f'{LINK}\npush = true\nallow = ["127.0.0.1"]'


def stocked(folder: Path, link: str = LINK) -> Stage:
    """A stage with a control material, a lot of it, and a target for one test."""
    stage = set_up(folder, link=link)
    labmw(stage, "qc", "material", "add", "QC1", "--name", "Multi, level 1", *WHY)
    labmw(stage, "qc", "lot", "add", "QC1", "L77", "--from", "2026-01-01", "--until", "2099-06-30", *WHY)
    labmw(stage, "qc", "target", "set", "analyzer", ALT, "QC1", "L77", "--mean", "22", "--sd", "2", "--unit", "U/L", "--source", "s", *WHY)  # fmt: skip
    return stage


@pytest.mark.usefixtures("at_rest")
async def test_asked_for_its_tube_the_analyzer_is_given_the_control_and_its_result_is_judged(tmp_path: Path) -> None:
    stage = stocked(tmp_path)
    async with running(stage), analyzer(stage) as sim:
        # No LIS has ever spoken here: of controls it is labmw that knows.
        assert (await sim.ask(named="QC1")).nothing is not None
        assert "1742-6" in labmw(stage, "qc", "order", "analyzer", "QC1", *WHY)
        offer = await sim.ask(named="QC1")
        (taken,) = offer.work
        assert offer.patient is None
        assert taken.step.test.code == ALT and taken.specimen.role == law.Code("Q", "Control specimen", "HL70369")
        (material,) = taken.specimen.materials
        assert (material.code and material.code.code, material.lot, material.expiry[:4]) == ("QC1", "L77", "2099")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        assert (await sim.report(done(taken, observed()))).code == "AA"
        await eventually(
            lambda: stage.ask("SELECT state, material, lot FROM qc_point") == [("in-control", "QC1", "L77")]
        )
        assert states(stage) == {f"{ALT}@analyzer": "resulted"}
        assert (await sim.ask(named="QC1")).nothing is not None, "measured, nobody measures it again"
        shown = json.loads(labmw(stage, "order", "show", "QC1", "--json"))
        (test,) = shown["tests"]
        assert (test["order"], test["control"], test["awos"][0]["state"]) == (None, True, "resulted")
        assert "(quality" in labmw(stage, "order", "show", "QC1"), "not: added by the analyzer"
        assert "labmw qc order" in labmw(stage, "order", "again", test["awos"][0]["awos"], code=1)
    sent = [bytes(raw) for (raw,) in stage.ask("SELECT raw FROM message WHERE direction = '<' ORDER BY id")]  # type: ignore[call-overload]
    work = next(one for one in sent if b"ORC|NW" in one)
    assert [one for one in check(Message.parse(work), "law") if one.severity.value == "error"] == []
    assert stage.ask("SELECT count(*) FROM audit WHERE what = 'qc-order'") == [(1,)]


async def test_an_analyzer_with_a_worklist_is_told_at_once_and_a_control_can_be_taken_back(tmp_path: Path) -> None:
    stage = stocked(tmp_path, PUSH)
    async with running(stage), analyzer(stage, manners=Manners(patience=60.0, refuses=frozenset({CREA}))) as sim:
        await sim.connected.wait()
        labmw(stage, "qc", "order", "analyzer", "QC1", ALT, CREA, *WHY)
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted", f"{CREA}@analyzer": "refused"})
        assert "has 1742-6 of QC1 to do already" in labmw(stage, "qc", "order", "analyzer", "QC1", ALT, *WHY, code=1)
        ((awos,),) = stage.ask("SELECT awos FROM awos WHERE code = ?", ALT)
        labmw(stage, "order", "cancel", str(awos))
        await eventually(lambda: states(stage)[f"{ALT}@analyzer"] == "cancelled")
        cancelled = sim.arrived[-1]
        assert isinstance(cancelled, law.Work)
        assert [one.specimen.role and one.specimen.role.code for one in cancelled.specimens] == ["Q"]


async def test_everything_that_is_asked_for_holds_the_controls(tmp_path: Path) -> None:
    stage = stocked(tmp_path)
    order(stage, "S1")
    labmw(stage, "qc", "order", "analyzer", "QC1", ALT, *WHY)
    async with running(stage), analyzer(stage) as sim:
        await sim.ask(QueryBy.ALL)
        await eventually(lambda: stage.ask("SELECT state FROM awos") == [("accepted",)] * 2)
        roles = {one.specimen.label: one.specimen.role and one.specimen.role.code for one in sim.held.values()}
    assert roles == {"S1": "P", "QC1": "Q"}


async def test_what_cannot_be_ordered_is_said_and_nothing_is(tmp_path: Path) -> None:
    stage = stocked(tmp_path)
    refused = {
        ("analyzer", "QC9"): "no control material in use",
        ("analyzer", "QC1", ALT, "nonsense"): "nonsense is not a test",
    }
    for words, why in refused.items():
        assert why in labmw(stage, "qc", "order", *words, *WHY, code=1)
    labmw(stage, "qc", "material", "add", "QC2", *WHY)
    assert "has a target for QC2" in labmw(stage, "qc", "order", "analyzer", "QC2", *WHY, code=1)
    assert "These are: analyzer" in labmw(stage, "qc", "order", "nobody", "QC1", *WHY, code=2)
    assert "n'est pas une liaison" in labmw(stage, "qc", "order", "nobody", "QC1", *WHY, code=2, language="fr")
    assert stage.ask("SELECT count(*) FROM awos") == [(0,)]
