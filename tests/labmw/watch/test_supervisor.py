"""Real processes under a real supervisor: what dies is started again, what cannot be configured stops everything, and nobody is orphaned."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labmw.watch import lifeline
from labmw.watch.supervisor import CONFIGURATION, KILLED, STOPPED, Part, Supervisor

QUICK = (0.01, 0.01, 0.02)


def part(name: str, code: str, *arguments: str) -> Part:
    return Part(name, (sys.executable, "-S", "-c", code, *arguments))


STEADY = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); open(sys.argv[1], 'a').write('up\\n'); signal.pause()"


def supervisor(*parts: Part, drain: float = 60.0) -> Supervisor:
    return Supervisor(parts, dict(os.environ), pauses=QUICK, drain=drain)


async def until(condition, seconds: float = 60.0) -> None:  # type: ignore[no-untyped-def]
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def lines(file: Path) -> int:
    return file.read_text().count("\n") if file.exists() else 0


async def test_stops_in_order_when_asked(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    house = supervisor(part("one", STEADY, str(one)), part("two", STEADY, str(two)))
    running = asyncio.create_task(house.run())
    await until(lambda: lines(one) and lines(two))
    os.kill(os.getpid(), signal.SIGTERM)
    assert await running == STOPPED


async def test_what_dies_is_started_again(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    ended: list[int] = []
    house = supervisor(part("weak", "import sys; open(sys.argv[1], 'a').write('up\\n'); sys.exit(3)", str(file)))
    house.died = ended.append
    running = asyncio.create_task(house.run())
    await until(lambda: lines(file) >= 4)
    house.stop()
    assert await running == STOPPED
    assert len(ended) >= 3


async def test_one_that_dies_does_not_disturb_the_other(tmp_path: Path) -> None:
    weak, strong = tmp_path / "weak", tmp_path / "strong"
    house = supervisor(
        part("weak", "import sys; open(sys.argv[1], 'a').write('up\\n'); sys.exit(1)", str(weak)),
        part("strong", STEADY, str(strong)),
    )
    running = asyncio.create_task(house.run())
    await until(lambda: lines(weak) >= 3 and lines(strong))
    house.stop()
    await running
    assert lines(strong) == 1


async def test_one_that_has_just_ended_does_not_keep_the_others_from_being_asked(tmp_path: Path) -> None:
    """It ends between two steps of the loop: its place is still taken, and there is nobody left to ask."""
    file = tmp_path / "steady"
    house = supervisor(part("steady", STEADY, str(file)))
    running = asyncio.create_task(house.run())
    await until(lambda: lines(file) == 1)
    gone = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "pass")
    await gone.wait()
    house._children = {"gone": gone, **house._children}
    house.stop()
    assert await running == STOPPED


async def test_a_configuration_that_cannot_be_used_stops_everything(tmp_path: Path) -> None:
    file = tmp_path / "steady"
    wait = f"import os, sys, time\nwhile not os.path.exists({str(file)!r}): time.sleep(0.01)\nsys.exit(78)"
    house = supervisor(part("steady", STEADY, str(file)), part("confused", wait))
    assert await house.run() == CONFIGURATION
    assert lines(file) == 1


@pytest.mark.parametrize("served", [True, False], ids=["it has served", "variant: it has not"])
async def test_a_configuration_broken_while_labmw_serves_is_waited_for(tmp_path: Path, *, served: bool) -> None:
    """The second start finds a half-written file, the third one the whole file."""
    file = tmp_path / "starts"
    code = "import sys; f = open(sys.argv[1], 'a+'); f.seek(0); n = len(f.readlines()); f.write('up\\n'); sys.exit(78 if n == 1 else 1)"
    house = supervisor(part("edited", code, str(file)))
    house.steady = 0.0 if served else 60.0
    running = asyncio.create_task(house.run())
    if served:
        await until(lambda: lines(file) >= 3)
        house.stop()
        assert await running == STOPPED
    else:
        assert await asyncio.wait_for(running, 60) == CONFIGURATION
        assert lines(file) == 2


async def test_what_does_not_drain_is_killed_and_the_exit_code_says_so(tmp_path: Path) -> None:
    file = tmp_path / "deaf"
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1], 'a').write('up\\n')\nwhile True: signal.pause()"
    house = supervisor(part("deaf", deaf, str(file)), drain=0.2)
    running = asyncio.create_task(house.run())
    await until(lambda: lines(file))
    house.stop()
    assert await running == KILLED


async def test_asked_twice_it_does_not_wait(tmp_path: Path) -> None:
    file = tmp_path / "deaf"
    deaf = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1], 'a').write('up\\n')\nwhile True: signal.pause()"
    house = supervisor(part("deaf", deaf, str(file)), drain=600.0)
    running = asyncio.create_task(house.run())
    await until(lambda: lines(file))
    house.stop()
    house.stop()
    assert await asyncio.wait_for(running, 60) == KILLED


async def test_a_command_that_does_not_exist_is_tried_again_and_can_be_stopped() -> None:
    house = supervisor(Part("absent", ("/nowhere/at/all",)))
    running = asyncio.create_task(house.run())
    await asyncio.sleep(0)
    house.stop()
    assert await asyncio.wait_for(running, 60) == STOPPED


PARENT = """
import asyncio, os, sys
from labmw.watch.supervisor import Part, Supervisor
child = Part("child", (sys.executable, "-m", "labmw.watch.supervised", *sys.argv[1:]))
asyncio.run(Supervisor([child], dict(os.environ)).run())
"""


@pytest.mark.parametrize("held_on", [True, False], ids=["held on", "variant: not held on"])
def test_a_killed_supervisor_leaves_no_orphans(tmp_path: Path, held_on: bool) -> None:
    """The variant without the lifeline shows that the test would notice an orphan."""
    (tmp_path / "part_under_test.py").write_text(
        "import os, signal, sys, time\nopen(sys.argv[1], 'w').write(str(os.getpid()))\nsignal.pause()\n"
    )
    file = tmp_path / "pid"
    parent = PARENT if held_on else PARENT.replace('"-m", "labmw.watch.supervised", *sys', '"-m", *sys')
    process = subprocess.Popen(
        [sys.executable, "-c", parent, "part_under_test", str(file)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        child = _wait_for_pid(file)
        process.kill()
        process.wait()
        assert _gone(child, 60.0 if held_on else 0.5) is held_on
    finally:
        process.kill()
        if not held_on:
            os.kill(child, signal.SIGKILL)


def _wait_for_pid(file: Path) -> int:
    for _ in range(6000):
        if file.exists() and (text := file.read_text()):
            return int(text)
        time.sleep(0.01)
    raise AssertionError("the child did not start")


def _gone(process: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        stat = Path(f"/proc/{process}/stat")
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.01)
    return False


def test_nobody_supervises_a_process_that_was_started_by_hand() -> None:
    assert lifeline.hold_on({}) is None


def test_an_orphan_that_does_not_stop_ends_itself() -> None:
    reading, writing = os.pipe()
    told: list[str] = []
    thread = lifeline.hold_on(
        {lifeline.VARIABLE: str(reading)},
        stop=lambda: told.append("stop"),
        end=lambda: told.append("end"),
        patience=0.0,
    )
    assert thread is not None and not told
    os.close(writing)
    thread.join(60.0)
    assert told == ["stop", "end"]
    os.close(reading)
