"""The LIS is away for a day, refuses one message in a hundred, its acknowledgments are lost, the network is cut: everything arrives, once in effect."""

from __future__ import annotations

import asyncio
import os
import random
from datetime import timedelta
from pathlib import Path

import pytest
from stage import Analyzer, Lis, Stage, eventually, free_port, message

from labmw.clock import SYSTEM, Clock, stamp
from labmw.delivery.mending import retry
from labmw.delivery.mllp import MllpSender
from labmw.fitting import outboxes
from protocols.hl7.acknowledgment import Acknowledgment

from .kills import outcome
from .outcome import Outcome
from .status import told
from .troubles import all_of_it, running, settled
from .wire import bad_network

MESSAGES = 100


class Trusting(MllpSender):
    """The variant that breaks the rule: what was written to the wire counts as taken."""

    async def deliver(self, control_id: str, message: bytes) -> tuple[Acknowledgment, bytes]:
        writer = await self._connected()
        writer.write(b"\x0b" + message + b"\x1c\r")
        return Acknowledgment("AA", control_id), b"MSH"


async def _status(stage: Stage, clock: Clock = SYSTEM, *, wanted: str) -> set[str]:
    """What is said, once it is said: the daemon writes its state once a second."""
    for _ in range(100):
        said = await asyncio.to_thread(told, stage, clock, process=os.getpid())
        if wanted in said:
            return said
        await asyncio.sleep(0.1)
    return said


def _found(name: str, stage: Stage, analyzer: Analyzer, lis: Lis, said: set[str], wanted: str, more: str) -> Outcome:
    one = outcome(name, stage, analyzer.acknowledged, lis, f"{more}; status: {wanted}")
    received = {tube for tube, _ in lis.values}
    lost = one.lost + len(set(analyzer.acknowledged) - received)
    silent = wanted not in said
    detail = one.detail.replace(f"status: {wanted}", "status: NOTHING") if silent else one.detail
    return Outcome(one.name, one.acknowledged, lost, one.twice, one.faults + silent, detail=detail)


async def down_a_day(folder: Path, url: str) -> Outcome:
    """Twenty-four hours of a clock that is turned, with results in each of them and nobody at the other end."""
    tubes = [f"W{hour}-{number}" for hour in range(24) for number in range(4)]
    stage = Stage(folder, free_port(), free_port(), url=url).build(tubes)
    turned = [timedelta()]
    clock = Clock(lambda: SYSTEM.now() + turned[0], lambda: SYSTEM.monotonic() + turned[0].total_seconds())
    analyzer = Analyzer(stage.analyzer_port)
    said: set[str] = set()
    async with running(stage, clock):
        for hour in range(24):
            for number in range(4):
                await analyzer.send(f"W{hour}-{number}", message(f"W{hour}-{number}"), until=60)
            turned[0] += timedelta(hours=1)
            if hour == 12:
                said = await _status(stage, clock, wanted="lis-unreachable")
        async with Lis(stage.lis_port) as lis:
            await settled(stage)
    return _found("LIS down for a day", stage, analyzer, lis, said, "lis-unreachable", f"{len(tubes)} waited")


