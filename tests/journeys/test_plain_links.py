"""Plain links through the real daemon on both stores: what simulated analyzers send lies in the store, quarantined; what is damaged comes again."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stage import Stage, eventually, free_port, listens

from labmw.app import Laboratory
from labmw.config import load
from simulators.clock import WallClock
from simulators.plain import PlainAnalyzer
from simulators.plain_texts import FAMILIES
from simulators.wire import TcpConnect

TUBES = ("26112501", "26112502")


@contextlib.asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Laboratory]:
    laboratory = Laboratory(load(stage.config))
    try:
        await laboratory.start()
        yield laboratory
    finally:
        await laboratory.stop()


@pytest.mark.parametrize(
    ("family", "link", "damage"),
    [
        ("mini-vidas", 'protocol = "tags"\ndriver = "biomerieux-vidas"', 2),
        ("vitek2", 'protocol = "tags"', 1),
        ("maglumi", 'protocol = "maglumi"', 0),
        ("spotchem-el", 'protocol = "stx"\ndriver = "arkray-spotchem-el"', 0),
        ("beckman-au", 'protocol = "au"\ndriver = "beckman-au"\ntolerances = { pause = 0.05 }', 1),
    ],
)
async def test_what_is_sent_is_stored(family: str, link: str, damage: int, tmp_path: Path, store_url: str) -> None:
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url).build(TUBES, link=link)
    analyzer = PlainAnalyzer(
        FAMILIES[family], TcpConnect("127.0.0.1", stage.analyzer_port), TUBES, WallClock(), damage=damage
    )
    async with running(stage):
        await eventually(lambda: listens(stage.analyzer_port))
        await analyzer.run()
        assert analyzer.report()["complete"], analyzer.stopped
        # What is acknowledged is stored: nothing is waited for.
        found = stage.ask(
            "SELECT r.specimen, r.code, r.value, r.unit_raw, r.state FROM result r JOIN message m ON r.message = m.id ORDER BY r.id"
        )
    assert analyzer.again == damage
    assert [one[:4] for one in found] == [(one.specimen, one.code, one.value, one.unit) for one in analyzer.sent]
    if family != "maglumi":
        assert {one[4] for one in found} <= {"quarantined", "detail"}
        assert "quarantined" in {one[4] for one in found}


async def test_a_text_that_no_driver_knows_is_kept(tmp_path: Path, store_url: str) -> None:
    stage = Stage(tmp_path, free_port(), free_port(), url=store_url)
    stage.build(TUBES, link='protocol = "pk"\ndriver = "any-plain"')
    analyzer = PlainAnalyzer(FAMILIES["beckman-pk"], TcpConnect("127.0.0.1", stage.analyzer_port), TUBES, WallClock())
    async with running(stage):
        await eventually(lambda: listens(stage.analyzer_port))
        await analyzer.run()
        await eventually(lambda: len(stage.ask("SELECT id FROM message")) >= 2)
    assert stage.ask("SELECT id FROM result") == []
    kept = stage.ask("SELECT disposition FROM message")
    assert "quarantined" in {str(one[0]) for one in kept}
