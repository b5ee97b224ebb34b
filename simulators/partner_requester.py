"""How does a laboratory behave that sends its tubes to us? It asks over MLLP, takes back, announces boxes, takes results in, and can be told to misbehave.

The messages are written here, word for word: what labmw reads must not have been written by labmw's own hand.

python -m simulators requester SCENARIO --listen HOST:PORT --connect HOST:PORT [--report FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.hl7.er7 import Message
from simulators.clock import WallClock
from simulators.command import DONE, HERE, tell, told_to_end
from simulators.ear import Ear, ended, msh, refusal, when
from simulators.errors import ScenarioError
from simulators.ltw import OrderingLis
from simulators.play import write_json
from simulators.scenario import address

ANSWERS = ("accept", "error", "locked", "silent")
SAYS = {"new": "NW", "add-on": "NW", "cancel": "CA", "replace": "RP", "shipped": "SC"}


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that it says of a sub-order, and how it says it wrongly. Seconds are counted from the step before."""

    says: str = "new"  # one of SAYS
    after: float = 0.0
    times: int = 1  # the same bytes again
    number: str = ""  # another sub-order's number
    test: str = ""  # another test, as CODE^NAME^LN
    family: str = ""  # another person's name
    birth: str = ""
    box: str = ""  # the box in which the tube is
    tubes: int = 0  # how many it says are in it
    temperature: str = ""
    facility: str = "LABO DEMANDEUR^D"  # ORC-21; "-" for none
    minutes: int = 0  # how far its clock is off


PLAIN = Ask()
_EARLIER = Ask(minutes=-30)


@dataclass(frozen=True, slots=True)
class Tube:
    """A tube that it sends, for whom, with the test that it asks for first."""

    tube: str
    test: str  # CODE^NAME^LN
    patient: str = "P1"
    family: str = "TESTPERSON"
    given: str = "Ada"
    birth: str = "19700101"
    sex: str = "F"
    ins: str = ""  # with its authority, as PID-3 has it
    status: str = ""  # PID-32
    collected: str = ""  # "": half an hour ago
    steps: tuple[Ask, ...] = (PLAIN,)

    @property
    def number(self) -> str:
        """Its sub-order, as it is called unless a step says otherwise."""
        return f"RQ-{self.tube}"


@dataclass(slots=True)
class RequesterLab(Ear):
    """One simulated laboratory that asks."""

    answer: str = "accept"
    name: str = "DEM"
    numbers_added: bool = True  # False: it wants no test that it did not ask for
    told: dict[str, list[str]] = field(
        default_factory=dict
    )  # of a sub-order: ORC-1, ORC-5 and the condition of its tube
    results: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # of a sub-order: value and OBX-11
    documents: Counter[str] = field(default_factory=Counter)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _seen: set[str] = field(default_factory=set)

    # --- what it is told --------------------------------------------------------------------------------------------------------

    def take(self, message: Message) -> bytes:
        """Answer as it was told to, and keep what it heard."""
        if self.answer == "silent":
            return b""
        if self.answer != "accept":
            return refusal(self._msh(f"ACK^{message.trigger}^ACK"), message, locked=self.answer == "locked")
        again = message.control_id in self._seen
        self.counts["repeated"] += again
        self._seen.add(message.control_id)
        if message.code == "OML":
            return self._status(message, again=again)
        self._report(message, again=again)
        return ended([self._msh(f"ACK^{message.trigger}^ACK"), f"MSA|AA|{message.control_id}"])

    def _status(self, message: Message, *, again: bool) -> bytes:
        rows = [self._msh("ORL^O22^ORL_O22"), f"MSA|AA|{message.control_id}"]
        condition = ""
        for item in message.segments:
            if item.name == "SPM":
                condition = item.component(24) or item.component(21)
        for orc in message.all("ORC"):
            number = orc.component(2) or f"RQ-ADDED-{orc.component(3)}"
            if not again:
                said = f"{orc.component(1)} {orc.component(5)} {condition}".strip()
                self.told.setdefault(number, []).append(said)
            added = orc.component(1) == "SN"
            if added and not self.numbers_added:
                rows.append(f"ORC|UA||{orc.field(3)}||CA{'|' * 11}NOTASKED^Non demandé^99DEM")
                continue
            rows.append(f"ORC|{'NA' if added else 'OK'}|{number}^DEM|{orc.field(3)}||{orc.component(5)}")
        return ended(rows)

    def _report(self, message: Message, *, again: bool) -> None:
        number = ""
        for item in message.segments:
            if item.name in ("ORC", "OBR"):
                number = item.component(2) or number
            elif item.name == "OBX" and not again:
                if item.component(2) == "ED":
                    self.documents[number] += 1
                else:
                    self.results.setdefault(number, []).append((item.component(5), item.component(11)))

    # --- what it says -----------------------------------------------------------------------------------------------------------

    def message(self, tube: Tube, ask: Ask = PLAIN) -> bytes:
        """The message of one step."""
        control = SAYS[ask.says]
        number = ask.number or (f"{tube.number}-2" if ask.says == "add-on" else tube.number)
        test = ask.test or tube.test
        facility = "" if ask.facility == "-" else ask.facility
        pid = [""] * 33
        numbers = "~".join(filter(None, (tube.ins, f"{tube.patient}^^^DEM^PI")))
        pid[0], pid[3], pid[5], pid[7] = (
            "PID",
            numbers,
            f"{ask.family or tube.family}^{tube.given}^^^^^L",
            ask.birth or tube.birth,
        )
        pid[8], pid[32] = tube.sex, tube.status
        rows = [self._msh("OML^O21^OML_O21", ask), "|".join(pid).rstrip("|"), "PV1|1|U"]
        rows += self._order(control, number, test, facility, tube, ask)
        if ask.says == "replace":  # the one that takes its place stands beside it
            rows += self._order("RO", f"{number}-RO", test, facility, tube, ask)
        return ended(rows)

    def _order(self, control: str, number: str, test: str, facility: str, tube: Tube, ask: Ask) -> list[str]:
        status = "SC" if control == "SC" else ""
        orc = ["ORC", control, f"{number}^DEM", "", f"G-{tube.patient}^DEM", status, "", "", "", when(ask.minutes)]
        orc += [""] * 11 + [facility]
        rows = ["|".join(orc).rstrip("|")]
        rows += ["TQ1|1||||||||R^^HL70485"] if control in ("NW", "RO") else []
        rows += [
            f"OBR|1|{number}^DEM||{test}",
            f"SPM|1|{tube.tube}&DEM||SER^Serum^HL70487{'|' * 13}{tube.collected or when(_EARLIER.minutes)}",
        ]
        if ask.box:
            said = {
                "97209-1^Shipment^LN": ask.box,
                "BOX-TUBES^Tubes^99LABMW": str(ask.tubes or ""),
                "BOX-TEMPERATURE^T^99LABMW": ask.temperature,
            }
            rows += [f"OBX|{n}|ST|{code}||{text}||||||F" for n, (code, text) in enumerate(said.items(), 1) if text]
        return [*rows, f"SAC|||{tube.tube}"]

    def _msh(self, kind: str, ask: Ask = PLAIN) -> str:
        number = f"{self.name}-{next(self._numbers):05d}"
        return msh(kind, number, sender=self.name, facility="LABODEM", minutes=ask.minutes)


