"""Does a store that has grown old serve as one that is new? The same load in rounds that take turns, on an empty store and on one with ROWS results.

The old one is the ordinary life of twenty tubes, played through the daemon to the LIS's acknowledgment and laid again and again over ten years: other
tubes, patients, sessions and times, the same shape of every row. Its audit and what is open stay as small as a laboratory keeps them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import sqlite3
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from archived import labmw
from crashing import daemon
from sqlalchemy import LargeBinary, Table, Text
from stage import SITE, Analyzer, Lis, Stage, eventually, free_port, listens

from labmw.lab.rows import STRIDE
from labmw.store import schema

from .outcome import Outcome

TESTS = (
    ("ALTT", "22", "U/L", "1742-6"),
    ("GLCC", "90", "mg/dL", "2345-7"),
    ("CRR", "0.9", "mg/dL", "2160-0"),
    ("TBILL", "0.6", "mg/dL", "1975-2"),
    ("ALBB", "4.0", "g/dL", "1751-7"),
)
TUBES = 20  # that are played, and then laid again and again
CONNECTIONS = 20
ROUNDS, MESSAGES = 7, 200  # of each store, and messages in a round
SLOWER, LATER = 1.25, 1.5  # the most that throughput and p99 may worsen
DAYS = 3650
YEARS_AGO = ("--from", "2020-02-03", "--to", "2020-02-04")
QUESTIONS = (
    ("status",),
    ("result", "show", "T7~1"),
    ("audit", "dossier", "T7~1"),
    ("outbox", "list"),
    ("quarantine", "list"),
    ("outbox", "redeliver", *YEARS_AGO),
    ("lookback", "--module", "analyzer", *YEARS_AGO),
)
PATIENCE = 60.0
"""Seconds within which a person is answered on the old store: what an accreditation auditor waits for a dossier."""
UNFINISHED = "SELECT count(*) FROM result WHERE state IN ('verify', 'released')"
GROWN = (
    *("session", "patient", "specimen", "order", "message", "frame", "journal", "result", "verdict"),
    *("outbox", "outbox_result", "receipt", "doubt", "contribution", "alert", "quarantine"),
)
MARKED = {
    ("session", "id"), ("frame", "session"), ("message", "session"), ("journal", "session"),
    ("patient", "identifier"), ("specimen", "patient"), ("result", "patient"),
    ("specimen", "identifier"), ("order", "specimen"), ("result", "specimen"), ("outbox", "specimen"),
    ("order", "placer"), ("result", "key"), ("result", "identity"), ("outbox", "control_id"), ("message", "control_id"),
}  # fmt: skip
"""Texts that name one thing: each laying has its own."""


@dataclass(slots=True)
class _Store:
    """One of the two, its daemon's stage, and what its rounds gave."""

    stage: Stage
    rates: list[float] = field(default_factory=list)  # messages a second
    p99: list[float] = field(default_factory=list)  # seconds from ENQ to EOT
    start: float = 0.0  # seconds until it listens


