"""A daemon in a process of its own, with a trapdoor at one step: tests/crash/daemon.py."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import forked
from stage import Stage

DAEMON = Path(__file__).parents[1] / "crash" / "daemon.py"
STEPS = (
    "frame-not-committed",
    "frame-committed",
    "message-not-committed",
    "message-committed",
    "acknowledged",
    "verdict-not-committed",
    "verdict-committed",
    "report-not-sent",
    "report-sent",
    "report-acknowledged",
    "delivery-committed",
)


@asynccontextmanager
async def daemon(stage: Stage, step: str = "-", nth: int = 0, *more: str) -> AsyncIterator[forked.Waiting]:
    """The daemon in a process of its own, with its trapdoor set."""
    process = forked.Waiting(_started(str(DAEMON), str(stage.config), step, str(nth), *more))
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(60):
                await process.wait()


def _started(*arguments: str) -> forked.Forked | subprocess.Popen[bytes]:
    if "LD_PRELOAD" in os.environ:  # a library is loaded at a start, and a fork is none
        return subprocess.Popen([sys.executable, *arguments])
    return forked.start(*arguments)
