"""How fast are bytes understood? ASTM beside python-astm, HL7 beside python-hl7, on the same bytes in the same rounds.

ASTM is fed as from a line: 247 bytes a read, through the classes of the daemon in the order of its conversation, every frame accepted,
to the lazy Message, and further until every value that a driver reads is read. The codec alone (LIS02-A2, no frames, no checksum) splits every
field. python-astm's decode is given the frames ready cut, which it needs; it sums, splits and decodes everything, and has no line to look after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from protocols.astm.datalink import DataLink
from protocols.astm.events import FrameReceived
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly, Message
from protocols.astm.scanner import Scanner
from protocols.astm.tolerance import STRICT
from protocols.hl7 import er7
from tests.benchmarks.messages import OBSERVATIONS, framed, oul_r22, records
from tests.benchmarks.peers import Peer, PeerMissing
from tests.benchmarks.rounds import Batch, Sample, here, ratio, take_turns

READ = 247  # bytes: a frame of E1381 at its longest
LINE, LINE_READ = "daemon's classes, to Message", "daemon's classes, results read"
FRAMES = "frames cut and summed, to Message"
CODEC, CODEC_READ = "codec alone, every field split", "codec alone, results read"
LAZY, SPLIT = "protocols.hl7, values read", "str.split, values read"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Times of one message, by name; the peer is None where it cannot be had, and `missing` says why."""

    samples: dict[str, Sample]
    peer: str
    targets: dict[str, float]  # at least so many times as fast as the peer
    missing: str = ""

    def times_peer(self, name: str) -> Sample | None:
        """How many times as fast as the peer, round by round."""
        return ratio(self.samples[self.peer], self.samples[name]) if self.peer in self.samples else None


def astm(rounds: int, seconds: float) -> Comparison:
    """60 framed records."""
    texts = records()
    frames = framed(texts)
    sent = b"\x05" + b"".join(frames) + b"\x04"
    reads = [sent[at : at + READ] for at in range(0, len(sent), READ)]
    whole = sent[1:]
    text = b"".join(texts)
    assert through_line(reads).raw == text == through_scanner(whole).raw
    assert values(through_line(reads)) == values(through_codec(text))
    ours: dict[str, Callable[[], object]] = {
        LINE: lambda: through_line(reads),
        LINE_READ: lambda: values(through_line(reads)),
        FRAMES: lambda: through_scanner(whole),
        CODEC: lambda: [record.fields for record in through_codec(text).records],
        CODEC_READ: lambda: values(through_codec(text)),
    }
    return _compare(ours, "python-astm 0.5, decode", "astm", frames, {LINE: 3.0, CODEC: 8.0}, rounds, seconds)


def hl7(rounds: int, seconds: float) -> Comparison:
    """An OUL^R22 of 40 segments: 10 OBX, specimen and patient."""
    data = oul_r22()
    assert hl7_values(data) == hl7_values_by_split(data)
    ours: dict[str, Callable[[], object]] = {
        LAZY: lambda: hl7_values(data),
        SPLIT: lambda: hl7_values_by_split(data),
    }
    return _compare(ours, "python-hl7 0.4.5", "hl7", [data], {LAZY: 60.0}, rounds, seconds, hl7_values(data))


def _compare(
    ours: dict[str, Callable[[], object]],
    peer: str,
    kind: str,
    data: list[bytes],
    targets: dict[str, float],
    rounds: int,
    seconds: float,
    values_read: list[str] | None = None,
) -> Comparison:
    batches: dict[str, Batch] = {name: here(action) for name, action in ours.items()}
    try:
        with Peer(kind, data) as other:
            assert values_read is None or other.read == values_read, "the peer has read other values than we"
            samples = take_turns({peer: other.batch, **batches}, rounds, seconds)
    except PeerMissing as why:
        return Comparison(take_turns(batches, rounds, seconds), peer, targets, str(why))
    return Comparison(samples, peer, targets)


def through_line(reads: list[bytes]) -> Message:
    """A session as labmw.line.conversation runs it, without the store between the frame and its ACK."""
    link, assembly = DataLink(), Assembly()
    found: list[Message] = []
    for data in reads:
        queue = link.receive(data)
        link.data_to_send()
        while queue:
            event = queue.pop(0)
            if isinstance(event, FrameReceived):
                assembly.completes(event.frame)
                found += assembly.feed(event.frame)
                queue[:0] = link.accept()
            link.data_to_send()
    (message,) = found
    return message


def through_codec(text: bytes) -> Message:
    """Records as they stand in the frames."""
    (message,) = Message.parse(text)
    return message


def through_scanner(whole: bytes) -> Message:
    """Frames cut and summed, records put together: no state of a line."""
    scanner, assembly = Scanner(STRICT, Counter()), Assembly()
    scanner.feed(whole)
    found: list[Message] = []
    while isinstance(frame := scanner.block(), Frame):
        found += assembly.feed(frame)
    (message,) = found
    return message


def values(message: Message) -> list[str]:
    """What a driver reads: specimens, and of each result test, value, unit, range, flag, status and time."""
    read = []
    for record in message.records:
        kind = record.type
        if kind == "R":
            read += [record.component(3, 4), *[record.field(number) for number in (4, 5, 6, 7, 9, 13)]]
        elif kind == "O":
            read.append(record.component(3, 1))
    return read


def hl7_values(data: bytes) -> list[str]:
    """Patient, name, specimen, and of each OBX code, value, unit, flag, status and time."""
    message = er7.Message.parse(data)
    patient, specimen = message.first("PID"), message.first("SPM")
    assert patient is not None and specimen is not None
    read = [patient.component(3), patient.component(5), specimen.component(2)]
    for observation in message.all("OBX"):
        read += observation.values(3, 5, 6, 8, 11, 19)
    return read


def hl7_values_by_split(data: bytes) -> list[str]:
    """The same by str.split, for a message without escapes, repetitions or a doubt: what cannot be beaten."""
    read: list[str] = []
    observations: list[str] = []
    for line in data.decode("utf-8").split("\r"):
        fields = line.split("|")
        if fields[0] == "OBX":
            observations += [fields[number].split("^", 1)[0] for number in (3, 5, 6, 8, 11, 19)]
        elif fields[0] == "PID":
            read += [fields[3].split("^", 1)[0], fields[5].split("^", 1)[0]]
        elif fields[0] == "SPM":
            read.append(fields[2].split("&", 1)[0])
    assert len(observations) == 6 * len(OBSERVATIONS)
    return read + observations
