"""Every LAB-27 and LAB-29 example message, put on the line as it is: answered as LAW says, kept byte for byte, and nothing of it believed blindly."""

from __future__ import annotations

from pathlib import Path

import pytest
from lawside import analyzer, blobs, order, running, set_up
from stage import Stage

from protocols.hl7 import law
from protocols.hl7.er7 import Message

EXAMPLES = Path(__file__).parents[1] / "examples"
TUBE, GLUCOSE = "26031500123", "14749-6"
ASKED = {one.stem: one.read_bytes() for one in sorted(EXAMPLES.glob("law_lab27_0?_qbp_*.hl7"))}
REPORTED = {one.stem: one.read_bytes() for one in sorted(EXAMPLES.glob("law_lab29_0?_oul_*.hl7"))}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    stage = set_up(tmp_path)
    order(stage, TUBE, (GLUCOSE,))
    return stage


@pytest.mark.parametrize("name", ASKED)
async def test_a_query_is_answered_and_kept(name: str, stage: Stage) -> None:
    raw = ASKED[name]
    asked = Message.parse(raw)
    async with running(stage), analyzer(stage) as sim:
        reply = law.read_query_answer(await sim.send(asked.control_id, raw))
    known = "rack" not in name and "tray" not in name  # of those nobody has seen a tube yet
    qpd = asked.first("QPD")
    assert qpd is not None and reply.tag == qpd.component(2)
    assert (reply.code, reply.status) == (("AA", "OK") if known else ("AE", "AE"))
    assert blobs(stage, "SELECT raw FROM message WHERE kind = 'query'") == [raw]
    assert bool(stage.ask("SELECT id FROM awos")) is known


@pytest.mark.parametrize("name", REPORTED)
# Scenario 5.20.
async def test_a_report_is_acknowledged_and_kept_and_names_no_awos_of_ours(name: str, stage: Stage) -> None:
    raw = REPORTED[name]
    message = Message.parse(raw)
    async with running(stage), analyzer(stage) as sim:
        acknowledged = await sim.send(message.control_id, raw)
    assert acknowledged.header.component(9) == "ACK" and acknowledged.header.component(9, 2) == "R22"
    assert law.read_ack(acknowledged).code == "AA"
    assert blobs(stage, "SELECT raw FROM message WHERE kind <> 'order'") == [raw]
    observations = sum(one.name == "OBX" for one in message.segments)
    rows = stage.ask("SELECT state FROM result")
    assert len(rows) == observations
    ours = any(one.name == "OBR" and one.component(2).startswith("AWOS") for one in message.segments)
    if ours and observations:
        assert {state for (state,) in rows} <= {"quarantined", "detail"}