async def growth(folder: Path, urls: tuple[str, str], rows: int, tell: Callable[[str], None]) -> Outcome:
    """Play it; slower than allowed counts as a fault."""
    stores: list[_Store] = []
    for name, url in zip(("new", "old"), urls, strict=True):
        (folder / name).mkdir()
        loincs = [loinc for *_, loinc in TESTS]
        stage = Stage(folder / name, free_port(), free_port(), url=url).build([], loincs=loincs)
        stores.append(_Store(stage))
    new, old = stores
    async with AsyncExitStack() as stack:
        lises = [await stack.enter_async_context(Lis(one.stage.lis_port)) for one in stores]
        async with daemon(old.stage):
            await eventually(lambda: listens(old.stage.analyzer_port), within=60)
            await _round(old, "T", TUBES)
        began = time.monotonic()
        await asyncio.to_thread(lay, old.stage, rows)
        count = old.stage.ask("SELECT count(*) FROM result")[0][0]
        tell(f"{count} results laid in {time.monotonic() - began:.0f} s")
        for one in stores:
            began = time.monotonic()
            await stack.enter_async_context(daemon(one.stage))
            await eventually(lambda port=one.stage.analyzer_port: listens(port), within=120)
            one.start = time.monotonic() - began
            await _round(one, "W", MESSAGES)  # warm
            if one.stage.url:  # what a server does within its first minutes, for both
                await asyncio.to_thread(one.stage.write, [(f'ANALYZE "{name}"', ()) for name in GROWN])
            one.rates.clear()
            one.p99.clear()
        for number in range(ROUNDS):
            for one in stores if number % 2 else reversed(stores):
                await _round(one, f"R{number}-", MESSAGES)
        answers = {" ".join(question[:2]): await _asked(old.stage, question) for question in QUESTIONS}
        sent = (ROUNDS + 1) * MESSAGES
        lost = [len(one.stage.ask("SELECT id FROM result WHERE state <> 'delivered'")) for one in stores]
        heard = [len(lis.values) - len(set(lis.values)) for lis in lises]
    slower = statistics.median(n / o for n, o in zip(new.rates, old.rates, strict=True))
    later = statistics.median(o / n for n, o in zip(new.p99, old.p99, strict=True))
    faults = (
        (slower > SLOWER)
        + (later > LATER)
        + (old.start - new.start > 2)
        + sum(took > PATIENCE for took in answers.values())
    )
    detail = (
        f"{count} results: {statistics.median(new.rates):.0f} and {statistics.median(old.rates):.0f} messages/s, {slower:.2f} times slower; "
        f"p99 {later:.2f} times; start {old.start:.1f} s; {', '.join(f'{name} {took:.1f} s' for name, took in answers.items())}"
    )
    return Outcome("growth", 2 * sent, sum(lost), sum(heard), faults, detail=detail)


async def _asked(stage: Stage, question: tuple[str, ...]) -> float:
    """How many seconds a command takes beside the daemon that serves; infinite when it fails."""
    began = time.monotonic()
    code, said = await labmw(stage, *question)
    return time.monotonic() - began if code in (0, 1) and "Traceback" not in said else math.inf


async def _round(one: _Store, name: str, messages: int) -> None:
    """So many messages over twenty connections; then until all of it is delivered."""
    tubes = [f"{name}{number}" for number in range(messages)]
    await asyncio.to_thread(one.stage.expect, tubes, [loinc for *_, loinc in TESTS])
    analyzer, waits = Analyzer(one.stage.analyzer_port), list[float]()
    waiting = iter(tubes)

    async def sends() -> None:
        for tube in waiting:
            began = time.perf_counter()
            await analyzer.send(tube, _message(tube))
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(sends() for _ in range(CONNECTIONS)))
    one.rates.append(messages / (time.perf_counter() - began))
    one.p99.append(sorted(waits)[int(len(waits) * 0.99) - 1])
    await eventually(lambda: one.stage.ask(UNFINISHED) == [(0,)], within=300)


def _message(tube: str) -> list[bytes]:
    """The records of one tube's five results."""
    results = [
        f"R|{place}|^^^{code}|{value}|{unit}|^DEFAULT||N|F||||20261101080000"
        for place, (code, value, unit, _) in enumerate(TESTS, 1)
    ]
    asked = "`".join(f"^^^{code}" for code, *_ in TESTS)
    head = ["H|`^&||||||||||P|E 1394-97|20261101080001", "P|1|||||||U", f"O|1|{tube}||{asked}|||||||||||SERUM"]
    return [record.encode() + b"\r" for record in (*head, *results, "L|1|N")]


