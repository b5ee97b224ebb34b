"""Is a recording sent exactly as it was recorded, and as patiently as a real sender sends?"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.astm.tolerance import Tolerances
from protocols.capture import loads, pieces_to_bytes, sniff
from simulators import recorded, recording
from simulators.analyzer import Analyzer, LineSettings
from simulators.analyzers import DIALECTS
from simulators.clock import HandClock, WallClock
from simulators.errors import SimulatorError, WireLost
from simulators.host import Host
from simulators.playback import Step, from_instrument, play, steps
from simulators.wire import MemoryWire, TcpConnect, memory_cable

CORPUS = Path(os.environ.get("LABMW_CORPUS", Path(__file__).parents[2].parent / "shared" / "corpus"))
CAPTURES = [one for one in sorted(CORPUS.glob("astm/*/*.astm")) if sniff(one.read_bytes()) == "lis01"]
OWN = recorded.HERE / "recordings" / "yumizen-h500.wire"
LENIENT = Tolerances(
    implicit_session=True,
    checksum="none",
    trailer="optional",
    frame_numbers="off",
    enq_in_transfer="restart",
    control_in_text=True,
)


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([b"\x05", b"\x04", b"\x02", b"1H|", b"\x03", b"\x17", b"A3", b"\r\n"])).map(b"".join)
)
def test_the_steps_joined_are_the_recording(data: bytes) -> None:
    assert b"".join(one.data for one in steps(data)) == data


def test_a_sender_waits_after_enq_and_frames_and_not_after_eot() -> None:
    assert steps(b"\x05\x021H\r\x03E5\r\n \x022L\r\x1799\r\n\x04") == [
        Step(b"\x05", True),
        Step(b"\x021H\r\x03E5\r\n", True),
        Step(b" \x022L\r\x1799\r\n", True),
        Step(b"\x04", False),
    ]


@pytest.mark.skipif(not CAPTURES, reason="no corpus: set LABMW_CORPUS")
@pytest.mark.parametrize("file", CAPTURES, ids=lambda one: f"{one.parent.name}/{one.stem}")
def test_a_host_receives_exactly_the_captured_bytes(file: Path) -> None:
    data = file.read_bytes()
    analyzer, host = asyncio.run(replayed(file.name, data))
    assert analyzer.done
    assert bytes(host.raw) == data


async def replayed(name: str, data: bytes) -> tuple[Analyzer, Host]:
    host = Host(LENIENT)
    async with host.listening() as port:
        sent = recorded.transmissions(name, data, DIALECTS["horiba-yumizen-h500"], 0.0)
        analyzer = Analyzer("a", TcpConnect("127.0.0.1", port), sent, WallClock(), LineSettings(patience=10))
        await analyzer.run()
    return analyzer, host


def test_our_own_recording_is_a_whole_session_with_cut_records() -> None:
    text = OWN.read_text(encoding="utf-8")
    assert text == recording.compose(), (
        "make it again: python -m simulators record simulators/recordings/yumizen-h500.wire"
    )
    data = from_instrument(OWN.read_bytes())
    assert data == pieces_to_bytes(loads(text))
    assert data.count(b"\x17") > 10
    (message,) = recorded.messages(data)
    assert (message.terminated, message.structure[:7], message.structure[-1]) == (True, "HPOCMMM", "L")
    results = recorded.results([message], DIALECTS["horiba-yumizen-h500"])
    assert len(results) == 27
    assert {one.specimen for one in results} == {recording.SPECIMEN}
    assert {one.completed for one in results} == {recording.MEASURED}


async def answered(
    recording_: bytes, answers: list[bytes]
) -> tuple[list[bytes], asyncio.Task[tuple[int, int]], HandClock, MemoryWire]:
    """Play to somebody who gives these answers, one for each piece."""
    clock = HandClock()
    wire, host = memory_cable()
    task = asyncio.create_task(play(wire, steps(recording_), clock))
    heard = []
    for answer in answers:
        heard.append(await host.read())
        if answer:
            await host.write(answer)
    return heard, task, clock, host


FRAME = b"\x021L|1|N\r\x0304\r\n"


async def test_a_refused_frame_is_sent_again_as_it_was() -> None:
    heard, task, _, host = await answered(b"\x05" + FRAME + b"\x04", [b"\x06", b"\x15", b"?", b"\x06"])
    assert heard == [b"\x05", FRAME, FRAME, FRAME]
    assert await task == (1, 2)
    assert await host.read() == b"\x04"


async def test_six_refusals_end_with_eot() -> None:
    heard, task, _, host = await answered(b"\x05" + FRAME, [b"\x06", *[b"\x15"] * 6])
    assert heard == [b"\x05", *[FRAME] * 6]
    with pytest.raises(SimulatorError, match="sent again"):
        await task
    assert await host.read() == b"\x04"


async def test_no_answer_in_15_seconds_ends_with_eot() -> None:
    _, task, clock, host = await answered(b"\x05" + FRAME, [b"\x06", b""])
    with pytest.raises(SimulatorError, match="15 s"):
        await clock.run(task)
    assert clock.monotonic() == 15.0
    assert await host.read() == b"\x04"


async def test_a_hang_up_is_told() -> None:
    _, task, _, host = await answered(b"\x05" + FRAME, [b"\x06"])
    await host.close()
    with pytest.raises(WireLost):
        await task


async def test_records_without_frames_are_framed() -> None:
    data = b"H|\\^&|||X^1\rP|1\rO|1|S1\rR|1|^^^GLU|5.1|mmol/L||N||F||||20250101\rL|1|N\r"
    (sent,) = recorded.transmissions("r", data, DIALECTS["roche-cobas-c311"], 0.0)
    assert b"".join(sent.records) == data
    assert (sent.results[0].code, sent.results[0].value) == ("GLU", "5.1")


def test_what_is_no_recording_is_refused() -> None:
    with pytest.raises(SimulatorError, match="another one"):
        recorded.transmissions("r", b"MSH|^~\\&|\r", DIALECTS["sysmex-xn"], 0.0)
    with pytest.raises(SimulatorError, match="LABMW_CORPUS"):
        recorded.find("astm/nothing.astm", "nothing.wire")
