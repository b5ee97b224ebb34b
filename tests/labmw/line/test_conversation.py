"""Law 3 on one ASTM connection: what is acknowledged is on the disk, what is not is sent again, and nothing is kept twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lineside import Lineside, MemoryWire, lineside
from stage import eventually, frames, message

from labmw.clock import SYSTEM, Clock
from labmw.line.conversation import AstmConversation
from labmw.line.journal import run_steps
from protocols.astm.control import ACK, ENQ, EOT, NAK
from protocols.astm.events import SECONDS, Deadline, Event
from protocols.astm.frame import Frame, encode
from protocols.astm.tolerance import STRICT

STILL = Clock(SYSTEM.now, lambda: 0.0)  # no commit takes so long that its sender has given up
ENQ_, EOT_, ACK_, NAK_ = bytes([ENQ]), bytes([EOT]), bytes([ACK]), bytes([NAK])


async def send(wire: MemoryWire, records: Sequence[bytes], *, end: bool = True) -> None:
    assert await wire.ask(ENQ_) == ACK_
    for frame in frames(records):
        assert await wire.ask(frame) == ACK_
    if end:
        wire.say(EOT_)


# --- the order of law 3 -----------------------------------------------------------------------------------------------------


async def test_each_frame_is_on_the_disk_before_its_acknowledgment(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse()
        assert await wire.ask(ENQ_) == ACK_
        for count, frame in enumerate(frames(message("S1")), 1):
            assert await wire.ask(frame) == ACK_
            assert line.ask("SELECT count(*), max(seq) FROM frame") == [(count, count)]
        # The acknowledgment of the frame with L waits for intake: message, result and the work that follows are there.
        assert line.ask("SELECT state FROM result") == [("verify",)]
        assert line.ask("SELECT first_frame, last_frame, terminated FROM message") == [(1, 5, 1)]
        assert line.ask("SELECT count(*) FROM work") == [(1,)]


async def test_every_byte_in_both_directions_is_in_the_journal_in_order(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse()
        await send(wire, message("S1"))
        await line.until("SELECT closing FROM session", [("eot",)])
        assert line.passed(">") == ENQ_ + b"".join(frames(message("S1"))) + EOT_
        assert line.passed("<") == ACK_ * 6
        assert line.ask("SELECT count(DISTINCT session) FROM journal") == [(1,)]


class AcknowledgesFirst(AstmConversation):
    """The variant that breaks the law."""

    async def _frame(self, frame: Frame) -> list[Event]:
        events = self._machine.accept()
        await self._send()
        await asyncio.sleep(5.0)  # the disk, later
        await self._keep(frame)
        return events


async def test_the_variant_that_acknowledges_first_loses_what_it_acknowledged(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def acknowledged_and_killed(kind: type[AstmConversation], folder: Path) -> tuple[bytes, int]:
        async with lineside(folder, ["S1"]) as line:
            wire = line.converse(kind)
            assert await wire.ask(ENQ_) == ACK_
            answer = await wire.ask(frames(message("S1"))[0])
            line.tasks[0].cancel()  # the process dies at the moment the analyzer reads ACK
            await asyncio.gather(*line.tasks, return_exceptions=True)
            return answer, line.count("SELECT count(*) FROM frame")

    assert await acknowledged_and_killed(AstmConversation, tmp_path_factory.mktemp("right")) == (ACK_, 1)
    assert await acknowledged_and_killed(AcknowledgesFirst, tmp_path_factory.mktemp("wrong")) == (ACK_, 0)


# --- a store that is slow or down -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 3, 4])  # H, R, and L, whose commit is intake's transaction
async def test_a_commit_that_takes_too_long_is_refused_and_the_resend_is_kept_once(which: int, tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"], commit_timeout=1.0) as line:
        wire = line.converse(commit_timeout=1.0)
        assert await wire.ask(ENQ_) == ACK_
        sent = frames(message("S1"))
        for place, frame in enumerate(sent):
            if place == which:
                line.disk.ready.clear()
                assert await wire.ask(frame) == NAK_
                assert "store" in line.health.troubles
                before = line.disk.commits
                line.disk.ready.set()  # the commit that was given up comes late all the same
                while line.disk.commits == before:
                    await asyncio.sleep(0.005)
                assert line.ask("SELECT count(*) FROM frame") == [(which + 1,)]
            assert await wire.ask(frame) == ACK_
        wire.say(EOT_)
        await line.until("SELECT closing FROM session", [("eot",)])
        assert line.ask("SELECT seq FROM frame ORDER BY seq") == [(1,), (2,), (3,), (4,), (5,)]
        assert line.ask("SELECT count(*) FROM message") == [(1,)]
        assert line.ask("SELECT count(*), max(state) FROM result") == [(1, "verify")]
        assert line.ask("SELECT count(*) FROM repeat") == [(0,)]
        assert "store" not in line.health.troubles
        # No byte of the line is missing from the journal, and none is there twice.
        assert len(line.passed("<")) == 7
        assert len(line.passed(">")) == 2 + len(b"".join(sent)) + len(sent[which])


async def test_a_store_that_is_down_refuses_every_attempt_and_recovers_with_the_disk(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse()
        assert await wire.ask(ENQ_) == ACK_
        sent = frames(message("S1"))
        line.disk.broken = True
        for _ in range(6):
            assert await wire.ask(sent[0]) == NAK_
        assert "store" in line.health.troubles
        assert line.health.troubles["frames-refused"]["count"] == "6"
        wire.say(EOT_)  # the analyzer gives up, keeps its data, and tries again
        line.disk.broken = False
        await send(wire, message("S1"))
        await line.until("SELECT state FROM result", [("verify",)])
        assert line.ask("SELECT count(*) FROM message") == [(1,)]
        assert not line.health.troubles


async def test_an_answer_after_the_senders_patience_is_not_sent(tmp_path: Path) -> None:
    seconds = [0.0]
    clock = Clock(SYSTEM.now, lambda: seconds[0])
    async with lineside(tmp_path, ["S1"]) as line:
        line.clock = clock
        wire = line.converse()
        assert await wire.ask(ENQ_) == ACK_
        line.disk.ready.clear()
        asked = line.disk.asked
        wire.say(frames(message("S1"))[0])
        await eventually(lambda: line.disk.asked > asked)
        seconds[0] = 15.0  # an ACK now would be taken for the answer to the next ENQ
        line.disk.ready.set()
        await line.until("SELECT closing FROM session", [("timeout",)])
        assert bytes(wire.out) == b""
        await send(wire, message("S1"))
        await line.until("SELECT state FROM result", [("verify",)])


async def test_a_resend_after_a_session_that_ended_in_doubt_is_a_repeat_also_without_a_time(tmp_path: Path) -> None:
    """The last frame was refused for time and committed late: the analyzer sends all of it again, and nothing tells a second measurement."""
    records = message("S1", completed="")
    async with lineside(tmp_path, ["S1"], commit_timeout=1.0) as line:
        wire = line.converse(commit_timeout=1.0)
        sent = frames(records)
        assert await wire.ask(ENQ_) == ACK_
        for frame in sent[:-1]:
            assert await wire.ask(frame) == ACK_
        line.disk.ready.clear()
        assert await wire.ask(sent[-1]) == NAK_
        wire.say(EOT_)
        await asyncio.sleep(0.05)
        line.disk.ready.set()
        await line.until("SELECT closing FROM session", [("eot-in-doubt",)])
        await send(wire, records)
        await line.until("SELECT count(*) FROM message WHERE terminated = 1", [(2,)])
        assert line.ask("SELECT state, run FROM result") == [("verify", "")]


async def test_what_ended_without_l_while_the_store_was_down_is_taken_up_when_it_is_back(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse()
        assert await wire.ask(ENQ_) == ACK_
        for frame in frames(message("S1", terminated=False)):
            assert await wire.ask(frame) == ACK_
        line.disk.broken = True
        wire.hang_up()
        await line.ended()
        assert len(line.health.owed) == 1
        line.disk.broken = False
        assert line.ask("SELECT count(*) FROM message") == [(0,)]
        assert await line.recover() == 1
        assert line.ask("SELECT reason, terminated FROM message") == [("unterminated", 0)]
        assert line.ask("SELECT count(*) FROM session WHERE closed_at IS NULL") == [(0,)]


async def _held(line: Lineside, wire: MemoryWire, data: bytes, *, begun: bool) -> None:
    """Say something that is to be committed, and end the line when its commit is under way, or waits for its turn."""
    asked = line.disk.asked
    line.disk.ready.clear()
    if not begun:
        line.store.submit(run_steps([]))
        await eventually(lambda: line.disk.asked > asked)
    wire.say(data)
    await eventually(lambda: line.disk.asked > asked if begun else line.store.waiting)
    line.tasks[0].cancel()  # the daemon stops
    await asyncio.sleep(0)
    line.disk.ready.set()
    await asyncio.gather(*line.tasks, return_exceptions=True)
    await line.store.run(run_steps([]))  # what was under way is done


NOWHERE = (
    "SELECT seq FROM frame WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.session = frame.session"
    " AND first_frame <= frame.seq AND last_frame >= frame.seq)"
)


@pytest.mark.parametrize("begun", [True, False], ids=["begun", "waiting"])
@pytest.mark.parametrize("which", [0, 3, 4])  # H, R, and L, whose commit is intake's transaction
async def test_a_stop_in_the_middle_of_a_commit_leaves_no_frame_without_its_message(
    which: int, begun: bool, tmp_path: Path
) -> None:
    """Whether the frame counts is read in the store by the next start: it is not closed over, and none is taken for unterminated that is not."""
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse()
        assert await wire.ask(ENQ_) == ACK_
        sent = frames(message("S1"))
        for frame in sent[:which]:
            assert await wire.ask(frame) == ACK_
        await _held(line, wire, sent[which], begun=begun)
        assert line.ask("SELECT count(*) FROM frame") == [(which + begun,)]
        await line.recover()
        assert line.ask(NOWHERE) == []
        whole = which == 4 and begun
        told = [("", 1, 1, 5)] if whole else [("unterminated", 0, 1, which + begun)] if which + begun else []
        assert line.ask("SELECT reason, terminated, first_frame, last_frame FROM message") == told
        assert line.ask("SELECT count(*) FROM session WHERE closed_at IS NULL") == [(0,)]
        again = line.converse()
        await send(again, message("S1"))
        await line.until("SELECT specimen, state FROM result WHERE state <> 'quarantined'", [("S1", "verify")])


async def test_a_stop_while_what_ended_without_l_is_handed_over_loses_nothing_of_it(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse()
        await send(wire, message("S1", terminated=False), end=False)
        await _held(line, wire, EOT_, begun=False)
        assert line.ask("SELECT count(*) FROM message") == [(0,)]
        assert await line.recover() == 1
        assert line.ask("SELECT specimen, state FROM result") == [("S1", "quarantined")]


# --- the line itself --------------------------------------------------------------------------------------------------------


# Scenario 9.5.
async def test_a_repeated_frame_is_acknowledged_again_and_kept_once(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse()
        assert await wire.ask(ENQ_) == ACK_
        for frame in frames(message("S1")):
            assert await wire.ask(frame) == ACK_
            assert await wire.ask(frame) == ACK_
        wire.say(EOT_)
        await line.until("SELECT closing FROM session", [("eot",)])
        assert line.ask("SELECT count(*) FROM frame") == [(5,)]
        assert line.ask("SELECT count(*) FROM message") == [(1,)]


# Scenario 9.4.
async def test_six_refusals_in_a_row_are_told_and_the_next_message_ends_the_trouble(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse()
        assert await wire.ask(ENQ_) == ACK_
        damaged = frames(message("S1"))[0].replace(b"H|", b"H!")
        for count in range(1, 7):
            assert "frames-refused" not in line.health.troubles
            assert await wire.ask(damaged) == NAK_
            assert line.health.refused_in_a_row == count
        assert line.health.troubles["frames-refused"]["count"] == "6"
        assert await wire.ask(damaged) == NAK_
        assert line.health.troubles["frames-refused"]["count"] == "7"
        wire.say(EOT_)
        await send(wire, message("S1"))
        await line.until("SELECT count(*) FROM message", [(1,)])
        assert not line.health.troubles
        assert line.health.refused_in_a_row == 0


# Scenario 9.11.
async def test_the_receive_timer_ends_the_session_and_what_came_is_unterminated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECONDS, Deadline.RECEIVE, 0.3)
    async with lineside(tmp_path, ["S1"]) as line:
        line.clock = STILL
        wire = line.converse()
        await send(wire, message("S1", terminated=False), end=False)
        await line.until("SELECT closing FROM session", [("timeout",)])
        assert line.ask("SELECT reason FROM message") == [("unterminated",)]
        assert line.ask("SELECT state FROM result") == [("quarantined",)]


class FloodingWire(MemoryWire):
    """There is always something to read: the reader never has to wait."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    async def read(self) -> bytes:
        if self._in.empty() and self.left:
            self.left -= 1
            return b"n"
        return await super().read()


