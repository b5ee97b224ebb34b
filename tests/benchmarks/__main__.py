"""make bench: measure, show, and keep build/bench.json. Exit 0 also when a target is missed; 1 when something broke.

python -m tests.benchmarks [--quick] [--only astm,hl7,rules,receive,durable,law]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.benchmarks import decode, durable, floor, law, table
from tests.benchmarks.decode import Comparison
from tests.benchmarks.durable import DurableCell
from tests.benchmarks.law import LawPlan, QueryCell, ReportCell
from tests.benchmarks.machine import delays, describe
from tests.benchmarks.receive import Cell, Plan, measure

PARTS = ("astm", "hl7", "rules", "receive", "durable", "law")
BUILD = Path("build")


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description="ratios in one run: medians and spread")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, less than a minute")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas: " + ", ".join(PARTS))
    options = parser.parse_args()
    parts = options.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    console = Console(width=None if sys.stdout.isatty() else 160)
    began = time.monotonic()
    machine = describe()
    table.machine_table(console, machine)
    rounds, seconds = (15, 0.02) if options.quick else (41, 0.05)
    comparisons: dict[str, Comparison] = {}
    if "astm" in parts:
        comparisons["ASTM: 60 framed records"] = decode.astm(rounds, seconds)
    if "hl7" in parts:
        comparisons["HL7: OUL^R22 of 40 segments"] = decode.hl7(rounds, seconds)
    replayed = None
    if "rules" in parts:
        from tests.benchmarks import rules

        several = 9 if options.quick else rounds
        comparisons["Rules: sixty rules on one result"] = found = rules.sixty(several, seconds)
        results = rules.MILLION // 5 if options.quick else rules.MILLION
        replayed = rules.million(3 if options.quick else 9, found.samples[rules.VERDICT], results)
    for title, comparison in comparisons.items():
        table.comparison_table(console, title, comparison)
    if replayed is not None:
        table.replay_table(console, replayed)
        from tests.benchmarks import identity, planted

        safety = planted.measure(), identity.measure()
        table.safety_tables(console, *safety)
    cells, flushes, states, why = _receive(console, options.quick) if "receive" in parts else ([], {}, {}, "")
    table.receive_table(console, cells, flushes, why)
    if states:
        told = ", ".join(f"{count:,} {state}" for state, count in states.items())
        console.print(f"What became of the results that labmw took in: {told}.", highlight=False)
    durable_cells, without, least = _durable(console, options.quick) if "durable" in parts else ([], "", None)
    if least is not None:
        table.durable_table(console, durable_cells, without)
        table.floor_table(console, least, durable_cells)
    law_cells, queries, peer = _law(console, options.quick) if "law" in parts else ([], None, "")
    if queries is not None:
        table.law_tables(console, law_cells, queries, peer)
    notes = [one.missing for one in comparisons.values() if one.missing] + ([why] if why else [])
    report = table.as_json(machine, comparisons, cells, flushes, states, notes)
    if least is not None:
        report["durable"] = table.durable_json(durable_cells)
        report["floor"] = {name: sample.median for name, sample in least.samples.items()}
        report["missed"] += durable.missed(durable_cells)
    if queries is not None:
        report["law"] = table.law_json(law_cells, queries)
        report["missed"] += law.missed(law_cells, queries)
        report["notes"] += [peer] if peer else []
    BUILD.mkdir(exist_ok=True)
    if replayed is not None:
        report["safety"] = table.safety_json(*safety)
        report["missed"] += (
            [f"identity score: {safety[1].above:.2f} above the best test"]
            if safety[1] and safety[1].above < identity.BETTER
            else []
        )
        report["replay"] = table.replay_json(replayed)
        report["missed"] += table.replay_missed(replayed)
    (BUILD / "bench.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    for sentence in report["missed"]:
        console.print(f"Missed: {sentence}", style="bold red", highlight=False)
    errors = [
        *(one.error for one in cells),
        *(one.error for one in law_cells),
        *(one.error for one in durable_cells),
        queries.error if queries else "",
    ]
    broken = [error for error in errors if error]
    console.print(
        f"{time.monotonic() - began:.0f} s; numbers in {BUILD / 'bench.json'}; "
        f"{len(report['missed'])} targets missed, {len(broken)} measurements failed",
        highlight=False,
    )
    return 1 if broken else 0


def _receive(console: Console, quick: bool) -> tuple[list[Cell], dict[int, float], dict[str, int], str]:
    """Measure in a folder of the disk that holds the project, not in a temporary one that may be memory."""
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=BUILD)).absolute()
    try:
        environments, why = delays(folder)
        plan = Plan(1, 0.6) if quick else Plan(3, 1.5)
        with console.status("measuring") as status:
            cells, flushes, states = measure(
                folder, environments, plan, lambda what: status.update(f"measuring: {what}")
            )
        if any(cell.error for cell in cells):
            for log in sorted(folder.glob("*/*.log")):
                _tell_errors(console, log)
        return cells, flushes, states, why
    finally:
        shutil.rmtree(folder)


def _durable(console: Console, quick: bool) -> tuple[list[DurableCell], str, floor.Floor]:
    """Measure in a folder of the disk that holds the project."""
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-durable-", dir=BUILD)).absolute()
    folder.chmod(0o755)  # PostgreSQL does not run as root
    try:
        environments, _ = delays(folder)
        rounds, seconds = (2, 0.6) if quick else (5, 1.5)
        with console.status("measuring") as status:
            found = durable.measure(
                folder, environments, rounds, seconds, lambda what: status.update(f"measuring: {what}")
            )
            status.update("measuring: the least that a message can cost")
            least = floor.measure(folder, 3 if quick else 9, 0.1)
        if any(cell.error for cell in found[0]):
            for log in sorted(folder.glob("*/*.log")):
                _tell_errors(console, log)
        return (*found, least)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _law(console: Console, quick: bool) -> tuple[list[ReportCell], QueryCell, str]:
    """Measure in a folder of the disk that holds the project."""
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-law-", dir=BUILD)).absolute()
    try:
        plan = LawPlan(1, 0.6, 60) if quick else LawPlan(3, 1.5, 300)
        with console.status("measuring") as status:
            found = law.measure(folder, os.environ.copy(), plan, lambda what: status.update(f"measuring: {what}"))
        if found[1].error or any(cell.error for cell in found[0]):
            for log in sorted(folder.glob("*.log")):
                _tell_errors(console, log)
        return found
    finally:
        shutil.rmtree(folder)


def _tell_errors(console: Console, log: Path) -> None:
    """The first line of a log that tells of trouble, and its last."""
    lines = [
        line
        for line in log.read_text(encoding="utf-8").splitlines()
        if '"info"' not in line and '"warning"' not in line
    ]
    for line in dict.fromkeys([*lines[:1], *lines[-1:]]):
        text = line if len(line) < 300 else f"{line[:140]} ... {line[-140:]}"
        console.print(f"{log.parent.name}/{log.name}: {text}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
