"""How fast does the daemon receive, store and acknowledge, beside the reference? Over loopback, 1 and 20 connections, ASTM and HL7.

Both are real processes and get the same sender (load.py), in rounds that take turns. A message is 60 ASTM frames, each on the disk before
its ACK, or one HL7 block. The daemon's orders are known, so that results go the ordinary way, verification included.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks.load import Job
from tests.benchmarks.machine import flushes
from tests.benchmarks.receivers import Receiver, outcome, seeded_store, start_daemon, start_reference
from tests.benchmarks.rounds import Sample, ratio, turned

SEEDED = 6000  # messages whose orders the store knows


@dataclass(slots=True)
class Cell:
    """One combination, measured for both: rates in messages a second, times to ACK in milliseconds."""

    protocol: str
    connections: int
    delay: int
    outcomes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"labmw": [], "reference": []})
    processor: dict[str, list[float]] = field(default_factory=lambda: {"labmw": [], "reference": []})
    error: str = ""

    def sample(self, who: str, what: str) -> Sample:
        """All rounds of one."""
        return Sample(tuple(float(one[what]) for one in self.outcomes[who]))

    def cost(self, who: str) -> Sample:
        """Milliseconds of processor for a message, what follows the acknowledgment included."""
        return Sample(
            tuple(
                1000 * seconds / one["messages"]
                for seconds, one in zip(self.processor[who], self.outcomes[who], strict=True)
            )
        )

    @property
    def share(self) -> Sample:
        """The daemon's rate as a share of the reference's, round by round."""
        return ratio(self.sample("labmw", "rate"), self.sample("reference", "rate"))


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often."""

    rounds: int
    seconds: float
    connections: tuple[int, ...] = (1, 20)


class Sender:
    """The process that sends."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, job: Job) -> dict[str, Any]:
        """Do one job."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline() or '{"error": "the sender died"}')
        return answer

    def close(self) -> None:
        """Let it go."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()


def measure(
    folder: Path, environments: Mapping[int, dict[str, str]], plan: Plan, tell: Callable[[str], None]
) -> tuple[list[Cell], dict[int, float], dict[str, int]]:
    """Every cell, the flushes a second behind them by delay, and what became of the daemon's results."""
    tell("a store with the orders of 6,000 messages")
    store = folder / "seeded.db"
    seeded_store(store, SEEDED)
    cells: list[Cell] = []
    rates: dict[int, float] = {}
    states: dict[str, int] = {}
    for delay, environment in environments.items():
        here = folder / f"delay-{delay}"
        here.mkdir()
        rates[delay] = flushes(here, environment)
        sender = Sender()
        receivers: list[Receiver] = []
        try:
            receivers = [start_reference(here, environment), start_daemon(here, environment, store)]
            cells += _cells(receivers, sender, plan, delay, tell)
        finally:
            sender.close()
            for receiver in receivers:
                receiver.stop()
        for state, count in outcome(here / "labmw.db").items():
            states[state] = states.get(state, 0) + count
    return cells, rates, states


def _cells(
    receivers: list[Receiver], sender: Sender, plan: Plan, delay: int, tell: Callable[[str], None]
) -> list[Cell]:
    named = {receiver.name: receiver for receiver in receivers}
    cells = []
    serial = 0
    for protocol in ("astm", "hl7"):
        for connections in plan.connections:
            cell = Cell(protocol, connections, delay)
            tell(f"{protocol}, {connections} connections, flush +{delay} ms")
            for receiver in receivers:  # warm: imports, page cache, compiled statements
                serial = _one(cell, receiver, sender, 0.3, serial, keep=False)
            for number in range(plan.rounds):
                for name in turned(list(named), number):
                    if not cell.error:
                        serial = _one(cell, named[name], sender, plan.seconds, serial)
            cells.append(cell)
    return cells


def _one(cell: Cell, receiver: Receiver, sender: Sender, seconds: float, serial: int, *, keep: bool = True) -> int:
    """One job for one receiver; returns the next free serial number."""
    before = receiver.cpu()
    job = Job(receiver.ports[cell.protocol], cell.protocol, cell.connections, seconds, serial)
    got = sender.run(job)
    receiver.rest()
    if got["error"]:
        cell.error = f"{receiver.name}: {got['error']}"
    elif keep:
        cell.outcomes[receiver.name].append(got)
        cell.processor[receiver.name].append(receiver.cpu() - before)
    # A message that the daemon has had would be a repeat; the reference does not know one from the other.
    return int(got.get("next", serial)) if receiver.name == "labmw" else serial