# Scenario 9.14.
async def test_a_peer_that_never_ceases_to_send_rubbish_does_not_keep_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SECONDS, Deadline.RECEIVE, 0.05)
    left: list[int] = []

    class Noticing(AstmConversation):
        async def _session_closed(self, reason: str) -> None:
            left.append(wire.left)
            await super()._session_closed(reason)

    async with lineside(tmp_path, ["S1"]) as line:
        line.clock = STILL
        wire = FloodingWire(100_000)
        wire.say(ENQ_ + frames(message("S1"))[0])
        line.converse(Noticing, wire)
        assert await wire.answer(2) == ACK_ * 2
        await line.until("SELECT closing FROM session ORDER BY opened_at LIMIT 1", [("timeout",)])
        assert left[0] > 0


async def test_an_idle_connection_is_closed_after_its_limit(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = line.converse(idle_timeout=0.05)
        assert await line.ended() == ["idle"]
        assert wire.closed


# Scenario 9.2.
async def test_several_messages_in_one_session_and_two_in_one_frame(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1", "S2", "S3"]) as line:
        wire = line.converse()
        assert await wire.ask(ENQ_) == ACK_
        for number, records in enumerate([message("S1"), [*message("S2"), *message("S3")]], 1):
            assert await wire.ask(encode(number, b"".join(records), True)) == ACK_
        wire.say(EOT_)
        await line.until("SELECT closing FROM session", [("eot",)])
        assert line.ask("SELECT first_frame, last_frame, place FROM message ORDER BY id") == [
            (1, 1, 0),
            (2, 2, 0),
            (2, 2, 1),
        ]
        assert line.ask("SELECT specimen, state FROM result ORDER BY id") == [
            ("S1", "verify"),
            ("S2", "verify"),
            ("S3", "verify"),
        ]


async def test_a_message_cut_short_by_a_new_header_is_unterminated_and_the_new_one_is_read(tmp_path: Path) -> None:
    async with lineside(tmp_path, ["S1", "S2"]) as line:
        wire = line.converse()
        await send(wire, [*message("S1", terminated=False), *message("S2")])
        await line.until("SELECT closing FROM session", [("eot",)])
        assert line.ask("SELECT first_frame, last_frame, reason FROM message ORDER BY id") == [
            (1, 5, "unterminated"),
            (5, 9, ""),
        ]
        assert line.ask("SELECT specimen, state FROM result ORDER BY id") == [("S1", "quarantined"), ("S2", "verify")]


async def test_a_message_beyond_all_measure_is_kept_in_pieces_and_never_released(tmp_path: Path) -> None:
    records = message("S1", terminated=False)
    comment = b"C|1|I|" + b"x" * 200 + b"\r"
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse(message_bytes=2000)
        await send(wire, [*records, *[comment] * 30, b"L|1|N\r"])
        await line.until("SELECT closing FROM session", [("eot",)])
        rows = line.ask("SELECT length(raw), disposition FROM message ORDER BY id")
        assert len(rows) > 2
        assert line.count("SELECT max(length(raw)) FROM message") < 2000 + 240
        assert {disposition for _, disposition in rows} == {"quarantined"}
        assert line.ask("SELECT DISTINCT state FROM result") == [("quarantined",)]
        whole = b"".join(line.bytes_of("SELECT raw FROM message ORDER BY id"))
        assert whole == b"".join([*records, *[comment] * 30, b"L|1|N\r"])
        # The next message of the same line is none of its business.
        await send(wire, message("S1"))
        await line.until("SELECT state FROM result WHERE completed_raw <> ''", [("verify",)])


async def test_the_tail_of_a_torn_record_cannot_pose_as_a_message(tmp_path: Path) -> None:
    """A comment of many frames, whose text after the cut looks like a whole result of somebody else."""
    posing = b"".join(message("S2"))
    text = b"".join(message("S1", terminated=False)) + b"C|1|I|" + b"x" * 1300
    async with lineside(tmp_path, ["S1", "S2"]) as line:
        wire = line.converse(message_bytes=1000)
        assert await wire.ask(ENQ_) == ACK_
        assert await wire.ask(encode(1, text, False)) == ACK_
        assert await wire.ask(encode(2, posing, True)) == ACK_
        wire.say(EOT_)
        await line.until("SELECT closing FROM session", [("eot",)])
        assert line.ask("SELECT DISTINCT terminated FROM message") == [(0,)]
        assert line.ask("SELECT DISTINCT state FROM result") == [("quarantined",)]


async def test_a_session_of_small_messages_close_to_the_limit_is_never_dropped(tmp_path: Path) -> None:
    """Two ends of a message in one frame, and what follows grows to the limit: the beginning counts too."""
    async with lineside(tmp_path, ["S1", "S2"]) as line:
        wire = line.converse(message_bytes=3000, tolerances=STRICT.changed({"max_frame": 2000}))
        opening = b"".join([*message("S1"), *message("S2", terminated=False), b"C|1|I|" + b"y" * 1000 + b"\r"])
        filling = b"C|2|I|" + b"z" * 1900 + b"\r"
        assert await wire.ask(ENQ_) == ACK_
        assert await wire.ask(encode(1, opening, True)) == ACK_
        for number in range(2, 8):
            assert await wire.ask(encode(number, filling, True)) == ACK_
        wire.say(EOT_)
        await line.until("SELECT closing FROM session", [("eot",)])
        whole = b"".join(line.bytes_of("SELECT raw FROM message ORDER BY id"))
        assert whole == opening + filling * 6


async def test_a_line_that_opens_and_ends_sessions_without_pause_does_not_fill_the_queue(tmp_path: Path) -> None:
    async with lineside(tmp_path, queue=200) as line:
        wire = line.converse()
        line.disk.ready.clear()
        wire.say((ENQ_ + EOT_) * 5000)
        await asyncio.sleep(0.2)
        assert line.store.waiting < 50
        line.disk.ready.set()


async def test_every_session_of_such_a_line_is_in_the_journal_as_long_as_the_disk_keeps_up(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = line.converse()
        for _ in range(300):
            wire.say(ENQ_ + EOT_)
        wire.hang_up()
        await line.ended()
        assert line.ask("SELECT count(*), count(closed_at) FROM session") == [(300, 300)]
        assert len(line.passed(">")) == 600


async def test_a_disk_that_hangs_does_not_let_noise_fill_the_memory(tmp_path: Path) -> None:
    async with lineside(tmp_path) as line:
        wire = line.converse()
        line.disk.ready.clear()
        for _ in range(200):
            wire.say(b"n" * 65536)
        await asyncio.sleep(0.3)
        assert line.store.waiting < 20
        line.disk.ready.set()


async def test_a_byte_that_the_encoding_does_not_know_is_kept_and_not_refused_for_ever(tmp_path: Path) -> None:
    records = [record.replace(b"|^DEFAULT|", b"|^D\xc9FAUT|") for record in message("S1")]
    async with lineside(tmp_path, ["S1"]) as line:
        wire = line.converse(encoding="utf-8")
        await send(wire, records)
        await line.until("SELECT state FROM result", [("verify",)])
        assert line.ask("SELECT raw FROM message") == [(b"".join(records),)]
        assert "dcc9" in str(line.ask("SELECT range_raw FROM result"))


# --- anything at all --------------------------------------------------------------------------------------------------------

SESSION = (
    ENQ_
    + b"".join(frames([*message("S1"), *message("S2", terminated=False), *message("S3", "31")]))
    + EOT_
    + ENQ_
    + b"".join(frames(message("S1", "24", completed="20261101090000")))
    + EOT_
)
ROWS = "SELECT specimen, value, run, state, message.first_frame, message.last_frame, reason FROM result JOIN message ON message.id = message ORDER BY result.id"


async def _play(folder: Path, pieces: Sequence[bytes]) -> list[tuple[object, ...]]:
    async with lineside(folder, ["S1", "S2", "S3"]) as line:
        wire = line.converse()
        for piece in pieces:
            wire.say(piece)
        wire.hang_up()
        await line.ended()
        assert line.ask("SELECT count(*) FROM session WHERE closed_at IS NULL") == [(0,)]
        rows = line.ask(ROWS)
        assert line.passed(">") == b"".join(pieces)
        return rows


@settings(max_examples=15)
@given(cuts=st.lists(st.integers(0, len(SESSION)), max_size=40))
# Scenario 9.13.
def test_however_the_bytes_are_cut_the_store_holds_the_same(
    cuts: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    places = [0, *sorted(cuts), len(SESSION)]
    pieces = [SESSION[start:end] for start, end in pairwise(places)]
    folder = tmp_path_factory.mktemp("cut")
    rows = asyncio.run(_play(folder, [piece for piece in pieces if piece]))
    assert rows == [
        ("S1", "22", "", "verify", 1, 5, ""),
        ("S2", "22", "", "quarantined", 6, 10, "unterminated"),
        ("S3", "31", "", "verify", 10, 14, ""),
        ("S1", "24", "", "verify", 1, 5, ""),
    ]


@settings(max_examples=15)
@given(garbage=st.lists(st.binary(min_size=1, max_size=300) | st.sampled_from([ENQ_, EOT_, b"\x021H|"]), max_size=12))
def test_whatever_comes_the_line_lives_and_the_next_message_is_read(
    garbage: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def play() -> None:
        async with lineside(tmp_path_factory.mktemp("garbage"), ["S1"]) as line:
            wire = line.converse()
            for piece in garbage:
                wire.say(piece)
            wire.say(EOT_ + EOT_)
            await eventually(lambda: wire.quiet)
            wire.out.clear()
            await send(wire, message("S1"))
            await line.until("SELECT state FROM result WHERE specimen = 'S1'", [("verify",)])

    asyncio.run(play())


async def test_a_capture_of_several_messages_in_one_session_gives_every_result(corpus: Path, tmp_path: Path) -> None:
    files = sorted((corpus / "astm").glob("*m2000*/*")) or sorted((corpus / "astm").rglob("*m2000*"))
    files = [file for file in files if file.suffix == ".astm"]
    if not files:
        pytest.skip("the corpus has no m2000 capture")
    data = files[0].read_bytes()
    async with lineside(tmp_path) as line:
        wire = line.converse(tolerances=STRICT.changed({"implicit_session": True, "trailer": "optional"}))
        wire.say(data)
        wire.hang_up()
        await line.ended()
        assert line.count("SELECT count(*) FROM message") > 1
        assert line.ask("SELECT count(*) FROM frame WHERE seq > (SELECT max(last_frame) FROM message)") == [(0,)]