def lay(stage: Stage, rows: int) -> None:
    """Lay what the store holds again and again, until it has so many results."""
    times = rows // int(str(stage.ask("SELECT count(*) FROM result")[0][0])) - 1
    first = date.today() - timedelta(days=DAYS)
    stage.write([("CREATE TABLE growth (n BIGINT PRIMARY KEY, day TEXT)", ())])
    days = [(n, first + timedelta(days=n * (DAYS - 1) // times)) for n in range(1, times + 1)]
    for at in range(0, times, 5000):
        values = ", ".join(f"({n}, '{day.isoformat()}')" for n, day in days[at : at + 5000])
        stage.write([(f"INSERT INTO growth VALUES {values}", ())])
    steps = {name: _step(stage, name) for name in GROWN}
    seeds = [f'CREATE TABLE "growth_{name}" AS SELECT * FROM "{name}" WHERE site = \'{SITE}\'' for name in GROWN]
    again = [_again(schema.metadata.tables[name], steps) for name in GROWN]
    gone = [f'DROP TABLE "growth_{name}"' for name in GROWN] + ["DROP TABLE growth"]
    if not stage.url:
        with contextlib.closing(sqlite3.connect(stage.database, isolation_level=None)) as store:
            for statement in ("PRAGMA synchronous = OFF", "PRAGMA journal_mode = OFF", "PRAGMA cache_size = -1000000"):
                store.execute(statement)  # nobody else is here, and what is lost is laid again
            indexes = store.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
            ).fetchall()
            known = store.execute("SELECT tbl, idx, stat FROM sqlite_stat1").fetchall()  # of an index, goes with it
            without = [f'DROP INDEX "{name}"' for name, _ in indexes]
            for statement in (
                *seeds,
                *without,
                *again,
                *(sql for _, sql in indexes),
                *gone,
                "DELETE FROM sqlite_stat1",
            ):
                store.execute(statement)
            store.executemany("INSERT INTO sqlite_stat1 VALUES (?, ?, ?)", known)
            store.execute("PRAGMA journal_mode = WAL")
        return
    named = ", ".join(f"'{name}'" for name in GROWN)
    indexes = stage.ask(
        "SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid "
        f"WHERE t.relname IN ({named}) AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)"
    )
    without = [f'DROP INDEX "{name}"' for name, _ in indexes]
    numbers = [  # go on behind what was laid
        f"""SELECT setval(pg_get_serial_sequence('"{name}"', 'id'), (SELECT coalesce(max(id), 1) FROM "{name}"))"""
        for name in GROWN
        if name != "session"
    ]
    unchecked = "SET session_replication_role = replica"  # what a row refers to is laid with it
    whole = (unchecked, *seeds, *without, *again, *(str(sql) for _, sql in indexes), *gone, *numbers)
    stage.write([(statement, ()) for statement in (*whole, *(f'ANALYZE "{name}"' for name in GROWN))])


def _step(stage: Stage, name: str) -> int:
    """By how much the numbers of a table are raised each time it is laid: a result's number holds its message's."""
    if name == "session":
        return 0
    highest = int(str(stage.ask(f'SELECT coalesce(max(id), 0) FROM "{name}"')[0][0]))
    if name == "result":
        return int(str(stage.ask("SELECT coalesce(max(id), 0) FROM message")[0][0])) * STRIDE
    return highest


def _again(table: Table, steps: dict[str, int]) -> str:
    """The statement that lays a table's rows once for every day in `growth`."""
    values = []
    for column in table.columns:
        name = f't."{column.name}"'
        refers = next((key.column.table.name for key in column.foreign_keys if key.column.name == "id"), "")
        if (table.name, column.name) in MARKED:
            values.append(f"CASE WHEN {name} = '' THEN {name} ELSE {name} || '~' || g.n END")
        elif column.name == "id":
            values.append(f"{name} + g.n * {steps[table.name]}")
        elif refers in steps and refers != "session":
            values.append(f"{name} + g.n * {steps[refers]}")
        elif column.name in ("at", "valid_from") or column.name.endswith("_at"):
            values.append(f"CASE WHEN {name} = '' THEN {name} ELSE g.day || substr({name}, 11) END")
        else:
            assert isinstance(column.type, Text | LargeBinary) or not column.foreign_keys, column
            values.append(name)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'INSERT INTO "{table.name}" ({columns}) SELECT {", ".join(values)} FROM growth AS g CROSS JOIN "growth_{table.name}" AS t'
