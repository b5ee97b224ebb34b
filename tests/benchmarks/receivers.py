"""Who receives? The daemon's lines process as `labmw serve` runs it, and the reference, each on a file of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labmw.clock import stamp
from labmw.store import migrate
from labmw.watch import metrics_folder
from tests.benchmarks.messages import OBSERVATIONS, TESTS
from tests.benchmarks.peers import PYTHON, PeerMissing

CONFIGURATION = """\
[site]
id = "BENCH"

[store]
url = "{url}"

[web]
enabled = false

[limits]
connections = 400

[[link]]
name = "astm"
listen = "127.0.0.1:{astm}"
connections = 40

[[link]]
name = "hl7"
protocol = "hl7"
listen = "127.0.0.1:{hl7}"
connections = 40

[[link]]
name = "law"
protocol = "law"
driver = "law"
listen = "127.0.0.1:{law}"
connections = 250
"""
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Receiver:
    """A process that listens."""

    name: str
    process: subprocess.Popen[str]
    ports: Mapping[str, int]
    log: Path

    def cpu(self) -> float:
        """Seconds of processor that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def rest(self, patience: float = 15.0) -> float:
        """Wait until it has nothing left to do (verification follows the acknowledgment); returns how long that took."""
        began = time.monotonic()
        before = self.cpu()
        while time.monotonic() - began < patience:
            time.sleep(0.1)
            now = self.cpu()
            if now - before <= 1 / TICK:
                break
            before = now
        return time.monotonic() - began

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_reference(folder: Path, environment: Mapping[str, str]) -> Receiver:
    """The yardstick: ASTM and HL7 on one port."""
    file, log = folder / "reference.db", folder / "reference.log"
    script = Path(__file__).with_name("reference.py")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, script, file], env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    assert process.stdout is not None
    port = int(process.stdout.readline() or 0)
    if not port:
        process.wait()
        raise RuntimeError(f"the reference does not start: see {log}")
    return Receiver("reference", process, {"astm": port, "hl7": port, "law": port}, log)


def start_twin(folder: Path, environment: Mapping[str, str], url: str) -> Receiver:
    """The yardstick's twin, on a PostgreSQL database of its own."""
    log = folder / "reference.log"
    script = Path(__file__).with_name("reference_postgresql.py")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, script, url.replace("+asyncpg", "")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    port = int(process.stdout.readline() or 0)
    if not port:
        process.wait()
        raise RuntimeError(f"the reference's twin does not start: see {log}")
    return Receiver("reference", process, {"astm": port, "hl7": port, "law": port}, log)


def start_python_hl7(folder: Path, environment: Mapping[str, str]) -> Receiver:
    """python-hl7's own MLLP server, which reads and acknowledges and keeps nothing; raises PeerMissing where it cannot be had."""
    if not PYTHON.exists():
        raise PeerMissing("there is no .venv-peers: run make bench")
    log = folder / "python-hl7.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("peer_mllp.py")],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    port = int(process.stdout.readline() or 0)
    if not port:
        process.wait()
        raise PeerMissing(f"python-hl7's server does not start: see {log}")
    return Receiver("python-hl7", process, {"law": port}, log)


def start_daemon(folder: Path, environment: Mapping[str, str], store: Path, url: str = "") -> Receiver:
    """The lines process of labmw on a copy of a store, or on the PostgreSQL database at `url`, with its counters where `labmw serve` puts them."""
    ports = _free_ports("astm", "hl7", "law")
    file = folder / "labmw.db"
    if not url:
        shutil.copyfile(store, file)
    configuration, log = folder / "labmw.toml", folder / "labmw.log"
    configuration.write_text(CONFIGURATION.format(url=url or f"sqlite:///{file}", **ports), encoding="utf-8")
    counters = {metrics_folder.VARIABLE: str(metrics_folder.prepare(file)), "LABMW_LOG": "json"}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "labmw.app", configuration],
            env={**environment, **counters},
            stdout=errors,
            stderr=errors,
            text=True,
        )
    receiver = Receiver("labmw", process, ports, log)
    for port in ports.values():
        _wait_for(port, process, log)
    receiver.rest()
    return receiver


def _free_ports(*names: str) -> dict[str, int]:
    sockets = {name: socket.socket() for name in names}
    for one in sockets.values():
        one.bind(("127.0.0.1", 0))
    ports = {name: one.getsockname()[1] for name, one in sockets.items()}
    for one in sockets.values():
        one.close()
    return ports


