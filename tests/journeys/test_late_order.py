"""A result that was there before its order: it waits in quarantine, and when the order comes it goes the way of any result, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lisside import ADA, ALT, CREA, lab, measured, new, reasons, set_up
from stage import Analyzer, Lis, eventually, message

from labmw.lab import awaited, lis_orders
from labmw.store.transaction import Transaction
from simulators.ltw import Order, order_message


def states(stage: Any) -> list[tuple[object, ...]]:
    return stage.ask("SELECT specimen, state FROM result ORDER BY id")  # type: ignore[no-any-return]


async def test_it_is_judged_and_delivered_when_its_order_comes(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        analyzer = Analyzer(stage.analyzer_port)
        await analyzer.send("T1", message("T1", completed=measured()))
        await analyzer.send("T2", message("T2", completed=measured()))
        assert reasons(stage) == ["no-order", "no-order"]
        await lis.tell(new("M1", "T1", ALT, CREA))
        await eventually(lambda: receiver.got)
        await lis.tell(new("M1", "T1", ALT, CREA))  # the LIS repeats its order: nothing is sent twice
        await lis.tell(new("M2", "T9", ALT))
        await eventually(lambda: states(stage) == [("T1", "delivered"), ("T2", "quarantined")])
    assert len(receiver.got) == 1
    assert reasons(stage) == ["no-order"]
    assert stage.ask("SELECT closed_by, note FROM quarantine WHERE state <> 'open'") == [
        ("labmw", "its order has come")
    ]
    assert stage.ask("SELECT count(*) FROM work") == [(0,)]
    assert [row[:2] for row in stage.ask("SELECT what, who FROM audit WHERE what = 'replayed'")] == [
        ("replayed", "labmw")
    ]


async def test_without_the_row_in_the_orders_transaction_it_would_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variant that breaks it."""

    def nothing(*_: object) -> Transaction[int]:
        return 0
        yield

    monkeypatch.setattr(lis_orders, "call_up", nothing)
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (laboratory, lis):
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await lis.tell(new("M1", "T1", ALT))
        assert await laboratory.awaited.step() == 0
    assert (receiver.got, states(stage)) == ([], [("T1", "quarantined")])


async def test_a_result_from_before_the_tube_of_this_order_stays(tmp_path: Path) -> None:
    """The number was another tube's: twelve hours and more before this one was collected (law 6)."""
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (laboratory, lis):
        # Two months before the order says that its tube was collected, whatever day it is.
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed="20260901073000"))
        await lis.tell(new("M1", "T1", ALT))
        await eventually(lambda: reasons(stage) == ["specimen-window"])
        assert await laboratory.awaited.step() == 0
    assert states(stage) == [("T1", "quarantined")]


async def test_another_test_is_not_meant_by_the_order(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await lis.tell(new("M1", "T1", CREA))
        await eventually(lambda: stage.ask("SELECT count(*) FROM work") == [(0,)])
        assert (states(stage), reasons(stage)) == ([("T1", "quarantined")], ["no-order"])
        await lis.tell(order_message("M2", "O33", ADA, "T1", [Order("T1-9", ALT, action="A")]))  # added to the tube
        await eventually(lambda: states(stage) == [("T1", "released")])


async def test_what_was_called_up_before_a_stop_is_done_after_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, port = set_up(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(awaited.Awaited, "step", _nothing)
        async with lab(stage, port) as (_, lis):
            await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
            await lis.tell(new("M1", "T1", ALT))
        assert stage.ask("SELECT kind FROM work") == [("awaited",)]
    async with lab(stage, port):
        await eventually(lambda: states(stage) == [("T1", "released")])


async def _nothing(_: object) -> int:
    return 0
