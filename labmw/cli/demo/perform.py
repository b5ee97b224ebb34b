"""How is the morning played? Starts the simulators and the daemon, watches until everything has arrived, and stops both in order."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from labmw.cli.demo.stage import Stage
from labmw.errors import LabmwError

LONGEST = 75.0  # seconds for the whole morning; it takes about a third of that
LOOK_EVERY = 0.1
STOPS_WITHIN = 40.0
KILL_AFTER = 12  # messages acknowledged, in the variant that is killed
LOG = "simulators.log"
ACKNOWLEDGED = " acknowledged"  # how the simulators' log tells it
QUIET = 1.0  # seconds for which nothing may be under way before the morning counts as over

_PROGRESS = """
SELECT (SELECT count(*) FROM result),
       (SELECT count(*) FROM result WHERE main = 1 AND state <> 'verify'),
       (SELECT count(*) FROM result WHERE state = 'delivered'),
       (SELECT count(*) FROM work) + (SELECT count(*) FROM outbox WHERE state IN ('waiting', 'claimed'))
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    stored: int
    judged: int
    delivered: int
    under_way: int
    sent: bool  # the analyzers have nothing left


Watching = Callable[[Progress, Sequence[str]], None]
"""Called several times a second, with the lines of the simulators' log that are new."""


def play(stage: Stage, watching: Watching) -> None:
    """Play the morning with the daemon as it is; raises LabmwError when something ends that should not."""
    command = [sys.executable, "-c", "from labmw.cli import main; main()", "serve", "--config", str(stage.config)]
    with _simulators(stage), _daemon(command, stage) as daemon:
        _until_quiet(stage, watching, daemon, _Tail(stage.folder / LOG))


def play_broken(stage: Stage, watching: Watching) -> None:
    """Play the morning with the daemon that acknowledges first, and kill it in the middle: no warning, no flush."""
    command = [sys.executable, "-m", "labmw.cli.demo.broken", str(stage.config)]
    log = _Tail(stage.folder / LOG)
    with _simulators(stage):
        with _daemon(command, stage) as daemon:
            _until_acknowledged(stage, watching, daemon, log)
            daemon.kill()
            daemon.wait()
        with _daemon(command, stage) as daemon:
            _until_quiet(stage, watching, daemon, log)


@contextmanager
def _simulators(stage: Stage) -> Iterator[None]:
    """Analyzers and LIS: first in, last out, so that nothing is cut off that was on its way."""
    with (stage.folder / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(stage.play, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - our own
    try:
        _await(lambda: "ready: " in _text(stage.folder / LOG), process, "the simulators", stage)
        yield
    finally:
        _stop(process)


@contextmanager
def _daemon(command: Sequence[str], stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "LABMW_LOG_LEVEL": os.environ.get("LABMW_LOG_LEVEL", "info")}
    with (stage.folder / "labmw.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 - our own
            command, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_quiet(stage: Stage, watching: Watching, daemon: subprocess.Popen[bytes], log: _Tail) -> None:
    """Wait until the analyzers are done and nothing is under way for a moment, but not for ever: the count tells what is missing then."""
    quiet_since = 0.0
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        _alive(daemon, "labmw", stage)
        progress = _look(stage)
        watching(progress, log.new())
        if not progress.sent or progress.under_way:
            quiet_since = 0.0
        elif not quiet_since:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since >= QUIET:
            return
        time.sleep(LOOK_EVERY)


def _until_acknowledged(stage: Stage, watching: Watching, daemon: subprocess.Popen[bytes], log: _Tail) -> None:
    """Wait for the moment after an acknowledgment: with the order reversed, its message is not on the disk yet."""
    seen = 0
    end = time.monotonic() + LONGEST
    while seen < KILL_AFTER and time.monotonic() < end:
        _alive(daemon, "labmw", stage)
        lines = log.new()
        seen += sum(ACKNOWLEDGED in line for line in lines)
        watching(_look(stage), lines)
        time.sleep(LOOK_EVERY / 2)


def _look(stage: Stage) -> Progress:
    """Look at the store from outside, read-only."""
    with closing(sqlite3.connect(f"{stage.store.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as database:
        stored, judged, delivered, under_way = database.execute(_PROGRESS).fetchone()
    return Progress(stored, judged, delivered, under_way, stage.report.exists())


def _await(condition: Callable[[], bool], process: subprocess.Popen[bytes], name: str, stage: Stage) -> None:
    end = time.monotonic() + LONGEST
    while not condition():
        _alive(process, name, stage)
        if time.monotonic() > end:
            raise LabmwError(f"{name} did not start in {LONGEST:g} s; look at the logs in {stage.folder}")
        time.sleep(LOOK_EVERY / 5)


def _alive(process: subprocess.Popen[bytes], name: str, stage: Stage) -> None:
    if (code := process.poll()) is not None:
        raise LabmwError(f"{name} ended with exit code {code}; look at the logs in {stage.folder}")


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")


class _Tail:
    """The lines of a growing file that have not been seen yet."""

    def __init__(self, file: Path) -> None:
        self._file, self._place, self._rest = file, 0, ""

    def new(self) -> list[str]:
        """Return the whole lines that have come since."""
        with self._file.open(encoding="utf-8", errors="replace") as file:
            file.seek(self._place)
            *lines, self._rest = (self._rest + file.read()).split("\n")
            self._place = file.tell()
        return lines
