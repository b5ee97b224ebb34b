"""The nine link transcripts, played from both sides: the machines say exactly what the transcripts say."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from protocols.astm import control
from protocols.astm.control import show
from protocols.astm.datalink import (
    DataLink,
    Deadline,
    Event,
    FrameReceived,
    FrameRepeated,
    LineBusy,
    MessageSent,
    Role,
    SendFailed,
    State,
    Troubled,
)
from protocols.astm.frame import cut, encode
from protocols.astm.message import Assembly, Message
from protocols.astm.tolerance import Tolerances

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = {
    name: bytes([getattr(control, name)]) for name in ["STX", "ETX", "EOT", "ENQ", "ACK", "NAK", "CR", "LF", "ETB"]
}
LINE = re.compile(r"^(?:t=\S+ )?([IH])> (.*?)\s*(?:#.*)?$")


def spoken(text: str) -> bytes:
    out = text.encode("latin-1")
    for name, byte in NAMES.items():
        out = out.replace(b"<%b>" % name.encode(), byte)
    return out


def transcript(number: int) -> list[tuple[str, bytes]]:
    """Who says what, in order; remarks are left out."""
    (file,) = EXAMPLES.glob(f"link_{number:02}_*.link.txt")
    found = [LINE.match(line.strip()) for line in file.read_text("latin-1").splitlines()]
    return [(match[1], spoken(match[2])) for match in found if match]


def records(name: str) -> list[bytes]:
    return [line + b"\r" for line in (EXAMPLES / name).read_bytes().split(b"\r")[:-1]]


@dataclass
class Station:
    """A machine with an owner who accepts, or refuses where told."""

    link: DataLink
    refuse: int = 0
    interrupt_at: int = 0
    seen: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    assembly: Assembly = field(default_factory=Assembly)
    taken: int = 0

    def hear(self, data: bytes) -> bytes:
        return self.deal(self.link.receive(data))

    def deal(self, events: Iterable[Event]) -> bytes:
        pending = list(events)
        while pending:
            event = pending.pop(0)
            self.seen.append(event)
            if isinstance(event, FrameReceived):
                if self.refuse:
                    self.refuse -= 1
                    pending = self.link.refuse() + pending
                    continue
                self.taken += 1
                if self.taken == self.interrupt_at:
                    assert self.link.ask_for_line()
                self.messages += self.assembly.feed(event.frame)
                pending = self.link.accept() + pending
        return self.link.data_to_send()

    def expire(self, deadline: Deadline) -> bytes:
        timer = self.link.timer
        assert timer is not None and timer.name is deadline
        return self.deal(self.link.expire(timer))


def play(script: list[tuple[str, bytes]], station: Station, who: str, say: bytes) -> None:
    """The station is `who`; the other lines of the script are fed to it. `say` is what it has already said."""
    for speaker, data in script:
        if speaker == who:
            assert say.startswith(data), (show(say), show(data))
            say = say[len(data) :]
        else:
            assert say == b"", show(say)
            say = station.hear(data)
    assert say == b"", show(say)


def instrument(**settings: Any) -> Station:
    return Station(DataLink(Role.INSTRUMENT), **settings)


def computer(**settings: Any) -> Station:
    return Station(DataLink(Role.COMPUTER), **settings)


def test_01_normal() -> None:
    script, message = transcript(1), records("astm_01_result_upload.astm")
    receiver = computer()
    play(script, receiver, "H", b"")
    assert [found.encode() for found in receiver.messages] == [b"".join(message)]
    sender = instrument()
    sender.link.send(message, "upload")
    play(script, sender, "I", sender.deal([]))
    assert MessageSent("upload") in sender.seen and not sender.link.unsent


def test_01_bytes() -> None:
    script = transcript(1)
    said = b"".join(data for speaker, data in script if speaker == "I")
    assert said == (EXAMPLES / "astm_01_result_upload.sender.bin").read_bytes()


def test_02_whole_message_cut_with_etb() -> None:
    script, message = transcript(2), records("astm_01_result_upload.astm")
    receiver = computer()
    play(script, receiver, "H", b"")
    assert [found.encode() for found in receiver.messages] == [b"".join(message)]
    sender = Station(DataLink(Role.INSTRUMENT, Tolerances(packing="message")))
    sender.link.send(message)
    play(script, sender, "I", sender.deal([]))
    said = b"".join(data for speaker, data in script if speaker == "I")
    assert said == (EXAMPLES / "astm_01_result_upload.etb240.sender.bin").read_bytes()


def test_03_nak_and_lost_ack() -> None:
    script = transcript(3)
    receiver = computer()
    play(script, receiver, "H", b"")
    assert sum(isinstance(event, FrameReceived) for event in receiver.seen) == 2
    assert sum(isinstance(event, FrameRepeated) for event in receiver.seen) == 1
    # The sender's side: its ACK damaged on the way counts as NAK, so it repeats.
    sender = instrument()
    sender.link.send(records("astm_01_result_upload.astm"))
    assert sender.deal([]) == b"\x05"
    frames = [data for speaker, data in script if speaker == "I"][1:]
    assert sender.hear(b"\x06") == frames[0]
    assert sender.hear(b"\x06") == frames[2]
    assert sender.hear(b"\x15") == frames[2]
    assert sender.hear(b"\x86") == frames[2]


def test_04_contention() -> None:
    sender, host = instrument(), computer()
    sender.link.send(records("astm_01_result_upload.astm"), "up")
    host.link.send(records("astm_03_host_query_reply.astm"), "down")
    assert (sender.deal([]), host.deal([])) == (b"\x05", b"\x05")
    assert host.hear(b"\x05") == b""
    assert sender.hear(b"\x05") == b""
    assert host.link.timer is not None and (host.link.timer.name, host.link.timer.seconds) == (
        Deadline.CONTENTION_COMPUTER,
        20,
    )
    assert sender.link.timer is not None and sender.link.timer.seconds == 1
    to_host = sender.expire(Deadline.CONTENTION_INSTRUMENT)
    assert to_host == b"\x05"
    while to_host:
        to_sender = host.hear(to_host)
        to_host = sender.hear(to_sender) if to_sender != b"\x05" else b""
    assert to_sender == b"\x05"  # after the EOT the host tries again
    while to_sender:
        to_host = sender.hear(to_sender)
        to_sender = host.hear(to_host)
    assert host.link.unsent == [] and sender.link.unsent == []
    assert len(host.messages) == len(sender.messages) == 1
    assert (sender.link.state, host.link.state) == (State.NEUTRAL, State.NEUTRAL)


def test_04_the_computer_gives_up_waiting_for_the_instrument() -> None:
    host = computer()
    host.link.send(records("astm_03_host_query_reply.astm"))
    assert host.deal([]) == b"\x05"
    assert host.hear(b"\x05") == b""
    assert host.expire(Deadline.CONTENTION_COMPUTER) == b"\x05"


def test_05_busy() -> None:
    host = computer()
    host.link.can_receive = False
    assert host.hear(b"\x05") == b"\x15"
    host.link.can_receive = True
    assert host.hear(b"\x05") == b"\x06"
    sender = instrument()
    sender.link.send(records("astm_02_host_query.astm"))
    assert sender.deal([]) == b"\x05"
    assert sender.hear(b"\x15") == b""
    assert LineBusy() in sender.seen
    assert sender.link.timer is not None and sender.link.timer.seconds == 10
    assert sender.expire(Deadline.BUSY) == b"\x05"
    assert show(sender.hear(b"\x06")).startswith("<STX>1H|")


def test_06_query_and_reply() -> None:
    script = transcript(6)
    query, reply = records("astm_02_host_query.astm"), records("astm_03_host_query_reply.astm")
    host = computer()
    half = [data for _, data in script].index(b"\x04") + 1
    play(script[:half], host, "H", b"")
    (asked,) = host.messages
    assert asked.structure == "HQL"
    host.link.send(reply)
    play(script[half:], host, "H", host.deal([]))
    analyzer = instrument()
    analyzer.link.send(query)
    play(script, analyzer, "I", analyzer.deal([]))
    assert [message.structure for message in analyzer.messages] == ["HPOOL"]


def test_07_interrupt_honoured_and_ignored() -> None:
    script = transcript(7)
    upload = records("astm_01_result_upload.astm")
    host = computer(interrupt_at=2)
    play(script[:6], host, "H", b"")
    honours = instrument()
    honours.link.send(upload, "up")
    assert honours.deal([]) == b"\x05"
    frames = [encode(number & 7, text, last) for number, (text, last) in enumerate((cut(one)[0] for one in upload), 1)]
    assert honours.hear(b"\x06") == frames[0]
    assert honours.hear(b"\x06") == frames[1]
    assert honours.hear(b"\x04") == b"\x04"
    assert SendFailed("up", "interrupted") in honours.seen
    assert honours.link.timer is not None and honours.link.timer.seconds == 15
    assert honours.hear(b"\x05") == b"\x06"  # the host's turn
    assert honours.hear(b"\x04") == b"\x05"  # released: the instrument offers its message again, whole
    ignores = Station(DataLink(Role.INSTRUMENT, Tolerances(interrupt="ignore")))
    ignores.link.send(upload)
    assert ignores.deal([]) == b"\x05"
    assert ignores.hear(b"\x06") == frames[0]
    assert ignores.hear(b"\x04") == frames[1]


def test_08_six_failures() -> None:
    script = transcript(8)
    upload = records("astm_01_result_upload.astm")
    sender = instrument()
    sender.link.send(upload, "up")
    play(script, sender, "I", sender.deal([]))
    assert SendFailed("up", "six-refusals") in sender.seen
    assert sender.link.unsent == ["up"]
    receiver = computer(refuse=6)
    play(script, receiver, "H", b"")
    assert [event for event in receiver.seen if isinstance(event, Troubled)] == [Troubled(6)]
    assert sender.expire(Deadline.RETRY) == b"\x05"
    play(transcript(1)[1:], sender, "I", b"")
    assert sender.link.unsent == []


def test_09_long_record() -> None:
    script = [(speaker, data) for speaker, data in transcript(9)]
    long = b"".join(data[2:-5] for speaker, data in script[:4] if speaker == "I")
    assert long.endswith(b"\r") and len(long) > 240
    message = [b"H|\\^&\r", b"P|1\r", b"O|1|S\r", b"R|1|^^^GLU|5.4\r", long, b"L|1|N\r"]
    sender, receiver = instrument(), computer()
    sender.link.send(message)
    said = sender.deal([])
    heard = []
    while said:
        heard.append(said)
        said = sender.hear(receiver.hear(said)) if said != b"\x04" else receiver.hear(said)
    assert heard[5:] == [data for speaker, data in script if speaker == "I"]
    (taken,) = receiver.messages
    assert taken.records_bytes() == message


@pytest.mark.parametrize("name", sorted(file.name for file in EXAMPLES.glob("*.sender.bin")))
def test_bytes_of_a_sender(name: str) -> None:
    receiver = computer()
    receiver.hear((EXAMPLES / name).read_bytes())
    (message,) = receiver.messages
    assert message.encode() == (EXAMPLES / f"{name.split('.', maxsplit=1)[0]}.astm").read_bytes()
