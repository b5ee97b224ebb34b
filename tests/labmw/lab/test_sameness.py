"""Does a line stop releasing when its analyzer is another one, until a person accepts it, and does a wrong clock hold what it timed?"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lineside import Lineside, lineside
from readings import reading, received, result
from stage import SITE

from labmw.clock import Clock, stamp
from labmw.driver.reading import Reading
from labmw.lab import sameness
from labmw.lab.verification import Verification
from labmw.line.presence import Presence
from labmw.line.received import Received
from labmw.model import Reason, Verdict, VerdictLevel
from labmw.quantity import Quantity
from rules.pack import SHIPPED, Packs, load
from rules.signature import Signature

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


@dataclass(slots=True)
class Line:
    """A line that takes in, judges, and is started anew."""

    side: Lineside
    verification: Verification
    at: list[datetime]
    count: int = 0

    async def bring(self, value: str = "22", **message: Any) -> tuple[str, list[str]]:
        """Take in one ALT and judge it; its state, and the reasons of its verdict."""
        self.count += 1
        moment = START + timedelta(minutes=self.count)
        times = {"time": moment.strftime("%Y%m%d%H%M%S"), "completed": moment}
        one = result(
            value,
            **{**times, **message.pop("result", {})},
            quantity=Quantity(Decimal(value), "", "U/L"),
            specimen=f"S{self.count}",
        )
        peer = message.pop("peer", "192.0.2.1:4000")
        link = message.pop("link", "analyzer")
        stored = await self.side.intake.take(
            received(message=reading(one, **message), peer=peer, link=link, received_at=self.at[0])
        )
        while await self.verification.step():
            pass
        [(state,)] = self.side.ask("SELECT state FROM result WHERE message = ?", stored.message)
        reasons = self.side.ask(
            "SELECT v.reasons FROM verdict v JOIN result r ON r.id = v.result WHERE r.message = ?", stored.message
        )
        return str(state), [one["code"] for (text,) in reasons for one in json.loads(str(text))]


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    pack = load(SHIPPED / "chemistry")
    signed = Signature(
        pack.id, pack.version, pack.hash, "Dr Test", "biologist", datetime(2026, 1, 1, tzinfo=UTC), "test"
    )
    packs = Packs.of([pack], [signed])

    def as_given(one: Received) -> Reading:
        assert isinstance(one.message, Reading)
        return one.message

    async with lineside(tmp_path, [f"S{n}" for n in range(1, 12)], read=as_given, packs=packs) as side:
        at = [START + timedelta(hours=1)]
        clock = Clock(lambda: at[0], lambda: float(at[0].timestamp()))
        side.intake.clock = clock
        yield Line(side, Verification(SITE, side.store, clock, lambda: packs, ["LIS"], lambda: None), at)


def changed(reasons: list[str]) -> bool:
    return "analyzer-changed" in reasons


async def test_the_first_analyzer_of_a_line_is_taken_as_it_is(line: Line) -> None:
    _, reasons = await line.bring(serial="SN1", software="2.1")
    assert not changed(reasons)
    assert line.side.ask("SELECT serial, software, state, decided_by FROM analyzer") == [
        ("SN1", "2.1", "accepted", "labmw")
    ]
    assert (await line.bring())[1] == reasons  # one that says nothing is no other analyzer


@pytest.mark.parametrize(("serial", "software"), [("SN2", "2.1"), ("SN1", "2.2")])
async def test_another_one_stops_the_line_until_a_person_accepts_it(serial: str, software: str, line: Line) -> None:
    _, usual = await line.bring(serial="SN1", software="2.1")
    state, reasons = await line.bring(serial=serial, software=software)
    assert state == "held"
    assert changed(reasons)
    assert changed((await line.bring(serial="SN1", software="2.1"))[1])  # the whole line
    assert not changed((await line.bring(serial="SN9", software="1", link="other"))[1])  # and no other one
    accepted = await line.side.store.run(
        sameness.accept(SITE, "analyzer", at=stamp(START), by="Dr Test", why="compared, 20 samples")
    )
    assert [(row.serial, row.software) for row in accepted] == [(serial, software)]
    assert (await line.bring(serial=serial, software=software))[1] == usual
    assert line.side.ask("SELECT who, what, subject, why FROM audit WHERE what LIKE 'analyzer%' ORDER BY id") == [
        ("labmw", "analyzer-changed", "link/analyzer", ""),
        ("Dr Test", "analyzer-accepted", "link/analyzer", "compared, 20 samples"),
    ]
    assert await line.side.store.run(sameness.accept(SITE, "analyzer", at=stamp(START), by="x", why="y")) == []


async def test_the_hold_outlives_a_restart(line: Line) -> None:
    await line.bring(serial="SN1")
    await line.bring(serial="SN2")
    line.side.intake._met.clear()  # as a new process begins
    assert changed((await line.bring(serial="SN2"))[1])
    assert line.side.ask("SELECT count(*) FROM analyzer") == [(2,)]


async def test_what_forgot_to_look_would_be_noticed(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variant that breaks it."""
    monkeypatch.setattr(sameness, "reasons", lambda waiting: [])
    await line.bring(serial="SN1")
    assert not changed((await line.bring(serial="SN2"))[1])


