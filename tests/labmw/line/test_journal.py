"""Every byte in both directions, once, with its session; and nothing of it in the way of an ACK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lineside import Lineside, lineside
from stage import SITE

from labmw.clock import SYSTEM
from labmw.errors import StoreBusy
from labmw.line.journal import FLUSH_BYTES, FLUSH_PIECES, MOST_BEHIND, SessionJournal, keep_frame, run_steps
from protocols.astm.frame import Frame


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[Lineside]:
    async with lineside(tmp_path) as one:
        yield one


def journal(line: Lineside) -> SessionJournal:
    return SessionJournal(line.store, SYSTEM, SITE, "analyzer", "192.0.2.1:4000")


def frame(text: bytes = b"H|\r", number: int = 1) -> Frame:
    return Frame(number, text, True, b"raw" + text)


async def test_a_connection_that_says_nothing_leaves_no_session(line: Lineside) -> None:
    one = journal(line)
    one.close("hang-up", SYSTEM.now())
    await one.settled()
    assert line.ask("SELECT count(*) FROM session") == [(0,)]


async def test_noise_is_written_when_it_has_grown_and_when_the_connection_ends(line: Lineside) -> None:
    one = journal(line)
    one.note(">", b"n" * FLUSH_BYTES)
    await one.settled()
    assert line.ask("SELECT sum(length(data)) FROM journal") == [(FLUSH_BYTES,)]
    for _ in range(FLUSH_PIECES):
        one.note(">", b"n")
    await one.settled()
    assert line.ask("SELECT count(*) FROM journal") == [(1 + FLUSH_PIECES,)]
    one.note("<", b"\x15")
    one.close("hang-up", SYSTEM.now())
    await one.settled()
    assert line.ask("SELECT direction, data FROM journal ORDER BY id DESC LIMIT 1") == [("<", b"\x15")]
    assert line.ask("SELECT closing FROM session") == [("hang-up",)]


async def test_a_frames_commit_carries_the_bytes_up_to_it(line: Lineside) -> None:
    one = journal(line)
    one.note(">", b"\x05")
    one.note("<", b"\x06")
    one.note(">", frame().raw)
    await line.store.run(keep_frame(one.frame_steps(frame(), again=False), again=False))
    one.committed()
    assert line.ask("SELECT direction, data FROM journal ORDER BY id") == [
        (">", b"\x05"),
        ("<", b"\x06"),
        (">", frame().raw),
    ]
    assert line.ask("SELECT seq, number, text FROM frame") == [(1, 1, b"H|\r")]
    assert one.frames == 1


async def test_a_second_attempt_carries_what_the_first_one_did_whichever_counts(line: Lineside) -> None:
    for late in (True, False):
        one = journal(line)
        one.note(">", b"first attempt")
        steps = one.frame_steps(frame(), again=False)
        if late:  # given up for time, and committed all the same
            await line.store.run(keep_frame(steps, again=False))
        one.note("<", b"\x15")
        one.note(">", b"second attempt")
        one.note(">", b"n" * FLUSH_BYTES)  # a flush in between must not take what the commit in doubt may have written
        await line.store.run(keep_frame(one.frame_steps(frame(), again=True), again=True))
        one.committed()
        one.close("eot", SYSTEM.now())
        await one.settled()
    for session, _ in line.ask("SELECT id, opened_at FROM session ORDER BY opened_at"):
        kept = line.bytes_of("SELECT data FROM journal WHERE session = ? AND length(data) < 100", session)
        assert sorted(kept) == [b"\x15", b"first attempt", b"second attempt"]
        assert line.ask("SELECT count(*) FROM frame WHERE session = ?", session) == [(1,)]


async def test_without_looking_the_second_attempt_would_be_refused_by_the_key(line: Lineside) -> None:
    one = journal(line)
    await line.store.run(keep_frame(one.frame_steps(frame(), again=False), again=False))
    with pytest.raises(Exception, match="same key"):
        await line.store.run(run_steps(one.frame_steps(frame(), again=False)))


async def test_a_session_left_open_has_its_bytes_and_no_end(line: Lineside) -> None:
    one = journal(line)
    one.note(">", b"bytes")
    first = one.session
    one.leave_open()
    await one.settled()
    assert one.session != first
    assert line.ask("SELECT id, closed_at FROM session") == [(first, None)]


async def test_a_store_that_refuses_bytes_nobody_was_promised_is_survived(line: Lineside) -> None:
    one = journal(line)
    line.disk.broken = True
    one.note(">", b"n" * FLUSH_BYTES)
    await one.settled()
    line.disk.broken = False
    one.note(">", b"later")
    one.close("hang-up", SYSTEM.now())
    await one.settled()
    assert line.ask("SELECT data FROM journal") == [(b"later",)]


async def test_a_full_queue_is_survived(tmp_path: Path) -> None:
    async with lineside(tmp_path, queue=1) as line:
        one = journal(line)
        line.disk.ready.clear()
        with pytest.raises(StoreBusy):
            for _ in range(3):
                line.store.submit(run_steps([]))
        one.note(">", b"n" * FLUSH_BYTES)
        one.close("hang-up", SYSTEM.now())
        line.disk.ready.set()
        await one.settled()


async def test_waiting_for_a_disk_that_hangs_has_an_end(line: Lineside) -> None:
    one = journal(line)
    line.disk.ready.clear()
    one.note(">", b"n" * FLUSH_BYTES)
    await one.settled(patience=0.02)
    line.disk.ready.set()
    await one.settled()
    assert line.ask("SELECT count(*) FROM journal") == [(1,)]


async def test_a_disk_that_hangs_does_not_let_bytes_fill_the_memory(line: Lineside) -> None:
    one = journal(line)
    line.disk.ready.clear()
    for _ in range(100):
        one.note(">", b"n" * FLUSH_BYTES)
    assert line.store.waiting <= MOST_BEHIND
    line.disk.ready.set()
    await one.settled()
    assert line.ask("SELECT count(*) FROM journal") == [(MOST_BEHIND,)]
