"""After a restart: what was acknowledged frame by frame comes to intake, once, exactly as the line would have handed it over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from lineside import Lineside, MemoryWire, lineside
from stage import frames, message

from labmw.errors import StoreError
from labmw.line.gathering import Gathering
from protocols.astm.frame import encode
from protocols.astm.tolerance import STRICT, Tolerances


async def acknowledged(line: Lineside, sent: Sequence[bytes], **settings: Any) -> MemoryWire:
    """A session in which every frame was acknowledged and the power then went: no orderly end of any kind."""
    wire = line.converse(**settings)
    assert await wire.ask(b"\x05") == b"\x06"
    for frame in sent:
        assert await wire.ask(frame) == b"\x06"
    return wire


async def power_cut(line: Lineside) -> None:
    line.disk.broken = True
    for task in line.tasks:
        task.cancel()
    await asyncio.gather(*line.tasks, return_exceptions=True)
    line.tasks.clear()
    line.health.owed.clear()
    line.disk.broken = False


@pytest.mark.parametrize("count", [1, 2, 3, 4])
async def test_frames_without_l_become_an_unterminated_message(count: int, tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"]) as line:
        await acknowledged(line, frames(message("S1"))[:count])
        await power_cut(line)
        assert line.ask("SELECT count(*) FROM message") == [(0,)]
        assert await line.recover() == 1
        assert line.ask("SELECT first_frame, last_frame, place, terminated FROM message") == [(1, count, -1, 0)]
        assert line.ask("SELECT state FROM result") == ([("quarantined",)] if count == 4 else [])
        assert line.ask("SELECT closing FROM session") == [("restart",)]
        assert await line.recover() == 0


async def test_a_message_that_is_with_the_laboratory_is_not_taken_in_twice(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1", "S2"]) as line:
        await acknowledged(line, frames([*message("S1"), *message("S2", terminated=False)]))
        await power_cut(line)
        assert await line.recover() == 1
        assert line.ask("SELECT specimen, state FROM result ORDER BY id") == [("S1", "verify"), ("S2", "quarantined")]
        assert line.ask("SELECT count(*) FROM message") == [(2,)]
        assert line.ask("SELECT count(*) FROM repeat") == [(0,)]


async def test_a_message_cut_short_while_the_store_was_down_is_found_before_the_ones_that_were_taken(
    tmp_path: Path,
) -> None:
    """Acknowledged frame by frame, cut short by a new H, and refused by the store at that moment: it lies before what was stored later."""
    short, whole = message("S1", terminated=False), message("S2")
    sent = frames([*short, *whole])
    async with lineside(tmp_path, ["S1", "S2"]) as line:
        take = line.intake.take

        class Intake:
            async def take(self, received: object) -> object:
                if not self.failed:
                    self.failed = True
                    raise StoreError("the disk is full")
                return await take(received)  # type: ignore[arg-type]

            failed = False

        line.intake = Intake()  # type: ignore[assignment]
        wire = await acknowledged(line, sent)
        wire.say(b"\x04")
        await line.until("SELECT specimen FROM result", [("S2",)])
        while not line.health.owed:
            await asyncio.sleep(0.01)
        await power_cut(line)
        assert await line.recover() == 1
        assert line.ask("SELECT specimen, state FROM result ORDER BY id") == [("S2", "verify"), ("S1", "quarantined")]


async def test_the_links_own_tolerances_and_bound_hold_after_a_restart_too(tmp_path: Path) -> None:
    tolerances: Tolerances = STRICT.changed({"numbered_records": True})
    numbered = [b"%d" % (place % 8) + record for place, record in enumerate(message("S1"), 1)]
    large = [b"6C|1|I|" + b"x" * 150 + b"\r"] * 12
    async with lineside(tmp_path, ["S1"]) as line:
        await acknowledged(line, frames([*numbered[:4], *large]), tolerances=tolerances, message_bytes=1000)
        before = line.ask("SELECT last_frame, place, raw FROM message ORDER BY id")
        assert before
        await power_cut(line)
        # Without them every record would be an unknown one, and the pieces others than those that are stored.
        assert await line.recover(lambda link: Gathering("latin-1", tolerances, 1000)) == 1
        after = line.ask("SELECT last_frame, place, raw FROM message ORDER BY id")
        assert after[: len(before)] == before
        whole = b"".join(line.bytes_of("SELECT raw FROM message ORDER BY id"))
        assert whole == b"".join([*numbered[:4], *large])
        assert line.ask("SELECT state FROM result") == [("quarantined",)]


async def test_a_message_whose_driver_fails_does_not_keep_the_daemon_from_starting(tmp_path: Path) -> None:
    def fails(received: object) -> object:
        raise IndexError("tuple index out of range")

    async with lineside(tmp_path, ["S1"], read=fails) as line:  # type: ignore[arg-type]
        await acknowledged(line, frames(message("S1", terminated=False)))
        await power_cut(line)
        assert await line.recover() == 1
        assert line.ask("SELECT reason, disposition FROM message") == [("reading-failed", "quarantined")]


async def test_a_store_that_fails_in_the_middle_loses_nothing_of_the_rest(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1", "S2"]) as line:
        for specimen in ("S1", "S2"):
            await acknowledged(line, frames(message(specimen, terminated=False)))
        await power_cut(line)
        line.disk.broken = True
        with pytest.raises(StoreError):
            await line.recover()
        line.disk.broken = False
        assert await line.recover() == 2
        assert line.ask("SELECT count(*) FROM session WHERE closed_at IS NULL") == [(0,)]


async def test_two_messages_in_one_frame_of_which_one_was_stored(tmp_path: Path) -> None:
    """The process died between the two transactions of one frame: the frame was not acknowledged, and both come out once."""
    text = b"".join([*message("S1"), *message("S2")])
    async with lineside(tmp_path, ["S1", "S2"]) as line:
        real = line.intake

        class DiesAfterTheFirst:
            taken = 0

            async def take(self, received: object) -> object:
                self.taken += 1
                if self.taken > 1:
                    await asyncio.get_running_loop().create_future()
                return await real.take(received)  # type: ignore[arg-type]

        line.intake = DiesAfterTheFirst()  # type: ignore[assignment]
        wire = line.converse()
        assert await wire.ask(b"\x05") == b"\x06"
        wire.say(encode(1, text, True))
        await line.until("SELECT specimen FROM result", [("S1",)])
        await power_cut(line)
        line.intake = real
        assert await line.recover() == 1
        wire = await acknowledged(line, [encode(1, text, True)])  # the analyzer sends again what was not acknowledged
        assert line.ask("SELECT specimen, state, run FROM result ORDER BY id") == [
            ("S1", "verify", ""),
            ("S2", "verify", ""),
        ]
