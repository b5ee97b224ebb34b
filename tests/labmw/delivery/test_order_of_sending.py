"""In which order do messages arrive? Stat first; of one test of one specimen the older first, whatever the receiver does; and nobody waits for another's trouble."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from pathlib import Path

import pytest
from receiver import ack, oru, receiving
from released import Morning, morning
from sqlalchemy import select, update
from sqlalchemy.sql.elements import BooleanClauseList

from labmw.store.schema import outbox
from labmw.store.statements import hurry
from labmw.store.statements import outbox as statements
from labmw.store.statements.words import given, given_number
from labmw.store.transaction import Row, Transaction

TUBES, TESTS, MESSAGES = ("S1", "S2", "S3"), ("ALT", "GGT"), 40


def plain(row: Row) -> Transaction[bytes]:
    return oru(row.control_id)
    yield


async def queue(day: Morning, chance: random.Random) -> dict[str, tuple[str, frozenset[str], str]]:
    """So many messages about few tubes and tests; MSH-10 to tube, tests and lane."""
    known = {}
    day.write(
        "INSERT INTO message (id, site, link, direction, protocol, received_at, raw, digest) VALUES (1, 'TEST', 'a', '>', 'astm', '', X'', '')"
    )
    for number in range(1, MESSAGES + 1):
        tube, lane = chance.choice(TUBES), chance.choice("RRRS")
        carried = frozenset(chance.sample(TESTS, chance.randint(1, 2)))
        if lane == "S":
            await day.line.store.run(_hurried(tube))
        day.write(
            "INSERT INTO outbox (id, site, destination, control_id, specimen, message, priority, due_at, created_at) VALUES (?, 'TEST', 'LIS', ?, ?, 1, ?, '', '')",
            number,
            f"M{number:03d}",
            tube,
            lane,
        )
        for place, test in enumerate(sorted(carried)):
            result = number * 10 + place
            day.write(
                "INSERT INTO result (id, site, key, identity, run, message, link, specimen, patient, code, loinc, value, received_at, state) VALUES (?, 'TEST', ?, ?, ?, 1, 'a', ?, ?, ?, '', '1', '', 'released')",
                *(result, f"{result}", f"{result}", f"{number}", tube, f"P-{tube}", test),
            )
            day.write(
                "INSERT INTO outbox_result (site, outbox, result, destination) VALUES ('TEST', ?, ?, 'LIS')",
                number,
                result,
            )
        known[f"M{number:03d}"] = (tube, carried, lane)
    return known


def _hurried(tube: str) -> Transaction[None]:
    yield hurry("TEST", "LIS", tube)


async def arrivals(day: Morning, seed: int) -> tuple[list[str], dict[str, tuple[str, frozenset[str], str]]]:
    """The MSH-10 that the receiver took, in order: it keeps silent now and then, refuses now and then, and hangs up; senders die."""
    chance = random.Random(seed)
    known = await queue(day, chance)
    taken: list[str] = []

    async def moody(control: str, writer: asyncio.StreamWriter) -> None:
        drawn = chance.random()
        if drawn < 0.1:
            return
        if drawn < 0.15:
            writer.close()
            return
        if drawn < 0.2:
            writer.write(ack(control, "AE"))
            return
        taken.append(control)
        writer.write(ack(control))

    async with receiving(moody, patience=0.02) as (sender, _):
        for turn in range(2000):
            day.later(60)
            one = day.outbox(sender, compose=plain, who=f"process {turn}")  # nothing is remembered from turn to turn
            if chance.random() < 0.2:  # it claims, and dies: its claims come back after their lease
                await day.line.store.run(one._claim())
                continue
            await one.step()
            if day.ask("SELECT count(*) FROM outbox WHERE state NOT IN ('delivered', 'dead')") == [(0,)]:
                break
    assert day.ask("SELECT count(*) FROM outbox WHERE state NOT IN ('delivered', 'dead')") == [(0,)]
    return taken, known


def out_of_order(taken: list[str], known: dict[str, tuple[str, frozenset[str], str]]) -> list[str]:
    """Messages that came after a later one with the same test of the same tube."""
    last: dict[tuple[str, str], str] = defaultdict(str)
    found = []
    for control in dict.fromkeys(taken):
        tube, carried, _ = known[control]
        for test in carried:
            if control < last[tube, test]:
                found.append(control)
            last[tube, test] = max(last[tube, test], control)
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_of_one_test_of_one_specimen_the_older_arrives_first(tmp_path: Path, seed: int) -> None:
    async with morning(tmp_path) as day:
        taken, known = await arrivals(day, seed)
    assert out_of_order(taken, known) == []
    assert len(set(taken)) > MESSAGES / 2


async def test_without_the_rule_they_would_overtake_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variant that breaks it: the same claim without its last condition."""
    conditions = statements._next.whereclause
    assert isinstance(conditions, BooleanClauseList)
    kept = [one for one in conditions.clauses if "NOT (EXISTS" not in str(one)]
    assert len(kept) == len(conditions.clauses) - 1
    anew = select(outbox.c.id).where(*kept).order_by(outbox.c.priority.desc(), outbox.c.id)
    claim = (
        update(outbox)
        .where(outbox.c.id.in_(anew.limit(given_number("most"))))
        .values(state="claimed", claimed_by=given("who"), claimed_until=given("until"), attempts=outbox.c.attempts + 1)
        .returning(outbox)
    )
    monkeypatch.setattr(statements, "_CLAIM", claim)
    found = []
    for seed in range(4):
        (tmp_path / str(seed)).mkdir()
        async with morning(tmp_path / str(seed)) as day:
            found += out_of_order(*await arrivals(day, seed))
    assert found


async def test_stat_goes_first_and_takes_along_what_waits_of_its_tube(tmp_path: Path) -> None:
    async with morning(tmp_path) as day:
        known = await queue(day, random.Random(7))
        got: list[str] = []

        async def takes(control: str, writer: asyncio.StreamWriter) -> None:
            got.append(control)
            writer.write(ack(control))

        async with receiving(takes) as (sender, _):
            one = day.outbox(sender, compose=plain)
            for _ in range(60):
                await one.step()
    assert len(got) == MESSAGES
    lanes = ["S" if known[control][2] == "S" else "R" for control in got]
    last_stat = max(place for place, lane in enumerate(lanes) if lane == "S")
    # Before the last stat message came nothing routine but what was queued earlier on a tube with a stat message.
    for place, control in enumerate(got[:last_stat]):
        if lanes[place] == "R":
            tube = known[control][0]
            assert any(known[other][0] == tube and known[other][2] == "S" and other > control for other in known)
