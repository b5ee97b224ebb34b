"""How does another laboratory behave? A subcontractor that is asked over MLLP, answers, performs after its turnaround, and can be told to misbehave.

The messages are written here, word for word: what labmw reads must not have been written by labmw's own hand.

python -m simulators partner SCENARIO --listen HOST:PORT --connect HOST:PORT [--report FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import itertools
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols.hl7.er7 import Message, Segment
from simulators.clock import WallClock
from simulators.command import DONE, HERE, tell, told_to_end
from simulators.ear import Ear, ended, msh, refusal, when
from simulators.errors import ScenarioError
from simulators.ltw import OrderingLis
from simulators.play import write_json
from simulators.scenario import address

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n%%EOF\n"
ANSWERS = ("accept", "refuse", "ack", "error", "locked", "silent", "stores")
STEPS = ("received", "started", "partial", "final", "corrected", "withdrawn", "returned", "reflex")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One test that it performs."""

    code: str  # LOINC
    name: str
    value: str = "86.0"
    unit: str = "U/mL^U/mL^UCUM"
    turnaround: float = 0.0  # seconds until the first step after acceptance


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that it says of a sub-order, and how it says it wrongly. Seconds are counted from the step before."""

    says: str  # one of STEPS
    after: float = 0.0
    value: str = ""
    unit: str = ""
    pdf: str = ""  # whole, cut, or "" for none
    times: int = 1
    number: str = ""  # another sub-order's number than the one that was asked
    family: str = ""  # another person's name
    birth: str = ""
    code: str = ""  # another code; "-" for none at all
    reason: str = "SPNC^Specimen not conforming^99SPE"
    minutes: int = 0  # how far its clock is off
    performer: str = "690999902"


PLAIN = Step("final")


@dataclass(slots=True)
class Asked:
    """A sub-order that it was asked for, as it came."""

    number: str
    authority: str
    filler: str
    pid: Segment
    orc: Segment
    obr: Segment
    tube: str
    state: str = "asked"


@dataclass(slots=True)
class PartnerLab(Ear):
    """One simulated subcontractor."""

    catalogue: Mapping[str, Catalogue]
    answer: str = "accept"
    asked: dict[str, Asked] = field(default_factory=dict)
    name: str = "SPE"
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    # --- what it is asked -------------------------------------------------------------------------------------------------------

    def take(self, message: Message) -> bytes:
        """Answer as it was told to, and keep what it heard."""
        if self.answer == "silent":
            return b""
        if self.answer == "stores":
            self._orders(message)
            return b""
        if self.answer in ("error", "locked"):
            return refusal(self._msh(f"ACK^{message.trigger}^ACK"), message, locked=self.answer == "locked")
        if self.answer == "ack":
            self._orders(message)
            return ended([self._msh(f"ACK^{message.trigger}^ACK"), f"MSA|AA|{message.control_id}"])
        rows = [self._msh("ORL^O22^ORL_O22"), f"MSA|AA|{message.control_id}"]
        pid = message.first("PID")
        rows += [pid.line] if pid is not None else []
        for control, one in self._orders(message):
            rows += self._said(control, one)
        return ended(rows)

    @property
    def stores_only(self) -> bool:
        """Told so, it says CA and replies by its own line, or never."""
        return self.answer == "stores"

    def _orders(self, message: Message) -> list[tuple[str, Asked]]:
        found = []
        pid = message.first("PID") or Segment("PID")
        groups: list[list[Segment]] = []
        for item in message.segments:
            if item.name == "ORC":
                groups.append([item])
            elif groups:
                groups[-1].append(item)
        for group in groups:
            orc = group[0]
            obr = next((item for item in group if item.name == "OBR"), Segment("OBR"))
            spm = next((item for item in group if item.name == "SPM"), Segment("SPM"))
            number = orc.component(2)
            one = self.asked.get(number)
            if one is None:
                one = Asked(number, orc.component(2, 2), f"S-{next(self._numbers)}", pid, orc, obr, spm.component(2))
                self.asked[number] = one
            found.append((orc.component(1), one))
        return found

    def _said(self, control: str, one: Asked) -> list[str]:
        known = one.obr.component(4) in self.catalogue
        if control in ("CA", "RP"):
            able, gone = one.state in ("asked", "received"), one.state == "cancelled"
            one.state = "cancelled" if able else one.state
            yes, no = ("CR", "UC") if control == "CA" else ("RQ", "UM")
            answer, status = (yes, "CA") if able else (no, "CA" if gone else "IP")  # said again: unable, for it is done
        elif known and self.answer == "accept":
            answer, status = "OK", "SC"
        else:
            answer, status, one.state = "UA", "CA", "refused"
        filler = f"{one.filler}^LABOSPE" if answer != "UA" else ""
        reason = "NOCAT^Analyse absente du catalogue^99SPE" if answer == "UA" else ""
        orc = ["ORC", answer, f"{one.number}^{one.authority}", filler, one.orc.field(4), status, *[""] * 10, reason]
        return ["|".join(orc).rstrip("|"), f"OBR|1|{one.number}^{one.authority}|{filler}|{one.obr.field(4)}"]

    # --- what it says -----------------------------------------------------------------------------------------------------------

    def message(self, one: Asked, step: Step) -> bytes:
        """The message of one step."""
        if step.says in ("received", "started", "returned", "reflex"):
            return self._status(one, step)
        return self._report(one, step)

    def _status(self, one: Asked, step: Step) -> bytes:
        control, status = {
            "received": ("SC", "IP"),
            "started": ("SC", "IP"),
            "returned": ("OC", "CA"),
            "reflex": ("SN", "SC"),
        }[step.says]
        if step.says == "received":
            one.state = "received"
        reason = step.reason if step.says == "returned" else ""
        number = f"{step.number or one.number}^{one.authority}"
        filler, service = f"{one.filler}^LABOSPE", one.obr.field(4)
        if step.says == "reflex":
            filler, number = f"{one.filler}-R^LABOSPE", ""
            service = f"{step.code}^Reflex^LN"
        orc = [
            "ORC",
            control,
            number,
            filler,
            one.orc.field(4),
            status,
            "",
            "",
            f"{one.number}&{one.authority}",
            *[""] * 7,
            reason,
        ]
        orc += ["", "", "", "", one.orc.field(21)]
        refused = "||N|RH^Hemolysis^HL70490" if step.says == "returned" else ""
        rows = [self._msh("OML^O21^OML_O21", step), self._pid(one, step), "PV1|1|U", "|".join(orc).rstrip("|")]
        rows += [
            f"OBR|1|{number}|{filler}|{service}",
            f"SPM|1|{one.tube}||SER^Serum^HL70487{'|' * 14 if refused else ''}{refused}",
        ]
        return ended(rows)

    def _report(self, one: Asked, step: Step) -> bytes:
        obr25, obx11, orc5 = {
            "partial": ("P", "P", "A"), "final": ("F", "F", "CM"), "corrected": ("C", "C", "CM"), "withdrawn": ("X", "X", "CA")
        }[step.says]  # fmt: skip
        one.state = step.says
        test = self.catalogue.get(one.obr.component(4)) or Catalogue("", "")
        number, filler = f"{step.number or one.number}^{one.authority}", f"{one.filler}^LABOSPE"
        code = one.obr.field(4) if not step.code else "" if step.code == "-" else f"{step.code}^Other^LN"
        value = "" if step.says == "withdrawn" else step.value or test.value
        kind = "NM" if value.replace(".", "", 1).isdecimal() else "ST" if value else ""
        unit = "" if step.unit == "-" else step.unit or test.unit
        now = when(step.minutes)
        obx = [
            "OBX",
            "1",
            kind,
            code,
            "",
            value,
            unit if kind == "NM" else "",
            "<7.0",
            "H",
            "",
            "",
            obx11,
            *[""] * 7,
            now,
            "",
            "",
            "",
        ]
        obx += [f"LABO SPECIALISE^D^^^^ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^{step.performer}"]
        orc = f"ORC|SC|{number}|{filler}|{one.orc.field(4)}|{orc5}{'|' * 16}{one.orc.field(21)}"
        rows = [self._msh("ORU^R01^ORU_R01", step), self._pid(one, step), "PV1|1|U", orc]
        rows += [
            f"OBR|1|{number}|{filler}|{one.obr.field(4)}{'|' * 18}{now}|||{obr25}",
            "|".join(obx),
            "NTE|1|L|Valeur à confronter",
        ]
        if step.pdf:
            data = PDF if step.pdf == "whole" else PDF[: len(PDF) // 2]
            content = f"^application^pdf^Base64^{base64.b64encode(data).decode()}"
            rows += [orc, f"OBR|2|{number}|{filler}|11502-2^Laboratory report^LN{'|' * 21}F"]
            rows += [f"OBX|1|ED|11502-2^Laboratory report^LN||{content}||||||F"]
        return ended(rows)

    def _pid(self, one: Asked, step: Step) -> str:
        cells = one.pid.fields.copy()
        cells += [""] * (9 - len(cells))
        cells[5] = f"{step.family}^X^^^^^L" if step.family else cells[5]
        cells[7] = step.birth or cells[7]
        return "|".join(cells)

    def _msh(self, kind: str, step: Step = PLAIN) -> str:
        number = f"{self.name}-{next(self._numbers):05d}"
        return msh(kind, number, sender=self.name, facility="LABOSPE", minutes=step.minutes)


# --- scenarios --------------------------------------------------------------------------------------------------------------------


def loaded(file: Path) -> tuple[str, dict[str, Catalogue], dict[str, tuple[Step, ...]]]:
    """How it answers, what it performs, and what it says of each test; raises ScenarioError."""
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        answer = table.get("answer", "accept")
        catalogue = {one["code"]: Catalogue(**{k: v for k, v in one.items() if k != "steps"}) for one in table["test"]}
        steps = {one["code"]: tuple(Step(**step) for step in one.get("steps", ())) for one in table["test"]}
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ScenarioError(
            str(file), "", f"cannot be used ({error})", "see simulators/scenarios/partner.toml"
        ) from None
    unknown = {step.says for found in steps.values() for step in found} - set(STEPS)
    if answer not in ANSWERS or unknown:
        raise ScenarioError(
            str(file), "answer or says", f"{answer!r} {sorted(unknown)}", f"use {', '.join((*ANSWERS, *STEPS))}"
        )
    return answer, catalogue, steps


async def perform(lab: PartnerLab, one: Asked, steps: Sequence[Step], host: str, port: int, replies: list[str]) -> None:
    """Say every step of one sub-order, each until it is answered."""
    test = lab.catalogue.get(one.obr.component(4))
    await asyncio.sleep(test.turnaround if test else 0.0)
    for step in steps:
        if one.state in ("refused", "cancelled"):
            return
        await asyncio.sleep(step.after)
        message = lab.message(one, step)
        async with OrderingLis(host, port) as line:
            for _ in range(step.times):
                reply = await line.tell(message)
                msa = reply.first("MSA")
                replies.append(f"{one.number} {step.says} {msa.component(1) if msa else '?'}")
                tell(replies[-1])


def partner(arguments: Sequence[str]) -> int:
    """Play a scenario until it is told to end."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators partner", description="One simulated laboratory that performs for others."
    )
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--listen", default="127.0.0.1:2576", metavar="HOST:PORT", help="where it is asked")
    parser.add_argument("--connect", required=True, metavar="HOST:PORT", help="where its messages are heard")
    parser.add_argument("--report", type=Path, metavar="FILE", help="JSON report, written at the end")
    given = parser.parse_args(arguments)
    answer, catalogue, steps = loaded(given.scenario)
    there = address(HERE, "--connect", given.connect)

    async def run() -> None:
        ended = told_to_end()
        replies: list[str] = []
        performing: dict[str, asyncio.Task[None]] = {}
        async with PartnerLab(*address(HERE, "--listen", given.listen), catalogue, answer) as lab:
            tell(f"partner: listens on {lab.host}:{lab.port}")
            while not ended.is_set():
                for number, one in list(lab.asked.items()):
                    if number not in performing:
                        work = perform(lab, one, steps.get(one.obr.component(4), ()), *there, replies)
                        performing[number] = asyncio.create_task(work)
                await WallClock().sleep(0.05)
            for task in performing.values():
                task.cancel()
            await asyncio.gather(*performing.values(), return_exceptions=True)
            if given.report:
                states = {number: one.state for number, one in lab.asked.items()}
                write_json(given.report, {"counts": dict(lab.counts), "asked": states, "said": replies})

    asyncio.run(run())
    return DONE
