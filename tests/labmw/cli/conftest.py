"""A small laboratory in a temporary folder, a daemon that really runs, and an analyzer that speaks over a socket."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import forked
import pytest
from ports import free_port
from stage import empty

from labmw.store import SqliteStore, Transaction, schema, statements

ACK, NAK, ENQ, EOT, STX = b"\x06", b"\x15", b"\x05", b"\x04", b"\x02"
SITE = "TEST"


@dataclass
class House:
    """One configuration and what can be done with it."""

    folder: Path
    line: int
    web: int

    @property
    def config(self) -> Path:
        return self.folder / "labmw.toml"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder / 'labmw.db'}"

    def labmw(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LABMW_CONFIG": str(self.config)}
        return forked.run(*arguments, env=environment)

    def prepare(self, *rows: Transaction[None], known: bool = True) -> None:
        """Make the store, and fill it: with the work list of the blood count, if it is to be known."""
        shutil.copy(empty(), self.folder / "labmw.db")
        asyncio.run(self._keep((*rows, work_list()) if known else rows))

    async def _keep(self, rows: tuple[Transaction[None], ...]) -> None:
        store = SqliteStore(self.url)
        await store.start()
        for one in rows:
            await store.run(one)
        await store.stop()

    def serve(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from labmw.cli import main; main()", "serve", "--config", str(self.config)]
        with (self.folder / "serve.log").open("w") as log:
            return subprocess.Popen(command, stderr=log, text=True)

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text()

    def send(self, *changes: tuple[bytes, bytes]) -> list[bytes]:
        """Send a blood count, with changes to its records; return what each piece was answered."""
        records = list(COUNT)
        for old, new in changes:
            records = [record.replace(old, new) for record in records]
        return send(self.line, records)

    def page(self, path: str) -> tuple[int, str]:
        """Ask the web side; (0, "") while it does not listen."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.web}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def count(self, question: str) -> int:
        """Ask the store one number, from outside."""
        with closing(sqlite3.connect(f"file:{self.folder / 'labmw.db'}?mode=ro", uri=True, timeout=10)) as database:
            (number,) = database.execute(question).fetchone()
        return int(number)


@pytest.fixture
def house(tmp_path: Path) -> House:
    one = House(tmp_path, free_port(), free_port())
    one.config.write_text(
        f"""
[site]
id = "{SITE}"
name = "Test laboratory"
language = "en"
[store]
url = "sqlite:///labmw.db"
[web]
port = {one.web}
[[link]]
name = "counter"
driver = "sysmex-xn"
listen = "127.0.0.1:{one.line}"
"""
    )
    return one


@pytest.fixture
def daemon(house: House) -> Iterator[subprocess.Popen[str]]:
    process = house.serve()
    try:
        wait(lambda: process.poll() is not None or (listens(house.line) and listens(house.web)))
        assert process.poll() is None, house.log
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(40)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except OSError:
        return False
    return True


def wait(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def frame(number: int, text: bytes) -> bytes:
    body = b"%d%s\x03" % (number % 8, text)
    return STX + body + b"%02X\r\n" % (sum(body) % 256)


def send(port: int, records: list[bytes]) -> list[bytes]:
    """Send one message, a record per frame; return the answers."""
    answers = []
    with socket.create_connection(("127.0.0.1", port), 10.0) as line:
        for piece in (ENQ, *(frame(n, record + b"\r") for n, record in enumerate(records, 1))):
            line.sendall(piece)
            answers.append(line.recv(1))
        line.sendall(EOT)
    return answers


COUNT = [
    rb"H|\^&|||    XN-1000^00-24^11042^^^^AB123456||||||||E1394-97",
    rb"P|1|||P000001|^Adele^ALOUETTE||19800101|F|||||||||||||||||^^^",
    rb"C|1||",
    rb"O|1||^^          S0001^M|^^^^WBC\^^^^HGB|||||||N||||||||||||||F",
    rb"R|1|^^^^WBC^1|6.80|10*3/uL||N||F||||20260105101500",
    rb"R|2|^^^^HGB^1|14.0|g/dL||N||F||||20260105101500",
    rb"L|1|N",
]


def work_list() -> Transaction[None]:
    """What the LIS would have told: one patient, one tube, two orders."""
    yield statements.insert(
        schema.patient, site=SITE, identifier="P000001", family="ALOUETTE", given="Adele", birth="1980-01-01", sex="F"
    )
    yield statements.insert(schema.specimen, site=SITE, identifier="S0001", kind="EDTA", patient="P000001")
    for loinc in ("6690-2", "718-7"):
        yield statements.insert(schema.order, site=SITE, specimen="S0001", loinc=loinc)
