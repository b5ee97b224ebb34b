"""One flipped bit anywhere in a checksummed stream never yields a wrong accepted frame, as long as the link is strict.

The driver accepts every frame it is handed. What it gets must be a beginning of what was sent: nothing changed, nothing
invented, nothing left out in the middle.
"""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.astm.datalink import DataLink, Event, FrameReceived, MessageSent, Role, SendingStarted
from protocols.astm.frame import encode
from protocols.astm.tolerance import STRICT, Tolerances

ROOT = Path(__file__).resolve().parents[3]
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus")) / "astm"
EXHAUSTIVE = 1600  # bytes of a file up to which every bit is flipped
SAMPLE = 3000  # bits flipped in a larger one

OWN = (
    b"\x05"
    + b"".join(
        encode(number & 7, text, last)
        for number, (text, last) in enumerate(
            [
                (b"H|\\^&|||CHEM-X1|||||LABMW||P|LIS02-A2|20260315083020\r", True),
                (b"P|1||PAT000417||DUPONT^LEA||19850412|F\r", True),
                (b"O|1|26031500123||^^^GLU|R|||||||||", False),
                (b"|SER|||||||20260315083015|||F\r", True),
                *[(b"R|%d|^^^GLU|5.42|mmol/L||N||F\r" % seq, True) for seq in range(1, 9)],
                (b"L|1|N\r", True),
            ],
            1,
        )
    )
    + b"\x04"
)


def streams() -> list[tuple[str, bytes]]:
    found = [("own", OWN)]
    for file in sorted(CORPUS.glob("*/*.astm")):
        expected = json.loads((file.parent / f"{file.name}.expected.json").read_text())
        if expected["framing"] == "lis01" and not expected["frames"]["checksum"]["invalid"]:
            data = file.read_bytes()
            found.append((f"{file.parent.name}/{file.name}", data if data[0] == 5 else b"\x05" + data + b"\x04"))
    return found


STREAMS = streams()


def accepted(data: bytes, tolerances: Tolerances) -> list[bytes]:
    link = DataLink(tolerances=tolerances)
    texts = []
    pending = link.receive(data)
    while pending:
        event = pending.pop(0)
        if isinstance(event, FrameReceived):
            texts.append(event.frame.text)
            pending = link.accept() + pending
    return texts


def flips(data: bytes, exhaustive: int = EXHAUSTIVE) -> Iterator[bytes]:
    bits = range(len(data) * 8)
    chosen = bits if len(data) <= exhaustive else random.Random(len(data)).sample(bits, SAMPLE)
    for bit in chosen:
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        yield bytes(damaged)


@pytest.mark.parametrize(("name", "data"), STREAMS, ids=[name for name, _ in STREAMS])
def test_strict(name: str, data: bytes) -> None:
    true = accepted(data, STRICT)
    assert true, name
    for damaged in flips(data):
        texts = accepted(damaged, STRICT)
        assert texts == true[: len(texts)], damaged


def test_strict_at_the_structure_of_a_long_file() -> None:
    """Every bit of every STX, number, ETX, checksum and trailer of the own stream's frames, in a session of 30 frames."""
    data = b"\x05" + b"".join(encode(n & 7, b"R|%d|^^^T|%d\r" % (n, n * n), True) for n in range(1, 31)) + b"\x04"
    true = accepted(data, STRICT)
    assert len(true) == 30
    for damaged in flips(data, exhaustive=10**6):
        texts = accepted(damaged, STRICT)
        assert texts == true[: len(texts)], damaged


@pytest.mark.parametrize(
    "loose",
    [
        Tolerances(checksum="none"),
        Tolerances(frame_numbers="off"),
        Tolerances(resynchronise=True, checksum="none"),
    ],
    ids=["no checksum", "no numbers", "resynchronise without checksum"],
)
def test_the_test_notices(loose: Tolerances) -> None:
    """Each thing that strict insists on is needed: without it a flipped bit does yield something wrong."""
    true = accepted(OWN, loose)
    wrong = [damaged for damaged in flips(OWN) if (texts := accepted(damaged, loose)) != true[: len(texts)]]
    assert wrong


class Transfer:
    """A sender and a receiver, stop and wait, with one bit flipped somewhere in what they say to each other."""

    def __init__(self, message: list[bytes], bit: int) -> None:
        self.sender, self.receiver = DataLink(Role.INSTRUMENT), DataLink()
        self.attempts: list[list[bytes]] = []
        self.now = 0.0
        self.began: dict[tuple[int, int], float] = {}
        self.said = 0
        self.bit = bit
        self.sent = 0
        self.hear(self.sender.send(message))
        for _ in range(200):
            if not self.exchange() and not self.time_passes():
                break

    def flipped(self, data: bytes) -> bytes:
        first, self.said = self.said, self.said + len(data) * 8
        if not first <= self.bit < self.said:
            return data
        damaged = bytearray(data)
        damaged[(self.bit - first) // 8] ^= 1 << self.bit % 8
        return bytes(damaged)

    def exchange(self) -> bool:
        to_receiver, to_sender = self.sender.data_to_send(), self.receiver.data_to_send()
        if to_receiver:
            pending = self.receiver.receive(self.flipped(to_receiver))
            while pending:
                event = pending.pop(0)
                if isinstance(event, FrameReceived):
                    self.attempts[-1].append(event.frame.text)
                    pending = self.receiver.accept() + pending
        if to_sender:
            self.hear(self.sender.receive(self.flipped(to_sender)))
        return bool(to_receiver or to_sender)

    def time_passes(self) -> bool:
        """On to the next deadline."""
        due: list[tuple[float, int, DataLink]] = []
        for place, link in enumerate((self.sender, self.receiver)):
            timer = link.timer
            if timer is not None:
                began = self.began.setdefault((place, timer.serial), self.now)
                due.append((began + timer.seconds, place, link))
        if not due:
            return False
        self.now, _, link = min(due)
        assert link.timer is not None
        events = link.expire(link.timer)
        if link is self.sender:
            self.hear(events)
        return True

    def hear(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, SendingStarted):
                self.attempts.append([])
            self.sent += isinstance(event, MessageSent)


def test_a_transfer_survives_any_single_flipped_bit() -> None:
    """In either direction: nothing wrong is accepted, what counts as sent was accepted whole, and it does get there."""
    message = [b"H|\\^&\r", b"R|1|^^^GLU|5.42\r", b"L|1|N\r"]
    undisturbed = Transfer(message, -1)
    assert undisturbed.attempts == [message] and undisturbed.sent == 1
    for bit in range(undisturbed.said):
        transfer = Transfer(message, bit)
        assert transfer.sent == 1, bit
        assert transfer.attempts[-1] == message, bit
        assert all(attempt == message[: len(attempt)] for attempt in transfer.attempts), bit
