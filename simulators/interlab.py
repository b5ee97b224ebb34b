"""What happens around two laboratories that exchange sub-orders? The information system of one orders and takes back, the analyzer of the other measures.

python -m simulators interlab SCENARIO --do order|cancel|measure [--round N] --to HOST:PORT
python -m simulators interlab SCENARIO --do plan --report FILE
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulators.analyzer import Analyzer, LineSettings
from simulators.clock import WallClock
from simulators.command import DONE, HERE, NOT_ACKNOWLEDGED, tell
from simulators.errors import ScenarioError
from simulators.ltw import Order, OrderingLis, Person, order_message
from simulators.play import write_json
from simulators.scenario import address
from simulators.transmission import SentResult, Transmission
from simulators.wire import TcpConnect

FAMILIES = ("Lefèvre", "D'Almeida", "Nuñez", "Müller", "Saint-Just", "O'Brien", "Groß", "Çelik", "Peña", "Dvořák")
GIVEN = ("Zoé", "Jean-Noël", "Aïcha", "Chloé", "Mathéo")
UNITS = {"ALTT": "U/L", "CKK": "U/L"}
ROUNDS = ("first", "second", "third")
ZONE = ZoneInfo("Europe/Paris")


@dataclass(frozen=True, slots=True)
class PlannedTube:
    """One tube: whose it is, what is ordered, and what becomes of it."""

    number: str
    case: str
    person: Person
    order: str
    rounds: tuple[tuple[tuple[str, str], ...], ...]  # code and value, round by round
    cancel: str
    returned: str
    received: bool
    expect: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """For whoever plays and counts."""
        return {
            "tube": self.number, "case": self.case, "patient": self.person.number, "rounds": [list(one) for one in self.rounds],
            "cancel": self.cancel, "returned": self.returned, "received": self.received, "expect": self.expect,
        }  # fmt: skip


def planned(scenario: Path) -> Iterator[PlannedTube]:
    """Every tube; the same for the same seed."""
    try:
        table = tomllib.loads(scenario.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ScenarioError(str(scenario), "", f"cannot be read ({error})", "give the path of a scenario") from None
    chance = random.Random(table["seed"])  # noqa: S311 - a scenario, the same again
    place = 0
    for case in table["case"]:
        for _ in range(case["tubes"]):
            place += 1
            sex = chance.choice("FM")
            born = datetime(1940, 1, 1, tzinfo=UTC) + timedelta(days=chance.randrange(25_000))
            person = Person(
                f"PAT{place:03d}", "LABO-A", chance.choice(FAMILIES), chance.choice(GIVEN), f"{born:%Y%m%d}", sex, birth_place="75112"
            )  # fmt: skip
            rounds = tuple(tuple((code, str(chance.randint(22, 36))) for code in case.get(name, ())) for name in ROUNDS)
            yield PlannedTube(
                f"26A{place:05d}", case["name"], person, case["order"], rounds, case.get("cancel", ""), case.get("returned", ""),
                bool(case.get("received")), dict(case["expect"]),
            )  # fmt: skip


async def order(tubes: Sequence[PlannedTube], place: tuple[str, int], control: str) -> bool:
    """Order, or take back; each message waits for its reply."""
    now = datetime.now(ZONE).strftime("%Y%m%d%H%M%S%z")
    async with OrderingLis(*place) as lis:
        for number, one in enumerate(tubes, 1):
            asked = Order(f"{one.number}-1", one.order, control=control, at=now)
            message = order_message(
                f"SIL-{control}-{number:04d}", "O33", one.person, one.number, [asked], collected=now
            )
            reply = await lis.tell(message)
            msa = reply.first("MSA")
            if msa is None or msa.component(1) != "AA":
                tell(f"{one.number}: not taken: {reply.raw!r}")
                return False
    tell(f"{len(tubes)} orders said ({control})")
    return True


async def measure(tubes: Sequence[PlannedTube], place: tuple[str, int], turn: int) -> bool:
    """Report the values of one round, tube by tube, as an Erba XL writes them."""
    moment = datetime.now(ZONE)
    sent = [
        _message(one, turn, moment + timedelta(seconds=at % 5)) for at, one in enumerate(tubes) if one.rounds[turn - 1]
    ]
    analyzer = Analyzer(
        "analyzer", TcpConnect(*place), sent, WallClock(), LineSettings(frame_text=63_993, patience=30.0), tell
    )
    await analyzer.run()
    tell(f"{len(sent)} messages of round {turn} sent, all acknowledged: {analyzer.done}")
    return analyzer.done


def _message(one: PlannedTube, turn: int, moment: datetime) -> Transmission:
    at = moment.strftime("%Y%m%d%H%M%S")
    found = one.rounds[turn - 1]
    tests = "~".join(f"^^^{code}" for code, _ in found)
    records = [
        f"H|`^&||||||||||P|E 1394-97|{at}",
        "P|1|||||||U||||||||0|0",
        f"O|1|{one.number}||{tests}|||||||||||SERUM",
    ]
    records += [
        f"R|{n}|^^^{code}|{value}|{UNITS[code]}|^DEFAULT|A|N|F||||{at}" for n, (code, value) in enumerate(found, 1)
    ]
    records.append("L|1|N")
    results = tuple(SentResult(one.number, code, "", value, UNITS[code], at) for code, value in found)
    return Transmission(f"{one.number}/{turn}", results, tuple(record.encode() + b"\r" for record in records))


def interlab(arguments: Sequence[str]) -> int:
    """Do one thing of a scenario; 0 when it was acknowledged."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators interlab", description="What happens around two laboratories."
    )
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--do", choices=("plan", "order", "cancel", "measure"), required=True)
    parser.add_argument("--to", default="", metavar="HOST:PORT", help="where the LIS or the analyzer is listened to")
    parser.add_argument("--round", type=int, choices=(1, 2, 3), default=1, help="of measuring")
    parser.add_argument("--late", action="store_true", help="cancel what is cancelled too late, not what is early")
    parser.add_argument("--report", type=Path, metavar="FILE", help="of the plan")
    given = parser.parse_args(arguments)
    tubes = list(planned(given.scenario))
    if given.do == "plan":
        write_json(given.report, {"tubes": [one.as_json() for one in tubes]})
        return DONE
    place = address(HERE, "--to", given.to)
    if given.do == "measure":
        work = measure(tubes, place, given.round)
    else:
        wanted = "late" if given.late else "early"
        chosen = tubes if given.do == "order" else [one for one in tubes if one.cancel == wanted]
        work = order(chosen, place, "NW" if given.do == "order" else "CA")
    return DONE if asyncio.run(work) else NOT_ACKNOWLEDGED
