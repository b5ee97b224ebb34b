"""Which HL7 messages does a file hold, and what keeps the others from being read? Told, never raised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labmw.cli.unframe import LARGEST
from labmw.phrases import Language, say
from protocols.capture import loads, pieces_to_bytes, sniff
from protocols.errors import ProtocolError
from protocols.hl7.er7 import Message, split_batch
from protocols.hl7.mllp import Block, BlockRestarted, BlockTooLarge, MllpReader, Noise, Truncated

_HEADERS = (b"MSH", b"FHS", b"BHS")
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_MOST_PROBLEMS = 20  # of one file
_SHOWN = 12  # bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something in the file is no message: a phrase and its facts."""

    code: str
    facts: tuple[tuple[str, str], ...] = ()

    def sentence(self, file: str, language: Language) -> str:
        """What it says to a person."""
        return say(self.code, language, file=file, **dict(self.facts))


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds: the messages that can be read, and what keeps the rest from being read."""

    messages: tuple[Message, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_file(file: Path, encoding: str = "", largest: int = LARGEST) -> Contents:
    """The messages of a file: bare, in a batch, in MLLP blocks, or what an instrument sent in a .wire recording."""
    try:
        with file.open("rb") as opened:
            data = opened.read(largest + 1)
    except OSError as error:
        return Contents(problems=(_unreadable(error.strerror or str(error)),))
    if len(data) > largest:
        return Contents(problems=(Problem("hl7-file-large", (("most", str(largest)),)),))
    return read_bytes(data, encoding)


def read_bytes(data: bytes, encoding: str = "") -> Contents:
    """The same for the bytes of a file."""
    if sniff(data) == "wire":
        try:
            data = pieces_to_bytes(loads(data.decode("latin-1")))
        except ProtocolError as error:
            return Contents(problems=(_unreadable(str(error)),))
    start = data.lstrip(b"\r\n\t ")
    if not start:
        return Contents(problems=(Problem("hl7-file-empty"),))
    if start.startswith(b"\x0b"):
        return _blocks(start, encoding)
    if start.startswith(_MARKS):
        return Contents(problems=(Problem("hl7-file-mark"),))
    if not start.startswith(_HEADERS):
        return Contents(problems=(Problem("hl7-file-other", (("found", _bytes(start)),)),))
    return _messages(start, encoding)


def _messages(data: bytes, encoding: str) -> Contents:
    try:
        return Contents(tuple(split_batch(data, encoding or None)))
    except ProtocolError as error:
        return Contents(problems=(_unreadable(str(error)),))


def _blocks(data: bytes, encoding: str) -> Contents:
    reader = MllpReader(LARGEST)
    messages: list[Message] = []
    problems: list[Problem] = []
    number = 0
    for event in (*reader.receive(data), *reader.hang_up()):
        match event:
            case Block():
                number += 1
                inside = _messages(event.data, encoding)
                messages += inside.messages
                problems += inside.problems
            case Noise():
                if event.data.strip():
                    problems.append(
                        Problem("hl7-block-outside", (("number", str(number)), ("found", _bytes(event.data))))
                    )
            case BlockRestarted():
                number += 1
                problems.append(_block("hl7-block-again", number, len(event.dropped)))
            case Truncated():
                problems.append(_block("hl7-block-cut", number + 1, len(event.data)))
            case BlockTooLarge():
                problems.append(Problem("hl7-file-large", (("most", str(LARGEST)),)))
    return Contents(tuple(messages), tuple(problems[:_MOST_PROBLEMS]))


def _block(code: str, number: int, size: int) -> Problem:
    return Problem(code, (("number", str(number)), ("size", str(size))))


def _bytes(data: bytes) -> str:
    return repr(data[:_SHOWN])[1:]


def _unreadable(why: str) -> Problem:
    return Problem("hl7-unreadable", (("problem", why),))
