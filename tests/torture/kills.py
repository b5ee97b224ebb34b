"""kill -9 under load, at random steps of a result's life, with at least twenty messages in flight."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

from crashing import STEPS, daemon
from stage import SITE, Analyzer, Lis, Stage, eventually, free_port, message

from labmw.store.checking import check
from labmw.store.schema import FINAL_STATES

from .outcome import Outcome

IN_FLIGHT = 24
PATIENCE = 3600.0  # seconds; a message that is unlucky is sent in many lives of the daemon


async def kills(
    folder: Path, url: str, count: int, seed: int, *, ack_first: bool = False
) -> tuple[Outcome, Counter[str]]:
    """Kill so often; what was acknowledged and is lost, what is twice, and how often each step was hit.

    `ack_first`: the variant that acknowledges before it stores, killed in between: it must be found to lose.
    """
    chance = random.Random(seed)
    hit: Counter[str] = Counter()
    stage = Stage(folder, free_port(), free_port(), url=url).build([])
    analyzer, sending = Analyzer(stage.analyzer_port), set[asyncio.Task[None]]()
    everything: list[str] = []
    async with Lis(stage.lis_port) as lis:
        for round_ in range(count):
            # As many new ones as were acknowledged: an analyzer waits, too, and hundreds at one door would only wait for each other.
            waiting = sum(not one.done() for one in sending)
            tubes = [f"K{round_}-{place}" for place in range(IN_FLIGHT - waiting)]
            await asyncio.to_thread(stage.expect, tubes)
            everything += tubes
            step = "message-not-committed" if ack_first else chance.choice(STEPS)
            more = ("ack-first",) if ack_first else ()
            async with daemon(stage, step, chance.randint(1, IN_FLIGHT // 2), *more) as process:
                for tube in tubes:
                    sending.add(asyncio.create_task(analyzer.send(tube, message(tube), until=PATIENCE)))
                try:
                    async with asyncio.timeout(60):
                        await process.wait()
                    hit[step] += 1
                except TimeoutError:
                    hit[f"{step} (not reached)"] += 1
        async with daemon(stage):
            await asyncio.gather(*sending)
            unfinished = "SELECT count(*) FROM result WHERE state IN ('verify', 'released')"
            await eventually(lambda: stage.ask(unfinished) == [(0,)], within=PATIENCE)
    elsewhere = stage.ask("SELECT state, count(*) FROM result WHERE state <> 'delivered' GROUP BY state ORDER BY state")
    detail = f"{count} kills" + "".join(f", {number} {state}" for state, number in elsewhere)
    if not ack_first:
        return outcome("kill -9", stage, analyzer.acknowledged, lis, detail), hit
    found = outcome("kill -9, acknowledged first (must lose)", stage, analyzer.acknowledged, lis, f"{count} kills")
    return replace(found, expect_loss=True), hit


def outcome(name: str, stage: Stage, acknowledged: list[str], lis: Lis, detail: str) -> Outcome:
    """Count: the analyzer's side, the store's, and the LIS's."""
    # A message that was acknowledged whole and lies in quarantine without its end has lost that end.
    whole = """SELECT specimen, state FROM result WHERE main = 1 AND message NOT IN
        (SELECT message FROM quarantine WHERE state = 'open' AND reason = 'unterminated')"""
    states = {str(tube): str(state) for tube, state in stage.ask(whole)}
    lost = [tube for tube in acknowledged if states.get(tube) not in FINAL_STATES]
    doubled = len(stage.ask("SELECT key FROM result GROUP BY site, key HAVING count(*) > 1"))
    doubled += len(lis.values) - len(set(lis.values))
    faults = sum(one.faults for one in check(stage.url or f"sqlite:///{stage.database}", SITE))
    return Outcome(name, len(acknowledged), len(lost), doubled, faults, detail=detail)