# --- scenarios --------------------------------------------------------------------------------------------------------------------


def loaded(file: Path) -> tuple[str, tuple[Tube, ...]]:
    """How it answers, and what it asks for; raises ScenarioError."""
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        answer = table.get("answer", "accept")
        tubes = tuple(
            Tube(**{**one, "steps": tuple(Ask(**step) for step in one.get("steps", [{}]))}) for one in table["tube"]
        )
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ScenarioError(
            str(file), "", f"cannot be used ({error})", "see simulators/scenarios/requester.toml"
        ) from None
    unknown = {step.says for tube in tubes for step in tube.steps} - set(SAYS)
    if answer not in ANSWERS or unknown:
        raise ScenarioError(
            str(file), "answer or says", f"{answer!r} {sorted(unknown)}", f"use {', '.join((*ANSWERS, *SAYS))}"
        )
    return answer, tubes


async def ask(lab: RequesterLab, tube: Tube, host: str, port: int, replies: list[str]) -> None:
    """Say every step of one tube, each until it is answered."""
    for step in tube.steps:
        await asyncio.sleep(step.after)
        message = lab.message(tube, step)
        try:
            async with OrderingLis(host, port) as line:
                for _ in range(step.times):
                    reply = await line.tell(message)
                    msa = reply.first("MSA")
                    orders = " ".join(orc.component(1) for orc in reply.all("ORC"))
                    replies.append(f"{tube.tube} {step.says} {msa.component(1) if msa else '?'} {orders}".strip())
                    tell(replies[-1])
        except OSError as error:
            tell(
                f"{tube.tube} {step.says}: {host}:{port} cannot be spoken to ({error}); is the laboratory listening there?"
            )
            raise


def requester(arguments: Sequence[str]) -> int:
    """Play a scenario until it is told to end."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators requester", description="One simulated laboratory that sends its tubes elsewhere."
    )
    parser.add_argument("scenario", type=Path)
    parser.add_argument(
        "--listen", default="127.0.0.1:2577", metavar="HOST:PORT", help="where it is told and reported to"
    )
    parser.add_argument("--connect", required=True, metavar="HOST:PORT", help="where its messages are heard")
    parser.add_argument("--report", type=Path, metavar="FILE", help="JSON report, written at the end")
    given = parser.parse_args(arguments)
    answer, tubes = loaded(given.scenario)
    there = address(HERE, "--connect", given.connect)

    async def run() -> None:
        ended = told_to_end()
        replies: list[str] = []
        async with RequesterLab(*address(HERE, "--listen", given.listen), answer) as lab:
            tell(f"requester: listens on {lab.host}:{lab.port}")
            asking = [asyncio.create_task(ask(lab, tube, *there, replies)) for tube in tubes]
            while not ended.is_set():
                await WallClock().sleep(0.05)
            for task in asking:
                task.cancel()
            gone = await asyncio.gather(*asking, return_exceptions=True)
            lost = [str(one) for one in gone if isinstance(one, Exception)]
            if given.report:
                write_json(
                    given.report,
                    {"counts": dict(lab.counts), "said": replies, "told": lab.told, "results": lab.results,
                     "documents": dict(lab.documents), "unsaid": lost},
                )  # fmt: skip

    asyncio.run(run())
    return DONE
