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

from protocols.astm.datalink import DataLink, FrameReceived
from protocols.astm.frame import encode
from protocols.astm.tolerance import STRICT, Tolerances

ROOT = Path(__file__).resolve().parents[3]
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus")) / "astm"
EXHAUSTIVE = 700  # bytes of a file up to which every bit is flipped
SAMPLE = 2500  # bits flipped in a larger one

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


def around(data: bytes, place: int) -> tuple[int, int]:
    return max(0, place - 3), min(len(data), place + 8)


@pytest.mark.parametrize(("name", "data"), STREAMS, ids=[name for name, _ in STREAMS])
def test_strict(name: str, data: bytes) -> None:
    true = accepted(data, STRICT)
    assert true
    if len(data) > 8000:
        # Long file: as much of it as holds a few dozen frames, so that each flip is cheap, and the rest by sample of it.
        data = data[:6000]
        true = accepted(data, STRICT)
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
