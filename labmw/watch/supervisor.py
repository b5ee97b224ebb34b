"""How do the processes of one labmw live and die together? (law 16: the web side never shares a process with the lines)

A child that dies is started again, later each time. One that cannot use the configuration (exit code 78) ends everything, because starting it
again would not cure that; but where it has served before, somebody is at work in a file, and one half-written line must not end the night: it is
tried again until the file can be used. Asked to stop, the supervisor asks its children, waits for what is under way, and only then kills.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from labmw.watch import lifeline

log = structlog.get_logger("labmw.watch")

STOPPED = 0
KILLED = 70  # EX_SOFTWARE: something was still under way after the patience was over; it is in the store and goes on at the next start
CONFIGURATION = 78  # EX_CONFIG in sysexits.h

PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a child is started again, by how often it has died in a row
STEADY = 60.0  # seconds after which a child counts as healthy and its earlier deaths are forgotten
DRAIN = lifeline.PATIENCE  # seconds between the request to stop and SIGKILL


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep alive."""

    name: str
    command: tuple[str, ...]


@dataclass(slots=True)
class Supervisor:
    """Keeps parts alive until it is asked to stop."""

    parts: Sequence[Part]
    environment: Mapping[str, str]
    pauses: Sequence[float] = PAUSES
    steady: float = STEADY
    drain: float = DRAIN
    keeps: tuple[
        int, ...
    ] = ()  # descriptors that the parts inherit: the lock of the store lives as long as any of them
    died: Callable[[int], None] = lambda process: None  # told the number of each process that has ended
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _outcome: int = STOPPED
    _asked: int = 0
    _children: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    async def run(self) -> int:
        """Run until a signal ends it, or exit code 78 of a child that has not served yet; return the exit code."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        for number in signals:
            loop.add_signal_handler(number, self.stop)
        reading, writing = os.pipe()  # both ends are closed on exec; children get the reading end by name
        try:
            keepers = [asyncio.create_task(self._keep(part, reading), name=part.name) for part in self.parts]
            await self._stop.wait()
            await self._end(keepers)
            return self._outcome
        finally:
            os.close(reading)
            os.close(writing)
            for number in signals:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Ask everything to stop in order; asked a second time, kill."""
        self._asked += 1
        self._stop.set()
        if self._asked > 1:
            self._kill("asked twice to stop")

    async def _keep(self, part: Part, line: int) -> None:
        """Start a part, wait for its end, and start it again."""
        loop = asyncio.get_running_loop()
        deaths, served = 0, False
        while not self._stop.is_set():
            began = loop.time()
            code = await self._once(part, line)
            if self._stop.is_set():
                return
            if code == CONFIGURATION and not served:
                log.error("the configuration cannot be used, see above; everything stops", part=part.name)
                self._outcome = CONFIGURATION
                self._stop.set()
                return
            if loop.time() - began >= self.steady:
                deaths, served = 0, served or code != CONFIGURATION
            pause = self.pauses[min(deaths, len(self.pauses) - 1)]
            deaths += 1
            if code == CONFIGURATION:
                log.error(
                    "the configuration was changed and cannot be used, see above; mend it",
                    part=part.name,
                    seconds=pause,
                )
            else:
                log.error("process died; it is started again", part=part.name, code=code, seconds=pause)
            try:
                async with asyncio.timeout(pause):
                    await self._stop.wait()
            except TimeoutError:
                pass

    async def _once(self, part: Part, line: int) -> int:
        try:
            child = await asyncio.create_subprocess_exec(
                *part.command,
                env={**self.environment, lifeline.VARIABLE: str(line)},
                pass_fds=(line, *self.keeps),
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, and it asks in order
            )
        except OSError as error:
            log.error("process cannot be started", part=part.name, why=str(error))
            return -1
        self._children[part.name] = child
        log.info("process started", part=part.name, pid=child.pid)
        if self._stop.is_set():  # the request came while it was being started
            _ask_to_stop(child)
        code = await child.wait()
        del self._children[part.name]
        self.died(child.pid)
        return code

    async def _end(self, keepers: Sequence[asyncio.Task[None]]) -> None:
        """Ask the children to stop, wait, and kill what is left."""
        for name, child in self._children.items():
            log.info("process is asked to stop", part=name, pid=child.pid)
            _ask_to_stop(child)
        _, left = await asyncio.wait(keepers, timeout=self.drain)
        if left:
            self._kill(f"did not stop in {self.drain:g} s")
        for ended in await asyncio.gather(*keepers, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended

    def _kill(self, why: str) -> None:
        for name, child in self._children.items():
            log.error("process is killed; what it had under way is in the store", part=name, pid=child.pid, why=why)
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            self._outcome = self._outcome or KILLED


def _ask_to_stop(child: asyncio.subprocess.Process) -> None:
    """Ask a process to stop; one that has just ended by itself needs no asking, and must not keep the others from being asked."""
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
