"""Does an analyzer keep what was not acknowledged, and send it again whole?"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from protocols.astm.tolerance import Tolerances
from simulators.analyzer import Analyzer, LineSettings
from simulators.clock import Clock, HandClock, WallClock
from simulators.faults import Faults
from simulators.host import Host
from simulators.nullmodem import BadLine, BadPlug
from simulators.transmission import HangUp, SentResult, Transmission
from simulators.wire import MemoryWire, PtyPort, TcpConnect, TcpListen, Wire, memory_cable

PLAIN = LineSettings()
HEADER, PATIENT, ORDER, END = b"H|\\^&|||TEST^1\r", b"P|1\r", b"O|1|S1\r", b"L|1|N\r"


def result(number: int, length: int = 0) -> bytes:
    return b"R|%d|^^^T%d|%s|mmol/L||N||F||||20250310090000\r" % (number, number, b"1" * (length or 1))


def message(name: str, results: int = 3, **more: object) -> Transmission:
    records = (HEADER, PATIENT, ORDER, *(result(n) for n in range(1, results + 1)), END)
    said = tuple(SentResult("S1", f"T{n}", "", "1", "mmol/L", "20250310090000") for n in range(1, results + 1))
    return Transmission(name, said, records, **more)  # type: ignore[arg-type]  # the fields of a transmission


async def played(host: Host, sent: Sequence[Transmission], settings: LineSettings = PLAIN) -> Analyzer:
    async with host.listening() as port:
        analyzer = Analyzer("a", TcpConnect("127.0.0.1", port), sent, WallClock(1000), settings)
        await analyzer.run()
    return analyzer


async def test_messages_arrive_and_the_report_says_so() -> None:
    host = Host()
    analyzer = await played(host, [message("one"), message("two", 2)])
    assert [one.structure for one in host.messages] == ["HPORRRL", "HPORRL"]
    report = analyzer.report()
    assert report["complete"]
    assert report["connections"] == 1
    first = report["messages"][0]
    assert first["acknowledged"]
    assert first["seconds_to_ack"] >= 0
    assert [(one["frames"], one["outcome"]) for one in first["attempts"]] == [(7, "acknowledged")]
    assert first["sent_at"] <= first["acknowledged_at"]
    assert len(report["results"]) == 3  # the two of the second message are among those of the first
    assert report["results"][0]["transmissions"] == 2


async def test_an_analyzer_that_asks_takes_what_it_is_given_and_says_so() -> None:
    host = Host()
    order, done = b"O|1|S1||^^^T1\\^^^T9|R||||||N||||||||||||||Q\r", b"L|1|F\r"
    query = (HEADER, b"Q|1|^S1||ALL||||||||O\r", END)
    async with host.listening() as port:
        settings = LineSettings(answer=5.0)
        sent = [message("one", query=query), message("two", 2, query=query)]
        analyzer = Analyzer("a", TcpConnect("127.0.0.1", port), sent, WallClock(1000), settings)
        running = asyncio.create_task(analyzer.run())
        async with asyncio.timeout(10):
            while not host.messages:
                await asyncio.sleep(0)
        host.link.send([HEADER, PATIENT, order, done])
        await running
    assert [one.structure for one in host.messages] == ["HQL", "HPORRRL", "HQL", "HPORRL"]
    report = analyzer.report()
    assert report["queries"]["work"] == 1
    assert report["orders"] == [
        {"awos": "", "specimen": "S1", "code": "T1", "state": "CM"},
        {"awos": "", "specimen": "S1", "code": "T9", "state": "SC"},
    ]


async def test_a_whole_message_can_be_one_text_cut_into_frames() -> None:
    host = Host()
    settings = LineSettings(Tolerances(packing="message"), frame_text=40)
    await played(host, [message("one", 5)], settings)
    assert host.messages[0].raw == b"".join(message("one", 5).records)
    assert host.raw.count(b"\x17") == host.raw.count(b"\x02") - 1


async def test_frames_of_64000_bytes() -> None:
    host = Host()
    sent = Transmission("long", (), (HEADER, PATIENT, ORDER, result(1, 80_000), END))
    await played(host, [sent], LineSettings(frame_text=63_993))
    assert host.messages[0].raw == b"".join(sent.records)
    assert host.raw.count(b"\x17") == 1


async def test_an_analyzer_that_is_dialled() -> None:
    host = Host()
    plug = TcpListen("127.0.0.1", 0)
    place, port = await plug.start()
    analyzer = Analyzer("a", plug, [message("one")], WallClock())
    reader, writer = await asyncio.open_connection(place, port)
    await asyncio.gather(analyzer.run(), host.serve(reader, writer))
    await plug.close()
    assert analyzer.done
    assert len(host.messages) == 1


async def test_an_analyzer_on_a_serial_line() -> None:
    host, port = Host(), PtyPort()
    analyzer = Analyzer("a", port, [message("one", 40), message("two")], WallClock())
    async with host.on_serial(port.device):
        await analyzer.run()
    await port.close()
    assert [one.structure for one in host.messages] == ["HPO" + "R" * 40 + "L", "HPORRRL"]


async def test_hanging_up_in_mid_message_and_resuming_sends_the_whole_message_again() -> None:
    host = Host()
    analyzer = await played(host, [message("one", hang_ups=(HangUp(4, 1.0),)), message("two")])
    assert [(one.structure, one.terminated) for one in host.messages] == [
        ("HPOR", False),
        ("HPORRRL", True),
        ("HPORRRL", True),
    ]
    assert host.connections == 2
    attempts = analyzer.report()["messages"][0]["attempts"]
    assert [(one["frames"], one["outcome"].split()[0]) for one in attempts] == [(4, "hung"), (7, "acknowledged")]


async def test_an_unterminated_message_is_sent_without_l_and_acknowledged() -> None:
    host = Host()
    sent = message("one")
    analyzer = await played(host, [Transmission("one", sent.results, sent.records[:-1], terminated=False)])
    assert [(one.structure, one.terminated) for one in host.messages] == [("HPORRR", False)]
    assert analyzer.done


class OneEnd:
    """A plug that gives the near ends of cables in memory, and the far ends to the test."""

    name = "memory"

    def __init__(self) -> None:
        self.far: asyncio.Queue[MemoryWire] = asyncio.Queue()

    async def open(self, clock: Clock) -> Wire:
        near, far = memory_cable("analyzer", "host")
        self.far.put_nowait(far)
        return near

    async def close(self) -> None:
        """Nothing is held."""


async def scripted(plug: OneEnd, script: Sequence[tuple[bytes, bytes | None]]) -> list[bytes]:
    """Be a host: for each piece expected, the answer; None hangs up."""
    far = await plug.far.get()
    heard = []
    for expected, answer in script:
        piece = await far.read()
        heard.append(piece)
        assert piece[: len(expected)] == expected
        if answer is None:
            await far.close()
            far = await plug.far.get()
        elif answer:
            await far.write(answer)
    return heard


async def on_script(script: Sequence[tuple[bytes, bytes | None]]) -> tuple[Analyzer, list[bytes], float]:
    clock, plug = HandClock(), OneEnd()
    sent = Transmission("one", (), (HEADER, END))
    analyzer = Analyzer("a", plug, [sent], clock, LineSettings(patience=1000))

    async def both() -> list[bytes]:
        _, heard = await asyncio.gather(analyzer.run(), scripted(plug, script))
        return heard

    heard = await clock.run(asyncio.create_task(both()))
    return analyzer, heard, clock.monotonic()


WHOLE = ((b"\x05", b"\x06"), (b"\x021H", b"\x06"), (b"\x022L", b"\x06"), (b"\x04", b""))


async def test_a_busy_host_is_asked_again_after_ten_seconds() -> None:
    analyzer, _, seconds = await on_script([(b"\x05", b"\x15"), *WHOLE])
    assert analyzer.done
    assert seconds >= 10
    assert analyzer.heard["LineBusy"] == 1


async def test_a_silent_host_costs_fifteen_seconds_and_eot() -> None:
    analyzer, _, seconds = await on_script([(b"\x05", b""), (b"\x04", b""), *WHOLE])
    assert analyzer.done
    assert seconds >= 15


async def test_a_frame_without_answer_and_the_message_starts_from_its_beginning() -> None:
    script = [(b"\x05", b"\x06"), (b"\x021H", b"\x06"), (b"\x022L", b""), (b"\x04", b""), *WHOLE]
    analyzer, _, seconds = await on_script(script)
    assert analyzer.done
    assert seconds >= 15
    assert [one.outcome for one in analyzer.fates[0].attempts] == ["frame-unanswered", "acknowledged"]


async def test_six_refusals_and_the_message_starts_from_its_beginning() -> None:
    script = [(b"\x05", b"\x06"), *[(b"\x021H", b"\x15")] * 6, (b"\x04", b""), *WHOLE]
    analyzer, _, _ = await on_script(script)
    assert [one.outcome for one in analyzer.fates[0].attempts] == ["six-refusals", "acknowledged"]


async def test_a_host_that_hangs_up_before_the_last_ack_gets_it_all_again() -> None:
    script = [(b"\x05", b"\x06"), (b"\x021H", b"\x06"), (b"\x022L", None), *WHOLE]
    analyzer, heard, _ = await on_script(script)
    assert analyzer.done
    assert analyzer.connections == 2
    assert heard[1] == heard[4]


async def test_a_recording_that_was_refused_is_played_again_from_its_beginning() -> None:
    clock, plug = HandClock(), OneEnd()
    recording = b"\x05\x021L|1|N\r\x0304\r\n\x04"
    analyzer = Analyzer("a", plug, [Transmission("r", (), capture=recording)], clock)
    script = [
        (b"\x05", b"\x06"),
        *[(b"\x021L", b"\x15")] * 6,
        (b"\x04", b""),
        (b"\x05", b"\x06"),
        (b"\x021L", b"\x06"),
        (b"\x04", b""),
    ]

    async def both() -> None:
        await asyncio.gather(analyzer.run(), scripted(plug, script))

    await clock.run(asyncio.create_task(both()))
    assert analyzer.done
    assert [one.outcome.split(":")[0] for one in analyzer.fates[0].attempts] == ["refused 6 times", "acknowledged"]


async def test_a_line_that_is_lost_between_two_messages_is_dialled_again() -> None:
    clock, plug = HandClock(), OneEnd()
    analyzer = Analyzer("a", plug, [message("one", 0), message("two", 0, think=60.0)], clock)

    async def host() -> None:
        for _ in range(2):
            far = await plug.far.get()
            for answer in (b"\x06", b"\x06", b"\x06", b"\x06", b"\x06", b""):
                await far.read()
                await far.write(answer)
            await far.close()

    both = asyncio.gather(analyzer.run(), host())
    await clock.run(asyncio.ensure_future(asyncio.wait_for(both, None)))
    assert analyzer.done
    assert analyzer.connections == 2


async def test_an_analyzer_dials_until_somebody_listens() -> None:
    clock, host = HandClock(), Host()
    async with host.listening() as port:
        pass
    plug = TcpConnect("127.0.0.1", port)
    opening = asyncio.create_task(plug.open(clock))
    while not clock.waiting:
        await asyncio.sleep(0)
    async with host.listening(port=port):
        clock.advance(0.2)
        wire = await opening
        await wire.write(b"\x05")
        assert await wire.read() == b"\x06"
        await wire.close()


async def test_an_analyzer_whose_patience_is_over_says_so() -> None:
    clock, plug = HandClock(), OneEnd()
    analyzer = Analyzer("a", plug, [message("one"), message("two")], clock, LineSettings(patience=40))
    await clock.run(asyncio.create_task(analyzer.run()))
    report = analyzer.report()
    assert not report["complete"]
    assert "one was not acknowledged in 40 s" in report["stopped"]
    assert not any(one["acknowledged"] for one in report["results"])


async def test_the_host_is_heard_while_the_analyzer_thinks() -> None:
    clock, plug = HandClock(), OneEnd()
    analyzer = Analyzer(
        "a", plug, [message("one", 0), message("two", 0, think=60.0)], clock, LineSettings(patience=1000)
    )

    async def host() -> None:
        far = await plug.far.get()
        for answer in (b"\x06", b"\x06", b"\x06", b"\x06", b"\x06", b""):
            await far.read()
            await far.write(answer) if answer else None
        await far.write(b"\x05")
        assert await far.read() == b"\x06"
        await far.write(b"\x021L|1|N\r\x0304\r\n\x04")
        assert await far.read() == b"\x06"
        for answer in (b"\x06", b"\x06", b"\x06", b"\x06", b"\x06", b""):
            await far.read()
            await far.write(answer) if answer else None

    both = asyncio.gather(analyzer.run(), host())
    await clock.run(asyncio.ensure_future(asyncio.wait_for(both, None)))
    assert analyzer.done
    assert analyzer.heard["FrameReceived"] == 1


async def over(seed: int, faults: Faults) -> tuple[Analyzer, bool]:
    """Send four messages over a bad line; True when each has arrived whole, once and in order."""
    clock, host, cables = HandClock(), Host(), OneEnd()
    line = BadLine(seed, faults, Faults(split=1.0))
    sent = [message(f"m{n}", 6) for n in range(4)]
    analyzer = Analyzer("a", BadPlug(cables, line), sent, clock, LineSettings(patience=10_000))

    async def answering() -> None:
        far = await cables.far.get()
        while data := await far.read():
            if answer := host.hear(data):
                await far.write(answer)

    async def both() -> None:
        await asyncio.gather(analyzer.run(), answering())

    await clock.run(asyncio.create_task(both()))
    whole = [one.raw for one in host.messages if one.terminated]
    return analyzer, whole == [b"".join(one.records) for one in sent]


@pytest.mark.parametrize("seed", range(25))
async def test_over_a_line_that_corrupts_splits_and_resends_everything_arrives_unharmed(seed: int) -> None:
    analyzer, unharmed = await over(seed, Faults(corrupt=0.1, split=0.4, merge=0.1, delay=0.1, resend=0.1, spare=1))
    assert analyzer.done
    assert unharmed


async def test_a_line_that_answers_twice_can_make_a_sender_believe_what_was_refused() -> None:
    """A weakness of the standard, which has no number in an acknowledgment; the test above must be able to notice such a thing."""
    outcomes = [await over(seed, Faults(corrupt=0.1, repeat=0.2, spare=1)) for seed in range(8)]
    assert any(analyzer.done and not unharmed for analyzer, unharmed in outcomes)


async def test_an_analyzer_that_forgets_record_by_record_goes_on_after_the_last_it_was_told_to_forget() -> None:
    host = Host()
    settings = LineSettings(forgets="record", frame_text=20)  # some records take two frames
    sent = message("one", 4, hang_ups=(HangUp(7, 0.0), HangUp(6, 0.0)))
    analyzer = await played(host, [sent], settings)
    frames = [(one.structure, one.terminated) for one in host.messages]
    assert frames == [("HPOR", False), ("HPOR", False), ("HPORRL", True)]
    told = [record.text for one in host.messages for record in one.records if record.type == "R"]
    assert told == [one.decode().rstrip() for one in sent.records if one.startswith(b"R")]
    assert analyzer.done


async def test_what_it_was_told_to_forget_counts_as_acknowledged_even_if_the_rest_never_arrives() -> None:
    clock, plug = HandClock(), OneEnd()
    analyzer = Analyzer("a", plug, [message("one", 2)], clock, LineSettings(forgets="record", patience=60))

    async def host() -> None:
        far = await plug.far.get()
        for _ in range(5):
            await far.read()
            await far.write(b"\x06")
        await far.close()

    both = asyncio.gather(analyzer.run(), host())
    await clock.run(asyncio.ensure_future(asyncio.wait_for(both, None)))
    report = analyzer.report()
    assert not report["complete"]
    assert [(one["code"], one["acknowledged"]) for one in report["results"]] == [("T1", True), ("T2", False)]
    assert report["messages"][0]["acknowledged"] is False


async def test_a_message_that_cannot_be_sent_stops_the_analyzer_with_a_reason() -> None:
    host = Host()
    analyzer = await played(host, [Transmission("bad", (), (HEADER, b"R|1|\x02\r"))])
    assert not analyzer.done
    assert "0x02" in analyzer.stopped
