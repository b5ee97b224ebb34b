"""What can be asked of the simulators on the command line?"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from simulators import recording
from simulators.analyzers import DIALECTS
from simulators.clock import WallClock
from simulators.errors import ScenarioError, SimulatorError
from simulators.faults import KINDS, Faults
from simulators.lis import Lis
from simulators.nullmodem import BadLine, bridge
from simulators.play import Play, write_json
from simulators.samples import morning
from simulators.scenario import LisTable, Scenario, address, load, read
from simulators.wire import Plug, PtyPort, TcpConnect, TcpListen
from simulators.worklist import worklist

HERE = "the command line"
DONE, NOT_ACKNOWLEDGED, WRONG = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run the command; 0: all sent and acknowledged, 1: not all, 2: the question was wrong."""
    parts = {"analyzer": _analyzer, "lis": _lis, "nullmodem": _nullmodem, "record": _record}
    try:
        if arguments and arguments[0] in parts:
            return parts[arguments[0]](arguments[1:])
        return _scenario(arguments)
    except SimulatorError as error:
        tell(str(error))
        return WRONG
    except KeyboardInterrupt:
        return NOT_ACKNOWLEDGED


def tell(line: str) -> None:
    """Write a line of progress."""
    sys.stderr.write(f"{datetime.now().astimezone():%H:%M:%S} {line}\n")
    sys.stderr.flush()


# -- a whole scenario -----------------------------------------------------------------------------------------


