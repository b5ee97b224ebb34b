"""What is the least that a message with ten results can cost here? Its bytes understood, and its rows written by bare SQL; nothing asked, checked or sent.

The rows are those of the tables message and result that the daemon itself has written for one message, put in again and again by `executemany`, twenty
messages to a commit; beside them the reference's one row, written likewise. What is understood is read as the daemon reads it. A share of the
reference that leaves less than this cannot be had with this schema, this language and one process, whatever else is made quicker.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from labmw.clock import SYSTEM
from labmw.config import load
from labmw.fitting.knowledge import Knowledge
from labmw.fitting.reading import Readers
from labmw.line.received import Received
from protocols.hl7 import er7
from tests.benchmarks.load import Job
from tests.benchmarks.messages import OBSERVATIONS, oul_r22
from tests.benchmarks.receive import Sender
from tests.benchmarks.receivers import seeded_store, start_daemon
from tests.benchmarks.rounds import Batch, Sample, here, take_turns

REFERENCE, ROWS, READ = "the reference's row", "labmw's rows, bare SQL", "the message read with its driver"
GROUP = 20  # messages to a commit, as many as there are connections


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds of one message, by name."""

    samples: dict[str, Sample]

    @property
    def least(self) -> float:
        """Seconds, both in a row: one interpreter does both."""
        return self.samples[ROWS].median + self.samples[READ].median


def measure(folder: Path, rounds: int, seconds: float) -> Floor:
    """All three in rounds that take turns, on the disk of `folder`. Raises RuntimeError when the daemon stored something else than it should."""
    with ExitStack() as stack:
        configuration, store = _one_message(folder)
        batches = {REFERENCE: _reference(folder / "floor-reference.db", stack), ROWS: _rows(store, stack)}
        samples = take_turns(batches, rounds, seconds)
        read = take_turns({READ: _reading(configuration)}, rounds, seconds)
    each = {name: Sample(tuple(one / GROUP for one in sample.values)) for name, sample in samples.items()}
    return Floor(each | read)


def _one_message(folder: Path) -> tuple[Path, Path]:
    """A store in which the daemon has put the message, and its configuration."""
    seeded = folder / "floor-seeded.db"
    seeded_store(seeded, 1)
    daemon = start_daemon(folder, dict(os.environ), seeded)
    sender = Sender()
    try:
        got = sender.run(Job(daemon.ports["hl7"], "hl7", 1, 0.05, 0))
        daemon.rest()
    finally:
        sender.close()
        daemon.stop()
    if got["error"]:
        raise RuntimeError(f"the daemon was not reached: {got['error']}")
    return folder / "labmw.toml", folder / "labmw.db"


def _reference(file: Path, stack: ExitStack) -> Batch:
    db = stack.enter_context(closing(sqlite3.connect(file)))
    db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE received(data BLOB)")
    rows = [(oul_r22(),)] * GROUP

    def group() -> None:
        db.executemany("INSERT INTO received VALUES (?)", rows)
        db.commit()

    return here(group)


def _rows(file: Path, stack: ExitStack) -> Batch:
    """Writes the message of that store and its results anew; their making is not timed."""
    db = stack.enter_context(closing(sqlite3.connect(file)))
    db.executescript("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8000")
    db.row_factory = sqlite3.Row
    whole = "SELECT message FROM result GROUP BY message HAVING count(*) = ? LIMIT 1"
    [(first,)] = db.execute(whole, [len(OBSERVATIONS)])
    [message] = db.execute("SELECT * FROM message WHERE id = ?", [first])
    results = list(db.execute("SELECT * FROM result WHERE message = ?", [first]))
    writes = [_insert("message", message), _insert("result", results[0])]
    serial = count(db.execute("SELECT max(id) FROM message").fetchone()[0] + 1)

    def made() -> list[list[tuple[object, ...]]]:
        messages: list[tuple[object, ...]] = []
        found: list[tuple[object, ...]] = []
        for number in (next(serial) for _ in range(GROUP)):
            own = {"id": number, "session": f"{number:032x}", "control_id": f"C{number:014d}"}
            messages.append(tuple((dict(message) | own).values()))
            for place, result in enumerate(results):
                at = number * len(results) + place + 1_000_000
                mine = {"id": at, "message": number, "specimen": f"S{number}"}
                mine |= {"identity": hashlib.sha256(b"%d" % at).hexdigest()}
                found.append(tuple((dict(result) | mine).values()))
        return [messages, found]

    def batch(times: int) -> float:
        took = 0.0
        for _ in range(times):
            rows = made()
            began = time.perf_counter()
            for statement, one in zip(writes, rows, strict=True):
                db.executemany(statement, one)
            db.commit()
            took += time.perf_counter() - began
        return took / times

    return batch


def _insert(table: str, row: sqlite3.Row) -> str:
    names = ", ".join(f'"{name}"' for name in row.keys())  # noqa: SIM118 (a Row iterates over its values)
    return f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})"


def _reading(configuration: Path) -> Batch:
    """From the bytes of the block to what intake is given."""
    config = load(configuration)
    readers, data = Readers(config, SYSTEM, Knowledge.read(config)), oul_r22()

    def understand() -> None:
        message = er7.Message.parse(data)
        received = Received("hl7", "", "127.0.0.1:1", "hl7", 0, 0, 0, datetime.now(UTC), data, message)
        assert len(readers.read(received).results) == len(OBSERVATIONS)

    return here(understand)
