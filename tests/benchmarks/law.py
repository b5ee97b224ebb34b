"""How fast is a LAW line? Reports from their bytes to their ACK beside python-hl7's server, and queries on a worklist of a million open orders.

Everybody is a process of its own and gets the same sender, in rounds that take turns. Reports (LAB-29) are stored with their results and
queued for verification before the ACK; python-hl7's server keeps nothing. Queries (LAB-27) are timed from the query to the end of the
order that answers it: the query is on the disk by then, and so is the order. The reference's yardstick for them is one block of the same
size, stored and acknowledged. An analyzer scans its next tube no sooner than the last one's order is answered; so does this one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.hl7 import law
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap
from tests.benchmarks.load import Job
from tests.benchmarks.messages import query
from tests.benchmarks.peers import PeerMissing
from tests.benchmarks.receive import Sender
from tests.benchmarks.receivers import (
    Receiver,
    law_orders,
    open_orders,
    seeded_store,
    start_daemon,
    start_python_hl7,
    start_reference,
)
from tests.benchmarks.rounds import Sample, ratio, turned

MESSAGES = 12_000  # reports whose orders the store knows
TUBES = 250_000  # of four open orders each
SCAN = 0.02  # seconds from an answered order to the next query
PATIENCE = 20.0
TIMES_PEER, SHARE, TIMES_ROUND_TRIP = 10.0, 0.25, 10.0  # the targets


@dataclass(frozen=True, slots=True)
class LawPlan:
    """How long and how often."""

    rounds: int
    seconds: float
    queries: int  # a round
    connections: tuple[int, ...] = (1, 20, 200)


@dataclass(slots=True)
class ReportCell:
    """Reports over so many connections, for each receiver: rates in messages a second, times to ACK in milliseconds."""

    connections: int
    outcomes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    error: str = ""

    def sample(self, who: str, what: str) -> Sample:
        """All rounds of one."""
        return Sample(tuple(float(one[what]) for one in self.outcomes[who]))

    def over(self, who: str) -> Sample | None:
        """How many times the rate of another one labmw has, round by round; None when it was not measured."""
        if self.error or not self.outcomes.get(who):
            return None
        return ratio(self.sample("labmw", "rate"), self.sample(who, "rate"))


@dataclass(slots=True)
class QueryCell:
    """Milliseconds of every query, and of every durable round trip of the reference, by round."""

    orders: int
    queries: list[list[float]] = field(default_factory=list)
    round_trips: list[list[float]] = field(default_factory=list)
    error: str = ""

    @property
    def times(self) -> float:
        """How many times the p99 of a round trip the p99 of a query is."""
        return p99([one for waits in self.queries for one in waits]) / p99(
            [one for waits in self.round_trips for one in waits]
        )


def p99(values: list[float]) -> float:
    """The value that one in a hundred exceeds."""
    return sorted(values)[int(len(values) * 0.99)]


def measure(
    folder: Path, environment: Mapping[str, str], plan: LawPlan, tell: Callable[[str], None]
) -> tuple[list[ReportCell], QueryCell, str]:
    """Reports, queries, and why the peer was not measured if it was not."""
    tell(f"a store with {TUBES * 4:,} open orders")
    store = folder / "worklist.db"
    seeded_store(store, 1)
    law_orders(store, MESSAGES)
    open_orders(store, TUBES)
    receivers: list[Receiver] = []
    sender = Sender()
    missing = ""
    try:
        receivers = [start_reference(folder, environment), start_daemon(folder, environment, store)]
        try:
            receivers.append(start_python_hl7(folder, environment))
        except PeerMissing as error:
            missing = str(error)
        queries = _queries(receivers[0], receivers[1], plan, tell)
        return _reports(receivers, sender, plan, tell), queries, missing
    finally:
        sender.close()
        for receiver in receivers:
            receiver.stop()


def _reports(receivers: list[Receiver], sender: Sender, plan: LawPlan, tell: Callable[[str], None]) -> list[ReportCell]:
    named = {receiver.name: receiver for receiver in receivers}
    cells = []
    serial = 0
    for connections in plan.connections:
        cell = ReportCell(connections, {name: [] for name in named})
        tell(f"reports over {connections} connections")
        for number in range(-1, plan.rounds):  # the first is to warm up
            for name in turned(list(named), max(0, number)):
                if cell.error:
                    continue
                job = Job(named[name].ports["law"], "law", connections, 0.3 if number < 0 else plan.seconds, serial)
                got = sender.run(job)
                named[name].rest()
                if got["error"]:
                    cell.error = f"{name}: {got['error']}"
                elif number >= 0:
                    cell.outcomes[name].append(got)
                serial = int(got.get("next", serial))
        cells.append(cell)
    return cells


def _queries(reference: Receiver, daemon: Receiver, plan: LawPlan, tell: Callable[[str], None]) -> QueryCell:
    cell = QueryCell(TUBES * 4)
    tell("queries")
    try:
        for number in range(-1, plan.rounds):
            first = (number + 1) * plan.queries
            asked = asyncio.run(_asked(daemon.ports["law"], first, plan.queries))
            trips = asyncio.run(_round_trips(reference.ports["law"], first, plan.queries))
            if number >= 0:
                cell.queries.append(asked)
                cell.round_trips.append(trips)
    except (OSError, RuntimeError, TimeoutError) as error:
        cell.error = str(error) or type(error).__name__
    return cell


async def _asked(port: int, first: int, count: int) -> list[float]:
    """Ask for tubes all over the worklist; milliseconds from each query to the end of its order."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    blocks = MllpReader()
    waits = []
    try:
        for serial in range(first, first + count):
            tube = f"Q{serial * 7919 % TUBES:010d}"  # a prime: neither neighbours nor the same one twice
            began = time.perf_counter()
            writer.write(query(serial, tube))
            message = await _next(reader, blocks, "OML")
            waits.append(1000 * (time.perf_counter() - began))
            work = law.read_work(message)
            if not isinstance(work, law.Work) or work.specimens[0].specimen.label != tube:
                raise RuntimeError(f"tube {tube} was not given its work")
            writer.write(wrap(_accepted(work, serial)))
            await asyncio.sleep(SCAN)
    finally:
        writer.close()
    return waits


