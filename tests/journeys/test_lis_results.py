"""Results to the LIS: in its dialect, partial and final, as validated here or there, taken back; and what it refuses is done by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lisside import ALT, CREA, lab, labmw, measured, new, segments, set_up
from stage import Analyzer, Lis, Stage, eventually, message

from protocols.hl7.er7 import Message
from protocols.hl7.ltw_results import read_results

BATTERY = '[lis.tests]\nBILAN = ["1742-6", "14682-9"]'


async def measure(stage: Stage, value: str = "22", test: str = "ALTT", unit: str = "U/L") -> None:
    await Analyzer(stage.analyzer_port).send(test, message("T1", value, test=test, unit=unit, completed=measured()))


def result_of(stage: Stage, state: str = "delivered") -> str:
    rows = stage.ask("SELECT id FROM result WHERE state = ? ORDER BY id DESC", state)
    return str(rows[0][0])


def delivered(stage: Stage) -> bool:
    return stage.ask("SELECT count(*) FROM result WHERE state = 'delivered'") != [(0,)]


def open_tasks(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(labmw(stage, "task", "list", "--json"))["tasks"]
    return found


# Scenario 12.5.
async def test_where_the_lis_validates_it_gets_technical_results_with_the_automatic_mark(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis='biological_validation = "lis"')
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        await measure(stage)
        await eventually(lambda: receiver.got)
    text = receiver.got[0][1]
    assert [row[11] for row in segments(text, "OBX")] == ["P"]
    assert [row[25] for row in segments(text, "OBR")] == ["P"]
    assert [row[5] for row in segments(text, "ORC")] == ["A"]
    assert read_results(Message.parse(text.encode())).orders[0].observations[0].auto is not None


# Scenario 12.2.
async def test_a_lis_that_wants_oul_gets_it_with_its_own_pid(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis='dialect = "ltw-oul"')
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        await measure(stage)
        await eventually(lambda: receiver.got)
    text = receiver.got[0][1]
    assert segments(text, "MSH")[0][8] == "OUL^R22^OUL_R22"
    assert "USED^Ada^^^^^D" in segments(text, "PID")[0][5]
    assert segments(text, "SAC")[0][3].startswith("T1")


# Scenario 12.2.
async def test_a_battery_is_partial_until_its_last_test_and_leaves_under_one_order(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis=BATTERY)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", "BILAN^Bilan^L"))
        await measure(stage)
        await eventually(lambda: len(receiver.got) == 1)
        await measure(stage, test="CREA", value="60", unit="umol/L")
        await eventually(
            lambda: len(receiver.got) == 2 or stage.ask("SELECT 1 FROM result WHERE state IN ('held', 'quarantined')")
        )
    obr = [segments(text, "OBR")[0] for _, text in receiver.got]
    assert [row[2] for row in obr] == ["T1-1^SIL"] * len(obr)
    assert obr[0][25] == "P"
    assert obr[0][4].startswith("BILAN^Bilan^L")
    assert [row[25] for row in obr[1:]] == ["F"] * (len(obr) - 1)


# Scenario 12.2.
async def test_what_is_taken_back_is_said_so_and_forgotten(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        await measure(stage)
        await eventually(lambda: delivered(stage))
        labmw(stage, "result", "withdraw", result_of(stage), code=2)  # not without a reason
        labmw(stage, "result", "withdraw", result_of(stage), "--why", "wrong tube")
        await eventually(lambda: len(receiver.got) == 2)
        await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state = 'delivered'") == [(2,)])
        labmw(stage, "result", "withdraw", result_of(stage, "withdrawn"), "--why", "again", code=1)
        labmw(stage, "result", "withdraw", "99999", "--why", "again", code=1)
    text = receiver.got[1][1]
    (obx,) = segments(text, "OBX")
    assert (obx[5], obx[11]) == ("", "X")
    assert (segments(text, "OBR")[0][2], segments(text, "OBR")[0][25]) == ("T1-1^SIL", "X")
    assert [row[3] for row in segments(text, "NTE")] == ["wrong tube"]
    assert stage.ask("SELECT state FROM result") == [("withdrawn",)]
    assert open_tasks(stage) == []


@pytest.mark.parametrize("dialect", ["ltw", "ltw-oul"])
# Scenario 12.2.
async def test_a_corrected_value_follows_the_first_as_a_correction(tmp_path: Path, dialect: str) -> None:
    stage, port = set_up(tmp_path, lis=f'dialect = "{dialect}"')
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        await measure(stage)
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
        await measure(stage, "31")  # another value of the same tube and test: for a person
        await eventually(lambda: [state for (state,) in stage.ask("SELECT state FROM result ORDER BY id")] == ["delivered", "held"])  # fmt: skip
        labmw(stage, "result", "release", "T1", "ALTT", "--by", "Dr Alouette", "--reason", "measured again")
        await eventually(lambda: stage.ask("SELECT DISTINCT state FROM result") == [("delivered",)])
    first, second = (text for _, text in receiver.got)
    assert [segments(first, "OBX")[0][n] for n in (5, 11)] == ["22", "F"]
    assert [segments(second, "OBX")[0][n] for n in (5, 11)] == ["31", "C"]
    assert [segments(second, "OBR")[0][n] for n in (2, 25)] == ["T1-1^SIL", "C"]
    assert segments(second, "ORC")[0][5] == "CM"


@pytest.mark.parametrize(("dialect", "answer"), [("signs-and-locks", "AE"), ("first-result-counts", "AA")])
# Scenario 12.3.
async def test_a_correction_that_is_refused_or_ignored_is_done_by_hand(
    tmp_path: Path, dialect: str, answer: str
) -> None:
    stage, port = set_up(tmp_path, lis=f'dialect = "{dialect}"')
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        await measure(stage)
        await eventually(lambda: delivered(stage))
        receiver.answers["*"] = answer
        labmw(stage, "result", "withdraw", result_of(stage), "--why", "wrong tube")
        await eventually(lambda: open_tasks(stage))
    (one,) = open_tasks(stage)
    assert (one["kind"], one["specimen"]) == ("correct-by-hand", "T1")
    shown = labmw(stage, "task", "list")
    assert "T1" in shown
    labmw(stage, "task", "done", str(one["id"]), "--note", "in the report")
    assert open_tasks(stage) == []
    assert "in the report" in labmw(stage, "task", "list", "--all")
    assert stage.ask("SELECT DISTINCT state FROM outbox") == [("delivered",)]  # no dead letter stays behind
    labmw(stage, "task", "done", str(one["id"]), code=1)


async def test_an_ordinary_refusal_stays_a_dead_letter_and_is_no_task(tmp_path: Path) -> None:
    """The variant: a message that only adds is not to be put in by hand unseen."""
    stage, port = set_up(tmp_path, lis='dialect = "signs-and-locks"')
    async with Lis(stage.lis_port, answers={"*": "AE"}), lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        await measure(stage)
        await eventually(lambda: stage.ask("SELECT state FROM outbox") == [("dead",)])
    assert open_tasks(stage) == []


async def test_a_test_code_that_cannot_be_sent_back_is_named_by_its_loinc_code(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path, lis='[lis.tests]\nALAT = "1742-6"')
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", "ALAT"))  # no coding system, no text
        await measure(stage)
        await eventually(lambda: receiver.got)
    assert segments(receiver.got[0][1], "OBR")[0][4].startswith("1742-6^")


async def test_orders_without_a_match_leave_nothing(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", CREA))
        await measure(stage)
        await eventually(lambda: stage.ask("SELECT reason FROM quarantine") == [("no-order",)])
    assert receiver.got == []
