"""What is measured on? The machine, its Python and SQLite, and how many flushes a second its disk takes, also when made slower."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
from pathlib import Path

SHIM = Path(__file__).with_name("flush_delay.c")
PROBE = """
import os, sys, time
fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
times, until = [], time.perf_counter() + float(sys.argv[2])
while time.perf_counter() < until or len(times) < 10:
    os.write(fd, bytes(4096))
    began = time.perf_counter()
    os.fdatasync(fd)
    times.append(time.perf_counter() - began)
print(sorted(times)[len(times) // 2])
"""


def describe() -> dict[str, str]:
    """The machine in a few words."""
    return {
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _cpu() -> str:
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = re.findall(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return names[0] if names else platform.processor() or platform.machine()


def flushes(folder: Path, environment: dict[str, str], seconds: float = 0.2) -> float:
    """Flushes a second: 4 KiB appended, then fdatasync, one after the other."""
    file = folder / "flush.probe"
    answers = [
        float(
            subprocess.check_output([sys.executable, "-c", PROBE, file, str(seconds / 2)], env=environment, text=True)
        )
        for _ in range(2)
    ]
    file.unlink()
    return 1 / statistics.mean(answers)


def delays(folder: Path) -> tuple[dict[int, dict[str, str]], str]:
    """The environments that make a flush later by so many milliseconds, and why there is none but 0, if so."""
    plain = {0: dict(os.environ)}
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return plain, "no C compiler here"
    library = (folder / "flush_delay.so").absolute()
    built = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", library, SHIM, "-ldl"], capture_output=True, text=True, check=False
    )
    if built.returncode:
        return plain, f"the delay cannot be compiled: {built.stderr.strip().splitlines()[-1:]}"
    slow = {ms: os.environ | {"LD_PRELOAD": str(library), "FLUSH_DELAY_US": str(ms * 1000)} for ms in (1, 8)}
    measured = 1000 / flushes(folder, slow[8])
    if measured < 8:
        return plain, f"the delay has no effect here: a flush takes {measured:.2f} ms instead of 8"
    return plain | slow, ""
