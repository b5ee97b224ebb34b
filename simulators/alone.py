"""How is one simulated device run alone, for trying labmw by hand?"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from simulators import recording
from simulators.analyzers import DIALECTS
from simulators.clock import WallClock
from simulators.command import DONE, HERE, common_options, play_scenario, tell, told_to_end, until
from simulators.errors import SimulatorError
from simulators.faults import KINDS, Faults
from simulators.host import Host
from simulators.lis import Lis
from simulators.nullmodem import BadLine, bridge
from simulators.play import write_json
from simulators.scenario import LisTable, address, read
from simulators.wire import Plug, PtyPort, TcpConnect, TcpListen


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
    parser.add_argument(
        "--edge", type=int, default=0, metavar="BYTES", help="ends of pieces that drop and corrupt leave"
    )
    parser.add_argument("--delay-seconds", type=float, default=0.05, help="the longest delay")
    parser.add_argument("--at-most", type=int, default=None, metavar="N", help="then the line is good")


def _faults(given: argparse.Namespace) -> dict[str, float]:
    names = [one.name for one in fields(Faults)]
    return {name: getattr(given, name) for name in names if getattr(given, name, None) not in (None, 0, 0.0)}


def analyzer(arguments: Sequence[str]) -> int:
    """One simulated analyzer, with the options of a scenario that matter to one."""
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
    parser.add_argument("--forgets", choices=("message", "record"), default="message", help="what it forgets at an ACK")
    parser.add_argument("--patience", type=float, default=120.0, metavar="SECONDS", help="for one message")
    _fault_options(parser)
    common_options(parser)
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
        "forgets": given.forgets,
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
    return play_scenario(read({"name": given.name, "seed": given.seed, "analyzer": [table]}, HERE), HERE, given)


def lis(arguments: Sequence[str]) -> int:
    """One simulated LIS, until it is told to end."""
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
        ended = told_to_end()
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


def nullmodem(arguments: Sequence[str]) -> int:
    """A bad line between a device and labmw, until it is told to end."""
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
        ended = told_to_end()
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
        await until(ended, bridge(device, labmw, line, WallClock(), told=tell))
        await device.close()
        await labmw.close()
        if given.report:
            write_json(given.report, line.report())

    asyncio.run(run())
    return DONE


def host(arguments: Sequence[str]) -> int:
    """A plain host that accepts everything, until it is told to end: to try an analyzer without labmw."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators host", description="A host that accepts every frame and tells what it got."
    )
    parser.add_argument("--listen", default="127.0.0.1:4001", metavar="HOST:PORT")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write the bytes as they came")
    given = parser.parse_args(arguments)
    end = Host()

    async def run() -> None:
        ended = told_to_end()
        async with end.listening(*address(HERE, "--listen", given.listen)) as port:
            tell(f"host: listens on port {port}")
            await ended.wait()

    asyncio.run(run())
    for one in end.messages:
        tell(f"host: {one.structure}{'' if one.terminated else ', unterminated'}")
    if given.keep:
        given.keep.write_bytes(end.raw)
    return DONE


def record(arguments: Sequence[str]) -> int:
    """Our own recording, made again."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators record", description="Write our own recording of a Yumizen H500 session again."
    )
    parser.add_argument("file", type=Path, help="the .wire file to write")
    given = parser.parse_args(arguments)
    given.file.write_text(recording.compose(), encoding="utf-8")
    return DONE