async def test_two_connections_with_one_serial_number_are_both_quarantined(line: Line) -> None:
    presence = line.side.intake.presence = Presence()
    presence.opened("analyzer", "192.0.2.1:4000")
    assert (await line.bring(serial="SN1"))[0] != "quarantined"
    presence.opened("other", "192.0.2.2:4000")
    assert (await line.bring(serial="SN1", peer="192.0.2.2:4000", link="other"))[0] == "quarantined"
    assert (await line.bring(serial="SN1"))[0] == "quarantined"
    presence.closed("other", "192.0.2.2:4000")
    assert (await line.bring(serial="SN1"))[0] != "quarantined"
    assert line.side.ask("SELECT DISTINCT reason FROM quarantine WHERE result IS NULL") == [("serial-twice",)]


async def test_a_wrong_clock_holds_with_its_reason(line: Line) -> None:
    line.side.intake.clock_tolerance = lambda link: 600.0
    late = await line.bring(sent_at=line.at[0] - timedelta(days=2))
    assert late[0] == "held"
    assert "clock-drift" in late[1]
    twice = await line.bring(result={"time_doubt": "ambiguous"})
    assert "clock-ambiguous" in twice[1]
    future = await line.bring(result={"completed": line.at[0] + timedelta(hours=2)})
    assert "clock-future" in future[1]
    line.side.ask("SELECT 1")
    good = await line.bring(sent_at=line.at[0])
    assert not {"clock-drift", "clock-ambiguous", "clock-future"} & set(good[1])
    [(facts,)] = line.side.ask("SELECT facts FROM message ORDER BY id LIMIT 1")
    assert json.loads(str(facts))["clock_offset"] == -2 * 86400


async def test_what_a_restated_driver_read_is_held_whatever_the_packs_say(line: Line) -> None:
    """The variant that breaks it stands beside: a reading that does not say so leaves as it would."""
    _, usual = await line.bring()
    assert "driver-restated" not in usual
    state, reasons = await line.bring(restated=True)
    assert (state, "driver-restated" in reasons) == ("held", True)


LEVELS = st.sampled_from(list(VerdictLevel))


@given(LEVELS, st.lists(LEVELS, max_size=3))
def test_a_further_reason_never_makes_a_verdict_milder(level: VerdictLevel, more: list[VerdictLevel]) -> None:
    verdict = Verdict(level, (Reason("flag", level),), ("pack",), (("a", "fired", ""),))
    found = sameness.withheld(verdict, [Reason("clock-drift", one, "labmw/clock") for one in more])
    assert found.level == max([level, *more])
    assert [one.level for one in found.reasons] == sorted((one.level for one in found.reasons), reverse=True)
    assert len(found.reasons) == 1 + len(more)
    assert found.packs == verdict.packs
    assert found.trace[len(more) :] == verdict.trace
    assert replace(found, reasons=(), trace=(), level=level) == replace(verdict, reasons=(), trace=())
