"""One laboratory and a simulated subcontractor: what the tests of a partner's misbehaviour share."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from lisside import new
from stage import UNTOLD, Lis, Stage, eventually, free_port, listens

from labmw.app import Laboratory
from labmw.config import load
from protocols.hl7.er7 import Message
from simulators.ltw import OrderingLis, Person
from simulators.partner_lab import Asked, Catalogue, PartnerLab, Step

ALT = "1742-6"
ALAT = f"{ALT}^ALAT^LN"
ADA = Person("P1", family="Lefèvre-Duval", given="Zoé", birth="19700101")
ROUTES = f'routes = [{{ tests = ["{ALT}"] }}]'
CATALOGUE = {ALT: Catalogue(ALT, "ALAT", "22", "U/L^U/L^UCUM")}


@dataclass(slots=True)
class Beside:
    """The laboratory's parts, its LIS on both lines, and the partner."""

    stage: Stage
    port: int  # where the laboratory hears the partner
    laboratory: Laboratory
    ordering: OrderingLis
    lis: Lis
    partner: PartnerLab

    async def order(self, tube: str = "T1", control_id: str = "M1", person: Person = ADA) -> Asked:
        """A test leaves; return how the partner was asked for it."""
        await self.ordering.tell(new(control_id, tube, ALAT, person=person))
        await eventually(lambda: any(one.tube == tube for one in self.partner.asked.values()))
        [asked] = [one for one in self.partner.asked.values() if one.tube == tube]
        await eventually(lambda: self.state(tube) not in ("created", "sent") or self.partner.answer == "ack")
        return asked

    async def say(self, asked: Asked, step: Step) -> Message:
        """The partner says one thing; return what it is answered."""
        async with OrderingLis("127.0.0.1", self.port) as line:
            return await line.tell(self.partner.message(asked, step))

    def state(self, tube: str = "T1") -> str:
        """Where its sub-order is."""
        rows = self.stage.ask("SELECT state FROM sub_order WHERE specimen = ? ORDER BY id", tube)
        return str(rows[-1][0]) if rows else ""

    def results(self) -> list[tuple[object, ...]]:
        """Value and state of every result."""
        return self.stage.ask("SELECT value, state FROM result ORDER BY id")

    def reasons(self) -> list[str]:
        """What waits for a person."""
        return [str(row[0]) for row in self.stage.ask("SELECT reason FROM quarantine WHERE state = 'open' ORDER BY id")]

    def tasks(self) -> list[str]:
        """What a person has to do."""
        return [str(row[0]) for row in self.stage.ask("SELECT kind FROM task WHERE state = 'open' ORDER BY id")]


@contextlib.asynccontextmanager
async def beside(
    folder: Path, *, more: str = "", answer: str = "accept", url: str = UNTOLD, routes: str = ROUTES
) -> AsyncIterator[Beside]:
    """Everything open."""
    feed, port = free_port(), free_port()
    async with PartnerLab("127.0.0.1", 0, CATALOGUE, answer) as partner:
        extra = f"""
[[partners]]
name = "SPE"
connect = "127.0.0.1:{partner.port}"
listen = "127.0.0.1:{port}"
facility = "LABOSPE"
laboratory_id = "690999902"
our_id = "750999901"
ack_timeout = 30.0
retry_base = 0.05
retry_cap = 0.1
{routes}
{more}
"""
        stage = Stage(folder, free_port(), free_port(), extra, url)
        if not stage.config.exists():
            stage.build([])
        text = stage.config.read_text(encoding="utf-8").replace("[rules]", f'listen = "127.0.0.1:{feed}"\n[rules]', 1)
        stage.config.write_text(text, encoding="utf-8")
        laboratory = Laboratory(load(stage.config))
        async with Lis(stage.lis_port) as lis:
            try:
                await laboratory.start()
                await eventually(lambda: listens(feed) and listens(port))
                async with OrderingLis("127.0.0.1", feed) as ordering:
                    yield Beside(stage, port, laboratory, ordering, lis, partner)
            finally:
                await laboratory.stop()


def msa(reply: Message) -> tuple[str, list[str]]:
    """MSA-1, and the code of every error."""
    found = reply.first("MSA")
    assert found is not None
    return found.component(1), [err.component(3) for err in reply.all("ERR")]


FINAL = Step("final")


def step(says: str, **more: object) -> Step:
    """One thing that the partner says."""
    return replace(FINAL, says=says, **more)  # type: ignore[arg-type]