def _scenario(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulators",
        description="Play a scenario: simulated analyzers that send, and a simulated LIS that receives.",
        epilog="Parts alone: python -m simulators analyzer|lis|nullmodem|record --help. "
        "Exit code 0: everything was sent and acknowledged; 1: not everything; 2: the question was wrong.",
    )
    parser.add_argument("scenario", type=Path, help="TOML file, such as simulators/scenarios/demo.toml")
    parser.add_argument(
        "--worklist", type=Path, metavar="FILE", help="write patients, orders and history, and play nothing"
    )
    parser.add_argument("--connect", action="append", default=[], metavar="NAME=HOST:PORT", help="where labmw listens")
    parser.add_argument("--lis", default="", metavar="HOST:PORT", help="where the simulated LIS listens; port 0: any")
    _common(parser)
    given = parser.parse_args(arguments)
    scenario = _placed(load(given.scenario), given.connect, given.lis, str(given.scenario))
    if given.worklist:
        now = given.now or WallClock().now()
        write_json(given.worklist, worklist(scenario, morning(scenario, now)))
        return DONE
    return _play(scenario, str(given.scenario), given)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--report", type=Path, metavar="FILE", help="JSON report: who sent what, who got what")
    parser.add_argument(
        "--ready", type=Path, metavar="FILE", help="JSON with ports and devices, written when they are open"
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="where the links to serial devices are put")
    parser.add_argument("--speed", type=float, default=1.0, help="how many seconds of the scenario pass in one")
    parser.add_argument(
        "--now", type=_moment, help="pretend it is this moment (ISO 8601 with offset): same samples again"
    )
    parser.add_argument(
        "--hold", action="store_true", help="keep the LIS listening until SIGTERM instead of until it is quiet"
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no offset; write it like 2025-11-26T09:00:00+01:00")
    return moment


def _placed(scenario: Scenario, connects: Sequence[str], lis: str, file: str) -> Scenario:
    """Put analyzers and LIS where the command line says."""
    wanted = dict(one.partition("=")[::2] for one in connects)
    names = [one.name for one in scenario.analyzer]
    for name, place in wanted.items():
        if name not in names:
            raise ScenarioError(file, f"--connect {name}", "is no analyzer of it", f"use one of {', '.join(names)}")
        address(HERE, f"--connect {name}", place)
    tables = [
        msgspec.structs.replace(one, connect=wanted[one.name], listen="", pty="") if one.name in wanted else one
        for one in scenario.analyzer
    ]
    scenario = msgspec.structs.replace(scenario, analyzer=tables)
    if lis:
        address(HERE, "--lis", lis)
        scenario = msgspec.structs.replace(
            scenario, lis=msgspec.structs.replace(scenario.lis or LisTable(), listen=lis)
        )
    return scenario


def _play(scenario: Scenario, file: str, given: argparse.Namespace) -> int:
    play = Play(scenario, WallClock(given.speed), file=file, folder=given.folder, told=tell, now=given.now)
    asyncio.run(_played(play, given))
    return DONE if play.complete else NOT_ACKNOWLEDGED


async def _played(play: Play, given: argparse.Namespace) -> None:
    def write() -> None:
        if given.report:
            write_json(given.report, play.report())

    ended = _told_to_end()
    try:
        places = await play.open()
        tell(f"ready: {places}")
        if given.ready:
            write_json(given.ready, places)
        if await _until(ended, play.send()):
            write()
            if given.hold:
                await ended.wait()
            else:
                await _until(ended, play.settle())
    finally:
        await play.close()
        write()


def _told_to_end() -> asyncio.Event:
    """Return what SIGTERM and SIGINT set: the end is orderly, with a report."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(one, ended.set)
    return ended


async def _until(ended: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
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


# -- one device alone -----------------------------------------------------------------------------------------


def _plug_options(parser: argparse.ArgumentParser) -> None:
    plug = parser.add_mutually_exclusive_group(required=True)
    plug.add_argument("--connect", default="", metavar="HOST:PORT", help="dial labmw")
    plug.add_argument("--listen", default="", metavar="HOST:PORT", help="wait for labmw to dial")
    plug.add_argument("--pty", default="", metavar="PATH", help="make a serial device of this name")


def _fault_options(parser: argparse.ArgumentParser) -> None:
    for kind in KINDS:
        parser.add_argument(
            f"--{kind.replace('_', '-')}", type=float, default=0.0, metavar="CHANCE", help=f"chance per piece to {kind}"
        )
    parser.add_argument("--spare", type=int, default=0, metavar="BYTES", help="pieces up to this long are spared")
    parser.add_argument("--at-most", type=int, default=None, metavar="N", help="then the line is good")


def _faults(given: argparse.Namespace) -> dict[str, float]:
    names = [one.name for one in fields(Faults)]
    return {name: getattr(given, name) for name in names if getattr(given, name, None) not in (None, 0, 0.0)}


def _analyzer(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m simulators analyzer", description="One simulated ASTM analyzer.")
    parser.add_argument("--dialect", choices=sorted(DIALECTS), required=True)
    _plug_options(parser)
    parser.add_argument("--name", default="analyzer")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--capture", default="", metavar="FILE", help="play a recording (.astm or .wire) as it is")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--think", type=float, default=0.3, metavar="SECONDS", help="before each message")
    parser.add_argument("--packing", choices=("record", "message"), default="", help="instead of the dialect's")
    parser.add_argument("--frame-text", type=int, default=0, metavar="BYTES", help="240, or up to 63993 over TCP")
    parser.add_argument("--hang-up-after", type=int, metavar="FRAMES", help="in the first message")
    parser.add_argument("--unterminated", action="store_true", help="the first message ends without L")
    parser.add_argument("--times", type=int, default=1, help="transmissions of the first message")
    parser.add_argument("--patience", type=float, default=120.0, metavar="SECONDS", help="for one message")
    _fault_options(parser)
    _common(parser)
    given = parser.parse_args(arguments)
    table: dict[str, Any] = {
        "name": given.name,
        "dialect": given.dialect,
        "connect": given.connect,
        "listen": given.listen,
        "pty": given.pty,
        "think": given.think,
        "packing": given.packing,
        "frame_text": given.frame_text,
        "patience": given.patience,
        "faults": {"to_labmw": _faults(given), "from_labmw": _faults(given)},
    }
    if given.capture:
        table["capture"] = {"file": given.capture}
    else:
        first = {"case": "first", "at": 0, "terminated": not given.unterminated, "times": given.times}
        if given.hang_up_after is not None:
            first["hang_up_after"] = given.hang_up_after
        table["samples"] = max(0, given.samples - 1)
        table["planted"] = [first]
    return _play(read({"name": given.name, "seed": given.seed, "analyzer": [table]}, HERE), HERE, given)


def _lis(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulators lis", description="One simulated LIS, until SIGTERM or Ctrl-C."
    )
    parser.add_argument("--listen", default="127.0.0.1:2575", metavar="HOST:PORT")
    parser.add_argument("--report", type=Path, metavar="FILE", help="JSON report, written at the end")
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS", help="before every acknowledgment")
    for name, what in (
        ("error", "answer AE"),
        ("silent", "do not answer"),
        ("late", "answer late"),
        ("mismatch", "answer with another MSA-2"),
    ):
        parser.add_argument(f"--{name}-every", type=int, default=0, metavar="N", help=f"{what} to every n-th message")
    parser.add_argument("--late-seconds", type=float, default=5.0)
    given = parser.parse_args(arguments)
    table = LisTable(
        listen=given.listen,
        delay=given.delay,
        error_every=given.error_every,
        silent_every=given.silent_every,
        late_every=given.late_every,
        late_seconds=given.late_seconds,
        mismatch_every=given.mismatch_every,
    )

    async def run() -> None:
        ended = _told_to_end()
        lis = Lis(*address(HERE, "--listen", table.listen), WallClock(), table.behaviour(), tell)
        host, port = await lis.start()
        tell(f"LIS: listens on {host}:{port}")
        await ended.wait()
        await lis.stop()
        if given.report:
            write_json(given.report, lis.report())
        tell(f"LIS: {lis.counts['received']} messages received, {len(lis.kept)} of them distinct")

    asyncio.run(run())
    return DONE


def _nullmodem(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulators nullmodem",
        description="A bad line between a device and labmw: a TCP proxy, or a converter between TCP and a serial device.",
    )
    near = parser.add_mutually_exclusive_group(required=True)
    near.add_argument("--device-listen", default="", metavar="HOST:PORT", help="the device dials this")
    near.add_argument("--device-pty", default="", metavar="PATH", help="the device opens this serial port")
    far = parser.add_mutually_exclusive_group(required=True)
    far.add_argument("--labmw-connect", default="", metavar="HOST:PORT", help="labmw listens there")
    far.add_argument("--labmw-pty", default="", metavar="PATH", help="labmw opens this serial port")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--direction", choices=("both", "to-labmw", "from-labmw"), default="both")
    parser.add_argument("--report", type=Path, metavar="FILE", help="JSON count of the faults, written at the end")
    _fault_options(parser)
    given = parser.parse_args(arguments)
    try:
        bad = Faults(**_faults(given))  # type: ignore[arg-type]  # names and types are those of the options
    except ValueError as error:
        raise SimulatorError(f"{error}; give each fault as a chance per piece") from None
    there = bad if given.direction != "from-labmw" else Faults()
    back = bad if given.direction != "to-labmw" else Faults()

    async def run() -> None:
        ended = _told_to_end()
        line = BadLine(given.seed, there, back)
        device: Plug
        if given.device_pty:
            device = PtyPort(Path(given.device_pty))
        else:
            device = TcpListen(*address(HERE, "--device-listen", given.device_listen))
            host, port = await device.start()
            tell(f"null modem: the device dials {host}:{port}")
        labmw: Plug = (
            PtyPort(Path(given.labmw_pty))
            if given.labmw_pty
            else TcpConnect(*address(HERE, "--labmw-connect", given.labmw_connect))
        )
        await _until(ended, bridge(device, labmw, line, WallClock(), told=tell))
        await device.close()
        await labmw.close()
        if given.report:
            write_json(given.report, line.report())

    asyncio.run(run())
    return DONE


def _record(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m simulators record", description="Write our own recording of a Yumizen H500 session again."
    )
    parser.add_argument("file", type=Path, help="the .wire file to write")
    given = parser.parse_args(arguments)
    given.file.write_text(recording.compose(), encoding="utf-8")
    return DONE
