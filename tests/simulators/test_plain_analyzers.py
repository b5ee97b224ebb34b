"""Does each simulated analyzer with a link of its own speak what its driver reads? Against the machine itself, over a cable in memory."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from plainside import owner

from labmw.driver import astm, plain
from labmw.driver.reading import ResultRead
from labmw.line.registry import Registry
from labmw.line.texts import TextGathering
from protocols.astm.frame import Frame
from protocols.astm.message import Message
from protocols.plain.message import PlainMessage
from simulators.clock import Clock, WallClock
from simulators.plain import MOST, PlainAnalyzer
from simulators.plain_texts import FAMILIES
from simulators.wire import MemoryWire, memory_cable

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LINKS = {
    "mini-vidas": ("tags", "biomerieux-vidas"),
    "vidas": ("tags", "biomerieux-vidas"),
    "vitek2": ("tags", "biomerieux-vitek2"),
    "maglumi": ("maglumi", "snibe-maglumi"),
    "maglumi-records": ("maglumi", "snibe-maglumi"),
    "spotchem-el": ("stx", "arkray-spotchem-el"),
    "beckman-au": ("au", "beckman-au"),
    "beckman-pk": ("pk", "any-plain"),
}
REGISTRY = Registry.find()


@dataclass
class InMemory:
    wire: MemoryWire
    name: str = "memory"

    async def open(self, clock: Clock) -> MemoryWire:
        del clock
        return self.wire

    async def close(self) -> None:
        await self.wire.close()


def read(link: str, driver: str, texts: list[bytes]) -> list[ResultRead]:
    one = REGISTRY.named(driver)
    if link == "maglumi":
        messages = Message.parse(b"".join(texts))
        return [found for told in messages for found in astm.read(told, one, zone=ZoneInfo("Europe/Paris")).results]
    gathering = TextGathering(link)  # type: ignore[arg-type]
    gathered = [
        told
        for seq, text in enumerate(texts, 1)
        for told in gathering.feed(Frame(0, text, not text.startswith(b"D 01") or text[29:30] == b"E", b""), seq)
    ]
    found: list[ResultRead] = []
    for told in gathered:
        assert isinstance(told.message, PlainMessage)
        found += plain.read(told.message, one, zone=ZoneInfo("Europe/Paris")).results
    return found


@pytest.mark.parametrize("damage", [0, 2])
@pytest.mark.parametrize("family", sorted(FAMILIES))
async def test_what_it_sends_is_what_is_read(family: str, damage: int) -> None:
    link, driver = LINKS[family]
    checked = link in ("tags", "au")
    settings = {"acknowledge": "records"} if family == "maglumi-records" else {}
    here, there = memory_cable()
    host = owner(link, **settings)
    analyzer = PlainAnalyzer(
        FAMILIES[family], InMemory(here), ("26112501", "26112502"), WallClock(), damage=damage if checked else 0
    )

    async def listen() -> None:
        while data := await there.read():
            host.feed(data)
            if host.said:
                await there.write(host.said)
                host.said = b""

    async with asyncio.timeout(10):
        await asyncio.gather(analyzer.run(), listen())
    assert analyzer.report()["complete"]
    assert analyzer.again == (damage if checked else 0)
    read_as = [(one.specimen, one.code, one.detail, one.value, one.unit_raw) for one in read(link, driver, host.texts)]
    assert read_as == [(one.specimen, one.code, one.detail, one.value, one.unit) for one in analyzer.sent]
    assert bool(read_as) is (link != "pk")


async def test_an_analyzer_that_is_refused_stops() -> None:
    here, there = memory_cable()
    analyzer = PlainAnalyzer(FAMILIES["spotchem-el"], InMemory(here), ("1",), WallClock())

    async def refuse() -> int:
        count = 0
        while await there.read():
            count += 1
            await there.write(b"\x15")
        return count

    async with asyncio.timeout(10):
        _, count = await asyncio.gather(analyzer.run(), refuse())
    assert count == 3 * MOST
    assert not analyzer.report()["complete"]
    assert analyzer.stopped


async def test_an_analyzer_whose_host_hangs_up_says_so() -> None:
    here, there = memory_cable()
    analyzer = PlainAnalyzer(FAMILIES["vidas"], InMemory(here), ("1",), WallClock())
    await there.close()
    async with asyncio.timeout(10):
        await analyzer.run()
    assert "hung up" in analyzer.stopped


def test_every_family_is_written() -> None:
    for family, write in FAMILIES.items():
        told = write("26112501", 3, NOW)
        assert told.steps
        assert all(one.specimen == "26112501" for one in told.results), family
