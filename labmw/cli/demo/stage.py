"""How is the stage set? A folder with a configuration, signed example packs, a fresh store, and what the LIS would have told labmw before."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from labmw.cli.demo.settings import PACKS, SITE, Line, text
from labmw.clock import stamp
from labmw.errors import LabmwError
from labmw.store import SqliteStore, Transaction, migrate, schema, statements
from rules.pack import SHIPPED, load_all
from rules.signature import Signature, as_toml

SCENARIO = Path("scenarios") / "demo.toml"
HOST = "127.0.0.1"
LAW = "law"  # the driver of analyzers that follow IHE LAW to the letter
MARK = "labmw-demo"  # a file by which a folder is known to be a demo's, and may be emptied


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is, and how the simulators are to be started."""

    folder: Path
    config: Path
    store: Path
    report: Path
    play: tuple[str, ...]  # the command that plays the scenario
    ordered: int  # how many results the LIS waits for


def set_up(folder: Path, seed: int | None, language: str) -> Stage:
    """Make the folder anew and fill it; raises LabmwError."""
    clear(folder)
    scenario = _scenario(folder, seed)
    played = tomllib.loads(scenario.read_text(encoding="utf-8"))
    analyzers, law = played["analyzer"], played["law"]
    ports = _free_ports(len(analyzers) + len(law) + 2)
    lis, web = f"{HOST}:{ports.pop()}", f"{HOST}:{ports.pop()}"
    lines = [
        Line(one["name"], one["dialect"], device=str((folder / one["pty"]).absolute()), asks=one.get("asks", False))
        if one.get("pty")
        else Line(one["name"], one["dialect"], listen=f"{HOST}:{port}", asks=one.get("asks", False))
        for one, port in zip(analyzers, ports, strict=False)
    ]
    lines += [
        Line(one["name"], LAW, listen=f"{HOST}:{port}", law=True)
        for one, port in zip(law, ports[len(analyzers) :], strict=True)
    ]
    config, store = folder / "labmw.toml", folder / "labmw.db"
    config.write_text(text(lines, lis, web, language), encoding="utf-8")
    (folder / "signatures.toml").write_text(_signatures(), encoding="utf-8")
    url = f"sqlite:///{store.absolute()}"
    migrate(url)
    moment = datetime.now(UTC)
    now = moment.isoformat()
    worklist = _worklist(scenario, folder / "worklist.json", now)
    asyncio.run(_preload(url, worklist, stamp(moment)))
    report = folder / "simulators.json"
    connects = [f"--connect={line.name}={line.listen}" for line in lines if line.listen]
    play = (
        *_simulators(scenario),
        f"--report={report}",
        f"--folder={folder}",
        f"--now={now}",
        f"--lis={lis}",
        *connects,
    )
    return Stage(folder, config, store, report, (*play, "--hold"), len(worklist["orders"]))


def clear(folder: Path) -> None:
    """Empty the folder of an earlier demo; anything else is somebody's and stays."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise LabmwError(f"{folder} is not empty and not a demo's folder; give another one with --out")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("This folder belongs to `labmw demo` and is emptied at its start.\n", encoding="utf-8")


def remove(folder: Path) -> None:
    """Take the stage down."""
    clear(folder)
    shutil.rmtree(folder)


def _scenario(folder: Path, seed: int | None) -> Path:
    """Copy the scenario that comes with the simulators; found by path, because nothing imports them."""
    spec = importlib.util.find_spec("simulators")
    if spec is None or spec.origin is None:
        raise LabmwError("the simulators are not installed beside labmw; install labmw whole")
    words = (Path(spec.origin).parent / SCENARIO).read_text(encoding="utf-8")
    if seed is not None:
        words = re.sub(r"(?m)^seed = \d+$", f"seed = {seed}", words, count=1)
    file = folder / "scenario.toml"
    file.write_text(words, encoding="utf-8")
    return file


def _simulators(scenario: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", "simulators", str(scenario))


def _worklist(scenario: Path, file: Path, now: str) -> Mapping[str, Any]:
    """Let the simulators say who the patients are and what is ordered."""
    done = subprocess.run(  # noqa: S603 - our own simulators
        [*_simulators(scenario), f"--worklist={file}", f"--now={now}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabmwError(f"the simulators cannot play {scenario}: {done.stderr.strip()}")
    found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _signatures() -> str:
    """Sign the example packs as they are: they are active here, and here alone."""
    packs, broken = load_all([SHIPPED / name for name in PACKS])
    if broken:
        raise LabmwError(f"an example pack cannot be used: {broken[0].error}")
    now = datetime.now(UTC).replace(microsecond=0)
    return "# Signed by `labmw demo` for the demonstration alone.\n\n" + "\n".join(
        as_toml(Signature(pack.id, pack.version, pack.hash, "Dr Demo", "biologist", now, "demonstration"))
        for pack in packs
    )


async def _preload(url: str, worklist: Mapping[str, Any], now: str) -> None:
    store = SqliteStore(url)
    await store.start()
    try:
        await store.run(_rows(worklist, now))
    finally:
        await store.stop()


def _rows(worklist: Mapping[str, Any], now: str) -> Transaction[None]:
    """Write what the LIS would have sent, its orders a moment ago: an order feed of its own comes in a later version."""
    tables = {
        "patients": schema.patient, "specimens": schema.specimen, "orders": schema.order,
        "previous": schema.previous, "materials": schema.material,
    }  # fmt: skip
    for name, table in tables.items():
        for row in worklist[name]:
            kept = {key: value for key, value in row.items() if value is not None}
            if table is schema.order:
                kept["updated_at"] = now
            yield statements.insert_once(table, site=SITE, **kept)


def _free_ports(count: int) -> list[int]:
    """Ask the kernel for ports that are free now."""
    sockets = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
