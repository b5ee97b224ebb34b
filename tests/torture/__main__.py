"""make torture: every fault we can make, on each store; a table, and exit 1 when anything was lost, twice, or a variant did not lose.

KILLS=50 DOWN=120 ROWS=1000000 SEED=1 python -m tests.torture [--only kills,power,disk,lis,troubles,growth] [--store sqlite,postgresql]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from postgresql_server import PostgresqlServer, fresh, server

from labmw.watch.log import begin

from . import archive_power, disks, lis_faults, power, troubles
from .growth import growth
from .kills import kills
from .outcome import Outcome

PARTS = ("kills", "power", "disk", "lis", "troubles", "growth")
VARIANT_KILLS = 2
STORES = ("sqlite", "postgresql")


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="make torture ARGS=...")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--store", default=",".join(STORES))
    options = parser.parse_args()
    parts, stores = options.only.split(","), options.store.split(",")
    count, seed = int(os.environ.get("KILLS", "50")), int(os.environ.get("SEED", "1"))
    rows = int(os.environ.get("ROWS", "1000000"))
    down = float(os.environ.get("DOWN", "120"))
    cuts = max(2, count // 10)
    begin("torture", {"LABMW_LOG_LEVEL": os.environ.get("LABMW_LOG_LEVEL", "critical")})
    console = Console(width=None if sys.stdout.isatty() else 140)
    began = time.monotonic()
    table = Table("fault", "store", "acknowledged", "lost", "twice", "check", "", "")
    steps: dict[str, Counter[str]] = {}
    well = True

    def tell(kind: str, one: Outcome) -> None:
        nonlocal well
        well &= one.well
        words = one.skip or one.detail
        numbers = ("–",) * 4 if one.skip else (str(one.acknowledged), str(one.lost), str(one.twice), str(one.faults))
        table.add_row(one.name, kind, *numbers, words, "skipped" if one.skip else "✓" if one.well else "✗")
        how = f"skipped, {one.skip}" if one.skip else "well" if one.well else "NOT WELL"
        console.print(f"{time.monotonic() - began:5.0f} s  {one.name}, {kind}: {how}")

    with server() as running:
        for kind in stores:
            if kind == "postgresql" and running is None:
                tell(kind, Outcome.skipped("everything", "no PostgreSQL 15 or newer"))
                continue
            if "kills" in parts:
                with tempfile.TemporaryDirectory() as folder:
                    found, steps[kind] = asyncio.run(kills(Path(folder), _url(kind, running), count, seed))
                tell(kind, found)
                with tempfile.TemporaryDirectory() as folder:
                    found, _ = asyncio.run(
                        kills(Path(folder), _url(kind, running), VARIANT_KILLS, seed, ack_first=True)
                    )
                tell(kind, found)
            if "disk" in parts:
                tell(kind, disks.disk(kind, "full"))
                tell(kind, disks.disk(kind, "readonly"))
                tell(kind, disks.acknowledged_first(kind))
            if "lis" in parts:
                _of_the_lis(kind, running, seed, tell)
            if "troubles" in parts:
                for one in _troubles(kind, running, seed, down):
                    tell(kind, one)
            if "growth" in parts:
                with tempfile.TemporaryDirectory() as folder:
                    urls = (_url(kind, running), _url(kind, running))
                    tell(kind, asyncio.run(growth(Path(folder), urls, rows, console.print)))
        if "power" in parts and "sqlite" in stores:
            tell("sqlite", power.sqlite(cuts, seed))
            tell("sqlite", power.sqlite(cuts, seed, careless=True))
            tell("sqlite", archive_power.archive())
            for variant in archive_power.VARIANTS:
                tell("sqlite", archive_power.careless(variant))
    if "power" in parts and "postgresql" in stores:
        tell("postgresql", power.postgresql(cuts, seed))
        tell("postgresql", power.postgresql(cuts, seed, careless=True))
    console.print(table)
    _histogram(console, steps)
    console.print(f"seed {seed}, {time.monotonic() - began:.0f} s: {'all well' if well else 'NOT WELL'}")
    return 0 if well else 1


def _url(kind: str, running: PostgresqlServer | None) -> str:
    if kind == "sqlite":
        return ""
    assert running is not None
    return running.url(fresh(running))


def _of_the_lis(kind: str, running: PostgresqlServer | None, seed: int, tell: Callable[[str, Outcome], None]) -> None:
    plays: tuple[Callable[[Path, str], Coroutine[Any, Any, Outcome]], ...] = (
        lis_faults.down_a_day,
        lambda folder, url: lis_faults.one_in_a_hundred(folder, url, seed),
        lambda folder, url: lis_faults.acknowledgments_lost(folder, url, seed),
        lambda folder, url: lis_faults.acknowledgments_lost(folder, url, seed, trusting=True),
        lambda folder, url: lis_faults.analyzers_cut(folder, url, seed),
    )
    for play in plays:
        with tempfile.TemporaryDirectory() as folder:
            tell(kind, asyncio.run(play(Path(folder), _url(kind, running))))


def _troubles(kind: str, running: PostgresqlServer | None, seed: int, down: float) -> list[Outcome]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        found.append(asyncio.run(troubles.lis_misbehaves(Path(folder), _url(kind, running), seed)))
    with tempfile.TemporaryDirectory() as folder:
        one = running if kind == "postgresql" else None
        found.append(asyncio.run(troubles.store_down(Path(folder), _url(kind, running), one, down)))
    with tempfile.TemporaryDirectory() as folder:
        found.append(asyncio.run(troubles.clock_back(Path(folder), _url(kind, running))))
    with tempfile.TemporaryDirectory() as folder:
        found.append(asyncio.run(troubles.clock_back(Path(folder), _url(kind, running), forgetful=True)))
    return found


def _histogram(console: Console, steps: dict[str, Counter[str]]) -> None:
    if not steps:
        return
    table = Table("kills at step", *steps)
    for step in sorted({step for found in steps.values() for step in found}):
        table.add_row(step, *("█" * found[step] + f" {found[step]}" for found in steps.values()))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
