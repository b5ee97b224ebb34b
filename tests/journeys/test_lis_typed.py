"""Orders typed while the LIS is away: measured at once, kept back until the LIS is there and says the same, void when it does not."""

from __future__ import annotations

import json
from pathlib import Path

from lisside import ALT, answers, lab, labmw, measured, new, orders, reasons, segments, set_up
from stage import Analyzer, Lis, Stage, eventually, message

from simulators.ltw import Person

BOTH = ("--patient", "P1", "--birth", "1970-01-01")


def kinds(stage: Stage) -> list[str]:
    return [one["kind"] for one in json.loads(labmw(stage, "task", "list", "--json"))["tasks"]]


def state_of(stage: Stage) -> list[tuple[object, ...]]:
    return stage.ask("SELECT specimen, patient, state FROM provisional ORDER BY id")


# Scenario 12.7.
async def test_what_is_typed_is_measured_and_leaves_when_the_lis_agrees(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (laboratory, lis):
        labmw(stage, "lis", "order", "T1", *BOTH, "--test", "1742-6", "--stat")
        assert orders(stage) == {("T1", "1742-6", ""): "open"}
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await eventually(lambda: "typed by hand" in str(stage.ask("SELECT last_error FROM outbox")))
        assert receiver.got == []  # released, and nobody has confirmed whose it is
        assert kinds(stage) == ["typed-order"]
        assert laboratory.outboxes[0] is not None
        laboratory.outboxes[0].waits = 0.05
        said = await lis.tell(new("M1", "T1", ALT))
        assert answers(said) == [("OK", "T1-1", "")]
        stage_write(stage, "UPDATE outbox SET due_at = ''")
        await eventually(lambda: receiver.got)
    assert segments(receiver.got[0][1], "OBR")[0][2] == "T1-1^SIL"
    assert orders(stage) == {("T1", "1742-6", "T1-1"): "done"}  # one order, adopted
    assert (state_of(stage), kinds(stage)) == ([("T1", "P1", "reconciled")], [])


async def test_the_lis_says_that_the_tube_is_somebody_elses(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    other = Person("P2", family="OTHER", birth="19800202")
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        labmw(stage, "lis", "order", "T1", *BOTH, "--test", "1742-6")
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await eventually(lambda: "typed by hand" in str(stage.ask("SELECT last_error FROM outbox")))
        said = await lis.tell(new("M1", "T1", ALT, person=other))
        assert answers(said) == [("OK", "T1-1", "")]
        await eventually(lambda: stage.ask("SELECT state FROM outbox") == [("dead",)])
    assert receiver.got == []
    assert stage.ask("SELECT patient, state FROM result") == [("P1", "blocked")]
    assert orders(stage) == {("T1", "1742-6", ""): "cancelled", ("T1", "1742-6", "T1-1"): "open"}
    assert (state_of(stage), kinds(stage)) == ([("T1", "P1", "mismatch")], ["typed-mismatch"])
    assert reasons(stage) == ["typed-mismatch"]


async def test_the_same_number_with_another_birth_date_is_no_agreement(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        labmw(stage, "lis", "order", "T1", "--patient", "P1", "--birth", "1970-01-02", "--test", "1742-6")
        await lis.tell(new("M1", "T1", ALT))
    assert state_of(stage) == [("T1", "P1", "mismatch")]


async def test_what_cannot_be_typed_is_refused_with_the_reason(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
    for words, code, why in [
        (("T2", "--patient", "P1", "--birth", "1970-01-02", "--test", "1742-6"), 1, "another birth date"),
        (("T1", "--patient", "P9", "--birth", "1970-01-01", "--test", "1742-6"), 1, "patient P1"),
        (("T2", *BOTH, "--test", "NOPE"), 1, "NOPE"),
        (("T2", "--patient", "P1", "--birth", "1.1.1970", "--test", "1742-6"), 2, "1.1.1970"),
        ((" ", *BOTH, "--test", "1742-6"), 2, "empty"),
    ]:
        assert why in labmw(stage, "lis", "order", *words, code=code), words
    assert state_of(stage) == []
    assert len(orders(stage)) == 1


def test_typed_twice_is_typed_once(tmp_path: Path) -> None:
    stage, _ = set_up(tmp_path)
    for _ in range(2):
        labmw(stage, "lis", "order", "T1", *BOTH, "--test", "1742-6", "--test", "14682-9")
    assert len(orders(stage)) == 2
    assert (len(state_of(stage)), kinds(stage)) == (1, ["typed-order"])


def stage_write(stage: Stage, sql: str) -> None:
    stage.write([(sql, ())])