def _wait_for(port: int, process: subprocess.Popen[str], log: Path, patience: float = 20.0) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    process.kill()
    raise RuntimeError(f"the daemon does not listen on port {port}: see {log}")


def seeded_store(file: Path, messages: int) -> None:
    """A fresh store that has the orders of so many ASTM messages: what is measured is the ordinary life of a result.

    HL7 senders have no drivers yet, so that their results are read as sent and go to quarantine.
    """
    for old in file.parent.glob(file.name + "*"):
        old.unlink()
    migrate(f"sqlite:///{file}")
    patients = {"A": "PAT000411", "B": "PAT000412"}
    codes = [loinc for *_, loinc in TESTS]
    with closing(sqlite3.connect(file)) as store, store:
        store.executemany(
            "INSERT INTO patient(site, identifier, family, given, birth, sex) VALUES ('BENCH', ?, 'DUPONT', 'LEA', '1985-04-12', 'F')",
            [(patient,) for patient in patients.values()],
        )
        store.executemany(
            "INSERT INTO specimen(site, identifier, kind, patient) VALUES ('BENCH', ?, 'SER', ?)",
            ((f"{letter}{n:010d}", patient) for letter, patient in patients.items() for n in range(messages)),
        )
        store.executemany(
            """INSERT INTO "order"(site, specimen, loinc, placer) VALUES ('BENCH', ?, ?, ?)""",
            (
                (f"{letter}{n:010d}", loinc, f"{n}-{place}")
                for letter in patients
                for n in range(messages)
                for place, loinc in enumerate(codes)
            ),
        )


def outcome(file: Path) -> dict[str, int]:
    """What became of the results in a daemon's store, by state."""
    with closing(sqlite3.connect(file)) as store:
        found = store.execute("SELECT state, count(*) FROM result GROUP BY state ORDER BY 2 DESC").fetchall()
    return {str(state): int(count) for state, count in found}


def open_orders(file: Path, tubes: int) -> None:
    """Four open orders for each of so many tubes, which came in over ten days, the last of them just now."""
    now = datetime.now(UTC)
    step = timedelta(days=10) / tubes
    codes = [code.partition("^")[0] for code, *_ in OBSERVATIONS[:4]]
    with closing(sqlite3.connect(file)) as store, store:
        store.execute(
            "INSERT INTO patient(site, identifier, family, given, birth, sex) VALUES ('BENCH', 'PAT000418', 'DUPONT', 'LEA', '1985-04-12', 'F')"
        )
        store.executemany(
            "INSERT INTO specimen(site, identifier, kind, patient) VALUES ('BENCH', ?, 'SER', 'PAT000418')",
            ((f"Q{n:010d}",) for n in range(tubes)),
        )
        store.executemany(
            """INSERT INTO "order"(site, specimen, loinc, placer, ordered_at, updated_at) VALUES ('BENCH', ?, ?, ?, ?, ?)""",
            (
                (f"Q{n:010d}", loinc, f"Q{n}-{place}", at, at)
                for n in range(tubes)
                for at in (stamp(now - step * (tubes - 1 - n)),)
                for place, loinc in enumerate(codes)
            ),
        )


def law_orders(file: Path, messages: int) -> None:
    """The orders of so many OUL^R22, so that their results go the ordinary way."""
    codes = [code.partition("^")[0] for code, *_ in OBSERVATIONS]
    with closing(sqlite3.connect(file)) as store, store:
        store.execute(
            "INSERT OR IGNORE INTO patient(site, identifier, family, given, birth, sex) VALUES ('BENCH', 'PAT000417', 'DUPONT', 'Lea', '1985-04-12', 'F')"
        )
        store.executemany(
            "INSERT INTO specimen(site, identifier, kind, patient) VALUES ('BENCH', ?, 'SER', 'PAT000417')",
            ((f"H{n:010d}",) for n in range(messages)),
        )
        store.executemany(
            """INSERT INTO "order"(site, specimen, loinc, placer) VALUES ('BENCH', ?, ?, ?)""",
            ((f"H{n:010d}", loinc, f"H{n}-{place}") for n in range(messages) for place, loinc in enumerate(codes)),
        )