async def _next(reader: asyncio.StreamReader, blocks: MllpReader, code: str) -> Message:
    """The next message of a type; the reply before it is read over. Raises RuntimeError when the line ends."""
    async with asyncio.timeout(PATIENCE):
        while data := await reader.read(2**16):
            for event in blocks.receive(data):
                if isinstance(event, Block):
                    message = Message.parse(event.data)
                    if message.code == code:
                        return message
    raise RuntimeError("the daemon hung up")


def _accepted(work: law.Work, serial: int) -> bytes:
    """Take everything."""
    header = law.answering(work.header, f"R{serial:012d}", work.header.when)
    items = tuple(
        law.SpecimenReply(one.specimen, tuple(law.StepReply(step.awos, "OK", "SC") for step in one.steps))
        for one in work.specimens
    )
    return law.write_work_reply(law.WorkReply(header, "AA", work.header.control_id, items))


async def _round_trips(port: int, first: int, count: int) -> list[float]:
    """The same blocks to the reference, which stores each and acknowledges it; milliseconds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    waits = []
    try:
        for serial in range(first, first + count):
            began = time.perf_counter()
            writer.write(query(serial, f"Q{serial:010d}"))
            async with asyncio.timeout(PATIENCE):
                await reader.readuntil(b"\x1c\r")
            waits.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(SCAN)
    finally:
        writer.close()
    return waits


def missed(cells: list[ReportCell], queries: QueryCell) -> list[str]:
    """Every target that was not met, in a sentence."""
    found = []
    for cell in cells:
        who, target = ("reference", SHARE) if cell.connections == 1 else ("python-hl7", TIMES_PEER)
        times = cell.over(who)
        if times is not None and times.median < target:
            found.append(
                f"LAW reports, {cell.connections} connections: {times.median:.2f} times {who}, wanted {target:g}"
            )
    if not queries.error and queries.times >= TIMES_ROUND_TRIP:
        found.append(
            f"LAW queries, {queries.orders:,} orders: p99 is {queries.times:.1f} times that of a durable round trip, wanted less than {TIMES_ROUND_TRIP:g}"
        )
    return found
