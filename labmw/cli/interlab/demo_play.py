"""How is it played? Two daemons, A's information system and B's analyzer; each step begins when the stores say that the one before it has ended."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from labmw.cli.interlab.demo_stage import Stage
from labmw.errors import LabmwError

LONGEST = 60.0  # seconds for one step
LOOK_EVERY = 0.1
QUIET = 1.0

Told = Callable[[str], None]
"""Called with the code of each step that begins."""


def play(stage: Stage, told: Told) -> None:
    """Play everything; raises LabmwError when something ends that should not."""
    scenario = str(stage.scenario)
    with _lis(stage), _daemon(stage, "b"), _daemon(stage, "a"):
        _step(stage, told, "order", "interlab", scenario, "--do", "order", "--to", stage.orders)
        _until(stage, "a", "SELECT count(*) FROM sub_order WHERE state NOT IN ('created', 'sent')", len(stage.plan))
        _step(stage, told, "cancel", "interlab", scenario, "--do", "cancel", "--to", stage.orders)
        _until(stage, "a", "SELECT count(*) FROM sub_order WHERE state = 'cancelled'", _count(stage, "cancel", "early"))
        told("interlab-demo-receive")
        for one in stage.plan:
            if one["received"]:
                _labmw(stage, "b", "receive", one["tube"])
            if one["returned"]:
                _labmw(
                    stage,
                    "b",
                    "receive",
                    one["tube"],
                    "--non-conforming",
                    one["returned"],
                    "--why",
                    "Prélèvement hémolysé",
                )
        _measured(stage, told, 1)
        _step(stage, told, "cancel-late", "interlab", scenario, "--do", "cancel", "--late", "--to", stage.orders)
        _quiet(stage)
        _measured(stage, told, 2)
        told("interlab-demo-release")
        for number, result in _ask(stage, "b", _HELD):
            _labmw(stage, "b", "send", str(number), "--result", str(result), "--why", "Erreur de dilution corrigée")
        _quiet(stage)
        _measured(stage, told, 3)


_HELD = """
SELECT sub_order.number, result.id FROM result
JOIN sub_order ON sub_order.specimen = result.specimen AND sub_order.patient = result.patient
WHERE result.state = 'held' ORDER BY result.id
"""
_UNDER_WAY = """
SELECT (SELECT count(*) FROM work) + (SELECT count(*) FROM outbox WHERE state IN ('waiting', 'claimed'))
"""


def _measured(stage: Stage, told: Told, turn: int) -> None:
    words = ("interlab", str(stage.scenario), "--do", "measure", "--round", str(turn), "--to", stage.analyzer)
    _step(stage, told, f"measure-{turn}", *words)
    _quiet(stage)


def _count(stage: Stage, name: str, value: object) -> int:
    return sum(one[name] == value for one in stage.plan)


def _step(stage: Stage, told: Told, name: str, *words: str) -> None:
    told(f"interlab-demo-{name}")
    with (stage.folder / "simulators.log").open("a", encoding="utf-8") as log:
        done = subprocess.run(stage.simulate(*words), stderr=log, check=False, timeout=LONGEST * 2)  # noqa: S603 - our own
    if done.returncode:
        raise LabmwError(f"the simulators could not {name}; look at {stage.folder / 'simulators.log'}")


def _labmw(stage: Stage, side: str, *words: str) -> None:
    command = [sys.executable, "-c", "from labmw.cli import main; main()", "interlab", *words, "--by", "Dr Demo"]
    command += ["--config", str(stage.config(side))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LONGEST)  # noqa: S603 - our own
    with (stage.folder / "commands.log").open("a", encoding="utf-8") as log:
        log.write(f"$ labmw interlab {' '.join(words)}\n{done.stdout}{done.stderr}")
    if done.returncode:
        raise LabmwError(f"labmw interlab {words[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


@contextmanager
def _lis(stage: Stage) -> Iterator[None]:
    words = ("lis", "--listen", stage.lis, "--report", str(stage.folder / "lis.json"))
    with (stage.folder / "lis.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(stage.simulate(*words), stderr=log, start_new_session=True)  # noqa: S603 - our own
    try:
        yield
    finally:
        _stop(process)


@contextmanager
def _daemon(stage: Stage, side: str) -> Iterator[None]:
    command = [sys.executable, "-c", "from labmw.cli import main; main()", "serve", "--config", str(stage.config(side))]
    with (stage.folder / f"{side}.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - our own
    try:
        end = time.monotonic() + LONGEST
        while not _ask(stage, side, "SELECT 1 FROM link_state LIMIT 1"):
            if process.poll() is not None or time.monotonic() > end:
                raise LabmwError(f"laboratory {side} did not start; look at {stage.folder / f'{side}.log'}")
            time.sleep(LOOK_EVERY)
        yield
        if process.poll() is not None:
            raise LabmwError(f"laboratory {side} ended by itself; look at {stage.folder / f'{side}.log'}")
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ask(stage: Stage, side: str, sql: str) -> Sequence[tuple[object, ...]]:
    """Look into a store from outside, read-only."""
    uri = f"{stage.store(side).absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=5.0)) as database:
        return database.execute(sql).fetchall()


def _until(stage: Stage, side: str, sql: str, count: int) -> None:
    """Wait until so many are there, but not for ever: the count tells what is missing then."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        [(found,)] = _ask(stage, side, sql)
        if isinstance(found, int) and found >= count:
            return
        time.sleep(LOOK_EVERY)


def _quiet(stage: Stage) -> None:
    """Wait until nothing has been under way in either store for a moment."""
    since, end = time.monotonic(), time.monotonic() + LONGEST
    while time.monotonic() < end:
        if any(_ask(stage, side, _UNDER_WAY)[0][0] for side in ("a", "b")):
            since = time.monotonic()
        elif time.monotonic() - since >= QUIET:
            return
        time.sleep(LOOK_EVERY)
