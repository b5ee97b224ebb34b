"""How does an analyzer with a link of its own behave on it? It sends step by step, waits where its family waits, and sends again what was not taken.

python -m simulators plain --family mini-vidas --connect 127.0.0.1:4110     (or --listen, --pty)
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.astm.control import ACK, NAK
from simulators.clock import Clock, WallClock, within
from simulators.command import DONE, HERE, NOT_ACKNOWLEDGED, tell, told_to_end, until
from simulators.errors import SimulatorError, WireLost
from simulators.plain_texts import FAMILIES, Step, Told, Write
from simulators.play import write_json
from simulators.scenario import address
from simulators.transmission import SentResult
from simulators.wire import Plug, PtyPort, TcpConnect, TcpListen, Wire

TRIES = 3  # of one step, as a MAGLUMI and the manuals of Sysmex have it; then the transmission begins anew
MOST = 5  # transmissions of one tube before the analyzer stops


@dataclass(slots=True)
class PlainAnalyzer:
    """One simulated analyzer of one family on one plug."""

    write: Write
    plug: Plug
    tubes: Sequence[str]
    clock: Clock
    patience: float = 15.0  # seconds that it waits for an answer
    damage: int = 0  # so many blocks are damaged on their first try
    told: Callable[[str], None] = lambda _: None
    sent: list[SentResult] = field(default_factory=list)
    acknowledged: int = 0  # tubes
    again: int = 0  # steps that were sent again
    stopped: str = ""

    async def run(self) -> None:
        """Send every tube in order; ends when all are acknowledged, or one is refused again and again."""
        wire = await self.plug.open(self.clock)
        try:
            for number, tube in enumerate(self.tubes, 1):
                one = self.write(tube, number, self.clock.now())
                if not await self._tube(wire, one):
                    self.stopped = f"{tube} was not taken in {MOST} transmissions"
                    self.told(f"stopped, {self.stopped}; look at labmw's log of this line")
                    return
                self.sent += one.results
                self.acknowledged += 1
                self.told(f"{tube} acknowledged")
        except WireLost as lost:
            self.stopped = str(lost)
        finally:
            await wire.close()

    async def _tube(self, wire: Wire, one: Told) -> bool:
        for _ in range(MOST):
            for step in one.steps:
                if not await self._step(wire, step):
                    break
            else:
                return True
        return False

    async def _step(self, wire: Wire, step: Step) -> bool:
        for _ in range(TRIES):
            await wire.write(self._maybe_damaged(step))
            if not step.waits:
                return True
            answer = await within(self.clock, self.patience, wire.read())
            if answer == b"":
                raise WireLost(f"{wire.peer} has hung up; dial again")
            if answer and answer[-1] == ACK:
                return True
            self.again += 1
            if answer and answer[-1] != NAK:
                break
        return False

    def _maybe_damaged(self, step: Step) -> bytes:
        if self.damage and len(step.data) > 8:
            self.damage -= 1
            at = len(step.data) // 2
            return step.data[:at] + bytes([step.data[at] ^ 0x01]) + step.data[at + 1 :]
        return step.data

    def report(self) -> dict[str, Any]:
        """Return what was sent and acknowledged, as JSON."""
        return {
            "wire": self.plug.name,
            "complete": self.acknowledged == len(self.tubes),
            "stopped": self.stopped,
            "tubes": self.acknowledged,
            "sent_again": self.again,
            "results": [
                {"specimen": one.specimen, "code": one.code, "detail": one.detail, "value": one.value, "unit": one.unit}
                for one in self.sent
            ],
        }


def plain(arguments: Sequence[str]) -> int:
    """One simulated analyzer with a link of its own."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators plain", description="One simulated analyzer that speaks neither ASTM frames nor HL7."
    )
    parser.add_argument("--family", choices=sorted(FAMILIES), required=True)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--connect", default="", metavar="HOST:PORT", help="dial labmw")
    place.add_argument("--listen", default="", metavar="HOST:PORT", help="wait for labmw to dial")
    place.add_argument("--pty", default="", metavar="PATH", help="make a serial device of this name")
    parser.add_argument("--tube", action="append", default=[], metavar="NUMBER", help="a specimen; may be repeated")
    parser.add_argument("--tubes", type=int, default=3, metavar="N", help="so many, when none is named")
    parser.add_argument("--damage", type=int, default=0, metavar="N", help="damage N blocks; each is sent again")
    parser.add_argument("--patience", type=float, default=15.0, metavar="SECONDS", help="for one answer")
    parser.add_argument("--report", type=Path, metavar="FILE", help="JSON report, written at the end")
    given = parser.parse_args(arguments)
    if not 0 < given.tubes <= 10_000:
        raise SimulatorError(f"--tubes {given.tubes}: give 1 to 10000")
    tubes = given.tube or [f"2611258{number:03}" for number in range(1, given.tubes + 1)]
    plug = _plug(given)
    one = PlainAnalyzer(FAMILIES[given.family], plug, tubes, WallClock(), given.patience, given.damage, tell)

    async def run() -> None:
        if isinstance(plug, TcpListen):
            host, port = await plug.start()
            tell(f"{given.family}: labmw dials {host}:{port}")
        await until(told_to_end(), one.run())
        await plug.close()

    asyncio.run(run())
    if given.report:
        write_json(given.report, one.report())
    return DONE if one.report()["complete"] else NOT_ACKNOWLEDGED


def _plug(given: argparse.Namespace) -> Plug:
    if given.pty:
        return PtyPort(Path(given.pty))
    if given.listen:
        return TcpListen(*address(HERE, "--listen", given.listen))
    return TcpConnect(*address(HERE, "--connect", given.connect))
