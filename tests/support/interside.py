"""Two laboratories side by side, as the tests of ILW play them: A asks, B performs; each with its LIS or its analyzer, and a store of its own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lisside import new
from stage import Analyzer, Lis, Stage, eventually, free_port, listens, message

from labmw.app import Laboratory
from labmw.config import load
from simulators.ltw import OrderingLis, Person

ALT, CREA, BATTERY = "1742-6", "14682-9", "LIVER^Liver battery^99SIL"
ADA = Person("P1", ins="279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS", status="VALI")
TESTS = '{ LIVER = ["1742-6", "2157-6"] }'


@dataclass(slots=True)
class Two:
    """The stages of both, and the ports on which they hear each other."""

    a: Stage
    b: Stage
    feed: int  # where A hears its LIS
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))  # A hears B, B hears A


def set_up(folder: Path, *, a_more: str = "", b_more: str = "", b_report: str = "", b_packs: bool = True) -> Two:
    """Write both configurations and make both stores."""
    folders = (folder / "a", folder / "b")
    for one in folders:
        one.mkdir(exist_ok=True)
    two = Two(Stage(folders[0], free_port(), free_port()), Stage(folders[1], free_port(), free_port()), free_port())
    to_b = f"""
[[partners]]
name = "B"
role = "subcontractor"
connect = "127.0.0.1:{two.ports[1]}"
listen = "127.0.0.1:{two.ports[0]}"
our_id = "750999901"
laboratory_id = "690999902"
ack_timeout = 30.0
retry_base = 0.05
retry_cap = 0.2
tests = {TESTS}
routes = [{{ tests = ["{ALT}", "2157-6"] }}]
{a_more}
"""
    to_a = f"""
[[partners]]
name = "A"
role = "requester"
connect = "127.0.0.1:{two.ports[0]}"
listen = "127.0.0.1:{two.ports[1]}"
our_id = "690999902"
ack_timeout = 30.0
retry_base = 0.05
retry_cap = 0.2
tests = {TESTS}
performs = ["{ALT}", "2157-6"]
report = "{b_report}"
{b_more}
"""
    two.a.extra, two.b.extra = to_b, to_a
    two.a.build([])
    two.b.build([])
    text = two.a.config.read_text(encoding="utf-8")
    two.a.config.write_text(text.replace("[rules]", f'listen = "127.0.0.1:{two.feed}"\n[rules]', 1), encoding="utf-8")
    text = two.b.config.read_text(encoding="utf-8").replace('id = "TEST"', 'id = "BLAB"\nname = "Labo B"')
    if not b_packs:
        text = text.replace('packs = ["chemistry"]', "packs = []")
    two.b.config.write_text(text, encoding="utf-8")
    return two


@dataclass(slots=True)
class Played:
    """Both daemons' parts, A's LIS (which orders, and which receives), B's analyzer."""

    two: Two
    a: Laboratory
    b: Laboratory
    ordering: OrderingLis
    lis: Lis

    async def order(self, control_id: str, tube: str, *tests: str, person: Person = ADA) -> None:
        """A's LIS orders tests on a tube."""
        await self.ordering.tell(new(control_id, tube, *tests, person=person))

    async def measure(self, tube: str, value: str = "22", test: str = "ALTT", **more: str) -> None:
        """B's analyzer reports a value."""
        await Analyzer(self.two.b.analyzer_port).send(tube, message(tube, value, test=test, **more))  # type: ignore[arg-type]

    def sub_orders(self, side: str = "a") -> list[tuple[object, ...]]:
        """State of every sub-order, in order."""
        stage = self.two.a if side == "a" else self.two.b
        return [tuple(row) for row in stage.ask("SELECT specimen, state FROM sub_order ORDER BY id")]


@contextlib.asynccontextmanager
async def both(two: Two) -> AsyncIterator[Played]:
    """Both laboratories with every line open."""
    a, b = Laboratory(load(two.a.config)), Laboratory(load(two.b.config))
    async with Lis(two.a.lis_port) as lis:
        try:
            await b.start()
            await a.start()
            ports: Sequence[int] = (*two.ports, two.feed, two.b.analyzer_port)
            await eventually(lambda: all(listens(port) for port in ports))
            async with OrderingLis("127.0.0.1", two.feed) as ordering:
                yield Played(two, a, b, ordering, lis)
        finally:
            await a.stop()
            await b.stop()
