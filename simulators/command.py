"""How is a scenario played from the command line?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from simulators.clock import WallClock
from simulators.errors import ScenarioError
from simulators.law_samples import all_samples
from simulators.play import Play, write_json
from simulators.scenario import LisTable, Scenario, address, load
from simulators.worklist import worklist

HERE = "the command line"
DONE, NOT_ACKNOWLEDGED, WRONG = 0, 1, 2


def tell(line: str) -> None:
    """Write a line of progress."""
    sys.stderr.write(f"{datetime.now().astimezone():%H:%M:%S} {line}\n")
    sys.stderr.flush()


def scenario(arguments: Sequence[str]) -> int:
    """Play a whole scenario; 0 when everything was sent and acknowledged."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators",
        description="Play a scenario: simulated analyzers that send, and a simulated LIS that receives.",
        epilog="Parts alone: python -m simulators analyzer|host|lis|nullmodem|plain|record --help. "
        "Exit code 0: everything was sent and acknowledged; 1: not everything; 2: the question was wrong.",
    )
    parser.add_argument("scenario", type=Path, help="TOML file, such as simulators/scenarios/demo.toml")
    parser.add_argument(
        "--worklist", type=Path, metavar="FILE", help="write patients, orders and history, and play nothing"
    )
    parser.add_argument("--connect", action="append", default=[], metavar="NAME=HOST:PORT", help="where labmw listens")
    parser.add_argument("--lis", default="", metavar="HOST:PORT", help="where the simulated LIS listens; port 0: any")
    common_options(parser)
    given = parser.parse_args(arguments)
    placed = _placed(load(given.scenario), given.connect, given.lis, str(given.scenario))
    if given.worklist:
        now = given.now or WallClock().now()
        write_json(given.worklist, worklist(placed, all_samples(placed, now)))
        return DONE
    return play_scenario(placed, str(given.scenario), given)


def common_options(parser: argparse.ArgumentParser) -> None:
    """Add what a scenario and an analyzer alone have in common."""
    parser.add_argument("--report", type=Path, metavar="FILE", help="JSON report: who sent what, who got what")
    parser.add_argument(
        "--ready", type=Path, metavar="FILE", help="JSON with ports, devices and work list, written when they are open"
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="where the links to serial devices are put")
    parser.add_argument("--speed", type=_speed, default=1.0, help="how many seconds of the scenario pass in one")
    parser.add_argument(
        "--now", type=_moment, help="pretend it is this moment (ISO 8601 with offset): same samples again"
    )
    parser.add_argument(
        "--hold", action="store_true", help="keep the LIS listening until SIGTERM instead of until it is quiet"
    )


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no speed; write a number above 0, such as 10")
    return speed


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset; write it like 2025-11-26T09:00:00+01:00")
    return moment


def _placed(scenario: Scenario, connects: Sequence[str], lis: str, file: str) -> Scenario:
    """Put analyzers and LIS where the command line says."""
    wanted = dict(one.partition("=")[::2] for one in connects)
    names = [*(one.name for one in scenario.analyzer), *(one.name for one in scenario.law)]
    for name, place in wanted.items():
        if name not in names:
            raise ScenarioError(file, f"--connect {name}", "is no analyzer of it", f"use one of {', '.join(names)}")
        address(HERE, f"--connect {name}", place)
    tables = [
        msgspec.structs.replace(one, connect=wanted[one.name], listen="", pty="") if one.name in wanted else one
        for one in scenario.analyzer
    ]
    law = [msgspec.structs.replace(one, connect=wanted.get(one.name, one.connect)) for one in scenario.law]
    scenario = msgspec.structs.replace(scenario, analyzer=tables, law=law)
    if lis:
        address(HERE, "--lis", lis)
        scenario = msgspec.structs.replace(
            scenario, lis=msgspec.structs.replace(scenario.lis or LisTable(), listen=lis)
        )
    return scenario


def play_scenario(scenario: Scenario, file: str, given: argparse.Namespace) -> int:
    """Play it and report; 0 when everything was sent and acknowledged."""
    play = Play(scenario, WallClock(given.speed), file=file, folder=given.folder, told=tell, now=given.now)
    asyncio.run(_played(play, given))
    return DONE if play.complete else NOT_ACKNOWLEDGED


async def _played(play: Play, given: argparse.Namespace) -> None:
    def write() -> None:
        if given.report:
            write_json(given.report, play.report())

    ended = told_to_end()
    try:
        places = await play.open()
        tell(f"ready: LIS {places['lis'] or 'none'}, {places['analyzers']}")
        if given.ready:
            write_json(given.ready, places)
        if await until(ended, play.send()):
            write()
            if given.hold:
                await ended.wait()
            else:
                await until(ended, play.settle())
    finally:
        await play.close()
        write()


def told_to_end() -> asyncio.Event:
    """Return what SIGTERM and SIGINT set: the end is orderly, with a report."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, ended.set)
    return ended


async def until(ended: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work unless told to end first; True when it was done."""
    task = asyncio.create_task(work)
    stop = asyncio.create_task(ended.wait())
    await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
    done = task.done()
    for one in (task, stop):
        one.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await one
    return done
