"""Durable end to end on either database: an OUL^R22 of 40 segments received, stored with ten results, queued for verification, acknowledged.

On SQLite beside the reference, on PostgreSQL beside its twin (asyncpg), each pair in rounds that take turns, on this disk and on slower ones.
Bytes written and flushes per message are counted in a run of their own: counting costs.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from postgresql_server import PostgresqlServer, binaries

from labmw.store.copying import backup, restore
from tests.benchmarks.load import Job
from tests.benchmarks.receive import Sender
from tests.benchmarks.receivers import Receiver, seeded_store, start_daemon, start_reference, start_twin
from tests.benchmarks.rounds import Sample, ratio, turned

CONNECTIONS = 20
WANTED = 0.25
"""Share of the reference's rate that is wanted on either database."""
STORES = ("sqlite", "postgresql")


@dataclass(slots=True)
class DurableCell:
    """One database and one delay of a flush: rates of both, and what a message costs the disk."""

    store: str
    delay: int
    rates: dict[str, list[float]] = field(default_factory=lambda: {"labmw": [], "reference": []})
    p99: dict[str, list[float]] = field(default_factory=lambda: {"labmw": [], "reference": []})
    written: dict[str, tuple[float, float]] = field(default_factory=dict)  # bytes and flushes per message
    error: str = ""

    @property
    def share(self) -> Sample:
        """The daemon's rate as a share of the reference's, round by round."""
        return ratio(Sample(tuple(self.rates["labmw"])), Sample(tuple(self.rates["reference"])))


def measure(
    folder: Path, environments: Mapping[int, dict[str, str]], rounds: int, seconds: float, tell: Callable[[str], None]
) -> tuple[list[DurableCell], str]:
    """Every cell, and why PostgreSQL is missing ("" when it is not)."""
    store = folder / "durable-seeded.db"
    seeded_store(store, 100)
    programs = binaries()
    cells = []
    for delay, environment in environments.items():
        for kind in STORES:
            if kind == "postgresql" and programs is None:
                continue
            tell(f"durable, {kind}, flush +{delay} ms")
            cell = DurableCell(kind, delay)
            cells.append(cell)
            try:
                _rounds(cell, folder, environment, store, programs, rounds, seconds)
                if delay == 0 and (counting := _counting(folder)):
                    _count(cell, folder, counting, store, programs, seconds)
            except (RuntimeError, OSError) as error:
                cell.error = str(error)
    return cells, "" if programs else "no PostgreSQL 15 or newer here"


def _rounds(
    cell: DurableCell,
    folder: Path,
    environment: dict[str, str],
    store: Path,
    programs: Path | None,
    rounds: int,
    seconds: float,
) -> None:
    with ExitStack() as stack:
        receivers = _receivers(stack, cell, folder / f"durable-{cell.store}-{cell.delay}", environment, store, programs)
        sender = Sender()
        stack.callback(sender.close)
        serial = 0
        for name in receivers:
            serial = _one(receivers[name], sender, 0.3, serial)[1]  # warm
        for number in range(rounds):
            for name in turned(list(receivers), number):
                got, serial = _one(receivers[name], sender, seconds, serial)
                cell.rates[name].append(got["rate"])
                cell.p99[name].append(got["p99"])


def _count(
    cell: DurableCell,
    folder: Path,
    counting: tuple[dict[str, str], Path],
    store: Path,
    programs: Path | None,
    seconds: float,
) -> None:
    environment, counters = counting
    with ExitStack() as stack:
        receivers = _receivers(stack, cell, folder / f"counted-{cell.store}", environment, store, programs)
        sender = Sender()
        stack.callback(sender.close)
        serial = 0
        for name in receivers:
            serial = _one(receivers[name], sender, 0.3, serial)[1]
        for name in receivers:
            before = struct.unpack("QQ", counters.read_bytes())
            got, serial = _one(receivers[name], sender, seconds, serial)
            after = struct.unpack("QQ", counters.read_bytes())
            size, flushes = ((b - a) / got["messages"] for a, b in zip(before, after, strict=True))
            cell.written[name] = (size, flushes)


def _one(receiver: Receiver, sender: Sender, seconds: float, serial: int) -> tuple[dict[str, Any], int]:
    got = sender.run(Job(receiver.ports["hl7"], "hl7", CONNECTIONS, seconds, serial))
    receiver.rest()
    if got["error"]:
        raise RuntimeError(f"{receiver.name}: {got['error']}")
    return got, int(got["next"])


def _receivers(
    stack: ExitStack,
    cell: DurableCell,
    here: Path,
    environment: dict[str, str],
    store: Path,
    programs: Path | None,
) -> dict[str, Receiver]:
    here.mkdir()
    found: dict[str, Receiver] = {}
    if cell.store == "sqlite":
        found["reference"] = start_reference(here, environment)
        stack.callback(found["reference"].stop)
        found["labmw"] = start_daemon(here, environment, store)
        stack.callback(found["labmw"].stop)
        return found
    assert programs is not None
    slowed = {name: value for name, value in environment.items() if name not in os.environ}
    (here / "server").mkdir()
    server = PostgresqlServer(here / "server", programs, slowed)
    server.start()
    stack.callback(server.stop, how=signal.SIGQUIT)
    plain = dict(os.environ)  # the server flushes, not its clients
    copied = here / "seeded.labmw"
    backup(f"sqlite:///{store}", copied)
    url = server.url(server.make())
    restore(copied, url)
    found["reference"] = start_twin(here, plain, server.url(server.make()))
    stack.callback(found["reference"].stop)
    found["labmw"] = start_daemon(here, plain, store, url)
    stack.callback(found["labmw"].stop)
    return found


def _counting(folder: Path) -> tuple[dict[str, str], Path] | None:
    """The environment that counts what is written, and where; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library, counters = folder / "written.so", folder / "written.count"
    script = Path(__file__).with_name("written.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, script, "-ldl"], check=True)
    library.chmod(0o755)
    counters.write_bytes(bytes(16))
    counters.chmod(0o666)  # PostgreSQL does not run as root
    return os.environ | {"LD_PRELOAD": str(library), "WRITTEN_COUNT": str(counters)}, counters


def missed(cells: list[DurableCell]) -> list[str]:
    """A sentence for every cell below what is wanted."""
    return [
        f"durable on {cell.store}, flush +{cell.delay} ms: {cell.share.median:.2f} of the reference, {WANTED} wanted"
        for cell in cells
        if not cell.error and cell.share.median < WANTED
    ]