async def one_in_a_hundred(folder: Path, url: str, seed: int) -> Outcome:
    """AE to one message in a hundred: those are for a person, and everything else arrives. Then the person sends them again."""
    chance, tubes = random.Random(seed), [f"H{number}" for number in range(2 * MESSAGES)]
    stage = Stage(folder, free_port(), free_port(), url=url).build(tubes)
    bad = {chance.randrange(MESSAGES), MESSAGES + chance.randrange(MESSAGES)}
    seen: dict[str, int] = {}

    class Moody(dict[str, str]):
        def get(self, control: str, default: str | None = None) -> str:  # type: ignore[override]
            place = seen.setdefault(control, len(seen)) if control != "*" else -1
            return "AE" if place in bad else "AA"

    async with Lis(stage.lis_port, answers=Moody()) as lis, running(stage) as laboratory:
        analyzer = await all_of_it(stage, tubes)
        await settled(stage)
        dead = [int(str(entry)) for (entry,) in stage.ask("SELECT id FROM outbox WHERE state = 'dead' ORDER BY id")]
        said = await _status(stage, wanted="dead-letters")
        arrived = len({tube for tube, _ in lis.values})
        bad.clear()
        for entry in dead:
            decided = {"at": stamp(SYSTEM.now()), "by": "torture", "why": "mended"}
            await laboratory.store.run(retry("TEST", entry, **decided))
        await settled(stage)
        await eventually(lambda: stage.ask("SELECT count(*) FROM outbox WHERE state <> 'delivered'") == [(0,)])
    one = _found("LIS refuses 1 in 100", stage, analyzer, lis, said, "dead-letters", f"{len(dead)} refused, sent again")
    kept = stage.ask("SELECT count(*) FROM receipt WHERE code = 'AE'") == [(2,)]
    wrong = len(dead) != 2 or arrived != len(tubes) or not kept  # the LIS lists what it refuses, too
    return Outcome(one.name, one.acknowledged, one.lost, one.twice, one.faults + wrong, detail=one.detail)


async def acknowledgments_lost(folder: Path, url: str, seed: int, *, trusting: bool = False) -> Outcome:
    """The LIS takes a message and its acknowledgment never comes back, or the connection is cut in the middle, or nothing comes through at all.

    `trusting`: a sender that does not wait for acknowledgments, the variant that must be found to lose.
    """
    name = "network to the LIS cut, ACK lost" + (", ACK not waited for (must lose)" if trusting else "")
    tubes, real = [f"N{number}" for number in range(MESSAGES)], free_port()
    stage = Stage(folder, free_port(), free_port(), url=url).build(tubes)
    text = stage.config.read_text(encoding="utf-8").replace("ack_timeout = 2.0", "ack_timeout = 0.3")
    stage.config.write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        if trusting:
            patch.setattr(outboxes, "MllpSender", Trusting)
        bad = bad_network(stage.lis_port, real, seed, cuts=0.1, deaf=0.1)
        async with Lis(real) as lis, bad as network, running(stage):
            sending = asyncio.create_task(all_of_it(stage, tubes, 0.05))
            await asyncio.sleep(2)
            network.dead = True  # connections are taken, and nothing comes through
            said = await _status(stage, wanted="lis-silent")
            await network.heal()
            network.cuts, network.deaf = 0.1, 0.1
            analyzer = await sending
            await asyncio.sleep(1)
            await network.heal()
            await settled(stage)
    one = _found(name, stage, analyzer, lis, said, "lis-silent", f"{network.cut} cut, {network.lost} answers lost")
    if trusting:
        return Outcome(one.name, one.acknowledged, one.lost, one.twice, expect_loss=True, detail="")
    return one


async def analyzers_cut(folder: Path, url: str, seed: int) -> Outcome:
    """The network between the analyzers and labmw is cut in the middle of frames, and acknowledgments get lost on their way back."""
    tubes, front = [f"A{number}" for number in range(MESSAGES)], free_port()
    stage = Stage(folder, free_port(), free_port(), url=url).build(tubes)
    async with (
        Lis(stage.lis_port) as lis,
        running(stage),
        bad_network(front, stage.analyzer_port, seed, cuts=0.03, deaf=0.02) as network,
    ):
        analyzer, gate = Analyzer(front, patience=2.0), asyncio.Semaphore(20)

        async def one(tube: str) -> None:
            async with gate:
                await analyzer.send(tube, message(tube), until=300)

        await asyncio.gather(*[one(tube) for tube in tubes])
        await settled(stage)
        await eventually(lambda: {tube for tube, _ in lis.values} >= set(tubes))
    return outcome("network to analyzers cut", stage, analyzer.acknowledged, lis, f"{network.cut} cut")
